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

"""Tests for sequential.py."""

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.runs.evaluate import EpisodeResult
from iql_ros.runs.sequential import Comparison


def episode(success=None, return_=0.0):
    return EpisodeResult(0, 0, return_, 10, True, False, success)


def compared(pairs, **settings):
    comparison = Comparison(**settings)
    for first, second in pairs:
        comparison.add(first, second)
    return comparison


def test_one_that_wins_every_time_is_soon_known_to_be_better():
    for better in (0, 1):
        pair = [episode(False), episode(False)]
        pair[better] = episode(True)
        comparison = compared([pair] * 6)
        assert comparison.better is None
        comparison.add(*pair)
        assert comparison.better == better
        assert comparison.in_words(('a', 'b')).startswith('ab'[better] + ' is better: a was')


def test_evidence_is_the_mean_wealth_of_bets_on_a_coin():
    comparison = compared([(episode(True), episode(False))] * 2
                          + [(episode(False), episode(True))])
    shares = (np.arange(200_000) + 0.5) / 200_000
    density = 1 / (np.pi * np.sqrt(shares * (1 - shares)))  # Beta(0.5, 0.5)
    wealth = np.mean(density * shares**2 * (1 - shares)) * 2**3
    assert comparison.evidence == pytest.approx(wealth, rel=1e-2)
    assert Comparison().evidence == pytest.approx(1.0)


def test_equal_outcomes_are_pairs_but_no_evidence():
    comparison = compared([(episode(True), episode(True)), (episode(False), episode(False))] * 50)
    assert comparison.pairs == 100 and comparison.evidence == pytest.approx(1.0)
    assert comparison.in_words(('a', 'b')) == (
        'cannot be told apart: a was better in 0 of 100 pairs of episodes, b in 0')


def test_success_counts_before_the_return_which_counts_where_nothing_is_known_of_success():
    assert compared([(episode(True, -9.0), episode(False, 0.0))]).wins == [1, 0]
    assert compared([(episode(None, -9.0), episode(False, 0.0))]).wins == [0, 1]
    assert compared([(episode(None, 2.0), episode(None, 1.0))]).wins == [1, 0]


def test_equal_policies_are_told_apart_at_most_as_often_as_was_said():
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(1000):
        comparison = Comparison(0.05)
        for first, second in rng.random((300, 2)) < 0.7:
            comparison.add(episode(bool(first)), episode(bool(second)))
            if comparison.better is not None:
                wrong += 1
                break
    assert wrong <= 50


@pytest.mark.parametrize('error', [0.0, 1.0, -0.1])
def test_an_error_that_is_no_probability_is_refused(error):
    with pytest.raises(InputError, match=f'error: got {error}; allowed: 0 < error < 1'):
        Comparison(error)


def test_much_evidence_is_no_overflow():
    assert compared([(episode(True), episode(False))] * 5000).evidence > 1e300
