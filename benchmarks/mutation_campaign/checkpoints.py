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

"""Mutated checkpoints and weights: the checksum is mostly right, as somebody's would be."""

import hashlib
import json
import struct

from mutation_campaign.mutate import change_bytes, change_json, change_tree, change_yaml, odd
import numpy as np
from safetensors.torch import load, save
import torch

_TYPES = (torch.bool, torch.int8, torch.int64, torch.float16, torch.bfloat16, torch.float64,
          torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2, torch.uint8)
_WORDS = ('F8_E8M0', 'F4', 'F6_E2M3', 'C64', 'U64', 'BOOL', 'F64', 'I32', 'x', '', 5, None)
_VALUES = (0.0, -1.0, 1e30, -1e30, 3e38, 1e-40, float('nan'), float('inf'))


def parts(data: bytes) -> tuple[dict, dict, bytes]:
    """Return the table of a safetensors file, its header of ours and the tensors' bytes."""
    start = 8 + struct.unpack('<Q', data[:8])[0]
    table = json.loads(data[8:start])
    return table, json.loads(table.pop('__metadata__')['iql_ros']), data[start:]


def join(table: dict, header, tensor_bytes: bytes) -> bytes:
    """Return a safetensors file with the checksum that its reader expects."""
    if isinstance(header, dict):
        header = {key: value for key, value in header.items() if key != 'sha256'}
        digest = hashlib.sha256(json.dumps([header, table], sort_keys=True).encode())
        digest.update(tensor_bytes)
        header = json.dumps({**header, 'sha256': digest.hexdigest()})
    text = json.dumps({'__metadata__': {'iql_ros': header}, **table}).encode()
    return struct.pack('<Q', len(text)) + text + tensor_bytes


def change_checkpoint(data: bytes, rng) -> tuple[bytes, str]:
    """Return the bytes of a checkpoint or of weights, changed, and what was done."""
    kind = rng.choice(('bytes', 'header', 'header', 'header', 'json', 'robot', 'robot', 'table',
                       'table', 'tensors', 'tensors', 'tensors'))
    if kind == 'bytes':
        changed, done = change_bytes(data, rng)
        return changed, f'bytes {done}'
    table, header, tensor_bytes = parts(data)
    if kind == 'header':
        done = change_tree(header, rng)
        if rng.random() < 0.3 and isinstance(header.get('weights'), dict):
            done += change_tree(header['weights'], rng)
    elif kind == 'json':
        header, done = change_json(header, rng)
    elif kind == 'robot':
        text = header['robot_config'] or 'robot: a'
        header['robot_config'], done = ((odd(rng), 'odd') if rng.random() < 0.3
                                        else change_yaml(text, rng))
    elif kind == 'table':
        table, done = _change_table(table, rng)
    else:
        return _change_tensors(data, header, rng)
    try:
        return join(table, header, tensor_bytes), f'{kind} {done}'
    except (ValueError, TypeError, RecursionError):  # nobody can write that
        return data[:-1], f'{kind} {done} cut'


def _change_table(table: dict, rng) -> tuple[dict, str]:
    name = rng.choice(list(table))
    kind = rng.choice(('dtype', 'dtype', 'shape', 'offsets', 'rename', 'tree', 'many'))
    if kind == 'dtype':
        table[name]['dtype'] = rng.choice(_WORDS)
    elif kind == 'shape':
        table[name]['shape'] = rng.choice((
            [], [0], [2**40], [-1], [10**400], [0, 2**62], 'x', None, [1] * 1000,
            table[name]['shape'][::-1], [1.5]))
    elif kind == 'offsets':
        table[name]['data_offsets'] = rng.choice(([0, 0], [0, 2**62], [5, 1], [-1, 4], [], None,
                                                  ['a', 'b'], [0, 4, 8]))
    elif kind == 'rename':
        table[rng.choice(('', 'a' * 5000, '\x00', 'average.x', 'actor.'))] = table.pop(name)
    elif kind == 'many':
        table.update({f'x{index}': {'dtype': 'F32', 'shape': [0], 'data_offsets': [0, 0]}
                      for index in range(rng.choice((10, 5000)))})
    else:
        change_tree(table, rng)
    return table, kind


def _change_tensors(data: bytes, header: dict, rng) -> tuple[bytes, str]:
    tensors = load(data)
    share = rng.choice((0.05, 1.0))
    names = [name for name in tensors if rng.random() < share] or list(tensors)[:1]
    kind = rng.choice(('type', 'type', 'value', 'value', 'shape', 'remove', 'noise', 'average',
                       'std'))
    value, dtype = rng.choice(_VALUES), rng.choice(_TYPES)
    for name in names:
        tensor = tensors[name]
        if kind == 'type':
            tensors[name] = tensor.to(dtype)
        elif kind == 'value':
            tensors[name] = torch.full_like(tensor, value)
        elif kind == 'shape':
            tensors[name] = rng.choice((
                tensor.flatten(), tensor.flatten()[:1].clone(), tensor[None],
                torch.zeros(0), torch.zeros(()))).contiguous()
        elif kind == 'remove':
            del tensors[name]
        elif kind == 'noise':
            noise = np.frombuffer(rng.randbytes(tensor.nbytes), np.uint8).copy()
            tensors[name] = torch.from_numpy(noise).view(tensor.dtype).reshape(tensor.shape)
        elif kind == 'average':
            tensors[name.replace('actor.', 'average.')] = tensor.clone()
    if kind == 'std':
        for name in [name for name in tensors if name.endswith('normaliser.std')]:
            tensors[name].fill_(value)
    whole = save(tensors, {'iql_ros': json.dumps(header)}) if tensors else data[:8]
    return (join(*parts(whole)) if tensors else whole), f'tensors {kind}'
