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

"""Tests for oddities.py."""

import math

import numpy as np
import pytest

from iql_ros.data.oddities import (
    ABSURD, distances, FAR, flips, in_words, look, range_text, ruled)

SECONDS = np.arange(1000) / 10


def sine(count=1000):
    return np.sin(np.arange(count) / 40)


def with_value(values, row, value):
    return np.concatenate([values[:row], [value], values[row + 1:]])


@pytest.mark.parametrize('values', [
    sine(),                                                        # a joint
    np.r_[np.zeros(995), np.ones(5)],                              # a button
    np.where(np.arange(1000) % 200 == 0, 1.5, 0.02 * sine()),      # a turn now and then
    4e6 + sine(),                                                  # a northing
    np.r_[2.0 + 1e-4 * sine(995), np.full(5, 0.5)],                # an obstacle, seldom
    np.cumsum(np.ones(1000)),                                      # a counter
    np.zeros(1000)])
def test_usual_values_are_never_absurd(values):
    assert (distances(values[:, None]) <= ABSURD).all()


@pytest.mark.parametrize('values, bad', [
    (sine(), 4.7e6), (sine(), -9999.0), (sine(), 65535.0), (0.01 * sine(), -999.0),
    (-82.35 + 1e-4 * sine(), 0.0), (4e6 + sine(), 0.0), (np.zeros(1000), 1e12)])
def test_a_corrupt_value_is_absurd_and_the_others_are_not(values, bad):
    found = distances(with_value(values, 500, bad)[:, None])[:, 0]
    assert found[500] > ABSURD
    assert (np.delete(found, 500) <= FAR).all()


def test_few_values_and_those_that_are_not_finite_are_not_judged():
    assert not distances(np.array([[0.0], [1e9]])).any()
    values = with_value(with_value(sine(), 3, math.nan), 4, math.inf)
    assert (distances(values[:, None]) <= FAR).all()
    assert look(np.full((200, 1), math.nan), np.arange(200)) == [None]


def test_what_lies_far_outside_is_counted_and_leaves_the_usual_range():
    odd, = look(with_value(sine(), 250, 1e6)[:, None], SECONDS)
    assert (odd.outside, odd.outside_at, odd.farthest, odd.jumps) == (1, 25.0, 1e6, 0)
    assert -1.0 <= odd.low < odd.high <= 1.0
    text, = in_words('x', odd, 'ticks')
    assert text.endswith('in 1 of 1,000 ticks, as far as 1e+06, first at 25.000 s')


def test_a_jump_is_told_with_its_time_and_what_is_usual():
    odd, = look((0.01 * sine() + (np.arange(1000) >= 700) * 0.1)[:, None], SECONDS)
    assert (odd.jumps, odd.jump_at, odd.outside) == (1, 70.0, 0)
    assert odd.jump_by == pytest.approx(0.1, abs=1e-3) and odd.usual_step < 0.001


def test_what_does_not_follow_the_row_before_is_no_jump():
    values = (0.01 * sine() + (np.arange(1000) >= 700) * 0.1)[:, None]
    assert look(values, SECONDS, (0, 700))[0].jumps == 0


@pytest.mark.parametrize('turn', [2 * math.pi, 360.0])
def test_an_angle_that_wraps_is_no_jump(turn):
    angle = np.mod(np.arange(1000) * turn / 300, turn) - turn / 2
    odd, = look(angle[:, None], SECONDS)
    assert (odd.wraps, odd.jumps, odd.outside) == (3, 0, 0)
    assert 'wraps: 3 times' in in_words('yaw', odd, 'ticks')[0]


def test_a_quaternion_that_changes_its_sign_is_found_by_its_names():
    half = np.arange(100) / 200
    quaternion = np.stack([0 * half, 0 * half, np.sin(half), np.cos(half)], axis=1)
    quaternion[40:60] *= -1
    names = ['odom pose.orientation.x', 'odom pose.orientation.y', 'odom pose.orientation.z',
             'odom pose.orientation.w']
    assert flips(names, quaternion) == {'odom pose.orientation': 2}
    assert flips(names, quaternion, (0, 40)) == {'odom pose.orientation': 1}
    assert flips(names[:3], quaternion[:, :3]) == {}


def test_a_standard_deviation_that_a_few_values_make_is_told():
    values = np.stack([with_value(sine(), 5, 1e5), sine(), np.zeros(1000)], axis=1)
    text, = ruled(values, ['a', 'b', 'c'])
    assert text.startswith('a: 1 of 1,000 values lie far outside of -1 to 1, as far as 1e+05')


@pytest.mark.parametrize('low, high, texts', [
    (-1.0, 1.0, ('-1', '1')), (-82.3468, -82.3465, ('-82.3468', '-82.3465')),
    (3948994.0, 3948998.0, ('3948994', '3948998')), (2.0, 2.0, ('2', '2'))])
def test_both_ends_of_a_range_can_be_told_apart(low, high, texts):
    assert range_text(low, high) == texts


def test_values_of_another_publisher_in_between_are_told():
    values = 3.0 + 0.02 * np.arange(1000)
    values[100::50] = 0.0                            # zeros, as a joint_state_publisher sends
    odd, = look(values[:, None], SECONDS)
    assert (odd.blips, odd.blip_at, odd.jumps) == (18, 10.0, 0)
    assert 'comes back at once, 18 times, first at 10.000 s' in in_words('x', odd, 'ticks')[0]


@pytest.mark.parametrize('values', [
    np.random.default_rng(0).normal(size=5000), np.arange(1000) % 2.0,
    np.r_[np.zeros(500), 1.0, np.zeros(499)],
    np.random.default_rng(2).standard_t(1.5, size=5000),       # with spikes
    np.cumsum(np.random.default_rng(1).normal(size=999))])
def test_noise_pulses_and_walks_are_no_blips(values):
    assert look(values[:, None], np.arange(len(values)) / 10)[0].blips == 0
