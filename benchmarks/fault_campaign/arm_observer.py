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

"""The independent observer of an arm: hears all that goes to it, and where it stood then."""

import threading
import time

from fault_campaign.helper import go_first
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

JOINTS = tuple(f'joint_{number}' for number in range(1, 7))
TOPICS = {'joint_trajectory_controller/joint_trajectory': JointTrajectory,
          'forward_position_controller/commands': Float64MultiArray}


class ArmObserver(Node):
    """Notes poses and commands with CLOCK_MONOTONIC of arrival, as they come."""

    def __init__(self):
        """Subscribe to whatever controller there is."""
        super().__init__('observer')
        self.heard = []         # (monotonic [s], 'pose' or 'command', values (6,))
        qos = QoSProfile(depth=1000)
        self.create_subscription(JointState, 'joint_states', self._on_joints, qos)
        for topic, kind in TOPICS.items():
            self.create_subscription(kind, topic, self._on_command, qos)

    def _on_joints(self, message) -> None:
        positions = dict(zip(message.name, message.position))
        self.heard.append((time.monotonic(), 'pose', [positions[joint] for joint in JOINTS]))

    def _on_command(self, message) -> None:
        values = message.data if hasattr(message, 'data') else message.points[0].positions
        self.heard.append((time.monotonic(), 'command', list(values)))

    def take(self) -> list:
        """Return what was heard since the last time."""
        found, self.heard = self.heard, []
        return found


def run(pipe) -> None:
    """Hear; answer anything with what has come since the last time, None by ending."""
    rclpy.init()
    observer, executor = ArmObserver(), SingleThreadedExecutor()
    executor.add_node(observer)
    threading.Thread(target=_spin, args=(executor,), daemon=True).start()
    go_first()
    pipe.send('ready')
    while pipe.recv() is not None:
        pipe.send(observer.take())


def _spin(executor) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        pass
