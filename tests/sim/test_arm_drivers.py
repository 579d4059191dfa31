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

"""Tests for arm_drivers.py."""

import numpy as np
import pytest

pytest.importorskip('gymnasium')
pytest.importorskip('mujoco')

from iql_ros.sim import arm_drivers, envs  # noqa: E402
from iql_ros.sim.arm import HIGH, LOW, TRAY  # noqa: E402
from iql_ros.sim.arm_kinematics import tool_position  # noqa: E402
from tests.sim import driven  # noqa: E402

RECORDINGS = {recording.name: recording for recording in arm_drivers.RECORDINGS}


def episode(name, seed):
    return driven.episode(envs.ARM, RECORDINGS[name], seed)


def tools(observations):
    """Return where the tool was, in the tray's frame (T + 1, 3)."""
    return np.array([tool_position(row[3:9]) for row in observations]) - TRAY


@pytest.mark.parametrize('name', RECORDINGS)
def test_a_seed_gives_the_same_commands_inside_the_limits_again(name):
    first, second = episode(name, 3), episode(name, 3)
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[1][:5], episode(name, 4)[1][:5])
    assert (first[1] >= LOW).all() and (first[1] <= HIGH).all()


def test_the_recording_is_two_hundred_and_ten_episodes():
    assert [recording.episodes for recording in arm_drivers.RECORDINGS] == [
        60, 30, 30, 30, 30, 30]


def test_the_good_driver_places_the_block_from_above_the_tray():
    placed = [episode('place_good', seed) for seed in range(10)]
    assert sum(done for *_, done in placed) >= 9
    assert np.median([len(actions) for _, actions, _ in placed]) < 25


def test_the_hesitant_driver_places_it_later():
    good, hesitant = (np.median([len(episode(name, seed)[1]) for seed in range(10)])
                      for name in ('place_good', 'place_hesitant'))
    assert good * 2 < hesitant


def test_the_careless_driver_lets_go_too_early_and_often_in_vain():
    ends = [episode('place_careless', seed) for seed in range(10)]
    assert all(observations[:, 9].max() > 0.03 for observations, *_ in ends)
    assert 1 <= sum(done for *_, done in ends) <= 7


def test_carrying_comes_above_the_tray_and_goes_neither_down_nor_open():
    for seed in range(6):
        observations, _, placed = episode('carry', seed)
        way = tools(observations)
        arrived = np.linalg.norm(way - [0.0, 0.0, 0.13], axis=1).argmin()
        assert np.linalg.norm(way[arrived] - [0.0, 0.0, 0.13]) < 0.06 and not placed
        assert way[arrived:, 2].min() > 0.08 and observations[:, 9].max() < 0.025
        assert np.hypot(*way[arrived:, :2].T).max() > 0.15


@pytest.mark.parametrize('name', ['wander', 'blind'])
def test_the_others_stay_above_the_table(name):
    for seed in range(6):
        way = tools(episode(name, seed)[0]) + TRAY
        assert way[:, 2].min() > 0.0 and way[:, 2].max() < 0.65
        assert np.abs(way[:, 1]).max() < 0.6
