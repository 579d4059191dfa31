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

"""Whether an observation is of the kind that a policy was trained on."""

import time

import numpy as np

from iql_ros.files import InputError
from iql_ros.runs.policy import Policy

OFF, WARN, TRIP = MODES = 'off', 'warn', 'trip'
_NAMED_FOR = 5.0    # [s] /diagnostics speaks of one


class ObservationLimit:
    """
    Looks whether observations leave the range of the training data; not a Node.

    Out there a policy says something, and nothing speaks for it.
    """

    def __init__(self, policy: Policy, names, mode: str, margin: float):
        """Take the names of an observation's values; see `set` and `check` for the rest."""
        self._names, self._range = list(names), policy.observation_range
        self._remark, self._seen_at = '', 0.0
        self.check(mode)
        self.set(mode, margin)

    def set(self, mode: str, margin: float) -> None:
        """
        Take what becomes of an observation outside, from any thread.

        Args:
            mode: One of MODES.
            margin: How far beyond the range one may be, in standard deviations of the data.

        """
        self._mode = mode
        if self._range is not None:
            low, high, deviation = self._range
            self._bounds = low - margin * deviation, high + margin * deviation

    def check(self, mode: str) -> None:
        """
        Refuse what could not be kept.

        Raises:
            InputError: for TRIP, where the checkpoint does not tell the range of its data.

        """
        if mode == TRIP and self._range is None:
            raise InputError("parameter 'observation_limit': got 'trip'; the checkpoint is older "
                             'and does not tell the range of its data: train it anew, or one of '
                             'off, warn')

    def __call__(self, observation: np.ndarray) -> str:
        """Look at an observation (observation_dim,); return why that must trip, else ''."""
        if self._mode == OFF or self._range is None:
            return ''
        low, high = self._bounds
        outside = (observation < low) | (observation > high)
        if not outside.any():
            return ''
        index = int(np.flatnonzero(outside)[0])
        self._seen_at = time.monotonic()
        self._remark = (f"observation '{self._names[index]}' is {observation[index]:g}; the "
                        f'policy was trained on {self._range[0][index]:g} to '
                        f'{self._range[1][index]:g}')
        return self._remark if self._mode == TRIP else ''

    @property
    def remark(self) -> str:
        """Return what was outside a moment ago; empty: nothing."""
        return self._remark if time.monotonic() - self._seen_at < _NAMED_FOR else ''
