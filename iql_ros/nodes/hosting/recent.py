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

"""The numbers of the last ticks, of which /diagnostics says figures."""

import numpy as np

_KEPT = 1000     # ticks


class Recent:
    """The newest numbers, or rows of `size` numbers."""

    def __init__(self, *size: int):
        self._rows, self._count = np.empty((_KEPT, *size)), 0

    def append(self, row) -> None:
        self._rows[self._count % _KEPT] = row
        self._count += 1

    def values(self) -> np.ndarray:
        """Return a copy of all there are, in any order."""
        return self._rows[:self._count].copy()
