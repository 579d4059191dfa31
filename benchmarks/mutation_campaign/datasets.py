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

"""Mutated datasets: flat HDF5 files and folders of Minari."""

import json
from pathlib import Path
import shutil

import h5py
from mutation_campaign.mutate import change_bytes, change_json, change_yaml, odd
import numpy as np

_TYPES = ('f2', 'f4', 'f8', 'i1', 'u8', '?', 'S5', 'c8', 'i4')


def change_hdf5(path: Path, rng) -> str:
    """Change a HDF5 file in place, as bytes or by its own library; return what was done."""
    if rng.random() < 0.4:
        data, done = change_bytes(path.read_bytes(), rng)
        path.write_bytes(data)
        return f'bytes {done}'
    with h5py.File(path, 'r+') as file:
        names = []
        file.visititems(lambda name, item: names.append(name)
                        if isinstance(item, h5py.Dataset) else None)
        return ' '.join(_change_array(file, rng.choice(names), rng)
                        for _ in range(rng.choice((1, 1, 2))))


def _change_array(file: h5py.File, name: str, rng) -> str:
    kind = rng.choice(('value', 'value', 'type', 'shape', 'rows', 'remove', 'group', 'huge',
                       'packed', 'link', 'text', 'attribute', 'scalar', 'empty'))
    if name not in file or not isinstance(file[name], h5py.Dataset):
        return 'nothing'
    values = file[name][()]
    if kind == 'value':
        flat = np.array(values, copy=True).reshape(-1)
        if flat.size:
            with np.errstate(all='ignore'):
                flat[rng.randrange(flat.size)] = rng.choice((0, 1e30, -1e30, 1.5, np.nan, np.inf)
                                                            if flat.dtype.kind == 'f' else (0, 1))
        file[name][...] = flat.reshape(values.shape)
        return kind
    if kind == 'attribute':
        file.attrs[rng.choice(('name', 'env_id', 'id', 'x'))] = str(odd(rng))[:1000].replace(
            '\x00', '')
        return kind
    del file[name]
    if kind == 'type':
        with np.errstate(all='ignore'):
            file[name] = values.astype(rng.choice(_TYPES))
    elif kind == 'shape':
        file[name] = rng.choice((values.reshape(-1), values[..., None], values.T, values[:, None]))
    elif kind == 'rows':
        file[name] = values[rng.choice((slice(0), slice(1), slice(-1), slice(None, None, 2)))]
    elif kind == 'group':
        file.create_group(name)
    elif kind == 'huge':
        rows = rng.choice((10**6, 10**9, 2**40))
        file.create_dataset(name, (rows, *values.shape[1:]), values.dtype, chunks=True)
    elif kind == 'packed':
        file.create_dataset(name, data=np.zeros((3_000_000, *values.shape[1:]), values.dtype),
                            compression='gzip')
    elif kind == 'link':
        file[name] = rng.choice((h5py.SoftLink('/' + name), h5py.SoftLink('/nothing'),
                                 h5py.ExternalLink('/etc/passwd', '/a')))
    elif kind == 'text':
        file[name] = np.array([b'a', b'bb'] * 3)
    elif kind == 'scalar':
        file[name] = 1.0
    elif kind == 'empty':
        file[name] = h5py.Empty('f')
    return kind


def change_minari(folder: Path, original: Path, rng) -> str:
    """Make a changed copy of a dataset's folder; return what was done."""
    shutil.copytree(original, folder, dirs_exist_ok=True)
    metadata = folder / 'data' / 'metadata.json'
    kind = rng.choice(('metadata', 'metadata', 'inner', 'robot', 'array', 'array', 'remove'))
    if kind == 'array':
        return change_hdf5(folder / 'data' / 'main_data.hdf5', rng)
    if kind == 'remove':
        rng.choice((metadata, folder / 'data' / 'main_data.hdf5')).unlink()
        return kind
    told = json.loads(metadata.read_text())
    if kind == 'metadata':
        text, done = change_json(told, rng)
        metadata.write_bytes(text.encode('utf-8', 'surrogatepass'))
        return f'{kind} {done}'
    name = 'iql_ros' if kind == 'robot' else rng.choice(
        ('iql_ros', 'observation_space', 'action_space'))
    inner = json.loads(told[name])
    if kind == 'robot':
        inner['robot_config'], done = change_yaml(inner['robot_config'], rng)
        told[name] = json.dumps(inner)
    else:
        told[name], done = change_json(inner, rng)
    metadata.write_text(json.dumps(told))
    return f'{kind} {done}'
