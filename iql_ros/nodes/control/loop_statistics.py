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

"""What a control loop did of late, in figures for /diagnostics."""

import threading

import numpy as np

from iql_ros.nodes.hosting.recent import Recent

_LATE = 0.1      # of a period a tick may be sampled after it was due


class LoopStatistics:
    """Periods, durations and clipping of the last ticks, from the control thread; not a Node."""

    def __init__(self, period: float, action_names):
        """Take the control period [s] and a name for every value of an action."""
        self._period, self._names = period, list(action_names)
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._sampled_at = None
            self._periods, self._durations = Recent(), Recent()
            self._clipped = Recent(len(self._names))
            self.late = 0

    def tick(self, sampled_at: float, late: float, duration: float, clipped) -> None:
        """
        Take a tick.

        Args:
            sampled_at: When it was, monotonic [s].
            late: By how much after it was due [s].
            duration: Of policy and gate [s].
            clipped: Which values the gate changed (action_dim,); None: nothing was commanded.

        """
        with self._lock:
            if self._sampled_at is not None:
                self._periods.append(sampled_at - self._sampled_at)
            self._sampled_at = sampled_at
            self._durations.append(duration)
            self.late += late > _LATE * self._period
            if clipped is not None:
                self._clipped.append(clipped)

    def pause(self) -> None:
        """Let the time until the next tick be no period: no episode runs."""
        with self._lock:
            self._sampled_at = None

    def describe(self) -> dict[str, str]:
        """Return the figures in words, by name."""
        with self._lock:
            periods, durations, clipped = (
                each.values() for each in (self._periods, self._durations, self._clipped))
            found = {'late ticks': str(self.late)}
        for name, values in (('tick period [ms]', periods), ('inference [ms]', durations)):
            if len(values):
                values.sort()  # np.percentile takes five times as long, and at first 20 ms
                p50, p99 = np.interp((0.5, 0.99), np.linspace(0.0, 1.0, len(values)), values)
                found[name] = (f'p50 {1e3 * p50:.2f}, p99 {1e3 * p99:.2f}, max '
                               f'{1e3 * values[-1]:.2f}')
        if len(clipped):
            for name, share in zip(self._names, clipped.mean(axis=0)):
                found[f'clipped {name}'] = f'{share:.1%}'
        return found
