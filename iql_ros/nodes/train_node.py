# Copyright 2026 iql_ros contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""A training run as a node: the job runs in a worker thread, never in a callback."""

from pathlib import Path
import threading
import traceback

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from std_srvs.srv import Trigger

from iql_ros.data.convert import bag_dataset
from iql_ros.files import InputError, read_text, read_yaml
from iql_ros.nodes.hosting import process
from iql_ros.nodes.hosting.diagnostics import DiagnosticsPublisher
from iql_ros.nodes.hosting.parameters import GuardedParameters, Parameter
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.runs.report import write_run_report
from iql_ros.runs.run_directory import default_name
from iql_ros.runs.settings import settings_from_mapping
from iql_ros.runs.train import train

PARAMETERS = (
    Parameter('dataset', '', 'Minari dataset (id or folder) or flat HDF5 file'),
    Parameter('bag', '', 'a recording, or a folder of them, in place of a dataset'),
    Parameter('config', '', 'YAML of settings'),
    Parameter('robot_config', '', 'YAML of the robot: needed for a bag, binds a dataset'),
    Parameter('name', '', "of the run; empty: after the dataset's"),
    Parameter('device', 'auto', 'where to train', choices=('auto', 'cpu', 'cuda')),
    Parameter('seed', 0, 'of weights, batches and dropout', range=(0, 2**31 - 1)),
    Parameter('updates', 0, 'how many; 0: as the config says', range=(0, 2**31 - 1)),
    Parameter('resume', False, 'go on with the run of that name'),
)


class TrainNode(GuardedParameters, Node):
    """Owns one training run; ends when the run does, and saves when it is told to end."""

    leave_timeout = 120.0  # [s] an update, a checkpoint and the report

    def __init__(self, done: threading.Event, overrides=()):
        """
        Read the parameters; the run starts with `begin`.

        Raises:
            InputError: for parameters that cannot be used.

        """
        super().__init__('train_node', parameter_overrides=list(overrides))
        self.declare_table(PARAMETERS)
        self._settings = self.settings()
        if bool(self._settings.dataset) == bool(self._settings.bag):
            raise InputError("parameters 'dataset' and 'bag': got "
                             f"'{self._settings.dataset}' and '{self._settings.bag}'; expected "
                             'one of the two')
        self._done, self.exit_code = done, 0
        self._stop, self._save = threading.Event(), threading.Event()
        self._worker = threading.Thread(target=self._run, name='training')
        self._step, self._state = 0, 'reading the data'

    def begin(self) -> None:
        """Start the run in its worker."""
        self._metrics_publisher = self.create_publisher(DiagnosticArray, '~/metrics', 10)
        DiagnosticsPublisher(self, 'training', '', self._describe)
        for name, event in (('save_checkpoint', self._save), ('stop', self._stop)):
            self.create_service(
                Trigger, f'~/{name}',
                lambda request, response, event=event: self._on_request(event, response))
        self._worker.start()

    def leave(self) -> None:
        """Ask the run to save and wait for it."""
        self._stop.set()
        if self._worker.is_alive():
            self._worker.join()

    def _run(self) -> None:
        try:
            self._train()
        except InputError as error:
            self.get_logger().error(str(error))
            self.exit_code = 2
        except Exception:
            self.get_logger().fatal(traceback.format_exc())
            self.exit_code = 1
        finally:
            self._done.set()

    def _train(self) -> None:
        given = self._settings
        robot_config = read_text(given.robot_config) if given.robot_config else None
        dataset = given.dataset
        if given.bag:
            if robot_config is None:
                raise InputError("parameter 'robot_config' is empty; a bag needs the robot's YAML")
            interface = parse_robot_interface(robot_config, given.robot_config)
            dataset = bag_dataset(given.bag, interface)
            self.get_logger().info(f"'{given.bag}' is dataset {dataset}")
        mapping = read_yaml(given.config) if given.config else {}
        mapping.update(dataset=dataset, seed=given.seed, device=given.device)
        if given.updates:
            mapping['updates'] = given.updates
        mapping['name'] = given.name or default_name(mapping)
        settings, config = settings_from_mapping(mapping, given.config or 'parameters')
        self._state = 'training'
        run = train(settings, config, robot_config=robot_config, resume=given.resume,
                    on_progress=self._on_progress, should_stop=self._stop.is_set,
                    should_save=self._take_save)
        self._state = f'done: {Path(run).resolve()}'
        try:
            self.get_logger().info(f'run {run}, report {write_run_report(run)}')
        except InputError as error:
            self.get_logger().warning(f'run {run}, without report.html: {error}')

    def _take_save(self) -> bool:
        asked = self._save.is_set()
        self._save.clear()
        return asked

    def _on_progress(self, step: int, metrics: dict) -> None:
        self._step = step
        self.get_logger().debug(f'update {step}: ' + ', '.join(
            f'{key} {value:g}' for key, value in metrics.items()))
        message = DiagnosticArray(status=[DiagnosticStatus(
            name=f'{self.get_fully_qualified_name()}: metrics', message=f'update {step}',
            values=[KeyValue(key=key, value=f'{value:g}') for key, value in metrics.items()])])
        message.header.stamp = self.get_clock().now().to_msg()
        self._metrics_publisher.publish(message)

    def _describe(self):
        return DiagnosticStatus.OK, self._state, {'update': self._step}

    def _on_request(self, event: threading.Event, response):
        response.success = self._worker.is_alive()
        response.message = '' if response.success else 'no run is going on'
        event.set()
        return response


def main(args=None) -> int:
    """Run the node; return the exit code."""
    return process.run('train_node', TrainNode, args)
