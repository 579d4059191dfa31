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

"""A first robot YAML from the survey of a bag; a person checks it and writes the task."""

import math

from iql_ros.data.bags.survey.draft_choice import Choice, choose
from iql_ros.data.bags.survey.draft_command import command_lines
from iql_ros.data.bags.survey.draft_lines import comment, scalar, topic_name, yaml_line
from iql_ros.data.bags.survey.draft_streams import StreamDraft
from iql_ros.data.bags.survey.urdf_limits import JointLimits
from iql_ros.data.oddities import range_text

_SETTLE = 0.005      # [s] the robot interface's own at most


def draft_robot(survey: dict, name: str, urdf: dict[str, JointLimits] | None = None) -> str:
    """
    Return the text of a robot YAML with every usable stream of a surveyed bag.

    It loads as it is, but for the lines with the word TODO that have no value yet: the task
    and, for a bag without commands, the action. What is doubtful is commented out.

    Args:
        survey: As survey_bag returns it.
        name: The robot's name.
        urdf: What its URDF says of its joints, by name.

    """
    choice = choose(survey)
    lines = [*comment(f"A first draft from the bag {survey['file']}. Check it all; where it "
                      'says TODO, only you can know.')]
    lines += comment('Suspicious in that bag:' if survey['remarks'] else '')
    for remark in survey['remarks']:
        lines += comment(f'- {remark}', '# ', '#   ')
    lines += [f'robot: {scalar(name)}', *_control_rate(choice), 'observation:']
    lines += _observations(choice)
    lines += _actions(choice, urdf or {})
    if choice.unusable:
        lines += comment('Topics without a stream:')
        for reason in dict.fromkeys(reason for _, reason in choice.unusable):
            topics = [topic for topic, other in choice.unusable if other == reason]
            lines += comment(f'- {reason}: {", ".join(topics)}', '# ', '#   ')
    return '\n'.join([*lines, *_task(survey, choice)]) + '\n'


def _task(survey: dict, choice: Choice) -> list[str]:
    marks = [topic['name'] for topic in survey['topics']
             if topic['type'] == 'std_msgs/msg/Header' and topic['name'].endswith('/event')]
    return ['task:',
            yaml_line('  reward: TODO',
                      'module:function of (observation, action, next_observation)'),
            yaml_line('', 'or {topic: ..., type: ..., field: ...}'),
            yaml_line('  # terminated: module:function',
                      'what ends an episode for good, as success or a fall'),
            yaml_line('  time_limit: TODO', '[s] after which an episode is cut'),
            *[yaml_line(f'  episode: {{topic: {topic_name(mark, choice)}}}',
                        'where the recording marks its episodes') for mark in marks[:1]]]


def _control_rate(choice: Choice) -> list[str]:
    reason = 'no stream says how fast'
    if choice.slowest:
        rate = choice.timing(choice.slowest)['rate']
        reason = f'the slowest stream, {choice.slowest.name}, comes at {rate:.3g} Hz'
    lines = [yaml_line(f'control_rate: {choice.control_rate}.0', (
        f'[Hz] {reason}; slow enough that one action matters (at a high rate offline learning '
        'cannot tell actions apart)'))]
    if choice.settle > _SETTLE:
        lines.append(yaml_line(f'settle: {_round_up(choice.settle):g}', (
            '[s] after a tick its observation is taken: so late do samples arrive')))
    return lines


def _observations(choice: Choice) -> list[str]:
    lines, index = [], 0
    for stream in sorted(choice.observations, key=lambda stream: bool(stream.doubt)):
        block = _stream(stream, choice, index)
        if stream.doubt:
            lines += _commented(block, stream)
            continue
        lines += block
        index += sum(stream.widths)
    if not choice.live(choice.observations):
        lines.insert(0, yaml_line('  TODO', 'no stream of this bag is usable as it is'))
    return lines


def _actions(choice: Choice, urdf) -> list[str]:
    if not choice.live(choice.actions):
        lines = [yaml_line('action: TODO', 'the bag holds no command that is usable as it is:'),
                 yaml_line('', 'record the topic on which the robot is commanded')]
    else:
        lines = ['action:']
    for stream in sorted(choice.actions, key=lambda stream: bool(stream.doubt)):
        block = [*_stream(stream, choice, 0, command=True), *command_lines(stream, choice, urdf)]
        lines += _commented(block, stream) if stream.doubt else block
    return lines


def _commented(block: list[str], stream: StreamDraft) -> list[str]:
    return [*comment(f'Left out: {stream.doubt}', '  # ', '  #   '),
            *[f'  # {line[2:]}' for line in '\n'.join(block).split('\n')]]


def _stream(stream: StreamDraft, choice: Choice, index: int, command=False) -> list[str]:
    """Return the lines of a stream that observations and actions share."""
    topic, timing = stream.topic, choice.timing(stream)
    stamp, reason = choice.stamps[stream.name]
    gaps = max((length for _, length in topic['gaps']), default=0.0)
    seen = f"{timing['rate']:.3g} Hz, jitter {timing['jitter']:.2g} s"
    age = _round_up(choice.max_age(stream, command))
    lines = [yaml_line(f'  - topic: {topic_name(stream.name, choice)}',
                       seen + (f', silent for up to {gaps:.2g} s' if gaps else '')),
             f"    type: {topic['type']}",
             yaml_line(f'    stamp: {stamp}', reason),
             yaml_line(f'    max_age: {age:g}',
                       '[s] TODO check: how long the robot obeys a command' if command else
                       '[s] 2.5 periods, jitter, delay; half a tick at least')]
    for warning in stream.warnings:
        lines += comment(warning, '    # ', '    #   ')
    if stream.joints:
        lines += ['    joints:', *[f'      - {scalar(joint)}' for joint in stream.joints]]
    for key in ('size', 'beams'):
        if getattr(stream, key):
            lines.append(yaml_line(f'    {key}: {getattr(stream, key)}', {
                'size': 'numbers in the array',
                'beams': 'equal sectors; the nearest return of each'}[key]))
    lines += ['    fields:', *_fields(stream, index)]
    for text in stream.left_out:
        lines += comment(f'left out: {text}', '      # ', '      #   ')
    return lines


def _fields(stream: StreamDraft, index: int) -> list[str]:
    """Return a line for every field: its place in the vector and the range that was seen."""
    lines, place, first = [], 0, index
    for field, width in zip(stream.fields, stream.widths):
        many = 1 if stream.beams else width     # of a scan one range is known
        ranges, place = stream.ranges[place:place + many], place + many
        last = first + width - 1
        where = f'[{first}]' if first == last else f'[{first}..{last}]'
        where, first = '' if stream.doubt else f'{where} ', last + 1
        if not stream.joints:
            ranges = [(min(low for low, _ in ranges), max(high for _, high in ranges))]
        texts = [' to '.join(range_text(low + 0.0, high + 0.0)) for low, high in ranges]
        head = f'      - {scalar(field)}'
        if len(texts) == 1:
            lines.append(yaml_line(head, f'{where}{texts[0]}'))
            continue
        lines.append(yaml_line(head, f'{where}by joint:'))
        lines += [yaml_line('', f'{joint}: {text}') for joint, text in zip(stream.joints, texts)]
    return lines


def _round_up(value: float) -> float:
    """Round up to two digits."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f'{math.ceil(value / step - 1e-6) * step:.6g}')
