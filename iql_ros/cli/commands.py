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

"""What the sub-commands of `iql-ros` that train and run do; cli.py says which there are."""

import json
from pathlib import Path
import time

from iql_ros.cli.data_commands import checkpoint_file, load_robot, print_data_notes
from iql_ros.cli.sweep_commands import train_seeds
from iql_ros.files import (
    check_new_file, InputError, parse_yaml, read_config, read_yaml, share_folder)

_CONFIGS = {'train': 'iql', 'finetune': 'finetune'}  # folder of config/ with the shipped ones


def train(options) -> dict | None:
    from iql_ros.runs.report import write_run_report
    from iql_ros.runs.run_directory import default_name
    from iql_ros.runs.settings import settings_from_mapping
    from iql_ros.runs.train import train as run_training
    given = _given(options, dataset=options.dataset, action_low=options.action_low,
                   action_high=options.action_high, observation_keys=options.observation_keys)
    if options.seeds is not None:
        return train_seeds(options, given)
    mapping = _settings(options, 'train', given, ('dataset', '--dataset ID'), default_name)
    settings, config = settings_from_mapping(mapping, options.config or 'the settings')
    folder = run_training(settings, config, resume=options.resume,
                          robot_config=_robot_text(options, settings.name))
    facts = json.loads((folder / 'dataset.json').read_text())
    print_data_notes(facts['clipped'], ())
    _report('trained', folder, write_run_report)


def finetune(options) -> None:
    from iql_ros.online import finetune as finetuning
    from iql_ros.online.report import write_finetune_report
    from iql_ros.runs.run_directory import RunDirectory
    given = _given(options, dataset=options.dataset)
    if options.checkpoint is not None:
        given['checkpoint'] = str(checkpoint_file(options.checkpoint).absolute())
    mapping = _settings(options, 'finetune', given, ('checkpoint', 'CHECKPOINT'), _finetuned_name)
    settings = finetuning.settings_from_mapping(mapping, options.config or 'the settings')
    run, started = RunDirectory(settings.name), time.time()
    try:
        finetuning.finetune(settings, resume=options.resume, allow_task='task' in options.allow,
                            robot_config=_given_robot(options))
    except KeyboardInterrupt:
        latest = run.latest()
        if latest and latest.stat().st_mtime > started:
            _report('saved, --resume goes on with it', run.path, write_finetune_report)
        raise
    _report('fine-tuned', run.path, write_finetune_report)


def _finetuned_name(settings: dict) -> str:
    """Return the name of a run that was given none: after the run that it begins with."""
    checkpoint = Path(settings['checkpoint'])
    inside = checkpoint.parent.name == 'checkpoints'
    return (checkpoint.parents[1].name if inside else checkpoint.stem) + '_finetuned'


def _report(done: str, folder: Path, write) -> None:
    try:
        print(f'{done}: {folder}, report: {write(folder)}')
    except InputError as error:
        print(f'{done}: {folder}, without report.html: {error}')


def _given(options, **others) -> dict:
    """Return the settings that the options of `train` and `finetune` give."""
    given = {'name': options.name, 'environment': options.env, **others}
    given = {key: value for key, value in given.items() if value is not None}
    for item in options.set:
        key, equals, value = item.partition('=')
        if not equals:
            raise InputError(f'--set {item}: expected KEY=VALUE')
        given[key] = parse_yaml(f'value: {value}', f'--set {item}')['value']
    return given


def _settings(options, command: str, given: dict, needed: tuple[str, str], default_name) -> dict:
    """
    Return the settings of a run: --config's, or with --resume its own, and those given.

    Args:
        options: Of the command line.
        command: train or finetune.
        given: Settings that options give.
        needed: The key that a new run cannot do without, and how it is given.
        default_name: Names a run, from its settings.

    """
    from iql_ros.runs.run_directory import RunDirectory
    settings = {**read_config(_CONFIGS[command], options.config or 'robot'), **given}
    key, option = needed
    if key not in settings and not (options.resume and 'name' in settings):
        raise InputError(f'{option} is missing (with --resume: or --name NAME)')
    if 'name' not in settings:
        settings['name'] = default_name(settings)
    run = RunDirectory(str(settings['name']))
    if options.begin_or_resume:
        options.resume = run.begun
    if options.resume and not options.config:
        if not (run.path / 'config.yaml').is_file():
            raise InputError(f"run '{run.name}': {run.path} holds no config.yaml, so there is "
                             'nothing to resume')
        own = read_yaml(run.path / 'config.yaml')
        of = 'finetune' if 'checkpoint' in own else 'train'
        if of != command:
            raise InputError(f"run '{run.name}' is one of `iql-ros {of}`, which resumes it")
        return {**own, **given}
    return settings


def _given_robot(options) -> str | None:
    """Return the YAML text of --robot-config."""
    return None if options.robot_config is None else load_robot(options.robot_config).text


def _robot_text(options, run_name: str) -> str | None:
    """Return the YAML text of --robot-config; with --resume, by default the run's own."""
    from iql_ros.runs.checkpoint import read_header
    from iql_ros.runs.run_directory import RunDirectory
    if options.robot_config is not None:
        return _given_robot(options)
    latest = RunDirectory(run_name).latest() if options.resume else None
    return read_header(latest)['robot_config'] if latest else None


def benchmark(options) -> dict:
    import subprocess
    import sys
    if options.json is not None:
        check_new_file(options.json, '--json')
    script = share_folder() / 'benchmarks' / 'updates.py'
    given = ['--json', options.json] if options.json else []
    return {'ok': subprocess.call([sys.executable, script, *given]) == 0}


def demo(options) -> None:
    from iql_ros.demo.demo import FULL, run_demo, SCENES, SMOKE
    run_demo(SCENES[options.robot], SMOKE if options.smoke else FULL, options.seed)


def doctor(options) -> dict:
    from iql_ros.cli.doctor.doctor import diagnose
    return diagnose(quiet=options.as_json)
