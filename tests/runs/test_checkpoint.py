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

"""Tests for checkpoint.py."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
import torch

from iql_ros.files import InputError, share_folder
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.learner.replay_buffer import ReplayBuffer
from iql_ros.runs import checkpoint_bytes
from iql_ros.runs.checkpoint import (load_agent, read_header, save_checkpoint,
                                     strip_checkpoint)
from iql_ros.runs.policy import load_policy
from tests.places import ROOT
from tests.robot.test_robot_interface import TEXT

CONFIG = IQLConfig(hidden_dims=(8, 8), batch_size=6, dropout_rate=0.2)
FACTS = {'training': {'updates': 100, 'seed': 3},
         'dataset': {'name': 'test/a-v0', 'fingerprint': 'f' * 64, 'action_low': [-2.0],
                     'action_high': [2.0], 'observation_keys': [], 'environment': None}}


def make_buffer():
    rng = np.random.default_rng(0)
    return ReplayBuffer(rng.normal(size=(40, 3)), rng.uniform(-1, 1, (40, 2)),
                        rng.normal(size=40), rng.random(40) < 0.2, rng.normal(size=(40, 3)))


def make_agent(config=CONFIG, updates=5):
    agent = IQLAgent(3, 2, config, seed=3, total_updates=100)
    agent.fit_normaliser(np.random.default_rng(1).normal(2, 3, size=(50, 3)))
    if updates:
        agent.update_many(make_buffer(), updates)
    return agent


@pytest.fixture(name='path')
def saved_checkpoint(tmp_path):
    path = tmp_path / 'a.safetensors'
    save_checkpoint(path, make_agent(), **FACTS)
    return path


def assert_same(one, two):
    ours, theirs = one.state(), two.state()
    assert set(ours) == set(theirs) and one.step == two.step
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def test_updates_after_a_load_are_those_of_an_unbroken_run_to_the_bit(path):
    unbroken, buffer = make_agent(), make_buffer()
    loaded = load_agent(path, 'cpu', resume=True)
    assert_same(unbroken, loaded)
    assert unbroken.update_many(buffer, 20) == loaded.update_many(buffer, 20)
    assert_same(unbroken, loaded)


def test_the_target_critic_is_its_own_and_stays_without_gradient(path):
    loaded = load_agent(path, 'cpu')
    one, two = loaded.critic.weights[0], loaded.target_critic.weights[0]
    assert not torch.equal(one, two)
    assert one.requires_grad and not two.requires_grad


def test_loading_copies_into_the_tensors_that_the_optimisers_hold(path):
    loaded = load_agent(path, 'cpu')
    held = [id(p) for group in loaded.optimisers['actor'].param_groups for p in group['params']]
    assert held == [id(parameter) for parameter in loaded.actor.parameters()]


def test_the_header_says_what_the_file_is(path):
    header = read_header(path)
    assert header['training'] == FACTS['training'] and header['dataset'] == FACTS['dataset']
    assert header['config']['hidden_dims'] == [8, 8] and header['algorithm'] == 'iql'
    assert (header['format_version'], header['observation_kind'], header['action_horizon']) == (
        2, 'vector', 1)
    assert (header['step'], header['seed'], header['robot_config']) == (5, 3, None)
    assert header['reward_transform'] == {'kind': 'none', 'scale': 1.0, 'shift': 0.0}
    assert len(header['sha256']) == 64 and header['package_version']


def test_a_policy_acts_as_the_agent_does(path):
    agent, policy = make_agent(), load_policy(path, 'cpu')
    observation = np.array([0.1, 1 / 3, -2.0])
    np.testing.assert_array_equal(policy.act(observation), agent.act(observation))
    assert (policy.observation_dim, policy.action_dim, policy.interface) == (3, 2, None)
    assert policy.device.type == 'cpu' and policy.header['step'] == 5


def test_a_bound_policy_brings_its_robot_interface(tmp_path):
    path = tmp_path / 'a.safetensors'
    save_checkpoint(path, make_agent(), **FACTS, robot_config=TEXT)
    assert load_policy(path, 'cpu').interface.text == TEXT


def test_a_stripped_checkpoint_is_small_acts_and_fine_tunes_but_does_not_resume(tmp_path):
    whole, small = tmp_path / 'whole.safetensors', tmp_path / 'small.safetensors'
    agent = IQLAgent(6, 2, IQLConfig())
    save_checkpoint(whole, agent, **FACTS)
    strip_checkpoint(whole, small)
    assert small.stat().st_size < 2_000_000 < whole.stat().st_size
    observation = [0.1] * 6
    np.testing.assert_array_equal(load_policy(small, 'cpu').act(observation),
                                  agent.act(observation))
    fresh = load_agent(small, 'cpu')
    assert torch.equal(fresh.value.mlp.layers[0].weight, agent.value.mlp.layers[0].weight)
    with pytest.raises(InputError, match='no optimiser state, so a run cannot be resumed'):
        load_agent(small, 'cpu', resume=True)


def everything_that_reads(path):
    for read in (read_header, load_policy, load_agent):
        with pytest.raises(InputError) as error:
            read(path)
        assert '\n' not in str(error.value) and str(path) in str(error.value)
    return str(error.value)


def test_any_flipped_byte_is_found(path, tmp_path):
    data, damaged = path.read_bytes(), tmp_path / 'damaged.safetensors'
    for position in [*range(0, 40), *range(40, len(data), 997), len(data) - 1]:
        changed = bytearray(data)
        changed[position] ^= 0x11
        damaged.write_bytes(changed)
        everything_that_reads(damaged)


@pytest.mark.parametrize('length', [0, 7, 8, 500, -1000, -1])
def test_a_cut_file_is_refused(path, tmp_path, length):
    cut = tmp_path / 'cut.safetensors'
    cut.write_bytes(path.read_bytes()[:length])
    everything_that_reads(cut)


def test_foreign_files_are_refused(tmp_path):
    pickle, foreign = tmp_path / 'a.pt', tmp_path / 'foreign.safetensors'
    torch.save({'a': torch.zeros(3)}, pickle)
    assert 'is not a checkpoint' in everything_that_reads(pickle)
    save_file({'actor.mlp': torch.zeros(3)}, foreign, {'format': 'pt'})
    assert 'another safetensors file' in everything_that_reads(foreign)
    assert 'No such file' in everything_that_reads(tmp_path / 'absent.safetensors')
    assert 'Is a directory' in everything_that_reads(tmp_path)


def test_a_newer_format_is_refused_by_number(path, monkeypatch):
    monkeypatch.setattr(checkpoint_bytes, 'FORMAT_VERSION', 3)
    save_checkpoint(path, make_agent(), **FACTS)
    monkeypatch.undo()
    assert 'format version is 3' in everything_that_reads(path)


def rewrite(path, change_header=None, change_tensors=None):
    """Write the file anew with right checksums, as someone who wants to mislead would."""
    header, tensors = read_header(path), load_file(path)
    if change_header:
        change_header(header)
    if change_tensors:
        change_tensors(tensors)
    path.write_bytes(checkpoint_bytes.pack(header, tensors))


def test_a_file_of_the_wrong_contents_is_refused_although_its_checksums_are_right(path):
    rewrite(path, change_tensors=lambda tensors: tensors.update(
        {'actor.log_std_parameter': torch.zeros(5)}))
    with pytest.raises(InputError, match=r'actor.log_std_parameter.* another shape than \(2,\)'):
        load_agent(path, 'cpu')
    rewrite(path, change_tensors=lambda tensors: tensors.pop('actor.log_std_parameter'))
    with pytest.raises(InputError, match='log_std_parameter is missing'):
        load_policy(path, 'cpu')
    rewrite(path, change_header=lambda header: header['config'].update(depth=3))
    with pytest.raises(InputError, match="config: unknown key 'depth'.* allowed: algorithm"):
        load_policy(path, 'cpu')
    rewrite(path, change_header=lambda header: header.pop('config'))
    assert "header lacks 'config'" in everything_that_reads(path)


def test_weights_that_are_not_finite_are_neither_written_nor_loaded(path):
    agent = make_agent()
    agent.actor.log_std_parameter.data[1] = float('nan')
    before = path.read_bytes()
    with pytest.raises(InputError, match='actor.log_std_parameter holds NaN'):
        save_checkpoint(path, agent, **FACTS)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1
    rewrite(path, change_tensors=lambda tensors: tensors['actor.log_std_parameter'].fill_(np.inf))
    with pytest.raises(InputError, match='log_std_parameter holds NaN or infinity'):
        load_policy(path, 'cpu')


def test_equal_agents_make_equal_files(path, tmp_path):
    again = tmp_path / 'again.safetensors'
    save_checkpoint(again, make_agent(), **FACTS)
    assert again.read_bytes() == path.read_bytes()


def test_the_metadata_is_plain_json_that_any_reader_of_safetensors_sees(path):
    data = path.read_bytes()
    metadata = json.loads(data[8:8 + int.from_bytes(data[:8], 'little')])['__metadata__']
    assert json.loads(metadata['iql_ros'])['algorithm'] == 'iql'


def test_a_policy_needs_torch_numpy_and_safetensors_alone(path):
    code = ('import sys\nfrom iql_ros.runs.policy import load_policy\n'
            f'load_policy({str(path)!r}, "cpu").act([0, 0, 0])\n'
            'heavy = {"gymnasium", "minari", "h5py", "mujoco", "rclpy", "tensorboard"}\n'
            'print(sorted(heavy & set(sys.modules)))')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          cwd=ROOT)
    assert done.stdout.split() == ['[]'], done.stderr


def test_the_shipped_checkpoint_acts_and_can_be_fine_tuned_but_not_resumed():
    shipped = share_folder() / 'share' / 'diffbot.safetensors'
    assert shipped.stat().st_size < 2_000_000
    agent, policy = load_agent(shipped, 'cpu'), load_policy(shipped, 'cpu')
    observation = [1.0, 0.2, 1.0, 0.0, 0.0, 0.0]
    np.testing.assert_array_equal(agent.act(observation), policy.act(observation))
    assert policy.interface.robot == 'diffbot'
    with pytest.raises(InputError, match='no optimiser state'):
        load_agent(shipped, 'cpu', resume=True)


def test_a_mean_in_float32_as_until_format_1_is_taken_and_said_in_one_line(path, capsys):
    mean = load_agent(path, 'cpu').actor.normaliser.mean.clone()

    def as_before(tensors):
        for name in [name for name in tensors if name.endswith('normaliser.mean')]:
            tensors[name] = tensors[name].float()
    rewrite(path, change_header=lambda header: header.update(format_version=1),
            change_tensors=as_before)
    capsys.readouterr()
    for load in (lambda: load_agent(path, 'cpu', resume=True).actor,
                 lambda: load_policy(path, 'cpu').actor):
        found = load().normaliser.mean
        assert found.dtype == torch.float64 and torch.equal(found, mean.float().double())
        said = capsys.readouterr().err
        assert said.count('\n') == 1 and 'taken as float64' in said
