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

"""The experience of a fine-tuning run on disk: appended to, never changed, safe under kill -9."""

import contextlib
import errno
import fcntl
import json
import os
from pathlib import Path
import zlib

import numpy as np

from iql_ros.files import InputError, write_atomic
from iql_ros.online.experience import Experience

_MAGIC = b'iql_ros experience 1\n'
_NAME_SIZE = 64                      # bytes of a robot's namespace
_CHUNK = 1 << 16                     # records read at once


def _dtype(observation_dim: int, action_dim: int) -> np.dtype:
    """Return a record; what is a message's vector there has a name here."""
    return np.dtype([
        ('robot', f'S{_NAME_SIZE}'), ('session', '<u8'), ('step', '<u8'), ('episode', '<u8'),
        ('weights_version', '<u8'), ('tick_ns', '<i8'),
        ('observation', '<f8', (observation_dim,)), ('action', '<f8', (action_dim,)),
        ('next_observation', '<f8', (observation_dim,)), ('reward', '<f8'),
        ('terminated', '?'), ('truncated', '?'), ('intervention', '?'), ('evaluation', '?'),
        ('success', 'i1'), ('crc', '<u4')])


class ExperienceLog:
    """
    Records in the order in which they came, each with its checksum.

    What `append` returned from has been handed to the system: no kill of this process loses it;
    `sync` makes it outlast a power cut. A record that a kill or a full disk cut short is
    removed. Actions are physical units, rewards raw.
    """

    def __init__(self, path, facts: dict, observation_dim: int, action_dim: int):
        """
        Open or make a log, for this process alone.

        Args:
            path: The file.
            facts: What every record of it belongs to, JSON: another log is refused.
            observation_dim: Length of an observation.
            action_dim: Length of an action.

        Raises:
            InputError: for a log of something else, or one that another process writes.

        """
        self.path, self._dtype = Path(path), _dtype(observation_dim, action_dim)
        header = _MAGIC + json.dumps(
            {**facts, 'observation_dim': observation_dim, 'action_dim': action_dim},
            sort_keys=True).encode() + b'\n'
        if not self.path.exists():
            write_atomic(self.path, header)
        self._file = open(self.path, 'r+b', buffering=0)
        self._lock()
        self._check(header)
        self._start = len(header)
        self.damaged = 0                 # records whose checksum is wrong, left out
        self._end = self._last_whole_record()
        os.ftruncate(self._file.fileno(), self._end)
        self._unsynced = False

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise InputError(f'{self.path}: another process is fine-tuning this run') from None

    def _check(self, header: bytes) -> None:
        found = self._file.read(len(header))
        if found != header:
            self._file.close()
            raise InputError(f'{self.path}: is the experience of something else: '
                             f'{_difference(self.path, header)}')

    def _last_whole_record(self) -> int:
        size, end = self._dtype.itemsize, self._start
        for start, records, whole in _chunks(self._file, self._start, self._dtype):
            if whole.any():
                last = int(np.flatnonzero(whole)[-1])
                end = start + (last + 1) * size
        return end

    def records(self):
        """Yield the whole records, in order, in arrays."""
        self.damaged = 0
        for _, records, whole in _chunks(self._file, self._start, self._dtype, self._end):
            self.damaged += int((~whole).sum())
            yield records[whole]

    def append(self, experience: Experience) -> np.ndarray:
        """
        Write an experience and return its record (1,).

        Raises:
            OSError: when the disk does not take it; the log is as before then.

        """
        record = self._record(experience)
        data = record.tobytes()
        try:
            written = os.pwrite(self._file.fileno(), data, self._end)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), self._end)
            raise
        self._end += len(data)
        self._unsynced = True
        return record

    def _record(self, experience: Experience) -> np.ndarray:
        step = experience.transition
        record = np.zeros(1, self._dtype)
        for name in ('session', 'step', 'episode', 'weights_version', 'evaluation'):
            record[name] = getattr(experience, name)
        for name in ('tick_ns', 'observation', 'action', 'next_observation', 'reward',
                     'terminated', 'truncated', 'intervention'):
            record[name] = getattr(step, name)
        record['robot'] = experience.robot.encode()
        record['success'] = -1 if experience.success is None else experience.success
        record['crc'] = _crc(record.tobytes())
        return record

    def sync(self) -> None:
        """Wait until the disk has what was appended."""
        if self._unsynced:
            self._unsynced = False
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Close the file; another process may then open it."""
        with contextlib.suppress(OSError):
            self.sync()
        self._file.close()


def _crc(record: bytes) -> int:
    return zlib.crc32(record[:-4])


def _chunks(file, start: int, dtype: np.dtype, end: int | None = None):
    """Yield (offset, records, which of them are whole) of a file's part."""
    size = dtype.itemsize
    end = os.fstat(file.fileno()).st_size if end is None else end
    while start + size <= end:
        count = min(_CHUNK, (end - start) // size)
        records = np.frombuffer(os.pread(file.fileno(), count * size, start), dtype)
        rows = records.view(np.uint8).reshape(len(records), size)
        sums = np.array([_crc(row.tobytes()) for row in rows], np.uint32)
        yield start, records, sums == records['crc']
        start += len(records) * size


def _difference(path: Path, header: bytes) -> str:
    """Return the first fact that differs, in words."""
    with open(path, 'rb') as file:
        theirs = file.readline(), file.readline()
    if theirs[0] != _MAGIC:
        return 'it is no log of iql_ros'
    ours = json.loads(header[len(_MAGIC):])
    said = json.loads(theirs[1])
    key = next(key for key in {**said, **ours} if said.get(key) != ours.get(key))
    return f"'{key}' is {said.get(key)!r} there and {ours.get(key)!r} here"


def read_experience(path) -> np.ndarray:
    """
    Return the whole records of a log, which may be written to meanwhile.

    Raises:
        InputError: for a file that is no log.

    """
    try:
        with open(path, 'rb') as file:
            if file.readline() != _MAGIC:
                raise InputError(f'{path}: is no experience log')
            facts = json.loads(file.readline())
            dtype = _dtype(facts['observation_dim'], facts['action_dim'])
            parts = [records[whole] for _, records, whole in _chunks(file, file.tell(), dtype)]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f'{path}: is no experience log: {error}') from None
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
