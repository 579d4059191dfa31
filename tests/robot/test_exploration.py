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

"""Tests for exploration.py."""

import types

import numpy as np

from iql_ros.robot.exploration import Explorer
from iql_ros.robot.gate_settings import Limit
from tests.small_run import HIGH, INTERFACE, LOW

MEAN, STD = np.array([0.2, -0.4]), np.array([0.1, 0.5])
ACTOR = types.SimpleNamespace(act=lambda observation: MEAN, std=STD)
PHYSICAL = INTERFACE.action_scaling.to_physical(MEAN)


def draw(count=1, **changes):
    explorer = Explorer(ACTOR, INTERFACE, **changes)
    return np.array([explorer.act(None) for _ in range(count)])


def test_it_tries_the_actors_own_spread_around_its_mean():
    unit = INTERFACE.action_scaling.to_unit(draw(4000))
    assert np.allclose(unit[:, 0].mean(), 0.2, atol=0.01)
    assert np.allclose(unit[:, 0].std(), 0.1, atol=0.01)
    unit = INTERFACE.action_scaling.to_unit(draw(4000, scale=0.5))
    assert np.allclose(unit[:, 0].std(), 0.05, atol=0.005)


def test_without_a_scale_it_takes_the_mean():
    assert np.array_equal(draw(scale=0.0)[0], PHYSICAL)


def test_it_never_leaves_low_and_high():
    actions = draw(500, scale=20.0)
    assert (actions >= LOW).all() and (actions <= HIGH).all()
    assert (actions == LOW).any() and (actions == HIGH).any()


def test_it_keeps_to_the_limit_for_exploration_which_the_mean_may_leave():
    limit = Limit((-0.05, -1.5), (0.04, 0.2))
    actions = draw(500, scale=5.0, limit=limit)
    assert (actions >= limit.low).all() and (actions <= limit.high).all()
    assert PHYSICAL[0] > limit.high[0]
    assert np.array_equal(draw(scale=0.0, limit=limit)[0], PHYSICAL)


def test_how_far_it_goes_may_change_on_the_way_and_the_draws_go_on():
    explorer, limit = Explorer(ACTOR, INTERFACE, 0.0, seed=3), Limit((-0.05, -1.5), (0.04, 0.2))
    assert np.array_equal(explorer.act(None), PHYSICAL)
    explorer.bound(5.0, limit)
    assert np.array_equal([explorer.act(None)], draw(scale=5.0, limit=limit, seed=3))
    explorer.bound(1.0, None)
    assert np.array_equal([explorer.act(None)], draw(seed=3, draws=1))


def test_draws_are_a_function_of_the_seed_and_their_number():
    whole = draw(6, seed=3)
    assert np.array_equal(whole, draw(6, seed=3))
    assert np.array_equal(whole[4:], draw(2, seed=3, draws=4))
    assert not np.array_equal(whole, draw(6, seed=4))
