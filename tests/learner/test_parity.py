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

"""Tests for iql.py against golden vectors: the authors' implementation, and our second one."""

import itertools
import json
import os
from pathlib import Path
import runpy

import numpy as np
import pytest
import torch

from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.learner.replay_buffer import Batch
from tests.places import FILES, SHARED

OURS = FILES / 'parity'
THEIRS = Path(os.environ.get('IQL_PARITY_DIR') or SHARED / 'parity')
FILES = sorted([*OURS.glob('*.npz'), *THEIRS.glob('*.npz')])
ACTOR = {'mlp.layers.0': 'MLP_0/Dense_0', 'mlp.layers.1': 'MLP_0/Dense_1',
         'mlp.layers.2': 'Dense_0'}
VALUE = {f'mlp.layers.{index}': f'MLP_0/Dense_{index}' for index in range(3)}
LAYERS = {'actor': ACTOR, 'value': VALUE}
METRICS = {'value_loss': 'value/loss', 'critic_loss': 'critic/loss', 'actor_loss': 'actor/loss',
           'v': 'value/mean', 'q1': 'critic/q1', 'q2': 'critic/q2',
           'adv_mean': 'actor/advantage_mean'}


def golden_parameters(vectors, prefix):
    """Return the golden parameters under our names, kernels as torch has them (out, in)."""
    found = {'actor.log_std_parameter': vectors[f'{prefix}/actor/log_stds']}
    for network, layers in LAYERS.items():
        for ours, theirs in layers.items():
            found[f'{network}.{ours}.weight'] = vectors[f'{prefix}/{network}/{theirs}/kernel'].T
            found[f'{network}.{ours}.bias'] = vectors[f'{prefix}/{network}/{theirs}/bias']
    for network, layer in itertools.product(('critic', 'target_critic'), range(3)):
        for ours, theirs, change in (('weights', 'kernel', np.transpose),
                                     ('biases', 'bias', np.array)):
            found[f'{network}.{ours}.{layer}'] = np.stack([
                change(vectors[f'{prefix}/{network}/Critic_{twin}/MLP_0/Dense_{layer}/{theirs}'])
                for twin in range(2)])
    return found


def agent_at_start(vectors, fast=False):
    settings = json.loads(str(vectors['config']))
    agent = IQLAgent(
        settings['observation_dim'], settings['action_dim'], IQLConfig(
            expectile=settings['expectile'], inverse_temperature=settings['temperature'],
            discount=settings['discount'], target_update_rate=settings['tau'],
            learning_rate=settings['lr'], hidden_dims=tuple(settings['hidden_dims']),
            actor_schedule='cosine' if settings['actor_lr_schedule'] else 'constant',
            batch_size=settings['batch_size'], normalise_observations=False),
        total_updates=settings['max_steps'])
    if fast:
        agent.use_fast_update()
    state, initial = agent.state(optimisers=False), golden_parameters(vectors, 'init')
    assert set(state) == set(initial)
    for name, tensor in state.items():
        tensor.copy_(torch.tensor(initial[name]))
    return agent, settings['updates']


def batch(vectors, index):
    return Batch(*(torch.tensor(vectors[f'batch/{name}'][index]) for name in Batch._fields))


def worst(agent, vectors, prefix):
    golden = golden_parameters(vectors, prefix)
    return max(np.abs(tensor.numpy() - golden[name]).max()
               for name, tensor in agent.state(optimisers=False).items())


def test_a_parity_file_of_our_own_is_always_there():
    assert [path.name for path in FILES if path.parent == OURS] == ['small.npz']


@pytest.mark.parametrize('fast', [False, True], ids=['losses', 'fast'])
@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_every_parameter_and_loss_agrees(path, fast):
    vectors = np.load(path)
    agent, updates = agent_at_start(vectors, fast)
    for index in range(updates):
        info = agent.update(batch(vectors, index))
        for theirs, ours in METRICS.items():
            assert float(info[ours].mean()) == pytest.approx(
                float(vectors[f'info/{theirs}'][index]), rel=1e-3, abs=1e-5), (index, ours)
        if index == 0:
            assert worst(agent, vectors, 'step1') < 1e-5
        elif index == 9:
            assert worst(agent, vectors, 'step10') < 2e-4
    assert worst(agent, vectors, f'step{updates}') < 2e-4
    assert agent.step == updates


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_the_final_actor_acts_alike(path):
    vectors = np.load(path)
    agent, updates = agent_at_start(vectors)
    for index in range(updates):
        agent.update(batch(vectors, index))
    means = [agent.act(observation) for observation in vectors['probe/observations']]
    np.testing.assert_allclose(means, vectors['probe/action_mean'], atol=2e-4)
    std = agent.actor.log_std.detach().exp().expand(len(means), -1)
    np.testing.assert_allclose(std, vectors['probe/action_std'], rtol=1e-3)


def test_our_file_is_what_its_script_makes():
    made = runpy.run_path(str(OURS / 'make.py'))['make']()
    ours = np.load(OURS / 'small.npz')
    assert set(made) == set(ours.files)
    for name in set(made) - {'config'}:
        np.testing.assert_allclose(made[name], ours[name], rtol=1e-5, atol=1e-6)
