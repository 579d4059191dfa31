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

"""Tests for recordings.py and rollouts.py."""

from pathlib import Path

import numpy as np
import pytest

from iql_ros.comparison.recordings import Candidate, Recordings, task_here
from iql_ros.learner.choice import Choice
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.comparison.line import driver, line, STEP
from tests.small_run import TEXT


def candidate(gain):
    return Candidate(f'gain {gain}', Path('a'), driver(gain), Choice())


@pytest.fixture(scope='module')
def recordings(tmp_path_factory):
    return Recordings(line(tmp_path_factory.mktemp('line')), 0.9, updates=800)


def test_policies_are_ranked_as_they_truly_are(recordings):
    towards, nowhere, away = (recordings.judge(candidate(gain)).claim.values.mean()
                              for gain in (9.0, 0.0, -9.0))
    assert towards > nowhere > away


def test_what_a_policy_comes_to_is_its_discounted_return(recordings):
    claim = recordings.judge(candidate(0.0)).claim
    starts = np.abs(recordings.rollouts._starts[..., 0])
    expected = -starts * sum(0.9 ** step for step in range(10))
    np.testing.assert_allclose(claim.values, expected, atol=1.0)
    assert claim.values.mean() == pytest.approx(expected.mean(), abs=0.1)
    assert claim.ended == 0 and claim.starts == 48


def test_recorded_returns_come_out_where_the_dynamics_were_learned(recordings):
    assert recordings.told > 0.95


def test_recorded_actions_are_replayed(recordings):
    rewards = -(0.5 - STEP * np.arange(1, 4))
    found = recordings.rollouts.replayed([0.5], [[-1.0]] * 3)
    np.testing.assert_allclose(found, rewards @ 0.9 ** np.arange(3), atol=0.1)


def test_too_few_held_out_episodes_tell_nothing(tmp_path):
    assert Recordings(line(tmp_path, episodes=20), 0.9, updates=1).told is None


@pytest.mark.parametrize(('function', 'ours', 'run'), [
    ('iql_ros.tasks:docked', False, True), ('tests.comparison.line:ended', False, False),
    ('tests.comparison.line:ended', True, True), ('no_such_module:docked', True, False)])
def test_only_a_task_of_this_machine_or_this_package_says_rewards(function, ours, run):
    text = TEXT.replace('iql_ros.tasks:docked', function)
    assert (task_here(parse_robot_interface(text, 'robot.yaml'), ours) is not None) == run


def test_without_critic_and_gate_nothing_is_said_of_them(recordings):
    recordings.find_decisive([driver(1.0)])
    found = recordings.judge(candidate(1.0))
    assert (found.good, found.bad, found.gated) == (None, None, None)
