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

"""What the sub-commands of `iql-ros` about data do: convert and inspect."""

import functools
import json
from pathlib import Path
import sys
import time

from iql_ros.cli.parser import check_place
from iql_ros.files import check_new_file, InputError, write_atomic

_FIRST_PROGRESS, _PROGRESS_EVERY = 3.0, 1.0  # [s]


def convert(options) -> None:
    from iql_ros.data.convert import convert_hdf5
    first = options.sources[0]
    if not any(path.endswith(('.hdf5', '.h5')) for path in options.sources):
        _convert_bags(options)
        return
    for name in ('robot_config', 'namespace', 'labels', 'report', 'allow', 'types', 'update',
                 'jobs', 'address'):
        if getattr(options, name):
            raise InputError(f'{first}: --{name.replace("_", "-")} is for bags; training binds a '
                             'policy to a robot (iql-ros train --robot-config YAML)')
    if len(options.sources) > 1:
        raise InputError(f'{first}: an HDF5 file is converted alone; got '
                         f'{len(options.sources)} sources')
    _print_dataset(convert_hdf5(first, options.dataset, options.action_low, options.action_high,
                                options.env))


def _convert_bags(options) -> None:
    from iql_ros.data.bags.quality.page import write_bag_page
    from iql_ros.data.bags.quality.text import quality_text
    from iql_ros.data.convert import convert_bags
    from iql_ros.parallel import mapping
    from iql_ros.robot.robot_interface import load_robot_interface
    if options.robot_config is None:
        raise InputError(f'{options.sources[0]}: bags need --robot-config YAML')
    if options.action_low or options.action_high:
        raise InputError('--action-low and --action-high are for HDF5 files; the robot config '
                         'says what -1 and +1 mean in bags')
    check_place(options)
    check_report(options.report, ('.html', '.json'))
    interface, progress = load_robot_interface(options.robot_config), Progress()
    with mapping(options.on, options.jobs, options.address) as each:
        dataset, report = convert_bags(
            options.sources, options.dataset, interface, options.namespace, options.env,
            options.labels, options.allow, progress.show, options.types, options.update,
            each=None if each is map else each)
    progress.end()
    print(quality_text(report))
    if options.report and options.report.endswith('.json'):
        write_atomic(options.report, json.dumps(report, indent=1) + '\n')
    elif options.report:
        write_bag_page(options.report, report=report)
    _print_dataset(dataset)


class Progress:
    """A line on a terminal for work that takes longer than some seconds."""

    def __init__(self):
        self._next, self._shown = time.monotonic() + _FIRST_PROGRESS, False

    def show(self, name: str, done: int, total: int, what: str = 'messages') -> None:
        if time.monotonic() < self._next or not sys.stderr.isatty():
            return
        self._next, self._shown = time.monotonic() + _PROGRESS_EVERY, True
        print(f'\r{name}: {done:,} of {total:,} {what}', end='',
              file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr)


def check_report(path: str | None, suffixes: tuple[str, ...]) -> None:
    """Refuse a report that cannot be written, before the work that it is of."""
    if path is None:
        return
    if not path.endswith(suffixes):
        raise InputError(f'--report {path}: expected a name that ends in {" or ".join(suffixes)}')
    check_new_file(path, '--report')


def _print_dataset(dataset) -> None:
    print(f'{dataset.name}: {len(dataset.rewards):,} transitions in '
          f'{len(dataset.episode_lengths):,} episodes, {dataset.observations.shape[1]} '
          f'observation and {dataset.actions.shape[1]} action values')
    print_data_notes(dataset.clipped, dataset.notes)


def print_data_notes(clipped: float, notes) -> None:
    if clipped:
        print(f'note: {clipped:.2%} of the action values lie outside of their range: clipped')
    for note in notes:
        print(f'note: {note}')


def inspect(options) -> dict:
    from iql_ros.data.bags.files import is_bag
    checkpoint = checkpoint_file(options.target)
    if checkpoint.suffix != '.safetensors' and is_bag(options.target):
        return _inspect_bags(options)
    for name in ('report', 'write_robot', 'urdf', 'types'):
        if getattr(options, name):
            raise InputError(f'--{name.replace("_", "-")} is for bags; {options.target} is none')
    facts, text = _described(options, checkpoint)
    if not options.as_json:
        print(text(facts))
    return facts


def _described(options, checkpoint: Path) -> tuple:
    """Return the facts of a checkpoint or dataset, and what puts them in words."""
    from iql_ros.cli import describe
    from iql_ros.data.datasets import read_recording, to_transitions
    if checkpoint.suffix == '.safetensors':
        return describe.checkpoint_facts(checkpoint), describe.checkpoint_text
    recording = read_recording(options.target, options.observation_keys or (),
                               options.action_low, options.action_high, options.env)
    return (describe.dataset_facts(recording, to_transitions(recording)), describe.dataset_text)


def _inspect_bags(options) -> dict:
    from iql_ros.data.bags.files import Allowed, find_bags
    from iql_ros.data.bags.quality.page import write_bag_page
    from iql_ros.data.bags.survey.robot_draft import draft_robot
    from iql_ros.data.bags.survey.survey import survey_bag, survey_text
    from iql_ros.data.bags.survey.urdf_limits import read_urdf_limits
    check_report(options.report, ('.html',))
    if options.write_robot is not None:
        if Path(options.write_robot).exists():
            raise InputError(f'--write-robot {options.write_robot}: exists; choose another name')
        check_new_file(options.write_robot, '--write-robot')
    if options.urdf and not options.write_robot:
        raise InputError(f'--urdf {options.urdf}: expected --write-robot too')
    urdf = read_urdf_limits(options.urdf) if options.urdf else {}
    progress, surveys = Progress(), []
    for path in find_bags(options.target):
        surveys.append(survey_bag(path, Allowed(options.allow, path),
                                  functools.partial(progress.show, path.name), options.types))
        progress.end()
        if not options.as_json:
            print(survey_text(surveys[-1]))
    if options.report:
        write_bag_page(options.report, surveys=surveys)
    if options.write_robot:
        name = Path(options.write_robot).stem
        write_atomic(options.write_robot, draft_robot(surveys[0], name, urdf))
        print(f'wrote {options.write_robot}; fill in its lines with TODO')
    return {'kind': 'bags', 'bags': surveys}


def checkpoint_file(path: str) -> Path:
    """Return the checkpoint that a path names: itself, or a run's newest."""
    pointer = Path(path) / 'latest' if Path(path).is_dir() else Path(path)
    return pointer.resolve() if pointer.is_file() else Path(path)


def load_robot(path: str):
    """Read a robot's YAML, its task checked too, whose functions need not be on this machine."""
    from iql_ros.robot.robot_interface import load_robot_interface
    from iql_ros.robot.task import read_task
    interface = load_robot_interface(path)
    read_task(interface)
    return interface
