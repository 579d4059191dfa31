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

"""What `iql-ros replay` does: what a policy would have sent on recordings, beside what was."""

import dataclasses

from iql_ros.cli.data_commands import check_report, checkpoint_file, load_robot, Progress
from iql_ros.cli.evaluate_commands import choosing_policy
from iql_ros.files import check_new_file, InputError, write_atomic

_LEAST_SCALE = 0.05   # as policy_node allows


def replay(options) -> dict:
    from iql_ros.replay.replay import Acting
    from iql_ros.replay.summary import summarise
    from iql_ros.replay.words import words
    _check(options)
    checkpoint = checkpoint_file(options.checkpoint)
    policy = choosing_policy(checkpoint, options)
    interface = _interface(policy, checkpoint, options)
    acting = Acting(options.seed, options.first_episode, options.limit_scale)
    found = _look_on(policy, interface, acting, options)
    summary = summarise(found)
    if not options.as_json:
        print(*words(summary), *(f'note: {note}' for note in found.notes), sep='\n')
    scaled = f', limits scaled by {acting.limit_scale:g}' if acting.limit_scale < 1 else ''
    _write(options, found, summary, f'{checkpoint}, acting by the {policy.choice}{scaled}')
    return {'checkpoint': checkpoint, 'robot': interface.robot,
            'choice': dataclasses.asdict(policy.choice), 'acting': dataclasses.asdict(acting),
            **summary, 'notes': found.notes}


def _check(options) -> None:
    """Refuse what cannot be written, and limits that are none, before the work."""
    check_report(options.report, ('.html',))
    if options.csv is not None:
        check_new_file(options.csv, '--csv')
    if not _LEAST_SCALE <= options.limit_scale <= 1:
        raise InputError(f'--limit-scale: got {options.limit_scale:g}; allowed: {_LEAST_SCALE} '
                         'to 1')


def _look_on(policy, interface, acting, options):
    from iql_ros.replay.replay import replay_bags
    progress = Progress()
    found = replay_bags(
        options.sources, policy, interface, acting,
        lambda done, total: progress.show('the policy', done, total, 'ticks'),
        namespace=options.namespace, labels=options.labels, allow=options.allow,
        type_folders=options.types, on_progress=progress.show)
    progress.end()
    return found


def _write(options, found, summary: dict, policy: str) -> None:
    """Write the page and the rows, both or none."""
    from iql_ros.replay.page import page_text
    from iql_ros.replay.rows import csv_text
    texts = []
    if options.report:
        texts.append((options.report, page_text(found, summary, policy)))
    if options.csv:
        texts.append((options.csv, csv_text(found)))
    for path, text in texts:
        write_atomic(path, text)
        print(f'wrote {path}')


def _interface(policy, checkpoint, options):
    """Return the robot: this machine's YAML once it fits, or the one inside."""
    from iql_ros.robot.task import refuse_functions_of_others
    if options.robot_config is not None:
        interface = load_robot(options.robot_config)
        policy.check_robot(interface, str(checkpoint))
        return interface
    if policy.interface is None:
        raise InputError(f'{checkpoint}: is bound to no robot; say which it is for with '
                         '--robot-config YAML')
    refuse_functions_of_others(policy.interface, str(checkpoint))
    return policy.interface
