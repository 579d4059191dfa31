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

"""The trials of a sweep: every combination of the settings that it varies, for every seed."""

import dataclasses
import itertools
import json
from pathlib import Path
import re
import shlex

import torch
import yaml

from iql_ros.files import check_keys, InputError, read_config, read_yaml, shown, write_atomic
from iql_ros.learner.iql import IQLConfig
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.settings import settings_from_mapping, TrainSettings

_FILE = 'sweep.yaml'      # in the sweep's folder
_MOST = 10_000            # trials
_PLAIN = re.compile(r'[^A-Za-z0-9.-]+')
# On a CPU one thread and one engine, so that a trial gives the same bits wherever it runs
_ON_CPU = {'device': 'cpu', 'threads': 1, 'engine': 'fast'}


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """One training of a sweep, a run folder of its own."""

    name: str        # of the run: SWEEP/SETTINGS_seedN
    varied: dict     # key -> value, of what the sweep varies
    seed: int
    settings: TrainSettings
    config: IQLConfig
    arguments: tuple[str, ...]   # of `iql-ros`

    @property
    def run(self) -> RunDirectory:
        """Return its folder."""
        return RunDirectory(self.name)

    @property
    def short_name(self) -> str:
        """Return its name within the sweep."""
        return self.name.partition('/')[2]

    @property
    def log(self) -> Path:
        """Return the file with what its training prints."""
        return self.run.path.parent / 'logs' / f'{self.short_name}.log'

    @property
    def done(self) -> bool:
        """Say whether it was trained to its end."""
        latest = self.run.latest()
        return latest is not None and latest == self.run.checkpoint(
            self.settings.updates).resolve() and latest.exists()

    def command_line(self) -> str:
        """Return what trains it, for a shell."""
        return shlex.join(['iql-ros', *self.arguments])


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What is varied, and what all trials share."""

    name: str
    config: str                  # as --config of `iql-ros train`
    robot_config: str | None     # as --robot-config
    settings: dict               # given for every trial
    vary: dict[str, list]        # key -> the values that it takes
    seeds: list[int]

    def trials(self) -> list[Trial]:
        """
        Return all trials, seeds of one setting side by side.

        Raises:
            InputError: naming what cannot be trained with.

        """
        count = len(self.seeds)
        for values in self.vary.values():
            count *= len(values)
        if count > _MOST:
            raise InputError(f'a sweep of {count:,} trials; allowed: {_MOST:,}')
        combinations = itertools.product(*self.vary.values())
        trials = [self._trial(dict(zip(self.vary, values)), seed)
                  for values in combinations for seed in self.seeds]
        names = [trial.name for trial in trials]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f'--set: two trials would be called {name}; expected values '
                                 'that differ')
        return trials

    def _trial(self, varied: dict, seed: int) -> Trial:
        parts = [key + _slug(value) for key, value in varied.items()]
        name = f'{self.name}/{"_".join([*parts, f"seed{seed}"])}'
        given = {**self.settings, **varied, 'seed': seed}
        config = read_config('iql', self.config)
        device = {**config, **given}.get('device', 'auto')
        if device == 'cpu' or (device == 'auto' and not torch.cuda.is_available()):
            given = {**_ON_CPU, **given}
            given['device'] = 'cpu'
        mapping = {**config, **given, 'name': name}
        settings, config = settings_from_mapping(mapping, 'the settings')
        RunDirectory(name)  # refuses the name
        words = ['train', '--begin-or-resume', '--name', name, '--config', self.config]
        if self.robot_config is not None:
            words += ['--robot-config', self.robot_config]
        for key, value in given.items():
            words += ['--set', f'{key}={_yaml(value)}']
        return Trial(name, varied, seed, settings, config, tuple(words))

    @property
    def folder(self) -> Path:
        """Return where its trials' folders are."""
        return RunDirectory(self.name).path

    def write(self) -> None:
        """Write sweep.yaml, which `read_sweep` reads."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.folder / _FILE,
                     yaml.safe_dump(dataclasses.asdict(self), sort_keys=False))


def read_sweep(name: str) -> Sweep:
    """
    Return the sweep of a name that was begun before.

    Raises:
        InputError: when there is none.

    """
    path = RunDirectory(name).path / _FILE
    if not path.is_file():
        raise InputError(f"sweep '{name}': {path} does not exist, so there is nothing to resume")
    fields = [field.name for field in dataclasses.fields(Sweep)]
    mapping = check_keys(read_yaml(path), fields, str(path))
    for key, kind in (('settings', dict), ('vary', dict), ('seeds', list)):
        if not isinstance(mapping.get(key), kind):
            raise InputError(f'{path}: {key}: got {shown(mapping.get(key))}')
    return Sweep(**{**{key: None for key in fields}, **mapping, 'name': name})


def _slug(value) -> str:
    """Return a value as a part of a name."""
    text = value if isinstance(value, str) else json.dumps(value)
    return _PLAIN.sub('-', text).strip('-')


def _yaml(value) -> str:
    """Return a value as --set reads it, without a blank where there need be none, for xargs."""
    if isinstance(value, list):
        return f'[{",".join(map(_yaml, value))}]'
    return yaml.safe_dump(value, default_flow_style=True, width=10 ** 6).removesuffix(
        '\n').removesuffix('\n...')
