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

"""An arm in a process of its own: holds what it was told, notes each command and where it was."""

import threading
import time

from fault_campaign.helper import go_first
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

JOINTS = tuple(f'joint_{number}' for number in range(1, 7))
_RATE = 200.0   # [Hz] of its samples
_LAG = 0.05     # [s] by which it follows


class ArmRobot(Node):
    """Six joints that follow their commands."""

    def __init__(self, trajectory: bool):
        """Stand at zero; commands come as JointTrajectory, or as Float64MultiArray."""
        super().__init__('arm')
        self._lock, self._pose, self._goal = threading.Lock(), np.zeros(6), np.zeros(6)
        self._commands = []     # (monotonic [s], command, pose)
        self._joints = self.create_publisher(JointState, 'joint_states', 10)
        kind = JointTrajectory if trajectory else Float64MultiArray
        self.create_subscription(kind, 'arm/command', self._on_command, QoSProfile(depth=1000))
        self.create_timer(1 / _RATE, self._move)

    def _on_command(self, message) -> None:
        now = time.monotonic()
        values = message.data if hasattr(message, 'data') else message.points[0].positions
        with self._lock:
            self._goal = np.array(values)
            self._commands.append((now, self._goal.tolist(), self._pose.tolist()))

    def _move(self) -> None:
        with self._lock:
            self._pose = self._pose + (self._goal - self._pose) / (_RATE * _LAG)
            pose = self._pose.tolist()
        message = JointState(name=list(JOINTS), position=pose, velocity=[0.0] * 6)
        message.header.stamp = self.get_clock().now().to_msg()
        self._joints.publish(message)

    def order(self, order: dict) -> list:
        """Stand somewhere, where asked; return the commands since the last time."""
        with self._lock:
            if 'pose' in order:
                self._pose = self._goal = np.array(order['pose'])
            found, self._commands = self._commands, []
        return found


def run(pipe, trajectory: bool) -> None:
    """Be an arm; answer orders until None comes."""
    rclpy.init()
    robot, executor = ArmRobot(trajectory), SingleThreadedExecutor()
    executor.add_node(robot)
    threading.Thread(target=_spin, args=(executor,), daemon=True).start()
    go_first()
    pipe.send('ready')
    while (order := pipe.recv()) is not None:
        pipe.send(robot.order(order))


def _spin(executor) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        pass
