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

"""What the policy sees: streams, with their past, and what was sent before."""

import dataclasses

from iql_ros.files import InputError, unknown_name
from iql_ros.robot.streams import Stream

_LONGEST_HISTORY = 100  # [ticks]


def _check_history(history: int, where: str) -> None:
    if not 1 <= history <= _LONGEST_HISTORY:
        raise InputError(f'{where}: history: got {history}; allowed: 1 to {_LONGEST_HISTORY}')


@dataclasses.dataclass(frozen=True)
class Observation(Stream):
    """A stream that the policy sees."""

    # at how many ticks, this one first, its values are seen; before an episode's start they count
    # as the first ones; allowed: 1 to 100
    history: int = 1
    # what an episode is about: taken once, at its start, however old, and heard of publishers that
    # keep their last message (transient local); without max_age
    goal: bool = False

    def __post_init__(self):
        super().__post_init__()
        _check_history(self.history, f"topic '{self.topic}'")
        if self.goal and self.history > 1:
            raise InputError(f"topic '{self.topic}': history: got {self.history}; a goal is the "
                             'same at every tick: 1')

    def contract(self) -> dict:
        """Return what gives the vector its meaning."""
        said = super().contract()
        said = {**said, 'history': self.history} if self.history > 1 else said
        return {**said, 'goal': True} if self.goal else said


@dataclasses.dataclass(frozen=True)
class Previous:
    """What was sent before, as a part of the observation."""

    # the command that was in force since the tick before, after the gate, an operator's too; at
    # an episode's start the stop; allowed: action
    previous: str
    history: int = 1     # of how many ticks, the last one first; allowed: 1 to 100

    def __post_init__(self):
        if self.previous != 'action':
            raise unknown_name('previous', self.previous, ('action',))
        _check_history(self.history, 'previous: action')
