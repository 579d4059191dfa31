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

"""The independent observer: a process that hears all that goes to the robot, and when."""

import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from fault_campaign.helper import go_first
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import TransitionEvent
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

_DEPTH = 2000
_MOST = 200_000  # records of a kind that are kept


class Observer(Node):
    """Notes commands, events, diagnostics and transitions with CLOCK_MONOTONIC of arrival."""

    def __init__(self):
        """Subscribe."""
        super().__init__('observer')
        self.records = {'commands': [], 'events': [], 'diagnostics': [], 'transitions': []}
        qos = QoSProfile(depth=_DEPTH)
        self.create_subscription(TwistStamped, 'cmd_vel', self._on_command, qos)
        self.create_subscription(Header, 'policy_node/event', self._on_event, qos)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos)
        self.create_subscription(TransitionEvent, 'policy_node/transition_event',
                                 self._on_transition, qos)

    def _on_command(self, message, info) -> None:
        now, stamp = time.monotonic(), message.header.stamp
        twist = message.twist
        self.records['commands'].append((now, stamp.sec * 10**9 + stamp.nanosec,
                                         (twist.linear.x, twist.angular.z),
                                         info['source_timestamp'],
                                         info['publication_sequence_number'] or 1))

    def _on_event(self, message) -> None:
        self.records['events'].append((time.monotonic(), message.frame_id))

    def _on_diagnostics(self, message) -> None:
        now = time.monotonic()
        self.records['diagnostics'] += [
            (now, status.name, status.message + ' ' + ' '.join(
                f'{value.key}={value.value}' for value in status.values))
            for status in message.status]

    def _on_transition(self, message) -> None:
        self.records['transitions'].append((time.monotonic(), message.goal_state.label))

    def since(self, mono: float) -> dict:
        """Return what has come since a time [s]."""
        for records in self.records.values():
            del records[:-_MOST]
        return {kind: _tail(records, mono) for kind, records in self.records.items()}


def _tail(records, mono: float) -> list:
    first = len(records)
    while first and records[first - 1][0] >= mono:
        first -= 1
    return records[first:]


def run(pipe) -> None:
    """Hear; answer a time with what has come since then, None by ending."""
    rclpy.init()
    observer, executor = Observer(), SingleThreadedExecutor()
    executor.add_node(observer)
    thread = threading.Thread(target=_spin, args=(executor,), daemon=True)
    thread.start()
    go_first()
    pipe.send('ready')
    while (since := pipe.recv()) is not None:
        pipe.send(observer.since(since))
    rclpy.try_shutdown()
    thread.join(2.0)


def _spin(executor) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        pass
