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

"""Tests for drivers.py."""

import math

import numpy as np
import pytest

from iql_ros.sim import drivers

pytest.importorskip('gymnasium')
pytest.importorskip('mujoco')

from iql_ros.sim import envs  # noqa: E402
from tests.sim import driven  # noqa: E402

RECORDINGS = {recording.name: recording for recording in drivers.RECORDINGS}


def episode(name, seed):
    return driven.episode('iql_ros/Diffbot-v0', RECORDINGS[name], seed)


@pytest.mark.parametrize('name', RECORDINGS)
def test_a_seed_gives_the_same_commands_inside_the_limits_again(name):
    first, second = episode(name, 3), episode(name, 3)
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[1][:5], episode(name, 4)[1][:5])
    assert (np.abs(first[1]) <= envs.DiffbotEnv().action_space.high).all()


def test_the_recording_is_two_hundred_and_ten_episodes():
    assert [recording.episodes for recording in drivers.RECORDINGS] == [60, 30, 30, 30, 30, 30]


def test_the_good_driver_docks_from_beside_the_plate():
    docked = [episode('dock_good', seed) for seed in range(10)]
    assert sum(done for *_, done in docked) >= 9
    assert np.median([len(actions) for _, actions, _ in docked]) < 20


def test_the_hesitant_and_the_overshooting_driver_dock_later():
    good, hesitant, overshooting = (
        np.median([len(episode(name, seed)[1]) for seed in range(10)])
        for name in ('dock_good', 'dock_hesitant', 'dock_overshooting'))
    assert good * 1.5 < overshooting and good * 1.5 < hesitant


def test_the_overshooting_driver_passes_the_plate_first():
    for seed in range(5):
        observations, _, docked = episode('dock_overshooting', seed)
        assert docked
        assert observations[:, 0].max() > 0.0


def test_approaching_reaches_the_place_before_the_plate_and_never_the_plate():
    for seed in range(10):
        observations, actions, docked = episode('approach', seed)
        assert np.hypot(*observations[0, :2]) >= 0.59
        assert np.hypot(observations[:, 0] + 0.6, observations[:, 1]).min() <= 0.15
        assert not docked and len(actions) == 100


def test_wandering_stays_in_the_arena():
    for seed in range(10):
        assert np.abs(episode('wander', seed)[0][:, :2]).max() < 1.6


def test_blind_commands_are_correlated_over_ticks():
    actions = np.concatenate([episode('blind', seed)[1] for seed in range(5)])
    for speed in actions.T:
        assert 0.6 < np.corrcoef(speed[:-1], speed[1:])[0, 1] < 0.98


def test_a_way_over_the_plate_leads_round_it():
    assert drivers._round_plate((1.0, 0.0), (-0.6, 0.0)) == pytest.approx([0.0, -0.525])
    assert drivers._round_plate((1.0, 0.1), (-0.6, 0.0))[1] > 0.5
    assert drivers._round_plate((1.0, 1.0), (-1.0, 1.0)).tolist() == [-1.0, 1.0]


def test_a_driver_turns_the_shorter_way():
    driver = drivers.GoodDocking(np.random.default_rng(0))
    heading = math.radians(170)          # the plate lies at -170 degrees: 20 to the left
    observation = np.array([math.cos(math.radians(10)), math.sin(math.radians(10)),
                            math.cos(heading), math.sin(heading), 0.0, 0.0])
    turns = [driver(observation)[1] for _ in range(20)]
    assert np.mean(turns) > 0.3
