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

"""Other people's flat HDF5 files (D4RL's layout and its relatives), read as episodes."""

import contextlib
from pathlib import Path

import numpy as np

from iql_ros.data.minari_store import check_stored_size, Recording
from iql_ros.files import InputError
from iql_ros.robot.transitions import Episode

_REQUIRED = ('observations', 'actions', 'rewards', 'terminals')
_OPTIONAL = ('next_observations', 'timeouts', 'episode_terminals')
_VECTORS = ('observations', 'next_observations', 'actions')
_LARGEST = np.finfo(np.float32).max
_JUMP = 1e-6  # rows further apart than this do not follow each other, as in the authors' code


@contextlib.contextmanager
def reading(where):
    """Turn what h5py raises on a cut or damaged file into one line."""
    try:
        yield
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, MemoryError, ValueError, TypeError) as error:
        # a KeyError puts its text in quotes, and a MemoryError of numpy makes one of its arguments
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        reason = ' '.join(str(text).split())
        raise InputError(f'{where}: cannot be read as HDF5: {reason}') from None


def import_h5py():
    """Return h5py, or say which extra brings it."""
    try:
        import h5py
    except ImportError:
        raise InputError("HDF5 files need h5py: pip install 'iql_ros[data]'") from None
    return h5py


def check_finite(name: str, values: np.ndarray, starts, where) -> None:
    """
    Refuse NaN and infinity in values (N, ...) whose episodes begin at the offsets `starts`.

    What is too large for float32 counts as infinity, as it is for a network.

    Raises:
        InputError: naming the array, the episode, its row and the value.

    """
    wrong = ~(np.abs(values) <= _LARGEST)
    if not wrong.any():
        return
    row = int(np.argmax(wrong.reshape(len(values), -1).any(axis=1)))
    episode = int(np.searchsorted(starts, row, side='right')) - 1
    value = np.ravel(values[row])[np.argmax(np.ravel(wrong[row]))]
    raise InputError(f'{where}: {name} of episode {episode}, row {row - starts[episode]}: '
                     f'got {value}; expected finite values')


def read_flat(path, time_limit: int | None = None) -> Recording:
    """
    Read a flat file with or without next_observations, timeouts and episode_terminals.

    An episode ends where the file says so and where a row's next observation is not the
    next row. The last step of a truncated episode is left out where its next observation
    is not in the file. `time_limit` [steps] cuts episodes of a file that marks no timeouts.
    Where every end is a terminal and a timeout at once, equal lengths say that it was time.

    Raises:
        InputError: for a file that is cut, is not in this layout, or holds NaN.

    """
    path = Path(path)
    arrays, environment = _read_arrays(path)
    ends, notes = _episode_ends(arrays, time_limit)
    stops = np.flatnonzero(ends) + 1
    terminals = _terminals(arrays, stops, notes)
    starts = np.concatenate([[0], stops[:-1]])
    for name, values in arrays.items():
        check_finite(name, values, starts, path)
    following = arrays.get('next_observations')
    episodes = [_episode(arrays, following, start, stop, terminals[stop - 1])
                for start, stop in zip(starts, stops)]
    kept = [episode for episode in episodes if len(episode.actions)]
    if following is None and (left_out := int((~terminals[stops - 1]).sum())):
        notes.append(f'{left_out} steps left out: the last of every truncated episode, whose '
                     'next observation is not in the file')
    return Recording(str(path), kept, environment=environment, notes=tuple(notes))


def _read_arrays(path: Path) -> tuple[dict, str | None]:
    h5py = import_h5py()
    if not path.is_file():
        raise InputError(f'{path}: no such file')
    with reading(path), h5py.File(path, 'r') as file:
        if 'episode_0' in file:
            raise InputError(f'{path}: is the data file of a Minari dataset; give the '
                             "dataset's id or folder instead")
        for name in _REQUIRED:
            if not isinstance(file.get(name), h5py.Dataset):
                raise InputError(f"{path}: array '{name}' is missing; expected "
                                 f'{", ".join(_REQUIRED)}, found {", ".join(file) or "nothing"}')
        stored = {name: file[name] for name in _REQUIRED + _OPTIONAL if name in file}
        for name, array in stored.items():  # before any of it takes memory
            _check_stored(name, array, stored['observations'], path)
        arrays = {name: array[()] for name, array in stored.items()}
        environment = file.attrs.get('env_id')
    for name in arrays:
        arrays[name] = _converted(name, arrays[name], path)
    return arrays, environment if isinstance(environment, str) else None


def _check_stored(name: str, array, observations, path: Path) -> None:
    """Refuse an array that is not (N, dim), or (N,) or (N, 1), of numbers."""
    kind, shape = getattr(array, 'dtype', np.dtype('O')), getattr(array, 'shape', None) or ()
    kinds = 'f' if name == 'actions' else 'fiub'
    if kind.kind not in kinds:
        raise InputError(f'{path}: {name} are of type {kind}; expected '
                         f'{"continuous values (float)" if kinds == "f" else "numbers"}')
    steps = (observations.shape or (0,))[0]
    vector = name in _VECTORS
    if not vector and shape == (steps, 1):
        shape = (steps,)
    if len(shape) != (2 if vector else 1) or shape[0] != steps or not steps:
        expected = f'({steps or "steps"}, size)' if vector else f'({steps},)'
        raise InputError(f'{path}: {name} have shape {shape}; expected {expected}')
    if name == 'next_observations' and shape != observations.shape:
        raise InputError(f'{path}: next_observations have {shape[1]} values; '
                         f'observations {observations.shape[1]}')
    check_stored_size(array.id, f'{path}: {name}')


def _converted(name: str, values: np.ndarray, path: Path) -> np.ndarray:
    """Return one array as (N, dim), or (N,), flags as bool."""
    if name in _VECTORS:
        return values if values.dtype.kind == 'f' else values.astype(np.float64)
    values = values.reshape(-1)
    if name == 'rewards':
        return values
    check_finite(name, values, [0], path)
    return values != 0


def _episode_ends(arrays: dict, time_limit: int | None) -> tuple[np.ndarray, list[str]]:
    """Return where episodes end (N,) bool, the file's last row included, and notes."""
    ends, notes = arrays['terminals'].copy(), []
    declared = [name for name in ('timeouts', 'episode_terminals') if name in arrays]
    for name in declared:
        ends |= arrays[name]
    if 'next_observations' in arrays:
        jumps = _jumps(arrays['observations'], arrays['next_observations']) & ~ends[:-1]
        ends[:-1] |= jumps
        if declared and jumps.any():
            notes.append(f'{int(jumps.sum())} rows whose next observation is not the next row '
                         'end an episode')
    elif not declared and time_limit:
        notes.append(f'no timeouts in the file: episodes end after {time_limit} steps, the '
                     "environment's limit")
        _cut_at(ends, time_limit)
    elif not declared:
        notes.append('no timeouts in the file: episodes end at terminals only (--env ID cuts '
                     "them at the environment's time limit)")
    ends[-1] = True
    return ends, notes


def _jumps(observations: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Say of every row but the last (N - 1,) whether its next observation is not the next row."""
    coarser = min(observations.dtype, following.dtype, key=lambda dtype: dtype.itemsize)
    with np.errstate(all='ignore'):  # infinity is refused when the episodes are known
        gap = observations[1:].astype(coarser) - following[:-1].astype(coarser)
        return np.linalg.norm(gap.astype(np.float64), axis=1) > _JUMP


def _terminals(arrays: dict, stops: np.ndarray, notes: list[str]) -> np.ndarray:
    """Return which rows terminate (N,) bool, with a note where the file says it in two ways."""
    terminals, timeouts = arrays['terminals'], arrays.get('timeouts')
    if timeouts is None or not terminals.any() or not np.array_equal(terminals, timeouts):
        return terminals
    lengths, both = np.diff(stops, prepend=0), int(terminals.sum())
    last = not terminals[-1]  # the file's end may have cut an episode short
    if len(set(lengths[:len(lengths) - last].tolist())) == 1 and both > 1:
        notes.append(f'terminals and timeouts are the same, at all {both} ends, and the episodes '
                     f'are all {lengths[0]} steps long: read as ended by time (truncated)')
        return np.zeros_like(terminals)
    notes.append(f'terminals and timeouts are the same, at all {both} ends: read as terminated; '
                 'where time ended them, set terminals to false there')
    return terminals


def _cut_at(ends: np.ndarray, time_limit: int) -> None:
    steps = 0
    for row, end in enumerate(ends):
        steps += 1
        if end or steps == time_limit:
            ends[row], steps = True, 0


def _episode(arrays, following, start: int, stop: int, terminated: bool) -> Episode:
    """Return rows start:stop, without the last where its next observation is unknown."""
    observations = arrays['observations'][start:stop]
    if following is not None:
        observations = np.concatenate([observations, following[stop - 1:stop]])
    elif terminated:  # what follows is masked: any finite observation does
        observations = np.concatenate([observations, observations[-1:]])
    else:
        stop -= 1
    ends = np.zeros(stop - start, dtype=bool)
    ends[-1:] = True
    return Episode(observations, arrays['actions'][start:stop], arrays['rewards'][start:stop],
                   terminations=ends & terminated, truncations=ends & ~terminated)
