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

"""The control loop of a policy in shadow: others say when an episode begins and ends."""

from iql_ros.nodes.control.control_loop import RUNNING, TRIPPED, WAITING
from iql_ros.nodes.control.real_time_loop import RealTimeLoop

_START, _ENDS = 'start', ('end', 'trip')
_OUTCOMES = ('success', 'failure')


class ShadowLoop(RealTimeLoop):
    """
    Runs as it would if it drove; no episode begins unless somebody marks it.

    Nobody is reset and nobody's episode is ended: the episodes here are of who looks on.
    """

    def __init__(self, *parts):
        """Take the parts; see ControlLoop."""
        super().__init__(*parts)
        self._again = False     # an episode is to begin where another is being ended
        self._judged = False    # somebody said how the running one ended: at its next tick

    def enter(self) -> None:
        """Be ready to run; wait for a start."""
        super().enter()
        self._start_asked = self._again = False

    def clear_trip(self) -> str | None:
        """Leave TRIPPED; return why that cannot be. The next episode waits for a start."""
        with self._lock:
            refusal = super().clear_trip()
            if refusal is None:
                self._start_asked = False
            return refusal

    def hear(self, mark: str) -> None:
        """
        Take what others mark on ~/event, from any thread.

        An end counts at once: who drives may put the robot back before the next tick.
        """
        with self._lock:
            if mark == _START and self.state != TRIPPED:
                self._again = self.state == RUNNING
                self._start_asked = self.state == WAITING
            elif mark in _ENDS:
                self._again = self._start_asked = False
            if mark in _OUTCOMES:
                self._judged = self.request(mark) is None
            elif mark in (_START, *_ENDS) and not self._judged:
                self.pause()

    def _end_pause(self, tick_ns: int) -> None:
        with self._lock:
            again = self._again
            super()._end_pause(tick_ns)
            self._start_asked = again

    def _close_episode(self) -> None:
        with self._lock:
            super()._close_episode()
            self._start_asked, self._again, self._judged = self._again, False, False
