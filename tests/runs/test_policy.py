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

"""Tests for policy.py: weights are tried before they are taken."""

import numpy as np
import pytest
import torch

from iql_ros.files import InputError
from iql_ros.runs.checkpoint_bytes import pack, read_file
from iql_ros.runs.policy import acting_tensors, load_policy
from tests.small_run import write_start

OBSERVATIONS = [[1.0, -1.0, 0.5, 0.5, 2.0, 0.0], [0.0] * 6]


@pytest.fixture(autouse=True)
def start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_start()


def changed(names, value):
    """Return the acting tensors with some of them filled."""
    tensors = acting_tensors(read_file('start.safetensors')[1])
    for name in names.split():
        tensors[name].fill_(value)
    return tensors


@pytest.mark.parametrize('name, value', [
    ('actor.mlp.layers.0.weight actor.mlp.layers.1.weight', 1e30),
    ('actor.mlp.layers.0.bias', 3e38), ('actor.normaliser.mean', 3e38),
    ('target_critic.weights.0 target_critic.weights.1', 1e30)])
def test_finite_weights_that_give_no_finite_action_are_refused_and_the_old_ones_act(name, value):
    policy = load_policy('start.safetensors', 'cpu')
    before, tensors = policy.act(OBSERVATIONS[0]), changed(name, value)
    if name == 'actor.normaliser.mean':
        tensors['actor.normaliser.std'].fill_(1e-10)
    what = 'a value' if name.startswith('target_critic') else 'an action'
    with pytest.raises(InputError, match=f'^weights: give {what} that is not finite'):
        policy.try_weights(tensors, OBSERVATIONS, 'weights')
    np.testing.assert_array_equal(policy.act(OBSERVATIONS[0]), before)


@pytest.mark.parametrize('value', [0.0, -1.0, 1e-40])
def test_a_normaliser_that_divides_by_nothing_is_refused_by_name(value):
    policy = load_policy('start.safetensors', 'cpu')
    for take in (policy.load, lambda tensors, where: policy.try_weights(
            tensors, OBSERVATIONS, where)):
        with pytest.raises(InputError, match='^weights: actor.normaliser.std holds .*: >= 1.1'):
            take(changed('actor.normaliser.std', value), 'weights')
    header, tensors = read_file('start.safetensors')
    tensors['actor.normaliser.std'].fill_(value)
    with open('bad.safetensors', 'wb') as file:
        file.write(pack(header, tensors))
    with pytest.raises(InputError, match='normaliser.std holds'):
        load_policy('bad.safetensors', 'cpu')


def test_a_checkpoint_that_acts_by_nan_is_refused_when_it_is_loaded():
    header, tensors = read_file('start.safetensors')
    for name in ('actor.mlp.layers.0.weight', 'actor.mlp.layers.1.weight'):
        tensors[name] = torch.sign(tensors[name]) * 3e38
    with open('bad.safetensors', 'wb') as file:
        file.write(pack(header, tensors))
    with pytest.raises(InputError, match='bad.safetensors: gives an action that is not finite'):
        load_policy('bad.safetensors', 'cpu')


def test_weights_that_are_fit_may_be_tried_and_change_nothing():
    policy = load_policy('start.safetensors', 'cpu')
    before = policy.act(OBSERVATIONS[0])
    policy.try_weights(changed('actor.mlp.layers.2.weight', 0.0), OBSERVATIONS, 'weights')
    np.testing.assert_array_equal(policy.act(OBSERVATIONS[0]), before)
    actor = 8 * 6 + 4 * (6 + 2 + 6 * 8 + 8 + 8 * 8 + 8 + 8 * 2 + 2)
    assert policy.bytes == actor + 2 * 4 * (8 * 8 + 8 + 8 * 8 + 8 + 8 + 1)


@pytest.mark.parametrize(('said', 'message'), [
    ({'choice': 'bst'}, "unknown choice 'bst'"), ({'samples': 10**9}, 'samples: got 1000000000'),
    ({'choice_temperature': -1.0}, 'choice_temperature: got -1.0'),
    ({'samples': None}, 'expected a whole number'),
    ({'choice': 'best'}, "choice: got 'best', but there is no critic to choose by")])
def test_a_choice_that_is_none_is_refused_with_its_file(said, message):
    header, tensors = read_file('start.safetensors')
    header['choice'] = {'choice': 'mean', 'samples': 4, 'choice_temperature': 1.0,
                        'measured': None, **said}
    with open('bad.safetensors', 'wb') as file:
        file.write(pack(header, {name: tensor for name, tensor in tensors.items()
                                 if name.startswith('actor.')}))
    with pytest.raises(InputError, match=f'^bad.safetensors: .*{message}'):
        load_policy('bad.safetensors', 'cpu')


@pytest.mark.parametrize('key', ['inverse_temperature', 'normalise_observations', 'discount'])
def test_what_a_checkpoint_does_not_say_of_its_training_is_the_default(key):
    header, tensors = read_file('start.safetensors')
    del header['config'][key]
    with open('older.safetensors', 'wb') as file:
        file.write(pack({**header, 'choice': None}, tensors))
    policy = load_policy('older.safetensors', 'cpu')
    assert key in policy.header['config'] and policy.choice.inverse_temperature == 3.0
    policy.load(acting_tensors(tensors), 'weights')
