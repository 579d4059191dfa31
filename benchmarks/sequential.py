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

"""
How often a sequential comparison is wrong, and how many episodes it saves, in simulation.

    python benchmarks/sequential.py [--times 1000]

Two policies of known success rates are compared pair by pair, as `iql-ros evaluate --sequential`
does. Equal ones: how often they are told apart. Unequal ones: the mean number of pairs until it
is sure, and how many a fixed sign test on the same pairs (exact, two-sided, the same error) takes
for the power that the sequential one has when it gives up after as many as `--most` says.
"""

import argparse
import math

import numpy as np

from iql_ros.runs.evaluate import EpisodeResult
from iql_ros.runs.sequential import Comparison

ERROR = 0.05
EQUAL = (0.5, 0.7, 0.9)
UNEQUAL = ((0.9, 0.6), (0.8, 0.5), (0.95, 0.8), (0.9, 0.75))
_MOST_PAIRS = 2000
_LOG_FACTORIALS = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, _MOST_PAIRS + 1)))])
_EPISODES = {success: EpisodeResult(0, 0, 0.0, 1, True, False, success)
             for success in (True, False)}


def compare(rates, most: int, rng) -> tuple[int, int | None]:
    """Return after how many pairs a comparison ended, and who was the better one."""
    comparison = Comparison(ERROR)
    for first, second in rng.random((most, 2)) < rates:
        comparison.add(_EPISODES[bool(first)], _EPISODES[bool(second)])
        if comparison.better is not None:
            break
    return comparison.pairs, comparison.better


def binomial(count: int, share: float) -> np.ndarray:
    """Return the probabilities (count + 1,) of every number of successes."""
    k = np.arange(count + 1)
    choices = _LOG_FACTORIALS[count] - _LOG_FACTORIALS[k] - _LOG_FACTORIALS[count - k]
    return np.exp(choices + k * math.log(share) + (count - k) * math.log(1 - share))


def fixed_pairs(rates, power: float) -> int:
    """Return how many pairs a fixed sign test needs for a power."""
    first, second = rates
    decisive = first * (1 - second) + second * (1 - first)
    better = first * (1 - second) / decisive
    return next(pairs for pairs in range(5, _MOST_PAIRS)
                if _fixed_power(pairs, decisive, better) >= power)


def _fixed_power(pairs: int, decisive: float, better: float) -> float:
    power = 0.0
    for wins, probability in enumerate(binomial(pairs, decisive)):
        if wins and probability > 1e-9:
            critical = int((np.cumsum(binomial(wins, 0.5)) <= ERROR / 2).sum())
            if critical:
                power += probability * binomial(wins, better)[wins - critical + 1:].sum()
    return power


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--times', type=int, default=1000)
    parser.add_argument('--most', type=int, nargs='+', default=[100, 200, 500], metavar='PAIRS')
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    for rate in EQUAL:
        told = sum(compare((rate, rate), 300, rng)[1] is not None for _ in range(options.times))
        print(f'equal, {rate:.0%} and {rate:.0%}: told apart in {told} of {options.times} '
              f'comparisons of up to 300 pairs; allowed: {ERROR:.0%}', flush=True)
    for rates in UNEQUAL:
        for most in options.most:
            ended = [compare(rates, most, rng) for _ in range(options.times)]
            power = float(np.mean([better == 0 for _, better in ended]))
            pairs = float(np.mean([pairs for pairs, _ in ended]))
            fixed = fixed_pairs(rates, min(power, 0.995))
            print(f'{rates[0]:.0%} and {rates[1]:.0%}, at most {most} pairs: power {power:.1%}, '
                  f'{pairs:.1f} pairs in the mean; a fixed test of that power: {fixed}; saved: '
                  f'{1 - pairs / fixed:.0%}', flush=True)


if __name__ == '__main__':
    main()
