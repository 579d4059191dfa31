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

"""Tests for learner.py, judge.py and guard.py: how a learner is watched over."""

import pytest
import torch

from iql_ros.learner.choice import Choice
from iql_ros.runs.checkpoint import read_header, write_choice
from iql_ros.runs.checkpoint_bytes import read_file
from tests.online.small_learner import kill, live, rows, start

pytestmark = pytest.mark.usefixtures('workplace')


def judged(learner, episode, success):
    """Let a learner have an evaluation episode of five steps."""
    for step in range(5 * episode, 5 * episode + 5):
        live(learner, [step], length=5, evaluation=True, success=success)


@pytest.mark.parametrize('guard', [True, False])
def test_after_a_fall_it_goes_back_to_the_best_weights_where_it_is_guarded(guard):
    said = []
    learner = start(said=said, guard=guard, guard_evaluations=1, max_drop=0.1)
    for episode in (0, 1):
        judged(learner, episode, True)
    best = [tensor.clone() for tensor in learner.acting.actor.state_dict().values()]
    live(learner, range(10, 20))
    learner.take_weights()
    critic = learner._agent.critic.state_dict()
    judged(learner, 4, False)
    before = {name: tensor.clone() for name, tensor in critic.items()}
    judged(learner, 5, False)
    same = all(torch.equal(one, two) for one, two in
               zip(best, learner.acting.actor.state_dict().values()))
    assert same == guard == any('back to the best weights' in line for line in said)
    assert learner.weights_due
    assert any(not torch.equal(tensor, before[name]) for name, tensor in critic.items())


@pytest.mark.parametrize('kind', ['mean', 'weighted', 'best'])
def test_a_critic_that_chooses_goes_back_with_the_actor(kind):
    write_choice('start.safetensors', Choice(kind), {})
    learner = start(guard=True, guard_evaluations=1, max_drop=0.1)
    for episode in (0, 1):
        judged(learner, episode, True)
    best = {name: tensor.clone() for name, tensor in learner._agent.state().items()}
    live(learner, range(10, 20))
    for episode in (4, 5):
        judged(learner, episode, False)
    same = {name for name, tensor in learner._agent.state().items()
            if torch.equal(tensor, best[name])}
    learned = {name for name in best if name.startswith(('critic.', 'target_critic.'))}
    assert learned <= same if kind != 'mean' else not learned & same


def test_evaluations_of_a_robot_are_judged_in_rounds_and_logged():
    learner = start(evaluation_episodes=2)
    for episode, success in enumerate((True, False, True)):
        judged(learner, episode, success)
    row, = (row for row in rows() if row['evaluation/success_rate'])
    assert (row['step'], row['evaluation/success_rate']) == ('10', '0.5')
    assert row['evaluation/return_mean'] == '-5.0'
    assert learner.episodes == 0


def test_the_best_weights_are_kept_with_their_figures():
    learner = start()
    for episode in (0, 1):
        judged(learner, episode, True)
    evaluation = read_header('runs/run/checkpoints/best.safetensors')['evaluation']
    assert (evaluation['step'], evaluation['success_rate']) == (10, 1.0)


def test_a_guarded_learner_that_was_killed_still_knows_its_best_weights():
    guarded = {'guard': True, 'guard_evaluations': 1, 'checkpoint_every': 10}
    first = start(**guarded)
    for episode in (0, 1):
        judged(first, episode, True)
    best = read_file('runs/run/checkpoints/best.safetensors')[1]
    kill(first)
    second = start(resume=True, **guarded)
    for episode in (2, 3):
        judged(second, episode, False)
    for name, tensor in second.acting.actor.state_dict().items():
        assert torch.equal(tensor, best[f'average.{name}']), name
