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

"""Which of two policies is better, told as soon as it is sure, however often one looks."""

import math

from iql_ros.files import InputError
from iql_ros.robot.contract import check_same_contract
from iql_ros.robot.task import hash_of_task
from iql_ros.runs.evaluate import EpisodeResult

_PRIOR = 0.5   # of the Beta distribution that bets are mixed over


class Comparison:
    """
    An anytime-valid sign test over pairs of episodes from the same starts.

    If neither policy is better more often than the other, its evidence is the wealth of someone
    who bets on a fair coin: it reaches 1 / error with a probability of at most `error`, over all
    time (Ville 1939). The bets are mixed over a Beta distribution, so that nothing need be known
    of how much better one is.
    """

    def __init__(self, error: float = 0.05):
        """
        Begin.

        Raises:
            InputError: for an error that is no probability.

        """
        if not 0 < error < 1:
            raise InputError(f'error: got {error}; allowed: 0 < error < 1')
        self._error = error
        self.wins = [0, 0]          # pairs in which the first, the second was better
        self.pairs = 0

    def add(self, first: EpisodeResult, second: EpisodeResult) -> None:
        """Take a pair: by success where both know it, else by return."""
        self.pairs += 1
        better = _better(first, second)
        if better:
            self.wins[better < 0] += 1

    @property
    def evidence(self) -> float:
        """Return how much more likely the wins are if the two differ than if they do not."""
        first, second = self.wins
        mixed = _log_beta(first + _PRIOR, second + _PRIOR) - _log_beta(_PRIOR, _PRIOR)
        return math.exp(min(mixed + (first + second) * math.log(2), 700.0))

    @property
    def better(self) -> int | None:
        """Return which is better, 0 or 1, once that is sure."""
        return int(self.wins[1] > self.wins[0]) if self.evidence >= 1 / self._error else None

    def in_words(self, names: tuple[str, str]) -> str:
        """Return where it stands."""
        first, second = self.wins
        counts = (f'{names[0]} was better in {first} of {self.pairs} pairs of episodes, '
                  f'{names[1]} in {second}')
        if self.better is None:
            return f'cannot be told apart: {counts}'
        return (f'{names[self.better]} is better: {counts} (wrong at most in {self._error:.0%} of '
                'such comparisons)')


def check_comparable(policies, names) -> None:
    """
    Refuse policies of different robots or tasks.

    Raises:
        InputError: naming the first that differs from the one before all, and in what.

    """
    first = policies[0].interface
    for policy, name in zip(policies[1:], names[1:]):
        other = policy.interface
        if first is None or other is None:
            if first is not other:
                raise InputError(f'{name}: is bound to {_robot(other)}, {names[0]} to '
                                 f'{_robot(first)}; only policies of one robot can be compared')
            continue
        check_same_contract(first, other, name)
        if hash_of_task(first) != hash_of_task(other):
            raise InputError(f"{name}: is for another task than {names[0]}: their robots' YAMLs "
                             'differ in it; only policies of one task can be compared')


def _robot(interface) -> str:
    return 'no robot' if interface is None else f"robot '{interface.robot}'"


def _better(first: EpisodeResult, second: EpisodeResult) -> int:
    """Return 1 where the first was better, -1 the second, 0 neither."""
    one, two = first.success, second.success
    if one is None or two is None:
        one, two = first.return_, second.return_
    return (one > two) - (one < two)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
