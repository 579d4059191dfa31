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

"""Tests for learner.py and averaged_agent.py: the weights that are sent."""

import numpy as np
import pytest
import torch

from iql_ros.online.weights import read_weights
from iql_ros.runs.policy import load_policy
from tests.online.small_learner import kill, live, start
from tests.small_run import INTERFACE

pytestmark = pytest.mark.usefixtures('workplace')


def test_what_is_sent_is_an_average_that_lags_behind_the_actor():
    learner = start(actor_average=0.25)
    before = [parameter.clone() for parameter in learner.acting.actor.parameters()]
    live(learner, [0])
    for old, new, sent in zip(before, learner._agent.actor.parameters(),
                              learner.acting.actor.parameters()):
        assert torch.allclose(sent, 0.75 * old + 0.25 * new, atol=1e-7)
    assert not torch.equal(next(learner.acting.actor.parameters()), before[0])


def test_without_an_average_the_actor_itself_is_sent():
    learner = live(start(actor_average=0.0), range(3))
    assert learner.acting.actor is learner._agent.actor
    policy = load_policy('start.safetensors', 'cpu')
    weights = read_weights(learner.take_weights(), policy, INTERFACE)
    policy.load(weights.tensors, 'weights')
    observation = np.ones(6)
    assert np.array_equal(policy.act(observation), learner._agent.act(observation))
    assert weights.updates == 3


def test_the_checkpoint_of_a_run_acts_by_what_was_sent():
    learner = live(start(), range(20))
    observation = np.ones(6)
    ours = load_policy('runs/run/latest', 'cpu').act(observation)
    assert np.array_equal(ours, learner.acting.act(observation))
    assert not np.array_equal(ours, learner._agent.act(observation))


def test_a_run_that_begins_where_another_ended_begins_with_what_acted_there():
    first = live(start(), range(20))
    first.close()
    second = start(name='next', checkpoint='runs/run/latest')
    for ours, theirs in ((first.acting.actor, second.acting.actor),
                         (first._agent.actor, second._agent.actor)):
        for name, tensor in ours.state_dict().items():
            assert torch.equal(tensor, theirs.state_dict()[name]), name


def test_weights_are_due_at_the_start_and_at_the_ends_of_episodes():
    learner, due = start(), []
    for step in range(20):
        due.append(learner.weights_due)
        if learner.weights_due:
            learner.take_weights()
        live(learner, [step])
    assert [step for step in range(20) if due[step]] == [0, 10] and learner.weights_due


def test_weights_every_so_many_steps_come_within_episodes_too():
    learner = start(weights_every=3)
    learner.take_weights()
    for step, due in zip(range(6), (False, False, True, False, False, True)):
        live(learner, [step])
        assert learner.weights_due == due
        if due:
            learner.take_weights()


def test_versions_of_weights_go_on_after_a_kill_though_updates_go_back():
    first = live(start(), range(15))
    sent = [read(first) for _ in range(3)]
    said = first.acknowledgement('', 7)
    kill(first)
    second = start(resume=True)
    again, ours = read(second), second.acknowledgement('', 7)
    assert again.version > max(weights.version for weights in sent)
    assert again.run == sent[0].run == said.run == ours.run
    assert (again.updates, ours.updates, ours.behind) == (0, 0, 15)
    assert (said.steps, ours.steps) == (15, 15) and ours.weights_version == again.version


def read(learner):
    return read_weights(learner.take_weights(), load_policy('start.safetensors', 'cpu'),
                        INTERFACE)
