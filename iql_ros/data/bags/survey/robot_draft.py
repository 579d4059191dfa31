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

import json
import math
import textwrap

import yaml

from iql_ros.data.bags.survey.draft_choice import Choice, choose
from iql_ros.data.bags.survey.draft_streams import outwards, StreamDraft

_COLUMN = 39         # where comments begin
_WIDTH = 99
_SETTLE = 0.005      # [s] the robot interface's own at most
_TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'


def draft_robot(survey: dict, name: str) -> str:
    """
    Return the text of a robot YAML with every usable stream of a surveyed bag.

    It loads as it is, but for the lines with the word TODO that have no value yet: the task
    and, for a bag without commands, the action. What is doubtful is commented out.

    Args:
        survey: As survey_bag returns it.
        name: The robot's name.

    """
    choice = choose(survey)
    lines = [*_comment(f"A first draft from the bag {survey['file']}. Check it all; where it "
                       'says TODO, only you can know.')]
    lines += _comment('Suspicious in that bag:' if survey['remarks'] else '')
    for remark in survey['remarks']:
        lines += _comment(f'- {remark}', '# ', '#   ')
    lines += [f'robot: {_scalar(name)}', *_control_rate(choice), 'observation:']
    lines += _observations(choice)
    lines += _actions(choice)
    if choice.unusable:
        lines += _comment('Topics without a stream:')
        for reason in dict.fromkeys(reason for _, reason in choice.unusable):
            topics = [topic for topic, other in choice.unusable if other == reason]
            lines += _comment(f'- {reason}: {", ".join(topics)}', '# ', '#   ')
    return '\n'.join([*lines, *_task(survey, choice)]) + '\n'


def _task(survey: dict, choice: Choice) -> list[str]:
    marks = [topic['name'] for topic in survey['topics']
             if topic['type'] == 'std_msgs/msg/Header' and topic['name'].endswith('/event')]
    return ['task:',
            _line('  reward: TODO', 'module:function of (observation, action, next_observation)'),
            _line('', 'or {topic: ..., type: ..., field: ...}'),
            _line('  # terminated: module:function',
                  'what ends an episode for good, as success or a fall'),
            _line('  time_limit: TODO', '[s] after which an episode is cut'),
            *[_line(f'  episode: {{topic: {_topic(mark, choice)}}}',
                    'where the recording marks its episodes') for mark in marks[:1]]]


def _control_rate(choice: Choice) -> list[str]:
    reason = 'no stream says how fast'
    if choice.slowest:
        rate = choice.timing(choice.slowest)['rate']
        reason = f'the slowest stream, {choice.slowest.name}, comes at {rate:.3g} Hz'
    lines = [_line(f'control_rate: {choice.control_rate}.0', (
        f'[Hz] {reason}; slow enough that one action matters (at a high rate offline learning '
        'cannot tell actions apart)'))]
    if choice.settle > _SETTLE:
        lines.append(_line(f'settle: {_round_up(choice.settle):g}', (
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
        index += len(stream.ranges) * (stream.beams or 1)
    if not choice.live(choice.observations):
        lines.insert(0, _line('  TODO', 'no stream of this bag is usable as it is'))
    return lines


def _actions(choice: Choice) -> list[str]:
    if not choice.live(choice.actions):
        lines = [_line('action: TODO', 'the bag holds no command that is usable as it is:'),
                 _line('', 'record the topic on which the robot is commanded')]
    else:
        lines = ['action:']
    for stream in sorted(choice.actions, key=lambda stream: bool(stream.doubt)):
        block = [*_stream(stream, choice, 0, command=True), *_command(stream, choice)]
        lines += _commented(block, stream) if stream.doubt else block
    return lines


def _commented(block: list[str], stream: StreamDraft) -> list[str]:
    return [*_comment(f'Left out: {stream.doubt}', '  # ', '  #   '),
            *[f'  # {line[2:]}' for line in '\n'.join(block).split('\n')]]


def _stream(stream: StreamDraft, choice: Choice, index: int, command=False) -> list[str]:
    """Return the lines of a stream that observations and actions share."""
    topic, timing = stream.topic, choice.timing(stream)
    stamp, reason = choice.stamps[stream.name]
    gaps = max((length for _, length in topic['gaps']), default=0.0)
    seen = f"{timing['rate']:.3g} Hz, jitter {timing['jitter']:.2g} s"
    age = _round_up(choice.max_age(stream, command))
    lines = [_line(f'  - topic: {_topic(stream.name, choice)}',
                   seen + (f', silent for up to {gaps:.2g} s' if gaps else '')),
             f"    type: {topic['type']}",
             _line(f'    stamp: {stamp}', reason),
             _line(f'    max_age: {age:g}', '[s] TODO check: how long the robot obeys a command'
                   if command else '[s] 2.5 periods, jitter, delay; half a tick at least')]
    for warning in stream.warnings:
        lines += _comment(warning, '    # ', '    #   ')
    if stream.joints:
        lines += ['    joints:', *[f'      - {_scalar(joint)}' for joint in stream.joints]]
    for key in ('size', 'beams'):
        if getattr(stream, key):
            lines.append(_line(f'    {key}: {getattr(stream, key)}', {
                'size': 'numbers in the array',
                'beams': 'equal sectors; the nearest return of each'}[key]))
    lines += ['    fields:', *_fields(stream, index)]
    for text in stream.left_out:
        lines += _comment(f'left out: {text}', '      # ', '      #   ')
    return lines


def _fields(stream: StreamDraft, index: int) -> list[str]:
    """Return a line for every field: its place in the vector and the range that was seen."""
    width = len(stream.joints) or stream.size or 1
    lines = []
    for position, field in enumerate(stream.fields):
        ranges = stream.ranges[position * width:(position + 1) * width]
        first = index + position * (stream.beams or width)
        last = first + (stream.beams or width) - 1
        where = f'[{first}]' if first == last else f'[{first}..{last}]'
        where = '' if stream.doubt else f'{where} '
        texts = [f'{low + 0.0:.4g} to {high + 0.0:.4g}' for low, high in ranges]
        if not stream.joints:
            texts = [f'{min(low for low, _ in ranges):.4g} to '
                     f'{max(high for _, high in ranges):.4g}']
        head = f'      - {_scalar(field)}'
        if len(texts) == 1:
            lines.append(_line(head, f'{where}{texts[0]}'))
            continue
        lines.append(_line(head, f'{where}by joint:'))
        lines += [_line('', f'{joint}: {text}') for joint, text in zip(stream.joints, texts)]
    return lines


def _command(stream: StreamDraft, choice: Choice) -> list[str]:
    """Return the lines that only an action has."""
    bounds = [outwards(low, high) for low, high in stream.ranges]
    lows, highs = ([f'{_number(pair[side])}' for pair in bounds] for side in (0, 1))
    mean = stream.rule == 'mean'
    lines = [*_list('    low: ', lows), *_list('    high: ', highs),
             _line('    # low, high', 'the commands seen, rounded outwards')]
    lines.append(_line(f'    rule: {stream.rule}',
                       'of velocities in one tick' if mean else 'the newest command in a tick'))
    if stream.executed:
        lines.append(_line(f'    executed: {_topic(stream.executed, choice)}',
                           'what became of the command: converted where recorded'))
    if stream.topic['type'] == _TRAJECTORY:
        lines.append(_line(f'    time_from_start: {1 / choice.control_rate:g}',
                           '[s] of the point that is sent'))
    for path, values in stream.topic['texts'].items():
        seen = ', '.join(repr(value) for value in values)
        lines += _comment(f'{path} was {seen} in the bag; a policy sends it empty', '    # ',
                          '    #   ')
    lines += ['    gate:', '      limit:', *_list('        low: ', lows),
              *_list('        high: ', highs),
              _line('      max_rate: none', '[unit/s] or a list; TODO for a real robot'),
              *_stop(bounds, mean),
              _line(f'      downstream_timeout: {choice.timeout:g}',
                    '[s] TODO check: after which the robot stops by itself')]
    return lines


def _stop(bounds, mean: bool) -> list[str]:
    """Return the line of the stop: zero, or what comes nearest to it of the commands seen."""
    if all(low <= 0 <= high for low, high in bounds):
        return [_line('      stop: zero', 'TODO check: right for velocities' if mean else
                      'TODO check: zero may be no safe place for positions or thrust')]
    nearest = [_number(min(max(0.0, low), high)) for low, high in bounds]
    return [*_list('      stop: ', nearest),
            _line('', 'TODO check: zero was never commanded, this is the nearest to it')]


def _list(head: str, texts: list[str]) -> list[str]:
    return textwrap.wrap(f'{head}[{", ".join(texts)}]', _WIDTH,
                         subsequent_indent=' ' * (len(head) + 1), break_on_hyphens=False)


def _line(text: str, comment: str) -> str:
    """Return a line and its comment, which goes on below where it is long."""
    first = f'{text:<{_COLUMN}}' if len(text) < _COLUMN else f'{text}  '
    width = max(_WIDTH - len(first) - 2, 30)
    parts = textwrap.wrap(_clean(comment), width, break_on_hyphens=False)
    indent = ' ' * len(first)
    return '\n'.join(f'{first if index == 0 else indent}# {part}'
                     for index, part in enumerate(parts))


def _comment(text: str, first: str = '# ', later: str = '# ') -> list[str]:
    return textwrap.wrap(_clean(text), _WIDTH, initial_indent=first, subsequent_indent=later,
                         break_on_hyphens=False, break_long_words=False)


def _clean(text: str) -> str:
    """Keep what a bag calls things from ending a comment."""
    return ''.join(letter if letter.isprintable() else '?' for letter in text)


def _topic(name: str, choice: Choice) -> str:
    return _scalar(name.lstrip('/') if choice.relative else name)


def _scalar(text: str) -> str:
    """Write a text so that YAML reads it as that text."""
    try:
        plain = yaml.safe_load(f'[{text}]') == [text]
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text)


def _number(value: float) -> str:
    text = f'{value:.10g}'
    return text if any(mark in text for mark in '.e') else f'{text}.0'


def _round_up(value: float) -> float:
    """Round up to two digits."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f'{math.ceil(value / step - 1e-6) * step:.6g}')
