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

"""Tests for weights.py and for what a policy takes from a learner."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from iql_ros.files import InputError
from iql_ros.learner.choice import Choice, CHOICES
from iql_ros.learner.chooser import Chooser
from iql_ros.online.weights import pack_weights, read_weights, WeightsVersions
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.runs.checkpoint import load_agent, read_header
from iql_ros.runs.checkpoint_bytes import pack, read_file
from iql_ros.runs.policy import acting_state, load_policy
from tests.small_run import INTERFACE, TEXT, write_start

OBSERVATION = [1.0, -1.0, 0.5, 0.5, 2.0, 0.0]


@pytest.fixture(autouse=True)
def start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_start()


def learned():
    """Return what acts otherwise than the checkpoint."""
    agent = load_agent('start.safetensors', 'cpu')
    with torch.no_grad():
        for parameter in (*agent.actor.parameters(), *agent.target_critic.parameters()):
            parameter.add_(0.25)
    return Chooser(agent.actor, agent.target_critic)


def message(acting=None, **changes):
    header = {**read_header('start.safetensors'), **changes}
    return pack_weights(acting or learned(), header, 2**63 - 1, 17, 4000)


def policy():
    return load_policy('start.safetensors', 'cpu')


@pytest.mark.parametrize('kind', CHOICES)
def test_a_policy_acts_by_the_weights_that_came_to_the_bit(kind):
    ours, theirs = policy(), learned()
    ours.choice = theirs.choice = Choice(kind)
    weights = read_weights(message(theirs), ours, INTERFACE)
    assert weights[:3] == (2**63 - 1, 17, 4000)
    before = ours.act(OBSERVATION)
    ours.load(weights.tensors, 'weights')
    assert np.array_equal(ours.act(OBSERVATION), theirs.act(OBSERVATION))
    assert np.array_equal(ours.actor.std, theirs.actor.std)
    assert not np.array_equal(ours.act(OBSERVATION), before)


def test_a_policy_without_a_critic_takes_the_actor_of_weights_that_have_one():
    header, tensors = read_file('start.safetensors')
    (Path('start.safetensors')).write_bytes(pack(header, {
        name: tensor for name, tensor in tensors.items() if name.startswith('actor.')}))
    ours = policy()
    assert ours.critic is None
    write_start()
    theirs = learned()
    ours.load(read_weights(message(theirs), ours, INTERFACE).tensors, 'weights')
    assert np.array_equal(ours.act(OBSERVATION), theirs.act(OBSERVATION))


@pytest.mark.parametrize('cut', [0, 1, 8, 100, 2000, -1])
def test_a_message_that_is_cut_short_is_refused(cut):
    with pytest.raises(InputError, match='^weights: ') as error:
        read_weights(message()[:cut], policy(), INTERFACE)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('place', [0.5, 0.99])
def test_a_message_with_one_wrong_bit_is_refused(place):
    data = bytearray(message())
    data[int(place * len(data))] ^= 1
    with pytest.raises(InputError, match='^weights: '):
        read_weights(data, policy(), INTERFACE)


@pytest.mark.parametrize('network', ['actor', 'critic'])
def test_weights_that_are_not_finite_are_never_sent_nor_taken(network):
    acting = learned()
    with torch.no_grad():
        next(getattr(acting, network).parameters()).fill_(float('nan'))
    with pytest.raises(InputError, match='NaN or infinity'):
        message(acting)
    ours = policy()
    before = ours.act(OBSERVATION)
    with pytest.raises(InputError, match='NaN or infinity'):
        ours.load(acting_state(acting.actor, acting.critic), 'weights')
    assert np.array_equal(ours.act(OBSERVATION), before)


def test_weights_for_another_robot_interface_are_refused_naming_the_first_key():
    other = TEXT.replace('low: [-0.3, -1.5]', 'low: [-0.3, -1.4]')
    with pytest.raises(InputError, match='weights.*low'):
        read_weights(message(robot_config=other), policy(), INTERFACE)
    with pytest.raises(InputError, match='weights.*low'):
        read_weights(message(), policy(), parse_robot_interface(other, 'other.yaml'))


def test_weights_of_another_actor_are_refused():
    ours = policy()
    write_start(hidden_dims=(8, 9))
    with pytest.raises(InputError, match='weights: .* is missing or of another shape'):
        read_weights(message(), ours, INTERFACE)


BOMB = TEXT + 'base: &a [1, 1, 1, 1, 1, 1, 1, 1]\n' + ''.join(
    f'{key}: &{key} [{", ".join([f"*{before}"] * 9)}]\n'
    for before, key in zip('abcdefg', 'bcdefgh'))


@pytest.mark.parametrize('robot_config, reason', [
    (5, "'robot_config' is 5; expected text or null"),
    ([TEXT], "'robot_config' is "), (list(TEXT.encode()), "'robot_config' is "),
    ('', 'expected a mapping'), ('\ud800', 'is no text'), ('[' * 60, 'levels of nesting'),
    (BOMB, 'more than 5000 values'), (TEXT + '#' * 70_000, 'robot interface of 7.* characters'),
    (TEXT.replace('5.0  ', '1' * 4400), 'a number of 4400 characters'),
])
def test_weights_with_another_kind_of_robot_interface_are_refused(robot_config, reason):
    with pytest.raises(InputError, match=f'^weights: .*{reason}') as error:
        read_weights(message(robot_config=robot_config), policy(), INTERFACE)
    assert len(str(error.value)) < 2000


def test_a_robot_interface_that_is_refused_is_read_once(monkeypatch):
    ours, read = policy(), []
    monkeypatch.setattr('iql_ros.runs.policy.parse_robot_interface',
                        lambda *args: read.append(args) or parse_robot_interface(*args))
    for _ in range(3):
        with pytest.raises(InputError, match='more than 5000 values'):
            read_weights(message(robot_config=BOMB), ours, INTERFACE)
    assert len(read) == 1


@pytest.mark.parametrize('said, reason', [
    ({'version': 10**400}, 'version is 1000.*; allowed: 0 to 9007199254740992'),
    ({'version': -1}, 'version is -1'), ({'run': 2**64}, 'run is 18446744073709551616; allowed'),
    ({'updates': 2**63}, 'updates is 9223372036854775808'), ({'version': 1.5}, 'not a message'),
    ({'version': True}, 'not a message'), ({'run': 'a'}, 'not a message'),
])
def test_a_number_that_is_too_large_is_refused(said, reason):
    header = {**read_header('start.safetensors'),
              'weights': {'run': 1, 'version': 2, 'updates': 3, **said}}
    acting = learned()
    data = pack(header, acting_state(acting.actor, acting.critic))
    with pytest.raises(InputError, match=f'^weights: .*{reason}') as error:
        read_weights(data, policy(), INTERFACE)
    assert len(str(error.value)) < 1000


class Unread(bytes):
    """A message that must not be looked into."""

    def __bytes__(self):
        raise AssertionError


def test_a_message_larger_than_the_actor_and_a_header_is_refused_unread():
    with pytest.raises(InputError, match=r'^weights: 17000000 bytes; this policy and a header'):
        read_weights(Unread(17_000_000), policy(), INTERFACE)
    with pytest.raises(InputError, match='is not a checkpoint, or a damaged one'):
        read_weights((2**18 + 1).to_bytes(8, 'little') + b'[' * (2**18 + 1), policy(), INTERFACE)


@pytest.mark.parametrize('text', ['', '[]', '5', '{"run": 1}', '{"run": -1, "versions": 0}',
                                  '{"run": 1, "versions": 1' + 400 * '0' + '}', 985 * '[', '\xff'])
def test_what_another_wrote_where_versions_are_kept_is_refused(tmp_path, text):
    (tmp_path / 'learner.json').write_bytes(text.encode('latin-1'))
    with pytest.raises(InputError, match="learner.json: is not what a learner's run keeps there"):
        WeightsVersions(tmp_path / 'learner.json')


def test_a_checkpoint_is_no_message():
    with open('start.safetensors', 'rb') as file, pytest.raises(InputError, match='not a message'):
        read_weights(file.read(), policy(), INTERFACE)


def test_versions_grow_also_over_a_kill_and_the_run_keeps_its_id(tmp_path):
    versions = WeightsVersions(tmp_path / 'learner.json')
    seen = [versions.next() for _ in range(2500)]
    assert seen == list(range(1, 2501))
    again = WeightsVersions(tmp_path / 'learner.json')       # nothing was said at the end
    assert again.run == versions.run and again.next() > seen[-1]
    assert WeightsVersions(tmp_path / 'other.json').run != versions.run


def test_a_run_has_an_id_that_fits_into_its_message(tmp_path):
    versions = WeightsVersions(tmp_path / 'learner.json')
    assert 0 <= versions.run < 2**64
    assert json.loads((tmp_path / 'learner.json').read_text())['run'] == versions.run
