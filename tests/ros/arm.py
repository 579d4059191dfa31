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

"""A six-joint arm on topics that holds what it was told, for tests and benchmarks."""

import threading
import time

import numpy as np
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray, Header
from trajectory_msgs.msg import JointTrajectory
import yaml

from iql_ros.nodes.policy_node import PolicyNode
from tests.robot.arm import arm, JOINTS, MAX_RATE

_EVERY = 0.01        # [s] between its samples
_ARRIVAL = 0.005     # [s] by which a command may be quicker than the one before


class Arm(Node):
    """Joints that follow a command within `lag`; every command is kept with the pose then."""

    def __init__(self, trajectory: bool, pose, lag: float = 0.05):
        """Stand at a pose (6,) [rad]; `lag` [s] is how slowly it follows, infinity: not at all."""
        super().__init__('arm')
        self.pose, self._goal, self._lag = np.array(pose), np.array(pose), lag
        self._lock = threading.Lock()
        self.commands, self.events = [], []      # (monotonic [s], command (6,), pose (6,))
        self.silent = False
        self._joints = self.create_publisher(JointState, 'joint_states', 10)
        self.e_stop = self.create_publisher(Bool, 'policy_node/e_stop', QoSProfile(
            depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        self.e_stop.publish(Bool())
        self._trajectory = trajectory
        self.listen()
        self.create_subscription(Header, 'policy_node/event',
                                 lambda message: self.events.append(message.frame_id), 50)
        self.create_timer(_EVERY, self._move)

    def listen(self) -> None:
        """Take commands from now on."""
        kind, take = (JointTrajectory, lambda message: message.points[0].positions) \
            if self._trajectory else (Float64MultiArray, lambda message: message.data)
        self.hearing = self.create_subscription(
            kind, 'arm/command', lambda message: self._on_command(take(message)), 50)

    def _on_command(self, positions) -> None:
        with self._lock:
            self._goal = np.array(positions)
            self.commands.append((time.monotonic(), self._goal, self.pose))

    def _move(self) -> None:
        with self._lock:
            self.pose = self.pose + (self._goal - self.pose) * min(1.0, _EVERY / self._lag)
        if self.silent:
            return
        message = JointState(name=list(JOINTS), position=self.pose.tolist(),
                             velocity=[0.0] * 6)
        message.header.stamp = self.get_clock().now().to_msg()
        self._joints.publish(message)

    def take(self) -> list:
        """Return the commands since the last time."""
        with self._lock:
            found, self.commands = self.commands, []
        return found


def largest_step(commands, before, period: float) -> np.ndarray:
    """
    Return the largest change (6,) of a command in units of max_rate, from a pose.

    Over a period, or the time since the one before where that is more: of two commands that are
    sent at once the first may be lost.
    """
    when = np.array([time for time, _, _ in commands])
    said = np.array([before, *(command for _, command, _ in commands)])
    elapsed = np.maximum(period, np.diff(when, prepend=when[:1] - period) + _ARRIVAL)[:, None]
    return (np.abs(np.diff(said, axis=0)) / (np.array(MAX_RATE) * elapsed)).max(axis=0)


def start_arm(graph, tmp_path, pose, act, trajectory=True, rate=20.0, lag=0.05, overrides=(),
              edit=(), **gate):
    """Return an arm and a policy node for it, patient with a busy machine."""
    content = arm(trajectory, rate, **gate)
    if 'joints' in dict(edit):  # of the stream alone: nothing measures the last joint then
        content['action'][0].update(measured=[], gate={
            **content['action'][0]['gate'], 'stop': [0.0] * 6})
    content['observation'][0].update(dict(edit), max_age=0.4)
    config = tmp_path / 'arm.yaml'
    config.write_text(yaml.safe_dump(content))
    robot = graph.add(Arm(trajectory, pose, lag))
    node = graph.add(PolicyNode(threading.Event(), make_act=lambda interface: act,
                                overrides=[
        *overrides, Parameter('robot_config', value=str(config))]))
    return robot, node
