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

"""What -1 and +1 of a policy mean, in physical units."""

import numpy as np

from iql_ros.files import InputError


class ActionScaling:
    """Physical units <-> the policy's [-1, 1], per value; identity to the bit for [-1, 1]."""

    def __init__(self, low, high):
        """Take what -1 and +1 stand for, shape (action_dim,)."""
        self.low = np.asarray(low, dtype=np.float64).reshape(-1)
        self.high = np.asarray(high, dtype=np.float64).reshape(-1)
        if self.low.shape != self.high.shape:
            raise InputError(f'action low has {self.low.size} values and high {self.high.size}')
        for index, (low_value, high_value) in enumerate(zip(self.low, self.high)):
            # false for NaN, for infinity and for a range beyond float64 too
            if not 0 < float(high_value) - float(low_value) < float('inf'):
                raise InputError(f'action[{index}]: low {low_value} and high {high_value} '
                                 'must be finite and low < high')
        self._centre = (self.high + self.low) / 2
        self._half_range = (self.high - self.low) / 2

    def to_unit(self, actions) -> np.ndarray:
        """Scale physical actions, shape (..., action_dim), to [-1, 1]; nothing is clipped."""
        return (np.asarray(actions, dtype=np.float64) - self._centre) / self._half_range

    def to_physical(self, actions) -> np.ndarray:
        """Scale actions of [-1, 1], shape (..., action_dim), to physical units."""
        return self._centre + np.asarray(actions, dtype=np.float64) * self._half_range
