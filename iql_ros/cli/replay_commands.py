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
    from iql_ros.replay.page import page_text
    from iql_ros.replay.replay import Acting, replay_bags
    from iql_ros.replay.rows import csv_text
    from iql_ros.replay.summary import summarise
    from iql_ros.replay.words import words
    check_report(options.report, ('.html',))
    if options.csv is not None:
        check_new_file(options.csv, '--csv')
    if not _LEAST_SCALE <= options.limit_scale <= 1:
        raise InputError(f'--limit-scale: got {options.limit_scale:g}; allowed: {_LEAST_SCALE} '
                         'to 1')
    checkpoint, progress = checkpoint_file(options.checkpoint), Progress()
    policy = choosing_policy(checkpoint, options)
    interface = _interface(policy, checkpoint, options)
    acting = Acting(options.seed, options.first_episode, options.limit_scale)
    found = replay_bags(
        options.sources, policy, interface, acting,
        lambda done, total: progress.show(str(checkpoint), done, total, 'ticks'),
        namespace=options.namespace, labels=options.labels, allow=options.allow,
        type_folders=options.types, on_progress=progress.show)
    progress.end()
    summary = summarise(found)
    facts = {'checkpoint': str(checkpoint), 'robot': interface.robot,
             'choice': dataclasses.asdict(policy.choice), 'acting': dataclasses.asdict(acting),
             **summary, 'notes': list(found.notes)}
    pages = {options.report: options.report and page_text(found, summary, str(checkpoint),
                                                          str(policy.choice)),
             options.csv: options.csv and csv_text(found)}
    if not options.as_json:
        print(*words(summary, interface.action_names),
              *(f'note: {note}' for note in found.notes), sep='\n')
    for path, text in pages.items():
        if path:
            write_atomic(path, text)
            print(f'wrote {path}')
    return facts


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
