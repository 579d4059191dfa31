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

"""What a first robot YAML says of a command: its range, what it controls, and its gate."""

import math

from iql_ros.data.bags.survey.draft_choice import Choice
from iql_ros.data.bags.survey.draft_lines import (
    comment, number, number_list, scalar, topic_name, yaml_line)
from iql_ros.data.bags.survey.draft_streams import outwards, StreamDraft
from iql_ros.data.bags.survey.urdf_limits import JointLimits
from iql_ros.robot.gate_settings import EFFORT, KINDS, POSITION, VELOCITY
from iql_ros.robot.streams import kind_of

_TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'


def command_lines(stream: StreamDraft, choice: Choice, urdf: dict[str, JointLimits]) -> list[str]:
    """Return the lines that only an action has; `urdf` is what a URDF says of joints."""
    bounds = [outwards(low, high) for low, high in stream.ranges]
    kinds = [kind_of(stream.topic['type'], field)
             for field, width in zip(stream.fields, stream.widths) for _ in range(width)]
    mean = stream.rule == 'mean'
    lines = [*_pair('    ', bounds), yaml_line('    # low, high',
                                               'the commands seen, rounded outwards')]
    lines.append(yaml_line(f'    rule: {stream.rule}', 'of velocities in one tick' if mean
                           else 'the newest command in a tick'))
    if stream.executed:
        lines.append(yaml_line(f'    executed: {topic_name(stream.executed, choice)}',
                               'what became of the command: converted where recorded'))
    if stream.topic['type'] == _TRAJECTORY:
        lines.append(yaml_line(f'    time_from_start: {1 / choice.control_rate:g}',
                               '[s] of the point that is sent'))
    lines += _constants(stream)
    measured = _measured(stream, choice) if POSITION in kinds else []
    lines += _controls(kinds)
    if measured:
        lines += ['    measured:', *[f'      - {scalar(name)}' for name in measured]]
    said = [urdf.get(joint) for joint in stream.joints] * len(stream.fields) or [None] * len(kinds)
    lines += ['    gate:', '      limit:', *_limit(bounds, kinds, said)]
    lines += _rate(kinds, said)
    lines += _stop(bounds, kinds, bool(measured), mean)
    lines.append(yaml_line(f'      downstream_timeout: {choice.timeout:g}',
                           '[s] TODO check: after which the robot stops by itself'))
    return lines


def _constants(stream: StreamDraft) -> list[str]:
    """Return the lines of what every command is to hold besides, as it did in the bag."""
    constants, lines = {}, []
    for path, values in stream.topic['texts'].items():
        if len(values) == 1 and values[0]:
            constants[path] = values[0]
        elif len(values) > 1:
            seen = ', '.join(repr(value) for value in values)
            lines += comment(f'{path} was {seen} in the bag; a policy sends it empty', '    # ',
                             '    #   ')
    if constants:
        lines.append(yaml_line('    set:', 'what never changed in the bag'))
        lines += [f'      {path}: {scalar(value)}' for path, value in constants.items()]
    return lines


def _pair(indent: str, bounds) -> list[str]:
    lows, highs = ([number(pair[side]) for pair in bounds] for side in (0, 1))
    return [*number_list(f'{indent}low: ', lows), *number_list(f'{indent}high: ', highs)]


def _controls(kinds: list[str]) -> list[str]:
    if all(kinds):
        return []
    return [yaml_line('    # controls: ', f'TODO {", ".join(KINDS)}: nothing here says it, and a '
                      'position must never leap; then also measured')]


def _measured(stream: StreamDraft, choice: Choice) -> list[str]:
    """Return the names of the observed positions of a command's joints; empty: not all are."""
    for other in choice.live(choice.observations):
        if 'position' in other.fields and set(stream.joints) <= set(other.joints):
            name = other.name.lstrip('/') if choice.relative else other.name
            return [f'{name} position[{joint}]' for joint in stream.joints] * len(stream.fields)
    return []


def _limit(bounds, kinds, said) -> list[str]:
    """Return the absolute limits: what was seen, inside what the URDF allows."""
    limits, narrowed = [], False
    for (low, high), kind, joint in zip(bounds, kinds, said):
        lower, upper = _allowed(kind, joint)
        inside = max(low, lower), min(high, upper)
        narrowed = narrowed or inside != (low, high)
        limits.append(inside if inside[0] <= inside[1] else (low, high))
    lines = _pair('        ', limits)
    return lines + ([yaml_line('        # limit', "inside the URDF's")] if narrowed else [])


def _allowed(kind: str, joint: JointLimits | None) -> tuple[float, float]:
    if joint is None:
        return -math.inf, math.inf
    most = {VELOCITY: joint.velocity, EFFORT: joint.effort}
    return (joint.lower, joint.upper) if kind == POSITION else (
        -most.get(kind, math.inf), most.get(kind, math.inf))


def _rate(kinds, said) -> list[str]:
    """Return the line of max_rate: of a position the joint's velocity, where a URDF says it."""
    rates = [joint.velocity if joint else math.inf for joint in said]
    if all(kind == POSITION for kind in kinds) and all(map(math.isfinite, rates)):
        return [*number_list('      max_rate: ', map(number, rates)),
                yaml_line('', '[unit/s] the velocities of the URDF; TODO less for first drives')]
    return [yaml_line('      max_rate: none', '[unit/s] or a list; TODO for a real robot')]


def _stop(bounds, kinds, measured: bool, mean: bool) -> list[str]:
    """Return the line of the stop: hold, zero, or what comes nearest to zero of what was seen."""
    if POSITION in kinds and measured:
        return [yaml_line('      stop: hold', 'where it is measured at that moment')]
    if POSITION not in kinds and all(low <= 0 <= high for low, high in bounds):
        return [yaml_line('      stop: zero', 'TODO check: right for velocities' if mean else
                          'TODO check: zero may be no safe place for positions or thrust')]
    nearest = [number(min(max(0.0, low), high)) for low, high in bounds]
    why = 'zero was never commanded, this is the nearest to it'
    if POSITION in kinds:
        why = 'where should it go? No stream of the bag measures it, so it cannot hold'
    return [*number_list('      stop: ', nearest), yaml_line('', f'TODO check: {why}')]
