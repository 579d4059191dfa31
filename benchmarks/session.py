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

"""The nodes of a fine-tuning session as processes, and a node that notes what they say."""

import collections
import itertools
import os
from pathlib import Path
import signal
import subprocess
import threading
import time

from geometry_msgs.msg import TwistStamped
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float64MultiArray, UInt64MultiArray
import yaml

from iql_ros.data.convert import bag_dataset
from iql_ros.files import share_folder
from iql_ros.online.experience import Acknowledgement, ExperienceFormat
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.robot.task import Task
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.sim.node_command import NAMESPACE, node_command, simulation_environment

ROBOT_CONFIG = share_folder() / 'config' / 'robots' / 'diffbot.yaml'
CHECKPOINT = share_folder() / 'share' / 'diffbot.safetensors'
RECORDING = share_folder() / 'share' / 'diffbot_recording'
ENVIRONMENT = 'iql_ros/DiffbotReal-v0'
_PATIENCE = 90.0  # [s] for what must come
_LAST = 20.0      # [s] for the nodes to end in order


def prepare(folder: Path) -> str:
    """Let data and runs be in a folder; return the dataset of the sample recording."""
    os.environ.update(IQL_RUNS=str(folder / 'runs'), MINARI_DATASETS_PATH=str(folder / 'data'))
    (folder / 'data').mkdir(exist_ok=True)
    return bag_dataset(RECORDING, load_robot_interface(ROBOT_CONFIG))


class Session:
    """Simulator, policy node and learner; when it is left, all of them are gone."""

    def __init__(self, folder: Path, run: str, settings: dict, lockstep: bool, listen=True):
        """
        Take a folder for data, runs and outputs.

        Args:
            folder: There already.
            run: Name of the learner's run.
            settings: Of the learner.
            lockstep: Whether simulation goes as fast as the learner keeps up.
            listen: Whether `listener` hears all of it.

        """
        self._folder, self._counter, self._running = folder, itertools.count(), {}
        self.listener, self._listen = None, listen
        os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
        os.environ.update(simulation_environment())
        dataset = prepare(folder)
        config = folder / f'{run}.yaml'
        config.write_text(yaml.safe_dump(settings))
        common = {'robot_config': ROBOT_CONFIG}
        driven = {**common, 'lockstep': lockstep}
        self._parameters = {
            'sim_node': {**driven, 'env_id': ENVIRONMENT},
            'policy_node': {**driven, 'checkpoint': CHECKPOINT, 'device': 'cpu',
                            'use_sim_time': not lockstep, 'learner': 'finetune_node',
                            'evaluate_every': 0},
            'finetune_node': {**common, 'checkpoint': CHECKPOINT, 'dataset': dataset,
                              'config': config, 'run': run, 'device': 'cpu'}}
        self.run_folder, self._pause = RunDirectory(run).path, threading.Event()

    def __enter__(self):
        """Start the listener and all nodes."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if self._listen:
            rclpy.init()
            self.listener = Listener()
            self._executor = SingleThreadedExecutor()
            self._executor.add_node(self.listener)
            self._thread = threading.Thread(target=self._spin, daemon=True)
            self._thread.start()
        try:
            for name in self._parameters:
                self.start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass

    def start(self, name: str) -> None:
        """Start a node; its output goes to a file of its own."""
        path = self._folder / f'{name}_{next(self._counter)}.log'
        with open(path, 'wb') as output:
            process = subprocess.Popen(node_command(name, self._parameters[name]), stdout=output,
                                       stderr=subprocess.STDOUT)
        self._running[name] = process, path

    def signal(self, name: str, number: int) -> None:
        """Send a node a signal; a killed one has ended on return."""
        process, _ = self._running[name]
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()

    def output(self, name: str) -> str:
        """Return what a node has said since it was started last."""
        return self._running[name][1].read_text()

    def wait(self, condition, what: str, timeout: float = _PATIENCE):
        """
        Return what `condition` returns once that is true.

        Raises:
            SystemExit: when it does not come, or a node has ended by itself.

        """
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            for name, (process, path) in self._running.items():
                if process.poll() is not None:
                    raise SystemExit(f'{name} ended ({process.returncode}):\n{path.read_text()}')
            if time.monotonic() > deadline:
                raise SystemExit(f'{what} did not come within {timeout:g} s\n' + '\n'.join(
                    f'{name}: {self.output(name)[-2000:]}' for name in self._running))
            self._pause.wait(0.01)
        return value

    def __exit__(self, *_):
        """End everything: in order where that works, by force where it does not."""
        processes = [process for process, _ in self._running.values()]
        try:
            for process in processes:
                process.send_signal(signal.SIGCONT)
                process.terminate()
            deadline = time.monotonic() + _LAST
            while (any(process.poll() is None for process in processes)
                   and time.monotonic() < deadline):
                self._pause.wait(0.05)
        finally:  # whatever interrupts the wait
            for process in processes:
                process.kill()
                process.wait()
        if not self._listen:
            return
        self._executor.shutdown(timeout_sec=5.0)
        self._thread.join(5.0)
        self.listener.destroy_node()
        rclpy.try_shutdown()


class Listener(Node):
    """Notes what is acknowledged, what is sent, and how late the commands come."""

    def __init__(self):
        """Subscribe."""
        super().__init__('listener', namespace=NAMESPACE)
        interface = load_robot_interface(ROBOT_CONFIG)
        self._format = ExperienceFormat(interface, Task(interface))
        self._settle = interface.settle
        self.acknowledged = collections.Counter()    # session -> steps
        self.sent = collections.Counter()            # session -> steps
        self.last: Acknowledgement | None = None
        self.count, self.updates = 0, 0              # messages; the most updates
        self.delays = []                             # [s], of commands
        self._clocks = collections.deque(maxlen=200)  # (time [ns], when it came)
        self.create_subscription(UInt64MultiArray, 'policy_node/acknowledged',
                                 self._on_acknowledged, 100)
        self.create_subscription(Float64MultiArray, 'policy_node/experience',
                                 self._on_experience, 100)
        self.create_subscription(TwistStamped, 'cmd_vel', self._on_command, 10)
        self.create_subscription(Clock, 'clock', self._on_clock, qos_profile_sensor_data)

    def _on_acknowledged(self, message) -> None:
        said = Acknowledgement(*message.data)
        self.acknowledged[said.session] = max(self.acknowledged[said.session], said.steps)
        self.updates = max(self.updates, said.updates)
        self.last, self.count = said, self.count + 1

    def _on_experience(self, message) -> None:
        labels = [(dim.label, dim.size) for dim in message.layout.dim]
        newest = self._format.decode(labels, message.data, f'/{NAMESPACE}')[-1]
        self.sent[newest.session] = max(self.sent[newest.session], newest.step + 1)

    def _on_clock(self, message) -> None:
        self._clocks.append((message.clock.sec * 10**9 + message.clock.nanosec,
                             time.perf_counter()))

    def _on_command(self, message) -> None:
        """Note the time since the clock reached its tick, less what a tick has to settle."""
        now = time.perf_counter()
        tick_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        came = next((came for stamp, came in self._clocks if stamp >= tick_ns), None)
        if came is not None:
            self.delays.append(now - came - self._settle)
