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

"""Tests for dynamics.py."""

import numpy as np
import pytest
import torch

from iql_ros.comparison.dynamics import Dynamics, MEMBERS
from iql_ros.files import InputError
from tests.comparison.line import line, STEP


def fitted(*arguments, **changes):
    dynamics = Dynamics(line(*arguments, **changes), 800)
    dynamics.fit()
    return dynamics


def everywhere(values):
    return torch.tensor(values, dtype=torch.float64).expand(MEMBERS, 1, -1)


@pytest.mark.parametrize('offset', [0.0, 4e6])
def test_what_follows_is_learned_far_from_zero_too(tmp_path, offset):
    found = fitted(tmp_path, offset=offset).step(everywhere([offset + 0.3]), everywhere([-1.0]))
    np.testing.assert_allclose(found.next_observations - offset, 0.3 - STEP, atol=0.02)
    np.testing.assert_allclose(found.rewards, -(0.3 - STEP), atol=0.06)
    assert not found.terminated.any()


def test_where_recordings_say_nothing_is_strange(tmp_path):
    dynamics = fitted(tmp_path, actions_up_to=0.2)
    positions = np.linspace(-0.8, 0.8, 50)[:, None]
    assert dynamics.strange(positions, np.zeros((50, 1))).mean() < 0.1
    assert dynamics.strange(positions, np.ones((50, 1))).mean() > 0.9


def test_the_same_seed_learns_the_same(tmp_path):
    state, action = everywhere([0.5]), everywhere([0.5])
    one, two = (fitted(tmp_path).step(state, action) for _ in range(2))
    assert torch.equal(one.next_observations, two.next_observations)


def test_progress_is_told_to_the_end(tmp_path):
    told = []
    Dynamics(line(tmp_path), 300).fit(lambda *done: told.append(done))
    assert told == [(100, 300), (200, 300), (300, 300)]


def test_a_single_episode_is_refused(tmp_path):
    with pytest.raises(InputError, match='has 1 episode; comparing takes at least 2'):
        Dynamics(line(tmp_path, episodes=1))
