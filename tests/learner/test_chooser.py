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

"""Tests for chooser.py."""

import numpy as np
import pytest
import torch

from iql_ros.files import InputError
from iql_ros.learner.choice import Choice, CHOICES, Draw
from iql_ros.learner.chooser import Chooser, mirrored_noise
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.learner.networks import Actor, TwinCritic

OBSERVATION, DRAW = [0.3, -0.5, 0.1], Draw(0, 0, 0)


def actor(bias=0.0):
    """Return an actor whose mean is tanh(bias), of two action values."""
    made = Actor(3, 2, (8,), torch.Generator().manual_seed(0)).requires_grad_(False)
    made.mlp.layers[-1].weight.zero_()
    made.mlp.layers[-1].bias.fill_(bias)
    made.log_std_parameter.fill_(np.log(0.25))
    return made


class Slope(torch.nn.Module):
    """A critic by which an action is as good as its first value is high, times a factor."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, normalised_observations, actions):
        """Return both Q; the second is better by one."""
        q = self.factor * actions[:, 0]
        return torch.stack([q, q + 1])


def chooser(kind, factor=0.0, bias=0.0, **changes):
    return Chooser(actor(bias), Slope(factor), Choice(kind, **changes))


@pytest.mark.parametrize('bias', [0.0, 3.0, -9.0])
def test_where_the_critic_sees_no_difference_the_weighted_choice_is_the_mean(bias):
    flat = chooser('weighted', bias=bias)
    np.testing.assert_allclose(flat.act(OBSERVATION), np.tanh(bias), atol=1e-6)


def test_the_higher_the_temperature_the_further_it_goes_towards_what_the_critic_likes():
    actions = [chooser('weighted', 1.0, inverse_temperature=beta).act(OBSERVATION)[0]
               for beta in (0.0, 1.0, 10.0)]
    best = chooser('best', 1.0).act(OBSERVATION)[0]
    assert abs(actions[0]) < 1e-6 and 0 < actions[1] < actions[2] < best


def test_the_best_of_samples_is_the_one_that_the_critic_likes_most():
    for factor, sign in ((1.0, 1), (-1.0, -1)):
        model = chooser('best', factor)
        action = model.act(OBSERVATION, DRAW)
        assert sign * action[0] > 0.25
        np.testing.assert_allclose(
            model.advantages([OBSERVATION], [action]), [abs(action[0])], atol=1e-6)


def test_the_mean_is_among_what_the_best_is_of():
    model = chooser('best', samples=1, factor=1.0)
    actions = [model.act(OBSERVATION, Draw(0, 0, tick))[0] for tick in range(20)]
    assert 0.0 in actions and max(actions) > 0 and min(actions) == 0.0


def test_the_distance_is_told_in_standard_deviations():
    chosen = chooser('best', 1.0).choose(OBSERVATION, DRAW)
    np.testing.assert_allclose(
        chosen.distance, np.sqrt(np.mean((chosen.action / 0.25)**2)), rtol=1e-5)
    assert chooser('mean', 1.0).choose(OBSERVATION, DRAW)[1:] == (0.0,)


@pytest.mark.parametrize('factor', [1e30, -1e30])
def test_the_strictest_temperature_takes_the_best_and_makes_no_infinity(factor):
    weighted = chooser('weighted', factor, inverse_temperature=1e6).act(OBSERVATION)
    np.testing.assert_allclose(weighted, chooser('best', factor).act(OBSERVATION), atol=1e-6)


@pytest.mark.parametrize('kind', CHOICES)
def test_actions_never_leave_their_range(kind):
    for bias in (-3.0, 3.0):
        action = chooser(kind, 100.0, bias).act(OBSERVATION)
        assert (np.abs(action) <= 1).all() and action.dtype == np.float64


@pytest.mark.parametrize('kind', CHOICES[1:])
def test_the_same_draw_chooses_the_same_and_another_one_something_else(kind):
    model = chooser(kind, 1.0)
    first = model.act(OBSERVATION, Draw(1, 2, 3))
    assert np.array_equal(first, model.act(OBSERVATION, Draw(1, 2, 3)))
    assert not np.array_equal(first, model.act(OBSERVATION, Draw(1, 2, 4)))


@pytest.mark.parametrize('kind', CHOICES[1:])
def test_without_a_critic_only_the_mean_can_be_chosen(kind):
    message = f"choice: got '{kind}', but there is no critic to choose by; allowed: mean"
    with pytest.raises(InputError, match=message):
        Chooser(actor(), None, Choice(kind))
    model = Chooser(actor(), None)
    with pytest.raises(InputError, match=message):
        model.choice = Choice(kind)
    assert model.choice.kind == 'mean' and (model.act(OBSERVATION) == 0.0).all()
    model.warm_up()


def test_the_real_critic_judges_as_it_does_in_the_learner():
    critic = TwinCritic(3, 2, (16, 16), torch.Generator().manual_seed(1)).requires_grad_(False)
    model = Chooser(actor(0.2), critic, Choice('best', 64))
    action = model.act(OBSERVATION, DRAW)
    rows = torch.tensor([OBSERVATION, OBSERVATION])
    q = critic(rows, torch.tensor(np.array([action, actor(0.2).act(OBSERVATION)]),
                                  dtype=torch.float32)).amin(dim=0)
    advantage, = model.advantages([OBSERVATION], [action])
    np.testing.assert_allclose(advantage, q[0] - q[1], atol=1e-6)
    assert advantage > 0


@pytest.mark.parametrize('kind', CHOICES)
def test_what_learns_by_the_fast_update_chooses_as_its_checkpoint_does_to_the_bit(kind):
    agent = IQLAgent(3, 2, IQLConfig(), seed=4)
    actions = []
    for _ in range(2):
        actions.append(Chooser(agent.actor, agent.target_critic, Choice(kind)).act(OBSERVATION))
        agent.use_fast_update()
    assert np.array_equal(*actions)


def test_noise_is_a_function_of_seed_episode_and_tick():
    drawn = {draw: mirrored_noise(Draw(*draw), 4, 2).tobytes() for draw in (
        (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 2**40, 3), (2**63 - 1, 0, 0))}
    assert len(set(drawn.values())) == len(drawn)
    for draw, noise in drawn.items():
        assert mirrored_noise(Draw(*draw), 4, 2).tobytes() == noise


def test_noise_is_standard_normal_and_has_the_mean_first():
    noise = np.concatenate([mirrored_noise(Draw(0, 0, tick), 32, 2)[1:] for tick in range(400)])
    assert abs(noise.std() - 1) < 0.02 and noise.dtype == np.float32
    assert not mirrored_noise(Draw(0, 0, 0), 32, 2)[0].any()


@pytest.mark.parametrize('samples', [2, 32])
def test_noise_comes_in_mirrored_pairs(samples):
    noise = mirrored_noise(Draw(3, 1, 2), samples, 3)
    assert noise.shape == (1 + samples, 3)
    half = samples // 2
    np.testing.assert_array_equal(noise[1:1 + half], -noise[1 + half:])


@pytest.mark.parametrize('samples', [1, 7])
def test_of_an_odd_number_the_last_has_no_mirror(samples):
    assert mirrored_noise(Draw(0, 0, 0), samples, 2).shape == (1 + samples, 2)
