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

"""The learner of a fine-tuning session: experience of robots in, acknowledgements, weights out."""

import array
import os
from pathlib import Path
import threading
import time
import traceback

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import UInt8MultiArray
from std_srvs.srv import SetBool, Trigger
import torch

from iql_ros.data.convert import bag_dataset
from iql_ros.files import InputError, read_text, read_yaml
from iql_ros.nodes.hosting import process
from iql_ros.nodes.hosting.diagnostics import DiagnosticsPublisher
from iql_ros.nodes.hosting.parameters import AT_START, GuardedParameters, Parameter
from iql_ros.nodes.learning.experience_receiver import ExperienceReceiver
from iql_ros.online.experience import ExperienceFormat
from iql_ros.online.finetune import open_run, Opened, settings_from_mapping
from iql_ros.online.report import write_finetune_report
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.streams import TOPIC_NAME
from iql_ros.runs.run_directory import RunDirectory

_OF_THE_RUN = ('belongs to the run, which learns the same, to the bit, when it is resumed: begin '
               'another run with it')
PARAMETERS = (
    Parameter('checkpoint', '', 'checkpoint file to begin with', fixed=_OF_THE_RUN),
    Parameter('dataset', '', "offline data; empty: the checkpoint's own", fixed=_OF_THE_RUN),
    Parameter('bag', '', 'a recording, or a folder of them, in place of a dataset',
              fixed=_OF_THE_RUN),
    Parameter('robot_config', '', "YAML of the robot; empty: the checkpoint's",
              fixed=_OF_THE_RUN),
    Parameter('config', '', 'YAML of settings (config/finetune)', fixed=_OF_THE_RUN),
    Parameter('run', 'finetune', 'its folder is $IQL_RUNS/<run>; one that is there goes on'),
    Parameter('robots', [''], 'namespaces of the policy nodes; empty: that of this node'),
    Parameter('device', 'auto', 'where to learn', choices=('auto', 'cpu', 'cuda'),
              fixed=_OF_THE_RUN),
    Parameter('seed', 0, 'of the batches', range=(0, 2**31 - 1), fixed=_OF_THE_RUN),
    Parameter('steps', 0, 'transitions to learn from; 0: as the config says',
              range=(0, 2**31 - 1), fixed=f'{AT_START}; the run goes on'),
    Parameter('environment', '', 'Gymnasium id for evaluations in this process (simulation)',
              fixed=_OF_THE_RUN),
    Parameter('guard', False, 'go back to the best weights after a fall', fixed=_OF_THE_RUN),
    Parameter('allow_task', False, 'take data or a checkpoint of another task',
              fixed=_OF_THE_RUN),
)
_WEIGHTS_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                          durability=DurabilityPolicy.TRANSIENT_LOCAL)
_IDLE = 0.05         # [s] how long the learner waits for experience before it looks around
_SOON = 0.01         # [s] the same when an acknowledgement is owed
_NICE = 10           # the learner never takes a core from control


class FinetuneNode(GuardedParameters, Node):
    """
    Owns one fine-tuning run; it learns in a worker thread, never in a callback.

    Every robot's experience is acknowledged once it is on disk.
    """

    leave_timeout = 120.0  # [s] an update, a checkpoint and the report

    def __init__(self, done: threading.Event, overrides=()):
        """
        Read the parameters; the session starts with `begin`.

        Raises:
            InputError: for parameters that cannot be used.

        """
        super().__init__('finetune_node', parameter_overrides=list(overrides))
        self.declare_table(PARAMETERS)
        self._settings = self.settings()
        for name in ('checkpoint', 'run'):
            if not getattr(self._settings, name):
                raise InputError(f"parameter '{name}' is empty; expected "
                                 + ('a checkpoint file' if name == 'checkpoint' else 'a name'))
        if self._settings.dataset and self._settings.bag:
            raise InputError("parameters 'dataset' and 'bag': got both; expected one of the two")
        for name in filter(None, self._settings.robots):
            if not TOPIC_NAME.fullmatch(name):
                raise InputError(f"parameter 'robots': got '{name}'; expected namespaces like r1 "
                                 'or /r1')
        self._done, self.exit_code = done, 0
        self._stop, self._save = threading.Event(), threading.Event()
        self._pause: bool | None = None
        self._worker = threading.Thread(target=self._run, name='learning')
        self._state, self._opened = 'reading the data', None

    def begin(self) -> None:
        """Listen to the robots and start the learner in its worker."""
        self._weights = self.create_publisher(UInt8MultiArray, '~/weights', _WEIGHTS_QOS)
        self._metrics = self.create_publisher(DiagnosticArray, '~/metrics', 10)
        self._receiver = ExperienceReceiver(self, self._settings.robots)
        DiagnosticsPublisher(self, 'learner', '', self._describe)
        self.create_service(Trigger, '~/save_checkpoint', self._on_save)
        self.create_service(SetBool, '~/pause', self._on_pause)
        self._worker.start()

    def leave(self) -> None:
        """Ask the learner to save and wait for it."""
        self._stop.set()
        if self._worker.is_alive():
            self._worker.join()

    # Callbacks -----------------------------------------------------------------------------

    def _on_save(self, request, response):
        response.success = self._opened is not None and self._worker.is_alive()
        response.message = '' if response.success else f'not learning: {self._state}'
        self._save.set()
        return response

    def _on_pause(self, request, response):
        self._pause = request.data
        response.success = True
        return response

    # The worker ----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._opened = self._open()
            self._receiver.open(self._opened.learner, ExperienceFormat(
                self._opened.interface, self._opened.task))
            self._state = 'learning'
            self._learn()
        except InputError as error:
            self.get_logger().error(str(error))
            self.exit_code = 2
        except Exception:
            self.get_logger().fatal(traceback.format_exc())
            self.exit_code = 1
        finally:
            self._close()
            self._done.set()

    def _open(self) -> Opened:
        given = self._settings
        robot_config = read_text(given.robot_config) if given.robot_config else None
        mapping = read_yaml(given.config) if given.config else {}
        mapping.update(checkpoint=str(Path(given.checkpoint).resolve()), name=given.run,
                       seed=given.seed, device=given.device)
        if given.bag:
            if robot_config is None:
                raise InputError("parameter 'robot_config' is empty; a bag needs the robot's YAML")
            mapping['dataset'] = bag_dataset(
                given.bag, parse_robot_interface(robot_config, given.robot_config))
        for name in ('dataset', 'steps', 'environment', 'guard'):
            if getattr(given, name):
                mapping[name] = getattr(given, name)
        settings = settings_from_mapping(mapping, given.config or 'parameters')
        env = None
        if settings.environment:
            from iql_ros.sim.envs import import_environment, make_env
            import_environment(settings.environment)
            env = make_env(settings.environment)
        resume = RunDirectory(settings.name).begun
        opened = open_run(settings, robot_config=robot_config, resume=resume,
                          allow_task=given.allow_task, env=env, on_say=self._say)
        self._say(f'run {opened.run.path.resolve()}: {opened.learner.received} transitions on '
                  f'disk, learned from {opened.learner.position}; learner_run: '
                  f'{opened.learner.versions.run:016x}')
        return opened

    def _say(self, text: str) -> None:
        self.get_logger().info(text)

    def _learn(self) -> None:
        learner, self._next_look = self._opened.learner, 0.0
        while not (self._stop.is_set() or learner.done):
            idle = _SOON if self._receiver.owes else _IDLE
            taken = self._receiver.take(0.0 if learner.behind else idle)
            learned = learner.learn()
            if learner.weights_due:
                self._publish_weights()
            if taken or learned or self._receiver.owes:
                self._receiver.acknowledge()
            if time.monotonic() >= self._next_look:
                self._look_around()

    def _publish_weights(self) -> None:
        learner = self._opened.learner
        data = learner.take_weights()
        self._weights.publish(UInt8MultiArray(data=array.array('B', data)))
        self.get_logger().debug(f'weights version {learner.versions.newest} sent: '
                                f'step {learner.position}, {len(data)} bytes')

    def _look_around(self) -> None:
        """Do what is done once a second."""
        learner, self._next_look = self._opened.learner, time.monotonic() + 1.0
        if self._pause is not None and learner.paused != self._pause:
            learner.paused = self._pause
            self._say('paused: experience is stored, nothing is learned' if self._pause
                      else 'learning again')
        try:
            learner.inbox.sync()
            if self._save.is_set():
                self._save.clear()
                learner.save()
                self._report()
        except OSError as error:
            self.get_logger().error(f'{learner.folder}: {error.strerror or error}',
                                    throttle_duration_sec=5.0)
        self._receiver.acknowledge(now=True)
        self._publish_metrics()

    def _publish_metrics(self) -> None:
        learner = self._opened.learner
        message = DiagnosticArray(status=[DiagnosticStatus(
            name=f'{self.get_fully_qualified_name()}: metrics',
            message=f'step {learner.position}',
            values=[KeyValue(key=key, value=f'{value:g}')
                    for key, value in learner.figures().items()])])
        message.header.stamp = self.get_clock().now().to_msg()
        self._metrics.publish(message)

    def _close(self) -> None:
        if self._opened is None:
            return
        learner = self._opened.learner
        try:
            self._receiver.acknowledge(now=True)
            if learner.weights_due:
                self._publish_weights()
            learner.close()
            self._report()
        except Exception:
            self.get_logger().fatal(traceback.format_exc())
            self.exit_code = self.exit_code or 1
        how = 'done' if learner.done else 'stopped, the same line goes on'
        self._state = f'{how}: {learner.position} steps, {learner.folder}'
        self._say(self._state)

    def _report(self) -> None:
        try:
            self._say(f'report {write_finetune_report(self._opened.run.path)}')
        except InputError as error:
            self.get_logger().warning(f'without report.html: {error}')

    def _describe(self):
        """Return level, message and values for /diagnostics."""
        problems = self._receiver.remarks()
        values = {}
        if self._opened is not None:
            learner = self._opened.learner
            values = {'steps': learner.position, 'on disk': learner.received,
                      'behind': learner.behind, **learner.inbox.counts()}
            problems += ['paused'] if learner.paused else []
        level = DiagnosticStatus.WARN if problems else DiagnosticStatus.OK
        return level, '; '.join([self._state, *problems]), values


def main(args=None) -> int:
    """Run the node; return the exit code."""
    os.nice(_NICE)
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores - 1)))
    return process.run('finetune_node', FinetuneNode, args)
