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

"""Tests for fast_update.py: against the losses of iql.py."""

import copy

import numpy as np
import pytest
import torch

from iql_ros.learner.replay_buffer import ReplayBuffer
from tests.learner.test_iql import make_agent, make_batch, make_buffer, snapshot


def both(**changes):
    """Return two agents that begin alike; the second learns by the fast update."""
    pair = make_agent(**changes), make_agent(**changes)
    pair[1].use_fast_update()
    return pair


def check_alike(one, other):
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


def check_equal(one, other):
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize('changes', [
    {}, {'dropout_rate': 0.3}, {'algorithm': 'bc'}, {'algorithm': 'bc', 'dropout_rate': 0.3},
    {'hidden_dims': (5,)}, {'hidden_dims': (7, 4, 9), 'dropout_rate': 0.1},
    {'actor_schedule': 'constant'}, {'inverse_temperature': 0.0}, {'expectile': 0.5},
    {'advantage_weight_max': 0.5}, {'batch_size': 1}, {'target_update_rate': 1.0}],
    ids=lambda changes: ','.join(f'{key}={value}' for key, value in changes.items()) or 'plain')
def test_ten_updates_are_those_of_the_losses(changes):
    plain, fast = both(**changes)
    buffer = make_buffer()
    for _ in range(2):
        metrics, told = (agent.update_many(buffer, 5) for agent in (plain, fast))
        assert set(metrics) == set(told)
        for name, value in metrics.items():
            assert told[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    check_alike(plain.state(), fast.state())
    assert plain.step == fast.step == 10


def test_a_log_std_at_its_limit_gets_no_gradient_from_outside():
    plain, fast = both()
    for agent in (plain, fast):
        agent.actor.log_std_parameter.data.copy_(torch.tensor([-5.5, 2.0]))
        agent.update(make_batch())
    check_alike(plain.state(), fast.state())
    assert fast.actor.log_std_parameter[0] == -5.5


def test_weights_that_overflow_become_the_clip():
    plain, fast = both(inverse_temperature=1e30)
    for agent in (plain, fast):
        agent.update(make_batch())
    assert all(torch.isfinite(tensor).all() for tensor in fast.state().values())
    check_alike(plain.state(), fast.state())


def test_a_diverged_update_is_seen_in_the_metrics():
    fast = both()[1]
    batch = make_batch()
    batch.rewards[0] = float('nan')
    assert not np.isfinite(fast.update(batch)['critic/loss'].item())


def test_where_updates_are_cut_into_blocks_makes_no_difference_to_the_bit():
    whole, cut = (both(dropout_rate=0.2)[1] for _ in range(2))
    buffer = make_buffer()
    expected = whole.update_many(buffer, 12)
    for count in (1, 7, 4):
        metrics = cut.update_many(buffer, count)
    assert metrics == expected
    check_equal(whole.state(), cut.state())


def test_an_agent_that_learned_by_the_losses_goes_on_from_where_it_is():
    plain, other = make_agent(), make_agent()
    buffer = make_buffer()
    for agent in (plain, other):
        agent.update_many(buffer, 7)
    before = snapshot(other)
    other.use_fast_update()
    check_equal(before, other.state())
    for agent in (plain, other):
        agent.update_many(buffer, 5)
    check_alike(plain.state(), other.state())


def test_what_is_copied_into_the_state_is_learned_from():
    fast, fresh = both()[1], both()[1]
    buffer = make_buffer()
    fast.update_many(buffer, 5)
    for name, tensor in fresh.state().items():
        tensor.data.copy_(fast.state()[name])
    fresh.step = fast.step
    for agent in (fast, fresh):
        agent.update_many(buffer, 5)
    check_equal(fast.state(), fresh.state())


def test_the_networks_are_those_that_learn():
    fast, batch = both()[1], make_batch()
    before = copy.deepcopy(fast.actor)
    acted = fast.act([0.1, 0.2, 0.3])
    fast.update(batch)
    assert not np.array_equal(acted, fast.act([0.1, 0.2, 0.3]))
    assert not torch.equal(before.mlp.layers[0].weight, fast.actor.mlp.layers[0].weight)


def test_online_transitions_are_learned_from_too():
    rng = np.random.default_rng(0)
    parts = (rng.normal(size=(30, 3)), rng.uniform(-1, 1, (30, 2)), rng.normal(size=30),
             np.zeros(30, bool), rng.normal(size=(30, 3)))
    results = []
    for agent in both():
        buffer = ReplayBuffer(*parts)
        buffer.open_online(20)
        buffer.append(*(part[:25] for part in parts))
        agent.update_many(buffer, 5)
        results.append(agent.state())
    check_alike(*results)


def test_a_batch_of_another_size_is_refused():
    with pytest.raises(ValueError, match='a batch of 5; expected 6'):
        both()[1].update(make_batch(5))


def test_the_policy_of_a_training_is_that_of_its_checkpoint_to_the_bit():
    agent, other = make_agent(hidden_dims=(64, 64)), make_agent(hidden_dims=(64, 64))
    agent.use_fast_update()
    agent.update_many(make_buffer(), 5)
    other.actor.load_state_dict(agent.actor.state_dict())
    rng = np.random.default_rng(0)
    for observation in rng.normal(size=(50, agent.observation_dim)):
        assert np.array_equal(agent.act(observation), other.act(observation))
