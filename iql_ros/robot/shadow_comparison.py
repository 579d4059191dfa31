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

"""What a policy in shadow would have commanded, beside what was commanded: figures of it."""

import threading

import numpy as np


class ShadowComparison:
    """The differences of all ticks in which somebody commanded; from any thread."""

    def __init__(self, names, low, high):
        """Take a name for every value of an action, and what -1 and +1 of it mean."""
        self._names, self._range = list(names), np.asarray(high) - np.asarray(low)
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self.ticks = 0                                  # that were looked at
            self._counts, self._sums, self._most, self._within = np.zeros(
                (4, len(self._names)))

    def add(self, own: np.ndarray, commanded: np.ndarray, within: np.ndarray) -> None:
        """
        Take a tick, all (action_dim,).

        Args:
            own: What would have been sent, after the gate.
            commanded: What was in force until the next tick, NaN where nothing was.
            within: Which of these the gate would have let through as they are.

        """
        heard = ~np.isnan(commanded)
        apart = np.where(heard, np.abs(own - commanded), 0.0)
        with self._lock:
            self.ticks += 1
            self._counts += heard
            self._sums += apart
            self._most = np.maximum(self._most, apart)
            self._within += heard & within

    @property
    def compared(self) -> int:
        """Return the ticks in which all of an action was commanded by somebody."""
        return int(self._counts.min())

    def figures(self) -> dict[str, tuple[float, float, float]]:
        """
        Return mean and largest difference, and the share within the gate, of every value.

        In the action's units; values that nobody has commanded are left out.
        """
        with self._lock:
            rows = zip(self._names, self._counts, self._sums, self._most, self._within)
            return {name: (total / count, most, within / count)
                    for name, count, total, most, within in rows if count}

    def describe(self) -> dict[str, str]:
        """Return the figures in words, by name."""
        found = {'ticks compared': f'{self.compared} of {self.ticks}'}
        ranges = dict(zip(self._names, self._range))
        for name, (mean, most, within) in self.figures().items():
            found[f'difference {name}'] = (
                f'mean {mean:.4g} ({mean / ranges[name]:.1%} of its range), at most {most:.4g}')
            found[f'commanded within the gate {name}'] = f'{within:.1%}'
        return found
