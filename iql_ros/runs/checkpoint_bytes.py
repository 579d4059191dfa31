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

"""The bytes of a checkpoint: tensors and a JSON header in safetensors, never a pickle."""

import hashlib
import json
import math
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
import torch

from iql_ros import __version__
from iql_ros.files import InputError, shown

FORMAT_VERSION = 2  # since 2 the normaliser's mean is float64
_HEADER = 'iql_ros'  # the one metadata entry: the header's JSON
_LARGEST_HEADER = 1 << 20   # bytes, with the table of the tensors
_MOST_LEVELS = 30           # of what is nested in it
_MOST_VALUES = 100_000      # of an observation or an action
_MOST = 2**63 - 1
_NONE = type(None)
_KINDS = {
    'algorithm': str, 'config': dict, 'training': dict, 'robot_config': (str, _NONE),
    'observation_kind': str, 'action_horizon': int, 'observation_dim': int, 'action_dim': int,
    'dataset': dict, 'reward_transform': dict, 'evaluation': (dict, _NONE), 'step': int,
    'total_updates': int, 'seed': int, 'format_version': int, 'package_version': str,
    'sha256': str}
_PARTS = {  # of what is a mapping
    'dataset': {'name': str, 'fingerprint': str, 'action_low': list, 'action_high': list,
                'observation_keys': list, 'environment': (str, _NONE)},
    'reward_transform': {'kind': str, 'scale': float, 'shift': float},
    'evaluation': {'return_mean': float}, 'online': {'position': int, 'first_step': int},
    'choice': {'choice': str, 'samples': int, 'choice_temperature': float,
               'measured': (dict, _NONE)}}
# Others, of 8 bits and fewer, can be loaded and then not even be looked at.
_TYPES = ('F64', 'F32', 'F16', 'BF16', 'I64', 'I32', 'I16', 'I8', 'U8', 'BOOL')


def encode(header: dict, tensors: dict, where) -> bytes:
    """
    Return a checkpoint as bytes.

    Raises:
        InputError: when a tensor is not finite; `where` says whose.

    """
    check_finite(tensors, where)
    return pack(header, tensors)


def pack(header: dict, tensors: dict) -> bytes:
    """Return the bytes of a header and tensors, with their checksum."""
    # copies: what learns by fast_update.py shares its vectors, and one count of steps
    tensors = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
               for name, tensor in tensors.items()}
    header = {**header, 'format_version': FORMAT_VERSION, 'package_version': __version__}
    table, tensor_bytes = _parts(save(tensors), _LARGEST_HEADER)
    header['sha256'] = _digest(header, table, tensor_bytes)
    return save(tensors, {_HEADER: json.dumps(header)})


def _parts(data: bytes, largest: int) -> tuple[dict, memoryview]:
    """Return the table at the head of a safetensors file, and the tensors' bytes."""
    start = 8 + int.from_bytes(data[:8], 'little')
    if start > min(len(data), 8 + largest):
        raise ValueError(f'a header of {start - 8} bytes')
    return json.loads(data[8:start]), memoryview(data)[start:]


def _digest(header: dict, table: dict, tensor_bytes) -> str:
    """Return the sha256 of everything but itself: header, names and shapes, tensor bytes."""
    said = [{key: value for key, value in header.items() if key != 'sha256'},
            {name: entry for name, entry in table.items() if name != '__metadata__'}]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    digest.update(tensor_bytes)
    return digest.hexdigest()


def read_file(path) -> tuple[dict, dict]:
    """Return header and tensors of a file."""
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name that can be none
        raise InputError(f'{path}: cannot be read: '
                         f'{getattr(error, "strerror", None) or error}') from None
    return decode(data, path)


def decode(data: bytes, path, largest_header: int = _LARGEST_HEADER) -> tuple[dict, dict]:
    """
    Return header and tensors of a checkpoint's bytes; `path` names them in errors.

    Raises:
        InputError: for bytes that are damaged, foreign or of a newer format.

    """
    try:
        table, tensor_bytes = _parts(data, largest_header)
        metadata = table.get('__metadata__', {})
        header = json.loads(metadata[_HEADER]) if _HEADER in metadata else None
        levels = _levels(header)
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise InputError(f'{path}: is not a checkpoint, or a damaged one; expected a '
                         '.safetensors file written by iql_ros') from None
    if levels > _MOST_LEVELS:
        raise InputError(f'{path}: its header is nested {levels} levels deep; allowed: '
                         f'{_MOST_LEVELS}')
    _check_header(header, path)
    _check_types(table, path)
    if _digest(header, table, tensor_bytes) != header['sha256']:
        raise InputError(f'{path}: is damaged: its sha256 is not the one in its header')
    try:
        return header, load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(f'{path}: is damaged: {error}') from None


def _levels(value) -> int:
    """Return how deep a JSON value is nested; Python's own limit is met somewhere else later."""
    level, values = 0, [value]
    while values:
        level += 1
        values = [part for whole in values if isinstance(whole, (dict, list))
                  for part in (whole.values() if isinstance(whole, dict) else whole)]
    return level


def _check_header(header, path) -> None:
    if not isinstance(header, dict):
        raise InputError(f'{path}: is not a checkpoint of iql_ros, but another safetensors file')
    version = header.get('format_version')
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise InputError(f'{path}: format version is {shown(version)}; iql_ros {__version__} '
                         f'reads up to {FORMAT_VERSION}')
    _check_kinds(header, _KINDS, f'{path}: its header')
    for name, kinds in _PARTS.items():
        if header.get(name) is not None:
            _check_kinds(header[name], kinds, f'{path}: its header: {name}')
    dims = {name: header[f'{name}_dim'] for name in ('observation', 'action')}
    for name, dim in dims.items():
        if not 1 <= dim <= _MOST_VALUES:
            raise InputError(f"{path}: '{name}_dim' is {shown(dim)}; allowed: 1 to "
                             f'{_MOST_VALUES}')
    data = header['dataset']
    for name in ('action_low', 'action_high'):
        _check_numbers(data[name], (1, dims['action']), f"{path}: dataset: '{name}'")
    for name in ('observation_low', 'observation_high'):
        if name in data:  # older checkpoints do not tell it
            _check_numbers(data[name], (dims['observation'],), f"{path}: dataset: '{name}'")
    if not all(isinstance(key, str) for key in data['observation_keys']):
        raise InputError(f"{path}: dataset: 'observation_keys' is "
                         f"{shown(data['observation_keys'])}; expected names")


def _check_numbers(values, sizes: tuple[int, ...], where: str) -> None:
    if not isinstance(values, list) or len(values) not in sizes or not all(
            map(_is_number, values)):
        raise InputError(f'{where} is {shown(values)}; expected {sizes[-1]} finite numbers')


def _check_kinds(mapping, kinds: dict, where) -> None:
    """Refuse a mapping that lacks a key, or has another kind of value there."""
    if not isinstance(mapping, dict):
        raise InputError(f'{where}: got {shown(mapping)}; expected keys: {", ".join(kinds)}')
    for key, kind in kinds.items():
        if key not in mapping:
            raise InputError(f"{where} lacks '{key}'; expected: {', '.join(kinds)}")
        value = mapping[key]
        fits = (_is_number(value) if kind is float else
                isinstance(value, kind) and not isinstance(value, bool))
        if not fits or (kind is int and not 0 <= value <= _MOST):
            raise InputError(f"{where}: '{key}' is {shown(value)}; expected {_in_words(kind)}")
        if isinstance(value, str) and not value.isascii():
            _check_text(value, f"{where}: '{key}'")


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f'{where} is {shown(text)}, which is no text') from None


def _is_number(value) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) <= _MOST


def _in_words(kind) -> str:
    words = {str: 'text', dict: 'a mapping', list: 'a list', float: 'a finite number',
             int: 'a whole number from 0 to 2**63 - 1', _NONE: 'null'}
    return ' or '.join(words[each] for each in (kind if isinstance(kind, tuple) else (kind,)))


def _check_types(table: dict, path) -> None:
    for name, entry in table.items():
        kind = entry.get('dtype') if isinstance(entry, dict) else None
        if name != '__metadata__' and kind not in _TYPES:
            raise InputError(f'{path}: {shown(name)} is of type {shown(kind)}; allowed: '
                             f'{", ".join(_TYPES)}')


def check_finite(tensors: dict, path) -> None:
    """Refuse tensors with NaN or infinity; `path` says whose they are."""
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f'{path}: {name} holds NaN or infinity: training diverged; a lower '
                             'learning_rate or a look at the data may help')
