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

"""What `iql-ros sweep` and `iql-ros train --seeds` do: many trainings at once."""

import dataclasses
from pathlib import Path

from iql_ros.cli.parser import check_place
from iql_ros.files import InputError, parse_yaml


def sweep(options) -> dict:
    """Train every combination of the settings that take several values, for every seed."""
    check_place(options)
    given, vary = _shared(options), {}
    for key, values in (_values(item) for item in options.set):
        if key in ('seed', 'name', 'dataset'):
            raise InputError(f'--set {key}: a sweep varies no {key}; there is --{key}'
                             + ('s' if key == 'seed' else ''))
        (vary if len(values) > 1 else given)[key] = values if len(values) > 1 else values[0]
    return _run(options, given, vary, printing=options.print)


def train_seeds(options, given: dict) -> dict:
    """Train one setting with several seeds."""
    if 'seed' in given:
        raise InputError(f"--set seed={given['seed']}: --seeds says them already")
    given = {key: value for key, value in given.items() if key != 'name'}
    return _run(options, {**given, **_shared(options)}, {}, printing=False)


def _run(options, given: dict, vary: dict, printing: bool) -> dict:
    from iql_ros.runs.run_directory import default_name, RunDirectory
    from iql_ros.sweeps.sweep import check_sweep, run_sweep
    from iql_ros.sweeps.trials import read_sweep, Sweep
    if 'dataset' not in given and not (options.resume and options.name):
        raise InputError('--dataset ID is missing (with --resume: or --name NAME)')
    name = options.name or f'{default_name(given)}_{"sweep" if vary else "seeds"}'
    RunDirectory(name)  # refuses the name
    if '/' in name:
        raise InputError(f'name: got {name!r}; of a sweep it has no /')
    if options.begin_or_resume:
        options.resume = RunDirectory(name).begun
    before = read_sweep(name) if options.resume else None
    new = Sweep(name, _whole_path(options.config) or 'robot', _whole_path(options.robot_config),
                given, vary, options.seeds or [0])
    if before is not None:
        new = _continued(before, new, options)
    trials = new.trials()
    check_sweep(new, trials, options.resume)
    if printing:
        new.write()  # for --resume, which then writes the report
        for trial in trials:
            if not trial.done:
                print(trial.command_line())
        return {'ok': True}
    failed = run_sweep(new, trials, jobs=options.jobs, on_ray=options.on == 'ray',
                       address=options.address, resources=options.resources)
    if failed:
        first = next(iter(failed))
        raise InputError(f'{len(failed)} of {len(trials)} trials failed; {first}: {failed[first]}')
    return {'ok': True}


def _continued(before, new, options):
    """Return a sweep as it was begun, with what is said now over it."""
    return dataclasses.replace(
        before, config=new.config if options.config else before.config,
        robot_config=new.robot_config or before.robot_config,
        settings={**before.settings, **new.settings},
        vary=new.vary or before.vary, seeds=options.seeds or before.seeds)


def _shared(options) -> dict:
    """Return the settings that options give to every trial."""
    given = {'dataset': _whole_path(options.dataset), 'environment': options.env,
             'action_low': options.action_low,
             'action_high': options.action_high, 'observation_keys': options.observation_keys}
    return {key: list(value) if isinstance(value, tuple) else value
            for key, value in given.items() if value is not None}


def _whole_path(name: str | None) -> str | None:
    """Return a whole path of a file or folder that is there, any other name as it is."""
    return str(Path(name).absolute()) if name and Path(name).exists() else name


def _values(item: str) -> tuple[str, list]:
    """Return the key of KEY=VALUE,VALUE and its values."""
    key, equals, text = item.partition('=')
    if not equals or not text.strip():
        raise InputError(f'--set {item}: expected KEY=VALUE, or KEY=VALUE,VALUE')
    return key, parse_yaml(f'values: [{text}]', f'--set {item}')['values']
