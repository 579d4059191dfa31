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

"""What goes out between a policy's ticks: commands again, and heartbeats. Knows no topic."""

from iql_ros.robot.robot_interface import RobotInterface

_SECOND = 1_000_000_000   # [ns]
COMMAND, HEARTBEAT = 'command', 'heartbeat'


class Repeats:
    """
    When which of a robot's action streams is to be sent again, and which heartbeat.

    Times are monotonic [ns].
    """

    def __init__(self, interface: RobotInterface):
        """Take the robot's `publish_rate` and `heartbeat`."""
        self._periods = {}
        for index, stream in enumerate(interface.action):
            if stream.publish_rate is not None:
                self._periods[COMMAND, index] = round(_SECOND / stream.publish_rate)
            if stream.heartbeat is not None:
                self._periods[HEARTBEAT, index] = round(_SECOND / stream.heartbeat.rate)
        self._sent_ns = dict.fromkeys(self._periods, 0)

    def sent(self, now_ns: int) -> None:
        """Take that every command went out."""
        for what in self._sent_ns:
            if what[0] == COMMAND:
                self._sent_ns[what] = now_ns

    def take(self, now_ns: int) -> list[tuple[str, int]]:
        """Return what is due: (COMMAND or HEARTBEAT, index of the action stream) each."""
        due = [what for what, period in self._periods.items()
               if now_ns >= self._sent_ns[what] + period]
        for what in due:   # by the period, not by when it was looked: the rate is kept
            self._sent_ns[what] = max(self._sent_ns[what] + self._periods[what],
                                      now_ns - self._periods[what])
        return due

    def due_ns(self) -> int | None:
        """Return when the next is due, None: nothing ever is."""
        return min((self._sent_ns[what] + period for what, period in self._periods.items()),
                   default=None)
