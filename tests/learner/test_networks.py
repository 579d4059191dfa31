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

"""Tests for networks.py."""

import numpy as np
import pytest
import torch

from iql_ros.files import InputError
from iql_ros.learner.networks import (
    Actor, log_prob, Mlp, Normaliser, resolve_device, TwinCritic, Value)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_layer_starts_orthogonal_with_gain_root_two_and_zero_bias():
    actor, value = Actor(5, 2, (8, 4), seeded()), Value(5, (8,), seeded())
    critic = TwinCritic(3, 2, (8, 8), seeded())
    weights = [layer.weight for layer in [*actor.mlp.layers, *value.mlp.layers]]
    weights += [twin for pair in critic.weights for twin in pair]
    for weight in weights:
        weight = weight.detach().double()
        small = weight if weight.shape[0] <= weight.shape[1] else weight.T
        assert torch.allclose(small @ small.T, 2 * torch.eye(len(small)).double(), atol=1e-5)
    for parameter in [*critic.biases, actor.log_std_parameter,
                      *(layer.bias for layer in [*actor.mlp.layers, *value.mlp.layers])]:
        assert not parameter.any()


def test_the_seed_alone_decides_the_weights_and_no_global_generator_is_touched():
    before = torch.random.get_rng_state()
    first, second = TwinCritic(3, 2, (8,), seeded(1)), TwinCritic(3, 2, (8,), seeded(1))
    other = TwinCritic(3, 2, (8,), seeded(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
    assert not torch.equal(first.weights[0], other.weights[0])
    assert not torch.equal(*first.weights[0])


def test_outputs_have_the_batch_as_their_only_axis_but_for_actions():
    observations, actions = torch.zeros(7, 3), torch.zeros(7, 2)
    assert Value(3, (8,), seeded())(observations).shape == (7,)
    assert TwinCritic(3, 2, (8,), seeded())(observations, actions).shape == (2, 7)
    actor = Actor(3, 2, (8,), seeded())
    assert actor(observations).shape == (7, 2)
    assert log_prob(actor(observations), actor.log_std, actions).shape == (7,)


def test_the_twins_are_two_separate_networks():
    critic, inputs = TwinCritic(3, 2, (8, 4), seeded()), torch.randn(7, 5, generator=seeded(1))
    critic.biases[1].data.copy_(torch.randn(2, 4, generator=seeded(2)))
    both = critic(inputs[:, :3], inputs[:, 3:])
    for twin in range(2):
        plain = Mlp((5, 8, 4, 1), seeded())
        for layer, weight, bias in zip(plain.layers, critic.weights, critic.biases):
            layer.weight.data.copy_(weight[twin])
            layer.bias.data.copy_(bias[twin])
        assert torch.allclose(plain(inputs).squeeze(-1), both[twin], atol=1e-6)
    both[0].sum().backward()
    assert all(weight.grad[0].any() and not weight.grad[1].any() for weight in critic.weights)


def test_log_prob_is_that_of_the_unsquashed_normal_even_at_the_edge():
    mean, log_std = torch.tensor([[0.3, -0.9], [1.0, -1.0]]), torch.tensor([-1.0, 0.5])
    actions = torch.tensor([[1.0, -1.0], [-1.0, 0.2]])
    expected = torch.distributions.Normal(mean, log_std.exp()).log_prob(actions).sum(-1)
    assert torch.allclose(log_prob(mean, log_std, actions), expected, atol=1e-5)
    assert torch.isfinite(expected).all()


@pytest.mark.parametrize(('raw', 'clipped'), [(-7.0, -5.0), (0.5, 0.5), (3.0, 2.0)])
def test_the_log_std_is_clipped(raw, clipped):
    actor = Actor(3, 1, (4,), seeded())
    actor.log_std_parameter.data.fill_(raw)
    assert actor.log_std.tolist() == [clipped]


def test_the_mean_is_squashed_by_tanh():
    actor = Actor(1, 1, (4,), seeded())
    actor.mlp.layers[-1].bias.data.fill_(50.0)
    assert actor(torch.zeros(2, 1)).tolist() == [[1.0], [1.0]]


def test_the_actor_normalises_raw_observations_itself():
    rows = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    actor = Actor(2, 1, (4,), seeded(), normalise=True)
    actor.normaliser.fit(rows)
    normalised = torch.tensor((rows - [2, 5]) / [np.std([0, 2, 4]) + 1e-3, 1e-3]).float()
    assert torch.allclose(actor.normaliser(torch.tensor(rows).float()), normalised)
    assert torch.equal(actor(torch.tensor(rows).float()), actor.mean(normalised))


def test_an_unfitted_normaliser_is_the_identity():
    rows = torch.tensor([[1.0, -2.0]])
    assert torch.equal(Normaliser(2)(rows), rows)


def test_acting_takes_one_float64_observation_and_gives_float64():
    actor = Actor(2, 3, (4,), seeded())
    action = actor.act(np.array([0.1, 1.0 / 3.0]))
    assert action.dtype == np.float64 and action.shape == (3,)
    expected = actor(torch.tensor([0.1, 1.0 / 3.0]))
    np.testing.assert_array_equal(action, expected.detach().double().numpy())
    np.testing.assert_array_equal(action, actor.act([0.1, 1.0 / 3.0]))


def test_dropout_masks_scale_each_hidden_layer():
    actor = Actor(2, 1, (4, 4), seeded())
    inputs, ones, zeros = torch.ones(3, 2), torch.ones(3, 4), torch.zeros(3, 4)
    assert torch.equal(actor.mean(inputs, [ones, ones]), actor.mean(inputs))
    assert not actor.mean(inputs, [ones, zeros]).any()  # the last bias is zero
    assert not actor.mean(inputs, [zeros, ones]).any()


def test_a_device_that_does_not_exist_is_refused_and_auto_finds_one():
    with pytest.raises(InputError, match="unknown device 'tpu'.* allowed: auto, cpu, cuda"):
        resolve_device('tpu')
    assert resolve_device('cpu').type == 'cpu'
    assert resolve_device('auto').type == ('cuda' if torch.cuda.is_available() else 'cpu')


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has CUDA')
def test_cuda_is_refused_where_it_is_not():
    with pytest.raises(InputError, match="device: got 'cuda'.* allowed: auto, cpu"):
        resolve_device('cuda')


def test_where_the_origin_lies_makes_no_difference_to_what_the_networks_see():
    rng, far = np.random.default_rng(0), np.array([0.0, 4e6, -4e6])
    rows = rng.normal(size=(500, 3)) * [1.0, 2.0, 0.5]
    near, there = (Actor(3, 2, (16,), torch.Generator().manual_seed(0), True) for _ in range(2))
    near.normaliser.fit(rows)
    there.normaliser.fit(rows + far)
    seen = [actor.normaliser(torch.tensor(values)).numpy() for actor, values in (
        (near, rows), (there, rows + far))]
    np.testing.assert_allclose(*seen, rtol=0, atol=1e-6)
    for row in rows[:50]:
        np.testing.assert_allclose(near.act(row), there.act(row + far), rtol=0, atol=1e-5)


def test_a_millimetre_far_from_the_origin_is_seen():
    actor = Actor(1, 1, (16,), torch.Generator().manual_seed(0), True)
    northings = 3_948_996.0 + np.arange(-1000, 1000)[:, None] / 500
    actor.normaliser.fit(northings)
    millimetres = torch.tensor(3_948_996.0 + np.arange(100)[:, None] / 1000)
    assert (torch.diff(actor.normaliser(millimetres), dim=0) > 0).all()
    assert actor.act([3_948_996.0]) != actor.act([3_948_996.001])
