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

"""A policy node, its learner, the robot between them, and somebody who sends what he likes."""

import json
import os
from pathlib import Path
import subprocess
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from session import CHECKPOINT, prepare, ROBOT_CONFIG
from std_msgs.msg import UInt8MultiArray
from std_srvs.srv import SetBool, Trigger
import yaml

from iql_ros.sim.node_command import NAMESPACE, node_command, simulation_environment

LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                     durability=DurabilityPolicy.TRANSIENT_LOCAL)
NODES = ('policy_node', 'finetune_node')
_PATIENCE = 180.0   # [s] for what must come at the start
_ANSWER = 2.0       # [s] for a service
_DIAGNOSED = 4.0    # [s] for a status, which comes once a second
_MEMORY = 100e6     # [bytes]


class Robot(Node):
    """Stands where it is, at 50 Hz; hears what the nodes say of themselves."""

    def __init__(self):
        """Begin."""
        super().__init__('robot', namespace=NAMESPACE)
        self._pose = self.create_publisher(PoseStamped, 'robot_pose', 10)
        self._joints = self.create_publisher(JointState, 'joint_states', 10)
        self.diagnosed, self.wrong_commands, self.weights = {}, 0, None
        self.create_subscription(DiagnosticArray, 'diagnostics', self._on_diagnostics, 10)
        self.create_subscription(TwistStamped, 'cmd_vel', self._on_command, 50)
        self.create_subscription(UInt8MultiArray, 'finetune_node/weights', self._on_weights,
                                 LATCHED)
        self.create_service(Trigger, 'reset_world', self._on_reset)
        self.create_timer(0.02, self._publish)

    def _publish(self) -> None:
        stamp = self.get_clock().now().to_msg()
        pose = PoseStamped()
        pose.header.stamp, pose.pose.position.x, pose.pose.orientation.w = stamp, 2.0, 1.0
        self._pose.publish(pose)
        joints = JointState(name=['left_wheel', 'right_wheel'], velocity=[1.0, 2.0])
        joints.header.stamp = stamp
        self._joints.publish(joints)

    def _on_diagnostics(self, message) -> None:
        for status in message.status:
            name = status.name.partition(':')[0].rpartition('/')[2]
            self.diagnosed[name] = time.monotonic(), status.message

    def _on_command(self, message) -> None:
        sent = message.twist.linear.x, message.twist.angular.z
        self.wrong_commands += not (np.isfinite(sent).all() and np.less_equal(
            np.abs(sent), (0.3 + 1e-9, 1.5 + 1e-9)).all())

    def _on_weights(self, message) -> None:
        self.weights = self.weights or bytes(message.data)

    def _on_reset(self, request, response):
        response.success = True
        response.message = str(self.get_clock().now().nanoseconds)
        return response


class LiveNodes:
    """The processes and `robot`; when it is left, all of them are gone."""

    def __init__(self, folder: Path):
        """Take a folder for data, runs and outputs."""
        self._folder, self.running, self._base, self._starts = folder, {}, {}, 0
        os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
        os.environ.update(simulation_environment())
        self._dataset = prepare(folder)
        self._config = folder / 'robot.yaml'
        text = ROBOT_CONFIG.read_text()  # patient with a busy machine
        self._config.write_text(text.replace('max_age: 0.1', 'max_age: 0.4').replace(
            'max_age: 0.2', 'max_age: 0.4'))
        settings = folder / 'settings.yaml'
        settings.write_text(yaml.safe_dump({'evaluate_every': 0, 'steps': 0}))
        self._settings = settings
        rclpy.init()
        self.robot = Robot()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.robot)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self._pause, self.clients = threading.Event(), {}

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass

    def start(self) -> None:
        """Start both nodes anew, and wait until the robot is driven and the learner learns."""
        self.stop()
        self._starts += 1
        name = f'run{self._starts}'
        self.robot.diagnosed.clear()
        self.robot.weights = None
        self._start('finetune_node', {
            'robot_config': self._config, 'checkpoint': CHECKPOINT, 'dataset': self._dataset,
            'config': self._settings, 'run': name, 'device': 'cpu'})
        self.wait(lambda: self.robot.weights, 'the first weights')
        path = Path(os.environ['IQL_RUNS']) / name / 'learner.json'
        self.run = json.loads(path.read_text())['run']
        self._start('policy_node', {
            'robot_config': self._config, 'checkpoint': CHECKPOINT, 'device': 'cpu',
            'learner': 'finetune_node', 'learner_run': f'{self.run:016x}', 'evaluate_every': 0,
            'weights_at': 'step'})
        self.wait(lambda: 'RUNNING' in self.robot.diagnosed.get('policy_node', ('', ''))[1],
                  'the policy node')
        self._pause.wait(3.0)  # until it has taken weights
        self._base = {name: self.memory(name) for name in NODES}

    def _start(self, name: str, parameters: dict) -> None:
        path = self._folder / f'{name}_{self._starts}.log'
        with open(path, 'wb') as output:
            self.running[name] = subprocess.Popen(
                node_command(name, parameters), stdout=output, stderr=subprocess.STDOUT), path

    def wait(self, condition, what: str):
        """Return what `condition` returns once that is true; SystemExit when it does not come."""
        deadline = time.monotonic() + _PATIENCE
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise SystemExit(f'{what} did not come\n' + '\n'.join(
                    path.read_text()[-2000:] for _, path in self.running.values()))
            self._pause.wait(0.02)
        return value

    def pause(self, seconds: float) -> None:
        """Let messages arrive."""
        self._pause.wait(seconds)

    def memory(self, name: str) -> float:
        """Return what a node has in memory [bytes]."""
        pages = Path(f'/proc/{self.running[name][0].pid}/statm').read_text().split()[1]
        return int(pages) * os.sysconf('SC_PAGE_SIZE')

    def call(self, kind, name: str, request, timeout: float = _ANSWER):
        """Call a service of a node; return its answer, None when none came in time."""
        client = self.clients.get(name)
        if client is None:
            client = self.clients[name] = self.robot.create_client(kind, name)
        if not client.wait_for_service(timeout):
            return None
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(timeout):
            client.remove_pending_request(future)
            return None
        return future.result()

    def activate(self) -> None:
        """Bring the policy node back to driving from wherever calls have brought it."""
        state = self.call(GetState, 'policy_node/get_state', GetState.Request())
        wanted = {State.PRIMARY_STATE_UNCONFIGURED: [Transition.TRANSITION_CONFIGURE,
                                                     Transition.TRANSITION_ACTIVATE],
                  State.PRIMARY_STATE_INACTIVE: [Transition.TRANSITION_ACTIVATE]}
        for number in wanted.get(state and state.current_state.id, []):
            request = ChangeState.Request()
            request.transition.id = number
            self.call(ChangeState, 'policy_node/change_state', request, 30.0)

    def trouble(self) -> tuple[str, float, float]:
        """Return what is wrong with the nodes, empty for nothing; seconds, bytes at most."""
        started, found = time.monotonic(), []
        since, slowest = started, 0.0
        self.activate()
        for name, kind, service in (('policy_node', Trigger, 'policy_node/clear_trip'),
                                    ('finetune_node', SetBool, 'finetune_node/pause')):
            asked = time.monotonic()
            if self.call(kind, service, kind.Request()) is None:
                found.append(f'{name}: {service} did not answer within {_ANSWER:g} s')
            slowest = max(slowest, time.monotonic() - asked)
        deadline = time.monotonic() + _DIAGNOSED
        while (any(self.robot.diagnosed.get(name, (0, ''))[0] < since for name in NODES)
               and time.monotonic() < deadline):
            self._pause.wait(0.02)
        more = 0.0
        for name, (process, path) in self.running.items():
            if self.robot.diagnosed.get(name, (0, ''))[0] < since:
                found.append(f'{name}: said nothing on /diagnostics')
            if process.poll() is not None:
                found.append(f'{name}: ended with {process.returncode}')
            else:
                grown = self.memory(name) - self._base[name]
                more = max(more, grown)
                if grown > _MEMORY:
                    found.append(f'{name}: {grown / 1e6:.0f} MB more')
            if 'Traceback' in (text := path.read_text(errors='replace')):
                found.append(f'{name}: {text[text.index("Traceback"):][:3000]}')
        if self.robot.wrong_commands:
            found.append(f'{self.robot.wrong_commands} commands outside limits')
            self.robot.wrong_commands = 0
        return '\n'.join(found), slowest, more

    def stop(self) -> None:
        """End the nodes."""
        for process, _ in self.running.values():
            process.terminate()
        for process, _ in self.running.values():
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def close(self) -> None:
        """End all."""
        self.stop()
        self._executor.shutdown(timeout_sec=5.0)
        self._thread.join(5.0)
        self.robot.destroy_node()
        rclpy.try_shutdown()
