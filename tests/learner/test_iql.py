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

"""Tests for iql.py: the settings, the losses, the update and two known value functions."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from iql_ros.files import InputError, read_yaml, share_folder
from iql_ros.learner.iql import (actor_loss, advantage_weights, critic_loss, IQLAgent, IQLConfig,
                                 metric_names, scheduled_rate, value_loss)
from iql_ros.learner.replay_buffer import Batch, ReplayBuffer
from iql_ros.runs.settings import settings_from_mapping

SMALL = IQLConfig(hidden_dims=(8, 8), batch_size=6, normalise_observations=False)


def make_batch(size=6, observation_dim=3, action_dim=2, seed=0):
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=(size, observation_dim)), rng.uniform(-1, 1, (size, action_dim)),
            rng.normal(size=size), rng.random(size) > 0.3,
            rng.normal(size=(size, observation_dim))]
    return Batch(*(torch.tensor(np.asarray(values, np.float32)) for values in rows))


def make_agent(seed=0, total_updates=100, **changes):
    return IQLAgent(3, 2, dataclasses.replace(SMALL, **changes), seed=seed,
                    total_updates=total_updates)


def make_buffer():
    batch = make_batch(40)
    return ReplayBuffer(batch.observations, batch.actions, batch.rewards,
                        1 - batch.masks, batch.next_observations)


def snapshot(agent):
    return {name: tensor.clone() for name, tensor in agent.state().items()}


def gradients(network):
    return [parameter.grad for parameter in network.parameters()]


@pytest.mark.parametrize(('name', 'value', 'message'), [
    ('expectile', 1.0, 'expectile: got 1.0; allowed: 0 < expectile < 1'),
    ('inverse_temperature', -1.0, 'inverse_temperature: got -1.0; allowed: a finite number >= 0'),
    ('discount', 1.0, 'discount: got 1.0; allowed: 0 <= discount < 1'),
    ('target_update_rate', 0.0, 'target_update_rate: got 0.0; allowed: 0 < rate <= 1'),
    ('learning_rate', float('nan'), 'learning_rate: got nan; allowed: a finite number > 0'),
    ('advantage_weight_max', float('inf'), 'advantage_weight_max: got inf; allowed: a finite'),
    ('dropout_rate', 1.0, 'dropout_rate: got 1.0; allowed: 0 <= rate < 1'),
    ('hidden_dims', (), r'hidden_dims: got \(\); allowed: whole numbers >= 1'),
    ('batch_size', 0, 'batch_size: got 0; allowed: a whole number >= 1'),
    ('algorithm', 'cql', "unknown algorithm 'cql' .*allowed: iql, bc"),
    ('actor_schedule', 'cosin', r"'cosin' \(did you mean 'cosine'\?\); allowed: cosine, constant"),
    ('reward_transform', 'x', "'x'; allowed: none, return_range, minus_one")])
def test_a_setting_out_of_range_is_refused_with_the_range(name, value, message):
    with pytest.raises(InputError, match=message):
        IQLConfig(**{name: value})


@pytest.mark.parametrize(('name', 'expected'), [
    ('robot', (0.9, 3.0, 'none', 'cosine', 0.0, True)),
    ('locomotion', (0.7, 3.0, 'return_range', 'cosine', 0.0, False)),
    ('antmaze', (0.9, 10.0, 'minus_one', 'cosine', 0.0, False)),
    ('antmaze_finetune', (0.9, 10.0, 'minus_one', 'constant', 0.0, False)),
    ('adroit', (0.7, 0.5, 'none', 'cosine', 0.1, False))])
def test_the_shipped_settings_are_the_papers(name, expected):
    path = share_folder() / 'config' / 'iql' / f'{name}.yaml'
    _, config = settings_from_mapping({'dataset': 'd', 'name': 'n', **read_yaml(path)}, str(path))
    assert (config.expectile, config.inverse_temperature, config.reward_transform,
            config.actor_schedule, config.dropout_rate, config.normalise_observations) == expected
    assert (config.algorithm, config.learning_rate, config.batch_size, config.hidden_dims,
            config.discount, config.target_update_rate, config.advantage_weight_max) == (
                'iql', 3e-4, 256, (256, 256), 0.99, 0.005, 100.0)


def test_the_value_loss_weighs_by_the_side_of_the_target():
    def value(observations):
        return observations[:, 0]
    observations = torch.tensor([[1.0], [1.0]])
    loss, info = value_loss(value, observations, torch.tensor([3.0, 0.0]), 0.9)
    assert loss.item() == pytest.approx((0.9 * 4 + 0.1 * 1) / 2)
    assert info['value/mean'].mean() == 1.0


def test_the_critic_loss_is_the_sum_of_two_squared_errors_and_only_masks_cut_it():
    def critic(observations, actions):
        return torch.tensor([[1.0, 1.0], [2.0, 2.0]])
    batch = Batch(None, None, torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]), None)
    loss, _ = critic_loss(critic, batch, torch.tensor([4.0, 4.0]), 0.9)
    bootstrapped, cut = 0.5 + 0.9 * 4, 0.5
    expected = [(1 - y)**2 + (2 - y)**2 for y in (bootstrapped, cut)]
    assert loss.item() == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(('advantage', 'weight'), [(0.0, 1.0), (1.0, np.exp(3)), (2.0, 100.0),
                                                   (1e4, 100.0), (-1e4, 0.0)])
def test_weights_are_clipped_after_the_exponential(advantage, weight):
    weights, info = advantage_weights(torch.tensor([advantage, 0.0]), 3.0, 100.0)
    assert weights.tolist() == pytest.approx([weight, 1.0])
    assert info['actor/weight_clipped'].tolist() == [advantage >= 2, False]


def test_an_enormous_advantage_leaves_gradients_finite():
    agent, batch = make_agent(), make_batch()
    weights, _ = advantage_weights(torch.full((6,), 1e4), 3.0, 100.0)
    actor_loss(agent.actor, batch, weights)[0].backward()
    assert all(torch.isfinite(gradient).all() for gradient in gradients(agent.actor))


def test_losses_of_all_shapes_are_scalars_and_nothing_broadcasts():
    agent, batch = make_agent(), make_batch()
    q1, q2 = agent.critic(batch.observations, batch.actions).detach()
    assert q1.shape == q2.shape == agent.value(batch.observations).shape == (6,)
    weights, _ = advantage_weights(q1, 3.0, 100.0)
    assert weights.shape == (6,)
    for loss, info in (value_loss(agent.value, batch.observations, q1, 0.9),
                       critic_loss(agent.critic, batch, q1, 0.9),
                       actor_loss(agent.actor, batch, weights)):
        assert loss.shape == () and all(value.shape in ((), (6,)) for value in info.values())


def test_each_loss_moves_its_own_network_alone():
    agent, batch = make_agent(), make_batch()
    with torch.no_grad():
        target_q = agent.target_critic(batch.observations, batch.actions).amin(dim=0)
    networks = {'value': agent.value, 'critic': agent.critic, 'actor': agent.actor}
    losses = {'value': value_loss(agent.value, batch.observations, target_q, 0.9),
              'critic': critic_loss(agent.critic, batch, target_q, 0.9),
              'actor': actor_loss(agent.actor, batch, torch.ones(6))}
    for name, (loss, _) in losses.items():
        for network in networks.values():
            network.zero_grad(set_to_none=True)
        loss.backward()
        moved = {other for other, network in networks.items()
                 if any(gradient is not None for gradient in gradients(network))}
        assert moved == {name}


def test_the_target_moves_by_the_rate_after_the_critic():
    agent = make_agent(target_update_rate=0.005)
    old = copy.deepcopy(agent.target_critic.state_dict())
    agent.update(make_batch())
    for name, tensor in agent.target_critic.state_dict().items():
        new = agent.critic.state_dict()[name]
        assert not torch.equal(new, old[name])
        assert torch.allclose(tensor, 0.995 * old[name] + 0.005 * new, rtol=0, atol=3e-7)


def test_the_rate_of_the_actor_falls_as_a_cosine_and_stays_at_zero():
    config = IQLConfig(learning_rate=1e-3)
    rates = [scheduled_rate(config, step, 1000) for step in (0, 500, 1000, 1001, 2000)]
    assert rates == pytest.approx([1e-3, 5e-4, 0, 0, 0], abs=1e-18)
    constant = IQLConfig(learning_rate=1e-3, actor_schedule='constant')
    assert scheduled_rate(constant, 2000, 1000) == 1e-3


def test_past_its_schedule_only_the_actor_stands_still():
    agent = make_agent(total_updates=2)
    for _ in range(2):
        agent.update(make_batch())
    before = snapshot(agent)
    info = agent.update(make_batch())
    after = agent.state()
    assert info['actor/learning_rate'] == 0
    for name in ('actor.mlp.layers.0.weight', 'critic.weights.0',
                 'value.mlp.layers.0.weight'):
        assert torch.equal(before[name], after[name]) == name.startswith('actor')


def test_an_update_reports_what_metric_names_says():
    for algorithm in ('iql', 'bc'):
        agent = make_agent(algorithm=algorithm)
        assert set(agent.update(make_batch())) == set(metric_names(agent.config))


def test_cloning_ignores_rewards_and_leaves_critic_and_value_alone():
    one, two, batch = make_agent(algorithm='bc'), make_agent(algorithm='bc'), make_batch()
    before = snapshot(one)
    one.update(batch)
    two.update(batch._replace(rewards=batch.rewards * 1000))
    for name, tensor in one.state().items():
        assert torch.equal(tensor, two.state()[name])
        if name.startswith(('critic.', 'target_critic.', 'value.')):
            assert torch.equal(tensor, before[name])
    assert not torch.equal(before['actor.mlp.layers.0.weight'], one.actor.mlp.layers[0].weight)


def test_cloning_is_iql_at_inverse_temperature_zero():
    cloning, iql = make_agent(algorithm='bc'), make_agent(inverse_temperature=0.0)
    cloning.update_many(make_buffer(), 5)
    iql.update_many(make_buffer(), 5)
    for name, tensor in cloning.actor.state_dict().items():
        assert torch.equal(tensor, iql.actor.state_dict()[name])


def test_cloning_learns_the_actions_of_the_data():
    rng = np.random.default_rng(0)
    observations = rng.uniform(-1, 1, (300, 3))
    actions = 0.5 * observations[:, :2]
    agent = make_agent(algorithm='bc', learning_rate=3e-3, hidden_dims=(32, 32), batch_size=64,
                       total_updates=600)
    agent.update_many(ReplayBuffer(observations, actions, np.zeros(300), np.zeros(300),
                                   observations), 600)
    given = np.array([agent.act(observation) for observation in observations])
    assert np.abs(given - actions).mean() < 0.03


def test_where_updates_are_cut_into_blocks_makes_no_difference():
    whole, cut = make_agent(dropout_rate=0.2), make_agent(dropout_rate=0.2)
    buffer = make_buffer()
    expected = whole.update_many(buffer, 12)
    for count in (1, 7, 4):
        metrics = cut.update_many(buffer, count)
    assert metrics == expected
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, cut.state()[name]), name


def test_seeds_differ_and_the_global_generators_do_not_matter():
    runs = []
    for seed, noise in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(noise)
        np.random.seed(noise)
        agent = make_agent(seed=seed, dropout_rate=0.2)
        agent.update_many(make_buffer(), 3)
        runs.append(agent.actor.mlp.layers[0].weight)
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


def test_dropout_is_off_when_acting():
    agent = make_agent(dropout_rate=0.5)
    agent.update(make_batch())
    actions = {tuple(agent.act([0.1, 0.2, 0.3])) for _ in range(5)}
    assert len(actions) == 1


def test_all_networks_learn_from_what_the_actors_normaliser_gives():
    batch = make_batch()
    plain, normalised = make_agent(), make_agent(normalise_observations=True)
    normalised.actor.normaliser.mean.fill_(1.0)
    normalised.actor.normaliser.std.fill_(4.0)
    raw = [(rows * 4 + 1).double() for rows in (batch.observations, batch.next_observations)]
    seen = ReplayBuffer(raw[0], batch.actions, batch.rewards, 1 - batch.masks, raw[1],
                        normalised.actor.normaliser).batch(np.arange(len(batch.rewards)))
    plain.update(batch)
    normalised.update(seen)
    for name, tensor in plain.state().items():
        assert torch.allclose(tensor, normalised.state()[name], atol=2e-6), name


def test_reward_scale_and_temperature_trade_off_exactly():
    # without a bootstrap Q -> reward: ten times the reward at a tenth of beta, equal weights
    advantages = torch.tensor([-0.3, 0.1, 0.4])
    one, _ = advantage_weights(advantages, 3.0, 100.0)
    ten, _ = advantage_weights(10 * advantages, 0.3, 100.0)
    assert torch.allclose(one, ten)


CHAIN = 4          # states 0 to 3, seen as one-hot vectors
DISCOUNT = 0.9
RIGHT, LEFT = 0.5, -0.5


def chain_rows():
    """Return (state, action, reward, next state): right at 1 of 3 draws, paid at the end."""
    rows = []
    for state in range(CHAIN):
        rows.append((state, RIGHT, float(state == CHAIN - 1), min(state + 1, CHAIN - 1)))
        rows += 2 * [(state, LEFT, 0.1, max(state - 1, 0))]
    return rows


def chain_values(expectile, terminal=()):
    """Iterate V(s) = expectile over the data's actions of r + discount * V(s'), in numpy."""
    rows, values = chain_rows(), np.zeros(CHAIN)
    for _ in range(200):
        targets = [[reward + DISCOUNT * values[following] * (index not in terminal)
                    for index, (at, _, reward, following) in enumerate(rows) if at == state]
                   for state in range(CHAIN)]
        values = np.array([expectile_of(np.array(target), expectile) for target in targets])
    return values


def expectile_of(samples, expectile):
    low, high = samples.min(), samples.max()
    for _ in range(40):
        middle = (low + high) / 2
        pull = np.where(samples > middle, expectile, 1 - expectile) * (samples - middle)
        low, high = (middle, high) if pull.sum() > 0 else (low, middle)
    return low


def learned_chain_values(expectile, terminal=()):
    rows, one_hot = chain_rows(), np.eye(CHAIN)
    buffer = ReplayBuffer(
        one_hot[[row[0] for row in rows]], [[row[1]] for row in rows], [row[2] for row in rows],
        [index in terminal for index in range(len(rows))], one_hot[[row[3] for row in rows]])
    agent = IQLAgent(CHAIN, 1, IQLConfig(
        expectile=expectile, discount=DISCOUNT, learning_rate=2e-3, target_update_rate=0.05,
        hidden_dims=(64, 64), batch_size=12, normalise_observations=False))
    rows = torch.arange(len(rows))
    for _ in range(2500):  # every transition each time: nothing but the fixed point is left
        agent.update(buffer.batch(rows))
    with torch.no_grad():
        return agent.value(torch.eye(CHAIN)).numpy()


LAST_STEP = 3 * CHAIN - 3  # the row that goes right from the last state


@pytest.mark.parametrize(('expectile', 'terminal'), [(0.5, ()), (0.9, ()), (0.9, (LAST_STEP,))])
def test_the_chain_has_its_known_values(expectile, terminal):
    np.testing.assert_allclose(learned_chain_values(expectile, terminal),
                               chain_values(expectile, terminal), atol=1e-2)


def test_the_known_values_of_the_chain_are_known():
    # at 0.5 the expectile is the mean: solve (I - discount * P) V = r
    transition, reward = np.zeros((CHAIN, CHAIN)), np.zeros(CHAIN)
    for state, _, paid, following in chain_rows():
        transition[state, following] += 1 / 3
        reward[state] += paid / 3
    exact = np.linalg.solve(np.eye(CHAIN) - DISCOUNT * transition, reward)
    np.testing.assert_allclose(chain_values(0.5), exact, atol=1e-6)
    # a timeout bootstraps: 0.9 of the value of standing at the end is lost by a termination
    bootstrapped, cut = chain_values(0.9), chain_values(0.9, (LAST_STEP,))
    assert (bootstrapped - cut > 0.5).all()


def test_an_agent_begins_with_the_same_bits_on_any_number_of_threads():
    before, states = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        states.append(make_agent(hidden_dims=(256, 256)).state(optimisers=False))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
