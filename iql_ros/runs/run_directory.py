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

"""The folder of a training run: its settings, its checkpoints and which of them is newest."""

import contextlib
import fcntl
import os
from pathlib import Path
import re

import yaml

from iql_ros.files import InputError, read_yaml, TEMPORARY, write_atomic

_PART = '[A-Za-z0-9][A-Za-z0-9._-]{0,199}'
_NAME = re.compile(f'{_PART}(/{_PART})?')
_STEP = re.compile(r'step_(\d+)\.safetensors')
_KEPT = 3  # checkpoints beside the best
_LOCK = '.lock'


def runs_folder() -> Path:
    """Return $IQL_RUNS, by default ./runs."""
    return Path(os.environ.get('IQL_RUNS') or 'runs')


def default_name(settings: dict) -> str:
    """Return the name of a run that was given none: after its dataset and algorithm."""
    name = Path(str(settings['dataset'])).name.removesuffix('.hdf5').removesuffix('.h5')
    return f'{name}_{settings.get("algorithm", "iql")}'


class RunDirectory:
    """`$IQL_RUNS` (default ./runs) / name; nothing is written before `create`."""

    def __init__(self, name: str):
        """
        Name the run, or SWEEP/TRIAL.

        Raises:
            InputError: for a name that is no plain folder name.

        """
        if not _NAME.fullmatch(name):
            raise InputError(f'name: got {name!r}; allowed: letters, digits, ., - and _, at most '
                             '200, and of a trial the same after SWEEP/')
        self.name = name
        self.path = runs_folder() / name
        self.best = self.path / 'checkpoints' / 'best.safetensors'

    @property
    def begun(self) -> bool:
        """Say whether there is something of this run already."""
        return self.path.is_dir() and any(
            path.name != _LOCK and not path.name.endswith(TEMPORARY)
            for path in self.path.iterdir())

    def check(self, settings: dict, resume: bool, free=(), added=None) -> None:
        """
        Refuse a run that is there already, or with `resume` one that is not, or not the same.

        `free` are the settings that may change from one day to the next, `added` what holds for
        those that older runs do not name.

        Raises:
            InputError: naming the first key that differs.

        """
        if not resume:
            if self.begun:
                raise InputError(f"run '{self.name}': {self.path} exists already; --resume goes "
                                 'on with it, --name NAME starts another')
            return
        if not self.begun:
            raise InputError(f"run '{self.name}': {self.path} does not exist, so there is "
                             'nothing to resume')
        if (self.path / 'config.yaml').exists():
            theirs = read_yaml(self.path / 'config.yaml')
            self._check_same({**(added or {}), **theirs}, settings, free)

    def _check_same(self, theirs: dict, ours: dict, free) -> None:
        for key in {**theirs, **ours}:
            if key not in free and theirs.get(key) != ours.get(key):
                raise InputError(
                    f"run '{self.name}': '{key}' is {theirs.get(key)!r} there and "
                    f'{ours.get(key)!r} now; a run is resumed with its own settings')

    @contextlib.contextmanager
    def held(self):
        """
        Make the folder, and be the only process that writes there, while this lasts.

        Raises:
            InputError: when another process has it, or it cannot be made.

        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / _LOCK, 'a')
        except OSError as error:
            raise InputError(f'{self.path}: cannot be written: {error.strerror}') from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"run '{self.name}': another process is training it") from None
            except OSError:  # a file system without locks
                pass
            yield

    def create(self, settings: dict) -> None:
        """Write config.yaml, make folders, and clear away what a killed run left half done."""
        try:
            write_atomic(self.path / 'config.yaml', yaml.safe_dump(settings, sort_keys=False))
            self.best.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f'{self.path}: cannot be written: {error.strerror}') from None
        for folder in (self.path, self.best.parent):
            for temporary in folder.glob(f'.*{TEMPORARY}'):
                temporary.unlink()

    def latest(self) -> Path | None:
        """Return the newest checkpoint, None when there is none yet."""
        pointer = self.path / 'latest'
        return pointer.resolve() if pointer.is_symlink() else None

    def checkpoint(self, step: int) -> Path:
        """Return the file of a step's checkpoint."""
        return self.path / 'checkpoints' / f'step_{step}.safetensors'

    def publish(self, step: int) -> None:
        """Make a step's checkpoint, which is on disk, the newest; forget all but the last few."""
        temporary = self.path / f'.latest{TEMPORARY}'
        temporary.symlink_to(self.checkpoint(step).relative_to(self.path))
        os.replace(temporary, self.path / 'latest')
        steps = sorted(int(match[1]) for match in map(
            _STEP.fullmatch, os.listdir(self.best.parent)) if match)
        for old in steps[:-_KEPT]:
            with contextlib.suppress(FileNotFoundError):
                self.checkpoint(old).unlink()
