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

"""Tests for summary.py: the figures of a few literal ticks."""

import numpy as np
import pytest

from iql_ros.replay.summary import differences, distances, moments, summarise
from tests.replay.small_replay import judged_replay, small_replay


def test_differences_are_shares_of_the_range_and_the_largest_counts():
    replay = small_replay()
    assert differences(replay) == pytest.approx(np.array([[0, 0], [0.1, 0], [0, -1], [1, 0]]))
    assert distances(replay) == pytest.approx(np.array([0, 0.1, 1, 1]))


def test_what_is_the_same_is_the_same_to_the_bit():
    found = summarise(small_replay())
    assert (found['ticks'], found['episodes'], found['same']) == (4, 2, 0.25)
    assert found['distance'] == {'median': pytest.approx(0.55), 'p95': pytest.approx(1.0)}


def test_an_action_is_told_in_its_own_unit():
    first, second = summarise(small_replay())['actions']
    assert (first['name'], first['low'], first['high']) == ('cmd_vel twist.linear.x', -0.3, 0.3)
    assert first['commanded'] == {'minimum': -0.3, 'maximum': 0.3}
    assert first['difference'] == {'mean': pytest.approx(0.165), 'bias': pytest.approx(0.165),
                                   'p95': pytest.approx(0.519)}
    assert (first['opposite'], first['gated'], second['opposite']) == (0.25, 0.25, 0.25)
    assert second['difference']['bias'] == pytest.approx(-0.75)


def test_every_bag_is_told_apart_also_one_without_a_tick():
    replay = small_replay(bags=('one', 'two', 'empty'))
    assert summarise(replay)['bags'] == [
        {'file': 'one', 'ticks': 3, 'episodes': 1, 'distance': pytest.approx(1.1 / 3)},
        {'file': 'two', 'ticks': 1, 'episodes': 1, 'distance': pytest.approx(1.0)},
        {'file': 'empty', 'ticks': 0, 'episodes': 0, 'distance': None}]


def test_trips_are_counted_by_reason_with_the_first_of_each():
    replay = small_replay(trip=np.array(['', 'b', 'a', 'b']))
    assert summarise(replay)['trips'] == {'ticks': 3, 'reasons': [
        {'reason': 'b', 'ticks': 2, 'bag': 'one', 'seconds': 0.2},
        {'reason': 'a', 'ticks': 1, 'bag': 'one', 'seconds': 0.4}]}


def test_what_lies_outside_is_told_with_how_far_in_standard_deviations():
    found = summarise(judged_replay())
    assert found['outside'] == {'ticks': 0.25, 'values': [
        {'name': 'pose point.x', 'ticks': 0.25, 'low': 0.0, 'high': 2.0, 'minimum': 0.0,
         'maximum': 3.0, 'farthest': 2.0}]}
    assert found['critic'] == {'better': 0.5, 'worse': 0.25, 'mean': 1.0}
    assert found['operated'] == 0.25
    unknown = summarise(small_replay())
    assert unknown['outside'] is None and unknown['critic'] is None


def test_moments_lie_apart_and_equal_ticks_are_none():
    count = 60
    rows = {name: np.zeros((count, 2)) for name in ('commanded', 'wanted', 'sent')}
    rows['sent'][[10, 12, 40], 0] = [0.2, 0.3, 0.1]
    replay = small_replay(
        bag=np.zeros(count, int), episode=np.zeros(count, int), tick=np.arange(count),
        seconds=np.arange(count) / 5, gated=np.zeros((count, 2), bool),
        trip=np.full(count, ''), operated=np.zeros(count, bool),
        observations=np.zeros((count, 2)), **rows)
    assert moments(replay, distances(replay)) == [12, 40]
    assert summarise(replay)['moments'][0] == {
        'bag': 'one', 'seconds': 2.4, 'episode': 0, 'tick': 12, 'distance': pytest.approx(0.5),
        'commanded': [0.0, 0.0], 'sent': [0.3, 0.0]}


def test_a_command_that_nobody_knows_is_no_difference():
    sent = small_replay().sent
    sent[3] = np.nan
    found = summarise(small_replay(sent=sent))
    assert found['distance']['p95'] < 1 and found['actions'][0]['sent']['maximum'] == 0.3
    assert found['same'] == 0.25
