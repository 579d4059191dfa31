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

"""The state of a node on /diagnostics, once a second."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType


class DiagnosticsPublisher:
    """Publishes one status of its host node; not a Node."""

    def __init__(self, node, part: str, hardware: str, describe):
        """Take `describe`, which returns (level, message, values by name)."""
        self._node, self._describe, self._hardware = node, describe, hardware
        self._name = f'{node.get_fully_qualified_name()}: {part}'
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # steady: simulated time may stand still, and the system's may be set back
        self._timer = node.create_timer(1.0, self._publish,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _publish(self) -> None:
        level, message, values = self._describe()
        array = DiagnosticArray(status=[DiagnosticStatus(
            level=level, name=self._name, message=message, hardware_id=self._hardware,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)
