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

"""Tests for choosing.py: the way of choosing that drives best is picked, and only when sure."""

import gymnasium
import numpy as np
import pytest
import torch

from iql_ros.comparison.recordings import Recordings
from iql_ros.learner.choice import Choice, CHOICES
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.robot.action_scaling import ActionScaling
from iql_ros.runs.checkpoint import choice_facts, choice_of, read_header, save_checkpoint
from iql_ros.runs.choosing import (
    is_picked, keep_the_better, pick_by_recordings, pick_choice)
from iql_ros.runs.evaluate import Evaluator
from iql_ros.runs.settings import TrainSettings
from tests.comparison.line import line

DATASET = {'name': 'none', 'fingerprint': '', 'action_low': [-1.0], 'action_high': [1.0],
           'observation_keys': [], 'environment': None}


class Push(gymnasium.Env):
    """Pays what it is pushed by, and something that the seed decides, in episodes of a step."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float64)

    def __init__(self, noise=0.0):
        self.noise, self.rng = noise, np.random.default_rng(0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1), {}

    def step(self, action):
        luck = self.np_random.normal() + self.noise * self.rng.normal()
        return np.zeros(1), float(action[0]) + luck, True, False, {}


def checkpoint(path, factor, **settings):
    """Write one whose critic likes a push by that factor, and whose actor does not push."""
    config = IQLConfig(hidden_dims=(8,), normalise_observations=False)
    agent = IQLAgent(1, 1, config)
    with torch.no_grad():
        agent.actor.mlp.layers[-1].weight.zero_()
        agent.actor.log_std_parameter.fill_(np.log(0.3))
        first, last = agent.target_critic.weights
        agent.target_critic.biases[0].fill_(2.0)  # no ReLU is in the way
        first.zero_()[:, 0, 1] = 1.0
        last.zero_()[:, 0, 0] = factor
    told = TrainSettings('data', 'run', **settings)
    save_checkpoint(path, agent, training={}, dataset=DATASET,
                    choice=choice_facts(told.first_choice(config)))
    return path


def evaluator(**noise):
    return Evaluator(Push(**noise), 1, ActionScaling([-1.0], [1.0]), None, ())


@pytest.mark.parametrize(('factor', 'settings', 'picked'), [
    (5.0, {}, 'best'), (-5.0, {}, 'mean'), (0.0, {}, 'mean'),
    # so strict a temperature is the best already
    (5.0, {'choice_temperature': 1e4}, 'weighted')])
def test_the_way_that_drives_best_is_picked_and_stands_in_the_checkpoint(
        tmp_path, factor, settings, picked):
    path = checkpoint(tmp_path / 'c.safetensors', factor, samples=8, **settings)
    assert choice_of(read_header(path)).kind == 'mean' and not is_picked(path)
    said = pick_choice(path, evaluator(), 20)
    header = read_header(path)
    assert choice_of(header).kind == picked and is_picked(path)
    ways = header['choice']['measured']['ways']
    assert list(ways) == ['mean', 'weighted', 'best'] and ways['mean']['gain'] == 0
    assert said.startswith(f'acts by the {choice_of(header)}; returns over 20 episodes: mean ')
    assert choice_of(header).samples == 8


@pytest.mark.parametrize(('factor', 'picked'), [
    (50.0, {'weighted', 'best'}), (-50.0, {'mean'}), (0.0, {'mean'})])
def test_recordings_tell_which_way_suits(tmp_path, factor, picked):
    path = checkpoint(tmp_path / 'c.safetensors', factor, samples=8)
    recordings = Recordings(line(tmp_path, paid=float), 0.9, updates=400)
    said = pick_by_recordings(path, recordings)
    header = read_header(path)
    assert choice_of(header).kind in picked and is_picked(path)
    assert header['choice']['measured']['told'] > 0.5
    assert said.startswith(f'acts by the {choice_of(header)}; judged by the recordings: Take ')


def test_recordings_that_tell_nothing_leave_the_mean(tmp_path):
    path = checkpoint(tmp_path / 'c.safetensors', 50.0)
    said = pick_by_recordings(path, Recordings(line(tmp_path, paid=float), 0.9, updates=1))
    assert choice_of(read_header(path)).kind == 'mean' and 'cannot be told' in said


def test_a_gain_that_may_be_luck_changes_nothing(tmp_path):
    path = checkpoint(tmp_path / 'c.safetensors', 0.1)
    pick_choice(path, evaluator(noise=20.0), 10)
    assert choice_of(read_header(path)).kind == 'mean'


def test_all_ways_start_where_the_others_do_and_only_the_header_changes(tmp_path):
    path = checkpoint(tmp_path / 'c.safetensors', 0.0)
    before = read_header(path)
    pick_choice(path, evaluator(), 5)
    after = read_header(path)
    ways = after['choice']['measured']['ways']
    assert ways['weighted']['return_mean'] == pytest.approx(ways['mean']['return_mean'], abs=1e-6)
    changed = ('choice', 'sha256')
    assert {key: before[key] for key in before if key not in changed} == {
        key: after[key] for key in after if key not in changed}


def test_asked_to_stop_it_picks_nothing(tmp_path):
    path, seen = checkpoint(tmp_path / 'c.safetensors', 5.0), []
    data = path.read_bytes()
    assert pick_choice(path, evaluator(), 5, lambda *done: seen.append(done),
                       lambda: len(seen) == 7) == ''
    assert path.read_bytes() == data and seen[-1] == (7, 15)


def picked(path, step, return_mean, **evaluation):
    """Write a checkpoint of that step, of which that return was measured."""
    agent = IQLAgent(1, 1, IQLConfig(hidden_dims=(8,)))
    agent.step = step
    ways = {kind: {'return_mean': return_mean + (kind != 'mean')} for kind in CHOICES}
    save_checkpoint(path, agent, training={}, dataset=DATASET, **evaluation, choice=choice_facts(
        Choice('weighted'), {'episodes': 2, 'ways': ways}))
    return path


@pytest.mark.parametrize(('ours', 'theirs', 'kept', 'said'), [
    (-3.0, -5.0, 60, 'the newest returns -2.00, the best by the evaluations -4.00: '
                     'best.safetensors is the newest now'),
    (-5.0, -3.0, 40, 'is the better')])
def test_of_the_newest_and_the_best_the_one_that_was_measured_to_return_more_is_the_best(
        tmp_path, ours, theirs, kept, said):
    evaluation = {'step': 60, 'return_mean': 7.0}
    newest = picked(tmp_path / 'step_60.safetensors', 60, ours, evaluation=evaluation)
    best = picked(tmp_path / 'best.safetensors', 40, theirs, evaluation={'return_mean': 9.0})
    assert said in keep_the_better(newest, best)
    header = read_header(best)
    assert header['step'] == kept
    assert header['evaluation']['return_mean'] == {60: 7.0, 40: 9.0}[kept]


def test_checkpoints_of_which_one_is_not_there_or_not_measured_are_not_compared(tmp_path):
    newest = picked(tmp_path / 'step_60.safetensors', 60, 1.0, evaluation={'return_mean': 7.0})
    best = tmp_path / 'best.safetensors'
    assert keep_the_better(newest, best) == ''
    assert keep_the_better(newest, picked(best, 60, 0.0)) == ''           # the same policy
    checkpoint(best, 1.0)
    assert keep_the_better(newest, best) == ''
