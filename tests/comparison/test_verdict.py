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

"""Tests for verdict.py and page.py."""

from pathlib import Path

import numpy as np
import pytest

from iql_ros.comparison.page import table, write_page
from iql_ros.comparison.recordings import Candidate, Judged
from iql_ros.comparison.rollouts import Claim
from iql_ros.comparison.verdict import beats_its_mean, difference, verdict
from iql_ros.learner.choice import Choice
from tests.comparison.line import driver


def judged(name, value, kind='mean', strange=0.01, spread=0.5):
    """Return what comes to a value, from starts of which each is worth something else."""
    rng = np.random.default_rng(len(name) + len(kind))
    starts = np.linspace(-9, 9, 48) + value
    values = starts + spread * rng.normal(size=(7, 48))
    return Judged(Candidate(name, Path(name), driver(0.0), Choice(kind)),
                  Claim(values, 300, 0.5, strange), 0.5, None, 0.25)


def test_the_best_is_taken_and_it_is_said_that_it_is_sure():
    found = verdict([judged('a', -30.0), judged('bb', -20.0)], 0.9)
    assert found.taken.candidate.name == 'bb'
    assert found.lines[0].startswith('Take bb (mean): it comes to -20.')
    assert 'better than all others' in found.lines[1]


def test_what_cannot_be_told_apart_is_named():
    found = verdict([judged('a', -20.0), judged('bb', -19.99)], 0.9)
    assert 'It cannot be told apart from a (mean).' in found.lines


@pytest.mark.parametrize(('value', 'taken'), [(-10.0, 'weighted'), (-19.99, 'mean')])
def test_a_way_must_surely_beat_its_own_mean(value, taken):
    found = verdict([judged('a', -20.0), judged('a', value, 'weighted')], 0.9)
    assert found.taken.candidate.choice.kind == taken
    assert any('Not surely better than the mean' in line for line in found.lines) == (
        taken == 'mean')


def test_what_claims_more_than_the_data_can_support_is_never_taken():
    found = verdict([judged('a', -20.0), judged('a', 50.0, 'best', strange=0.34)], 0.9)
    assert found.taken.candidate.choice.kind == 'mean'
    assert ('a (best) claims more than the data can support: of 34% of its ticks the recordings '
            'tell little.') in found.lines


@pytest.mark.parametrize('told', [None, -1.0, 0.49, float('nan')])
def test_where_the_dynamics_were_not_learned_nothing_is_taken(told):
    found = verdict([judged('a', -20.0), judged('bb', 0.0)], told)
    assert found.taken is None and found.lines[0].startswith('Which to take cannot be told')


def test_where_everything_is_strange_nothing_is_taken():
    assert verdict([judged('a', 0.0, strange=0.3)], 0.9).taken is None


def test_a_difference_between_the_same_starts_is_surer_than_what_each_comes_to():
    one, two = judged('a', -20.0), judged('bb', -18.0)
    mean, error = difference(two, one)
    assert mean == pytest.approx(2.0, abs=0.2) and error < 0.2


def test_only_a_way_beside_its_mean_can_beat_it():
    way = judged('a', 0.0, 'best')
    assert beats_its_mean(way, [way]) is None
    assert beats_its_mean(way, [way, judged('a', -20.0)])


def test_many_names_are_cut():
    found = verdict([judged(f'a{number}', -20.0) for number in range(10)], 0.9)
    assert 'and 4 more.' in found.lines[1]


def test_the_table_shows_the_best_first_and_nothing_for_what_is_not_known():
    header, first, second = table([judged('a', -20.0), judged('bb', -10.0)])
    assert header[1] == 'comes to' and first[0] == 'bb (mean)' and second[0] == 'a (mean)'
    assert first[2:] == ('50%', '1.0%', '25%', '0.50', '')


def test_the_page_says_what_to_take_and_how_far_to_trust_it(tmp_path):
    both = [judged('a', -20.0), judged('a', 0.0, 'weighted')]
    write_page(tmp_path / 'a.html', both, verdict(both, 0.9), 0.9, 'robot/drive-v0')
    page = (tmp_path / 'a.html').read_text()
    assert 'Take a (weighted)' in page and '90% of the variance' in page and '<img' in page
