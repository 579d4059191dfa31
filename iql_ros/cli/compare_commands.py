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

"""What `iql-ros compare` does: which of several policies to take, told by recordings alone."""

from pathlib import Path

from iql_ros.cli.data_commands import checkpoint_file, load_robot
from iql_ros.files import check_new_file, InputError
from iql_ros.text_table import aligned


def compare(options) -> dict:
    from iql_ros.comparison.page import table, write_page
    from iql_ros.comparison.verdict import verdict
    if options.report is not None:
        check_new_file(options.report, '--report')
    candidates = _candidates(options)
    recordings = _recordings(candidates, options)
    recordings.find_decisive([each.policy for each in candidates])
    judged = []
    for number, candidate in enumerate(candidates, start=1):
        judged.append(recordings.judge(candidate))
        print(f'{number} of {len(candidates)}: {candidate}', flush=True)
    found = verdict(judged, recordings.told)
    if not options.as_json:
        print(*aligned(table(judged)), *found.lines, sep='\n')
        if found.taken:
            print(f'its file: {found.taken.candidate.file}')
    if options.report:
        write_page(options.report, judged, found, recordings.told, recordings.data)
        print(f'wrote {options.report}')
    return {'data': recordings.data, 'told': recordings.told,
            'policies': [_facts(each, judged) for each in judged],
            'taken': None if found.taken is None else str(found.taken.candidate),
            'words': found.lines}


def _facts(one, judged) -> dict:
    from iql_ros.comparison.verdict import beats_its_mean, standard_error
    claim, candidate = one.claim, one.candidate
    return {'name': candidate.name, 'checkpoint': str(candidate.file),
            'choice': candidate.choice.kind, 'value': float(claim.values.mean()),
            'error': standard_error(one), 'beats_mean': beats_its_mean(one, judged),
            'ended': claim.ended, 'unknown': claim.strange, 'gated': one.gated,
            'off_good': one.good, 'off_bad': one.bad}


def _candidates(options) -> list:
    """Return every checkpoint in every way that is asked for."""
    from iql_ros.comparison.recordings import Candidate
    from iql_ros.learner.choice import CHOICES
    from iql_ros.runs.policy import load_policy
    from iql_ros.runs.sequential import check_comparable
    files, candidates = _checkpoints(options), []
    policies = [load_policy(file, 'cpu') for file in files.values()]
    check_comparable(policies, list(files))
    for name, policy in zip(files, policies):
        kinds = CHOICES if options.choice == 'all' else (options.choice,)
        if policy.critic is None and options.choice == 'all':
            kinds = CHOICES[:1]
        for kind in kinds:
            try:
                policy.check_choice(choice := policy.choice.but(kind))
            except InputError as error:
                raise InputError(f'{name}: {error}') from None
            candidates.append(Candidate(name, files[name], policy, choice))
    if len(candidates) < 2:
        raise InputError(f'RUN: got one policy, {candidates[0]}; comparing takes two')
    return candidates


def _checkpoints(options) -> dict[str, Path]:
    """Return the file of every checkpoint by the name under which it is shown."""
    files = {}
    for run in options.runs:
        folder = Path(run) / 'checkpoints'
        if options.every_checkpoint and folder.is_dir():
            files |= {f'{run} at {path.stem.partition("_")[2]}': path for path in sorted(
                folder.glob('step_*.safetensors'), key=lambda path: (len(path.stem), path.stem))}
        else:
            files[run] = checkpoint_file(run)
    return files


def _recordings(candidates, options):
    """Return what judges them: the dataset that is named, or that of the first's training."""
    from iql_ros.comparison.recordings import Recordings, task_here
    from iql_ros.data.datasets import load_dataset
    from iql_ros.robot.task import Task
    first = candidates[0]
    header = first.policy.header
    data = header['dataset']
    dataset = load_dataset(options.data or header['training'].get('dataset', data['name']),
                           tuple(data['observation_keys']), data['action_low'],
                           data['action_high'])
    _check_fit(candidates, dataset)
    interface = first.policy.interface
    if options.robot_config is not None:
        interface = load_robot(options.robot_config)
        first.policy.check_robot(interface, first.name)
        task = Task(interface)
    else:
        task = interface and task_here(interface, ours=False)
    return Recordings(dataset, header['config']['discount'], interface, task, _progress)


def _check_fit(candidates, dataset) -> None:
    sizes = dataset.observations.shape[1], dataset.actions.shape[1]
    for each in candidates:
        policy = each.policy
        data = policy.header['dataset']
        for what, theirs, ours in (
                ('observation values', policy.observation_dim, sizes[0]),
                ('action values', policy.action_dim, sizes[1]),
                ('action low', data['action_low'], dataset.action_low.tolist()),
                ('action high', data['action_high'], dataset.action_high.tolist())):
            if theirs != ours:
                raise InputError(f'{each.name}: {what}: {theirs}; dataset {dataset.name} has '
                                 f'{ours}')


def _progress(done: int, updates: int) -> None:
    if done % 1_000 == 0:
        print(f'learning the dynamics: {done}/{updates} updates', flush=True)
