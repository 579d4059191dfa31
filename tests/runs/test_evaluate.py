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

"""Tests for evaluate.py."""

import types

import gymnasium
import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot.action_scaling import ActionScaling
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.safety import Gate
from iql_ros.runs.evaluate import (
    EpisodeResult, evaluate_policy, Evaluator, summary, write_results)
from tests.robot.test_robot_interface import TEXT


class Line(gymnasium.Env):
    """A point on a line that starts where the seed says; its float32 action moves it."""

    def __init__(self, keys=False, success=True):
        box = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float64)
        self.observation_space = gymnasium.spaces.Dict(here=box, goal=box) if keys else box
        self.action_space = gymnasium.spaces.Box(-2, 2, (1,), np.float32)
        self.keys, self.success, self.taken = keys, success, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = self.np_random.uniform(-1, 1)
        return self.observation(), {}

    def observation(self):
        x = np.array([self.x])
        return {'here': x, 'goal': np.zeros(1)} if self.keys else x

    def step(self, action):
        assert action.dtype == np.float32 and self.action_space.contains(action)
        self.taken.append(float(action[0]))
        self.x += float(action[0])
        arrived = abs(self.x) < 0.3
        info = {'is_success': arrived} if self.success else {}
        return self.observation(), -1.0, arrived, len(self.taken) % 4 == 0, info


class Homing:
    """A policy: a step of 0.2 towards zero; notes what it is given."""

    def __init__(self, observation_dim=1, action_dim=1):
        self.observation_dim, self.action_dim, self.seen = observation_dim, action_dim, []

    def act(self, observation, draw):
        self.seen.append(observation)
        return -0.1 * np.sign(observation[:1])


SCALING = ActionScaling([-2.0], [2.0])


def test_episodes_are_seeded_one_by_one_and_repeat():
    results = evaluate_policy(Homing(), Line(), 5, 10, SCALING)
    assert [result.seed for result in results] == [10, 11, 12, 13, 14]
    assert [result.episode for result in results] == [0, 1, 2, 3, 4]
    again = evaluate_policy(Homing(), Line(), 1, 12, SCALING)
    assert again[0].return_ == results[2].return_ and again[0].length == results[2].length


def test_a_result_counts_every_step_and_keeps_termination_and_truncation_apart():
    results = evaluate_policy(Homing(), Line(), 20, 0, SCALING)
    assert {(result.terminated, result.truncated) for result in results} >= {
        (True, False), (False, True)}
    for result in results:
        assert result.return_ == -result.length and result.success == result.terminated


def test_observations_are_float64_vectors_and_actions_of_the_spaces_type():
    policy, env = Homing(), Line()
    evaluate_policy(policy, env, 1, 0, SCALING)
    assert all(seen.dtype == np.float64 and seen.shape == (1,) for seen in policy.seen)
    assert set(np.abs(env.taken)) == {np.float32(0.2)}


def test_a_dict_observation_is_read_by_its_keys_in_order():
    policy = Homing(observation_dim=2)
    evaluate_policy(policy, Line(keys=True), 1, 0, SCALING, observation_keys=('here', 'goal'))
    assert policy.seen[0][1] == 0 and policy.seen[0][0] != 0
    with pytest.raises(InputError, match='observation keys: got none.* allowed: here, goal'):
        evaluate_policy(policy, Line(keys=True), 1, 0, SCALING)


@pytest.mark.parametrize(('policy', 'message'), [
    (Homing(observation_dim=3), 'has 1 observation values; the policy has 3'),
    (Homing(action_dim=2), 'has 1 action values; the policy has 2')])
def test_an_environment_of_other_dimensions_is_refused(policy, message):
    with pytest.raises(InputError, match=message):
        evaluate_policy(policy, Line(), 1, 0, SCALING)


class Plane(gymnasium.Env):
    """Takes what the toy robot of test_robot_interface takes, for ten steps."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (6,), np.float64)
    action_space = gymnasium.spaces.Box(-2, 2, (2,), np.float64)

    def reset(self, *, seed=None, options=None):
        self.taken = []
        return np.zeros(6), {}

    def step(self, action):
        self.taken.append(action.tolist())
        return np.zeros(6), 1.0, False, len(self.taken) == 10, {}


class Constant:
    """A policy of one action."""

    observation_dim, action_dim = 6, 2

    def __init__(self, *action):
        self.action = np.array(action)

    def act(self, observation, draw):
        return self.action


def toy_interface():
    settings = 'downstream_timeout: 0.5, max_rate: [0.5, 15.0]'
    return parse_robot_interface(TEXT.replace('downstream_timeout: 0.5', settings), 'toy.yaml')


def test_every_action_passes_the_gate_from_rest_at_the_robots_period():
    interface, env = toy_interface(), Plane()
    evaluate_policy(Constant(1.0, 0.0), env, 1, 0, interface.action_scaling, Gate(interface))
    step = 0.5 * interface.period_ns * 1e-9
    np.testing.assert_allclose([first for first, _ in env.taken[:3]],
                               np.minimum([step, 2 * step, 3 * step],
                                          interface.action_scaling.high[0]))


def test_a_trip_ends_an_episode_as_truncated_and_the_next_begins_anew():
    interface, env = toy_interface(), Plane()
    results = evaluate_policy(Constant(np.nan, 0.0), env, 2, 0, interface.action_scaling,
                              Gate(interface))
    assert [(result.length, result.truncated) for result in results] == [(0, True)] * 2
    assert env.taken == []


def test_the_summary_is_the_mean_over_episodes():
    results = [EpisodeResult(0, 0, -1.0, 1, True, False, True),
               EpisodeResult(1, 1, -4.0, 4, False, True, False)]
    assert summary(results) == {'episodes': 2, 'return_mean': -2.5, 'return_std': 1.5,
                                'length_mean': 2.5, 'success_rate': 0.5}
    assert 'success_rate' not in summary([EpisodeResult(0, 0, 1.0, 1, True, False, None)])


def test_results_are_a_row_an_episode(tmp_path):
    path = tmp_path / 'results.csv'
    write_results(path, [EpisodeResult(0, 7, -1.5, 3, True, False, None),
                         EpisodeResult(1, 8, 1 / 3, 4, False, True, False)])
    assert path.read_text().splitlines() == [
        'episode,seed,return,length,terminated,truncated,success', '0,7,-1.5,3,1,0,',
        f'1,8,{1 / 3!r},4,0,1,0']


def test_an_environment_that_only_the_data_names_may_be_missing(capsys):
    data = types.SimpleNamespace(environment='Nowhere-v0')
    assert Evaluator.find(data, None, 1, required=False) is None
    assert 'no evaluation while training: ' in capsys.readouterr().out
    with pytest.raises(InputError, match="environment 'Nowhere-v0'"):
        Evaluator.find(data, None, 1, required=True)
