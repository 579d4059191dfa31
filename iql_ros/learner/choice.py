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

"""The ways in which the action of a tick may come out of the networks."""

import dataclasses
from typing import NamedTuple

from iql_ros.files import InputError, unknown_name

CHOICES = ('mean', 'weighted', 'best')
MOST_SAMPLES, MOST_TEMPERATURE = 1024, 1e6


class Draw(NamedTuple):
    """Which samples a tick sees: the same three give the same ones, wherever they are drawn."""

    seed: int
    episode: int         # from 0
    tick: int            # of the episode, from 0


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which of the ways, and its dials."""

    kind: str = 'mean'                 # allowed: mean | weighted | best
    samples: int = 32                  # that the critic judges, beside the mean itself
    inverse_temperature: float = 3.0   # beta of the weights

    def __post_init__(self):
        """
        Refuse what cannot be chosen by.

        Raises:
            InputError: naming the setting, the value got and the values allowed.

        """
        if self.kind not in CHOICES:
            raise unknown_name('choice', self.kind, CHOICES)
        if not 1 <= self.samples <= MOST_SAMPLES:
            raise InputError(f'samples: got {self.samples}; allowed: 1 to {MOST_SAMPLES}')
        if not 0 <= self.inverse_temperature <= MOST_TEMPERATURE:
            raise InputError(f'choice_temperature: got {self.inverse_temperature}; allowed: 0 to '
                             f'{MOST_TEMPERATURE:g}')

    def but(self, kind: str = 'auto', samples: int | None = None,
            inverse_temperature: float | None = None) -> 'Choice':
        """
        Return it with what is said in its place: auto and None say nothing.

        Raises:
            InputError: as for a new one.

        """
        said = {'kind': None if kind == 'auto' else kind, 'samples': samples,
                'inverse_temperature': inverse_temperature}
        return dataclasses.replace(self, **{
            name: value for name, value in said.items() if value is not None})

    def __str__(self) -> str:
        """Return it in words."""
        if self.kind == 'mean':
            return 'mean'
        if self.kind == 'best':
            return f'best of {self.samples} samples'
        return (f'weighted mean of {self.samples} samples, temperature '
                f'{self.inverse_temperature:g}')
