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

"""Tests for checkpoint_bytes.py: what others made of a file, with checksums that are right."""

import json

import pytest
from safetensors.torch import load, save
import torch

from iql_ros.files import InputError
from iql_ros.runs import checkpoint_bytes
from iql_ros.runs.checkpoint import load_agent, read_header
from iql_ros.runs.checkpoint_bytes import decode, pack
from iql_ros.runs.policy import load_policy
from tests.runs.test_checkpoint import FACTS, make_agent


@pytest.fixture(name='path')
def saved_checkpoint(tmp_path):
    from iql_ros.runs.checkpoint import save_checkpoint
    path = tmp_path / 'a.safetensors'
    save_checkpoint(path, make_agent(updates=0), **FACTS)
    return path


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize('changes, message', [
    ({'robot_config': 5}, "'robot_config' is 5; expected text or null"),
    ({'robot_config': ['a']}, r"'robot_config' is \['a'\]; expected text or null"),
    ({'robot_config': '\ud800'}, "'robot_config' is '.ud800', which is no text"),
    ({'training': nested(40)}, 'nested 42 levels deep; allowed: 30'),
    ({'training': nested(800)}, 'nested 802 levels deep; allowed: 30'),
    ({'observation_dim': 10**9}, "'observation_dim' is 1000000000; allowed: 1 to 100000"),
    ({'observation_dim': 4}, 'actor.mlp.layers.0.weight is missing or of another shape'),
    ({'action_dim': True}, "'action_dim' is True; expected a whole number"),
    ({'step': -1}, "'step' is -1; expected a whole number from 0"),
    ({'seed': 10**400}, "'seed' is 1000.*; expected a whole number from 0"),
    ({'format_version': 10**400}, 'format version is 1000'),
    ({'format_version': None}, 'format version is None'),
    ({'dataset': None}, "'dataset' is None; expected a mapping"),
    ({'dataset': {}}, "dataset lacks 'name'"), ({'reward_transform': {}}, "lacks 'kind'"),
    ({'dataset': {'name': 'a'}}, "dataset lacks 'fingerprint'"),
    ({'dataset': {**FACTS['dataset'], 'action_low': [float('nan')]}}, "'action_low' is .nan.;"),
    ({'dataset': {**FACTS['dataset'], 'observation_keys': [1]}}, 'expected names'),
    ({'reward_transform': {'kind': 'none', 'scale': float('inf'), 'shift': 0}},
     "reward_transform: 'scale' is inf; expected a finite number"),
    ({'evaluation': {'step': 1}}, "evaluation lacks 'return_mean'"),
    ({'online': {'position': 1}}, "online lacks 'first_step'"),
    ({'config': {'hidden_dims': [8] * 10**5}}, 'actor.mlp.layers'),
])
def test_a_header_of_other_kinds_is_refused_on_one_short_line(path, changes, message, monkeypatch):
    header, tensors = checkpoint_bytes.read_file(path)
    if 'config' in changes:
        changes = {'config': {**header['config'], **changes['config']}}
    if 'format_version' in changes:
        monkeypatch.setattr(checkpoint_bytes, 'FORMAT_VERSION', changes['format_version'])
    path.write_bytes(pack({**header, **changes}, tensors))
    monkeypatch.undo()
    with pytest.raises(InputError, match=message) as error:
        load_policy(path, 'cpu')
    assert len(str(error.value)) < 2000 and str(error.value).isprintable()
    with pytest.raises(InputError):
        load_agent(path, 'cpu')


def with_header_text(path, text):
    """Write a file whose header is this text; no checksum is looked at before it is read."""
    path.write_bytes(save(load(path.read_bytes()), {'iql_ros': text}))


@pytest.mark.parametrize('text', [
    985 * '[' + 985 * ']', 100_000 * '[', 5000 * '1', '{"step": ' + 5000 * '1' + '}', '[]', '"a"',
    'null', '{}'])
def test_json_that_costs_much_or_is_no_header_is_refused(path, text):
    with_header_text(path, text)
    with pytest.raises(InputError) as error:
        read_header(path)
    assert str(path) in str(error.value) and len(str(error.value)) < 1000


def test_a_header_that_is_too_large_is_refused_before_it_is_parsed(path, monkeypatch):
    with_header_text(path, json.dumps('x' * (1 << 20)))
    parsed = []
    monkeypatch.setattr(checkpoint_bytes.json, 'loads', parsed.append)
    with pytest.raises(InputError, match='is not a checkpoint, or a damaged one'):
        read_header(path)
    assert not parsed


@pytest.mark.parametrize('kind', [torch.float8_e4m3fn, torch.float8_e5m2])
def test_tensors_that_cannot_even_be_looked_at_are_refused_by_their_type(path, kind):
    header, tensors = checkpoint_bytes.read_file(path)
    name = 'actor.log_std_parameter'
    path.write_bytes(pack(header, {**tensors, name: tensors[name].to(kind)}))
    for read in (load_policy, load_agent):
        with pytest.raises(InputError, match=f"'{name}' is of type 'F8_.*; allowed: F64, F32"):
            read(path, 'cpu')


@pytest.mark.parametrize('kind', [torch.bool, torch.int64, torch.float64, torch.float16])
def test_tensors_of_another_type_than_the_actors_are_refused(path, kind):
    header, tensors = checkpoint_bytes.read_file(path)
    path.write_bytes(pack(header, {name: each.to(kind) for name, each in tensors.items()}))
    for read in (load_policy, load_agent):
        with pytest.raises(InputError, match='is of type torch.*; expected torch.float32'):
            read(path, 'cpu')


@pytest.mark.parametrize('dtype', ['C64', 'F4', 'F8_E8M0', 'U64', 5, None, [], 'x' * 5000])
def test_a_table_with_types_that_nobody_knows_is_refused(path, dtype):
    data = path.read_bytes()
    size = int.from_bytes(data[:8], 'little')
    table = json.loads(data[8:8 + size])
    table['actor.log_std_parameter']['dtype'] = dtype
    text = json.dumps(table).encode()
    with pytest.raises(InputError, match='is of type .*; allowed: F64') as error:
        decode(len(text).to_bytes(8, 'little') + text + data[8 + size:], 'a')
    assert len(str(error.value)) < 1000
