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

"""Minari datasets on disk: found by id or folder and read as episodes."""

import contextlib
import dataclasses
import importlib.util
import json
import math
from pathlib import Path
import re

import numpy as np

from iql_ros.files import InputError, unknown_name
from iql_ros.robot.transitions import Episode

DATASET_ID = re.compile(r'(\w[-\w]+/)*\w[-\w]*-v\d+', re.ASCII)
_SMALL, _PACKED = 1 << 26, 1000  # [bytes] that may be empty; how far compression can go
INTERVENTION = 'intervention'  # the entry of Minari's infos that says who had control


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """Episodes as they are stored, actions in physical units, and what is known of them."""

    name: str
    episodes: list[Episode]
    action_low: np.ndarray | None = None   # (action_dim,) of the action space; None: unknown
    action_high: np.ndarray | None = None
    environment: str | None = None         # Gymnasium id
    observation_keys: tuple[str, ...] = ()
    metadata: dict = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()            # what was left out or assumed, for the user

    @property
    def robot_config(self) -> str | None:
        """Return the robot interface (YAML text) that it was recorded through."""
        return self.metadata.get('iql_ros', {}).get('robot_config')


def import_minari():
    """Return minari, or say which extra brings it."""
    try:
        import minari
    except ImportError:
        raise InputError("Minari datasets need minari: pip install 'iql_ros[data]'") from None
    return minari


def datasets_root() -> Path:
    """Return the folder of the local datasets ($MINARI_DATASETS_PATH or Minari's own)."""
    import_minari()
    from minari.storage import get_dataset_path
    try:
        return Path(get_dataset_path())
    except OSError as error:
        raise InputError(f'the folder of Minari datasets cannot be made: {error}') from None


def find_dataset(source) -> Path:
    """
    Return the data folder of a dataset given by id or by folder.

    Raises:
        InputError: for an unknown id, listing the local ones, or a folder without a dataset.

    """
    folder = Path(source)
    for candidate in (folder / 'data', folder):
        if (candidate / 'metadata.json').is_file():
            return candidate
    if folder.exists():
        raise InputError(f'{source}: no Minari dataset there (data/metadata.json is missing), and '
                         'no bag, checkpoint, .hdf5 or .h5 file')
    if not DATASET_ID.fullmatch(str(source)):
        raise InputError(f"dataset '{source}': no such file or folder, and not an id of the "
                         'form NAME/x-v0')
    data = datasets_root() / str(source) / 'data'
    if not (data / 'metadata.json').is_file():
        raise InputError(f'{unknown_name("dataset", source, local_datasets())} '
                         f'(in {datasets_root()}){_download_hint(str(source))}')
    return data


def _download_hint(dataset_id: str) -> str:
    """Return how an id with a namespace could be had, without asking the network."""
    if '/' not in dataset_id:
        return ''
    first = ('' if importlib.util.find_spec('huggingface_hub') else
             "pip install 'minari[hf]' && ")
    return f"; if it is one of Minari's: {first}minari download {dataset_id}"


def local_datasets() -> list[str]:
    """Return the ids of the datasets on this machine."""
    root = datasets_root()
    found = (path.parents[1].relative_to(root) for path in root.glob('**/data/metadata.json'))
    return sorted(path.as_posix() for path in found if not path.parts[0].startswith('.'))


def read_minari(source, observation_keys=()) -> Recording:
    """
    Read a Minari dataset by id or folder.

    A Dict observation becomes the declared keys' vectors, in that order. An episode with as
    many observations as actions (early Minari) loses its last step unless that terminated.

    Raises:
        InputError: for spaces that are not vectors, lengths that disagree, unreadable files.

    """
    minari = import_minari()
    folder = find_dataset(source)
    with _one_line(source):
        dataset = minari.MinariDataset(str(folder))
        metadata = json.loads((folder / 'metadata.json').read_text())
        metadata['iql_ros'] = _provenance(json.loads(metadata.get('iql_ros', '{}')))
        environment = _environment(metadata)
    keys = tuple(observation_keys)
    dim = _observation_dim(dataset.observation_space, keys, source)
    low, high = action_bounds(dataset.action_space, source)
    with _one_line(source):
        stored = _stored_episodes(dataset, keys)
    episodes = [_episode(arrays, (dim, low.size), f'{source}: episode {index}')
                for index, arrays in enumerate(stored)]
    left_out = (sum(len(arrays['rewards']) for arrays in stored)
                - sum(len(episode.rewards) for episode in episodes))
    notes = (f'{left_out} steps left out: the last of episodes that hold no observation after '
             'it',) if left_out else ()
    return Recording(str(source), episodes, low, high, environment, keys, metadata, notes)


def _stored_episodes(dataset, keys: tuple) -> list[dict]:
    """Return the arrays of every episode; a Dict's observations as a list in order of keys."""
    names = ['rewards', 'actions', 'terminations', 'truncations']  # rewards are the smallest
    parts = [f'observations/{key}' for key in keys] or ['observations']
    if dataset.storage.FORMAT != 'hdf5':
        episodes = list(dataset.storage.get_episodes(dataset.episode_indices))
        for episode in episodes:
            observations = episode['observations']
            episode['observations'] = ([observations[key] for key in keys] if keys
                                       else [observations])
        return episodes
    read = _array_reader(dataset.storage.data_path / 'main_data.hdf5')
    episodes = []
    if _has_interventions(dataset):
        names.append(f'infos/{INTERVENTION}')
    for index in dataset.episode_indices:
        arrays, most = {}, None
        for name in names + parts:
            arrays[name] = read(f'episode_{index}/', name, most)
            most = len(np.atleast_1d(arrays['rewards'])) + 1
        arrays['observations'] = [arrays.pop(part) for part in parts]
        episodes.append(arrays)
    return episodes


def _has_interventions(dataset) -> bool:
    import h5py
    ends = {f'episode_{index}' for index in [*dataset.episode_indices[:1],
                                             *dataset.episode_indices[-1:]]}
    with h5py.File(dataset.storage.data_path / 'main_data.hdf5') as file:
        return bool(ends) and all(f'{end}/infos/{INTERVENTION}' in file for end in ends)


def check_stored_size(array, name: str, most_rows: int | None = None) -> None:
    """
    Refuse a large array (a low-level dataset of h5py) that is all but empty, or too long.

    Raises:
        InputError: naming it.

    """
    size, stored = math.prod(array.shape) * array.dtype.itemsize, array.get_storage_size()
    if size > _SMALL + _PACKED * stored:
        raise InputError(f'{name}: says that it holds {size} bytes; {stored} are stored')
    if most_rows is not None and size > _SMALL and array.shape[0] > most_rows:
        raise InputError(f'{name}: has {array.shape[0]} rows; expected at most {most_rows}')


def _array_reader(path: Path):
    """Return a reader of arrays that asks for each name's type once: 4 x faster than h5py's."""
    import h5py
    everything, types = h5py.h5s.ALL, {}
    file = h5py.h5f.open(str(path).encode(), h5py.h5f.ACC_RDONLY)

    def read(group: str, name: str, most: int | None) -> np.ndarray:
        stored = h5py.h5d.open(file, (group + name).encode())
        check_stored_size(stored, group + name, most)
        if name not in types:
            types[name] = stored.dtype, stored.get_type()
        values = np.empty(stored.shape, types[name][0])
        stored.read(everything, everything, values, mtype=types[name][1])  # converts another's
        return values
    return read


@contextlib.contextmanager
def _one_line(where):
    """Turn whatever Minari, h5py or gymnasium raise on somebody's files into one line."""
    try:
        yield
    except InputError as error:
        raise InputError(f'{where}: {error}') from None
    except Exception as error:  # they raise every kind, AssertionError and KeyError included
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise InputError(f'{where}: cannot be read as a Minari dataset: {reason}') from None


def _provenance(told) -> dict:
    if not (isinstance(told, dict) and isinstance(told.get('robot_config'), str | None)
            and _are_files(told.get('sources', []))):
        raise ValueError(f"metadata 'iql_ros': got {told!r}; expected what iql_ros writes")
    return told


def _are_files(sources) -> bool:
    return isinstance(sources, list) and all(
        isinstance(source, dict) and all(isinstance(source.get(key), str)
                                         for key in ('file', 'sha256')) for source in sources)


def _environment(metadata: dict) -> str | None:
    spec = metadata.get('eval_env_spec') or metadata.get('env_spec')
    return json.loads(spec)['id'] if spec else None


def action_bounds(space, where) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high (action_dim,) of a Box of vectors; refuse any other action space."""
    from gymnasium import spaces
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise InputError(f'{where}: the action space is {_kind(space)}; only Box with one '
                         'dimension (continuous actions) can be learned')
    return space.low.astype(np.float64), space.high.astype(np.float64)


def _kind(space) -> str:
    name = type(space).__name__
    return f'{name} of shape {space.shape}' if name == 'Box' else name


def _observation_dim(space, keys: tuple, where) -> int:
    """Return the length of an observation; refuse what is not Box, or Dict by declared keys."""
    from gymnasium import spaces
    if not isinstance(space, spaces.Dict):
        if keys:
            raise InputError(f"{where}: observation keys {', '.join(keys)} were given, but the "
                             f'observation space is {_kind(space)}, not Dict')
        return _box_dim(space, f'{where}: the observation space')
    available = ', '.join(space.spaces)
    if not keys:
        raise InputError(f'{where}: observations are a Dict; declare which keys make the '
                         f'vector, in order (--observation-keys), from: {available}')
    for key in keys:
        if key not in space.spaces or keys.count(key) > 1:
            raise InputError(f'{where}: observation keys {", ".join(keys)}: '
                             f'{unknown_name("key", key, space.spaces)}, each once')
    return sum(_box_dim(space.spaces[key], f"{where}: observation '{key}'") for key in keys)


def _box_dim(space, what: str) -> int:
    from gymnasium import spaces
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise InputError(f'{what} is {_kind(space)}; supported: Box with one dimension')
    return space.shape[0]


def _episode(arrays: dict, dims: tuple[int, int], where: str) -> Episode:
    """Return one stored episode, T + 1 observations and T of everything else."""
    parts, actions = arrays['observations'], np.asarray(arrays['actions'])
    if any(np.ndim(part) != 2 or len(part) != len(parts[0]) for part in parts):
        raise InputError(f'{where}: observations have shapes {[*map(np.shape, parts)]}; expected '
                         'as many rows in each, one vector a row')
    observations = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    steps = len(np.atleast_1d(actions))
    for name, width, values in (('observations', dims[0], observations),
                                ('actions', dims[1], actions)):
        if values.ndim != 2 or values.shape[1] != width:
            raise InputError(f'{where}: {name} have shape {values.shape}; the space says '
                             f'{width} values')
    rewards, terminations, truncations = (
        np.asarray(arrays[name]) for name in ('rewards', 'terminations', 'truncations'))
    lengths = [len(observations), *map(np.shape, (rewards, terminations, truncations))]
    if lengths[0] not in (steps, steps + 1) or set(lengths[1:]) != {(steps,)}:
        raise InputError(f'{where}: {steps} actions with {lengths[0]} observations and rewards, '
                         f'terminations, truncations of shapes {lengths[1:]}; expected '
                         f'{steps + 1} observations and {steps} of the others')
    for name, values in (('observations', observations), ('actions', actions),
                         ('rewards', rewards), ('terminations', terminations),
                         ('truncations', truncations)):
        if values.dtype.kind not in 'fiub':
            raise InputError(f'{where}: {name} are of type {values.dtype}; expected numbers')
    if len(observations) == steps and steps:
        if terminations[-1]:  # what follows is masked: any finite observation does
            observations = np.concatenate([observations, observations[-1:]])
        else:
            steps -= 1
    interventions = arrays.get(f'infos/{INTERVENTION}')  # T + 1: the reset's comes first
    return Episode(observations, actions[:steps], rewards[:steps],
                   terminations[:steps].astype(bool), truncations[:steps].astype(bool),
                   None if interventions is None else interventions[1:steps + 1].astype(bool))
