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

"""Whether the clock of a node goes as time does."""

import collections

_STEP = 0.1        # [s] a step that is no step yet: of a clock that is read between two others
_STANDING = 0.2    # [s] after which a simulated clock stands, but at least
_INTERVALS = 2     # that many of its longest interval but one
_KEPT = 10         # intervals, and moves
_LEAP = 5          # times the longest move of late: simulated time may be fast, not all at once


class ClockWatch:
    """Compares a clock with the monotonic one; asks neither."""

    def __init__(self, simulated: bool, period_ns: int):
        """Take what kind of clock it is, and the control period [ns]."""
        self._simulated, self._step_ns = simulated, max(round(_STEP * 1e9), period_ns)
        self._seen: tuple[int, int] | None = None
        self._moved_ns = 0
        self._intervals, self._moves = (collections.deque(maxlen=_KEPT) for _ in range(2))

    def restart(self) -> None:
        """Forget when it was looked at last: it may have been set since."""
        self._seen = None

    def look(self, now_ns: int, monotonic_ns: int) -> str:
        """Return what is wrong with the clock since the last look; empty: nothing."""
        before, self._seen = self._seen, (now_ns, monotonic_ns)
        if before is None:
            self._moved_ns = monotonic_ns
            return ''
        moved_ns, passed_ns = now_ns - before[0], monotonic_ns - before[1]
        if self._simulated:
            return self._simulated_fault(moved_ns, monotonic_ns)
        step_ns = moved_ns - passed_ns
        if abs(step_ns) <= self._step_ns:
            return ''
        return f'the clock jumped by {step_ns * 1e-9:+.3f} s'

    def _simulated_fault(self, moved_ns: int, monotonic_ns: int) -> str:
        leap_ns = max(self._step_ns, _LEAP * max(self._moves, default=moved_ns))
        if moved_ns:
            self._intervals.append(monotonic_ns - self._moved_ns)
            self._moves.append(moved_ns)
            self._moved_ns = monotonic_ns
        if moved_ns > leap_ns:
            return f'the clock jumped by {moved_ns * 1e-9:+.3f} s'
        if moved_ns < 0:
            return f'the clock went back by {-moved_ns * 1e-9:.3f} s'
        return self.standing(monotonic_ns)

    def standing(self, monotonic_ns: int) -> str:
        """Return for how long a simulated clock has stood still; empty: it has not."""
        stood_ns = monotonic_ns - self._moved_ns
        if not self._simulated or stood_ns <= self._limit_ns():
            return ''
        return f'/clock has stood still for {stood_ns * 1e-9:.3f} s'

    def _limit_ns(self) -> int:
        usual = sorted(self._intervals)[:-1]
        return max([round(_STANDING * 1e9), *(_INTERVALS * interval for interval in usual[-1:])])
