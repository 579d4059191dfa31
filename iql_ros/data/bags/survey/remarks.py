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

"""What is suspicious about a bag, in words with figures, from its survey."""

import re

from iql_ros.data.bags.statistics import GAPS_KEPT
from iql_ros.data.oddities import flips_in_words, in_words, Oddity

_SHORT = 10          # messages; of fewer nothing is said about their times
_CLOCK = 1.0         # [s] by which the clocks of two computers may differ
_SIMULATED = 1e9     # [s] a clock that counts from less is no wall clock (9 September 2001)
_JITTER = 0.5        # [periods] from which a stream is called irregular
_NAMES = 6           # that are listed before "and n more"
_HARDLY = 5e-3       # [rad or m] of a joint's position: below may be the noise of an encoder
_ROUNDING = 1e-9     # [rad or m] in which a joint that stands is not told from one that moves
_STATES = ('/Odometry', '/Imu', '/Pose', '/PoseStamped', '/PoseWithCovarianceStamped',
           '/TransformStamped', '/TFMessage')
_WORDS = {'cmd', 'command', 'commands', 'control', 'controll', 'controls', 'goal', 'setpoint',
          'setpoints', 'target', 'targets', 'trajectory'}
_ANSWERS = {'status', 'state', 'states', 'feedback', 'result', 'response', 'event', 'measured'}
_COMMAND_TYPE = re.compile(r'(Commands?|Cmd|Controls?|Setpoint|AckermannDrive|JointTrajectory)'
                           r'(Stamped)?$')


def is_command(topic: dict) -> bool:
    """Say whether a topic of a survey is a command, by its name and type."""
    parts = topic['name'].lower().strip('/').split('/')
    last = set(re.split(r'[^a-z]+', parts[-1]))
    if last & _ANSWERS:
        return False
    return bool(last & _WORDS or _WORDS & set(parts[:-1]) - {'control', 'controls'}
                or _COMMAND_TYPE.search(topic['type']))


def still_joints(topic: dict) -> list[str]:
    """Return the joints of a topic whose position never changed."""
    return [joint for joint, span in _spans(topic).items() if span <= _ROUNDING]


def hardly_moving(topic: dict) -> dict[str, float]:
    """Return the joints of a topic that moved by so little that it may be noise: by how much."""
    return {joint: span for joint, span in _spans(topic).items() if _ROUNDING < span < _HARDLY}


def _spans(topic: dict) -> dict[str, float]:
    spans = {field['name']: field['maximum'] - field['minimum'] for field in topic['fields']
             if field['minimum'] is not None}
    return {joint: spans[f'position[{joint}]'] for joint in topic['joints']
            if f'position[{joint}]' in spans}


def header_trouble(topic: dict) -> str | None:
    """Return why the header stamps of a topic cannot place its messages in time, or None."""
    header = topic['header']
    if header is None:
        return 'its type is not known' if topic['error'] else 'it has no header'
    if _unset(topic):
        return f"{_of(header['unset'], topic['messages'])} header stamps are zero"
    if header['constant']:
        return 'every header stamp is the same'
    if not header['rate']:
        return 'most header stamps are equal to the one before'
    if header['jumps']:
        return f'its header clock jumps by {header["jumps"][0][1]:+.6g} s'
    return None


def _unset(topic: dict) -> bool:
    """Say whether stamps of zero are unset, and not the beginning of a simulation."""
    return topic['header']['unset'] > (topic['first'] < _CLOCK)


def remarks(survey: dict) -> list[str]:
    """Return what is suspicious about a bag, the bag first, then topic by topic."""
    if not survey['messages']:
        return ['the bag has no message']
    topics = [topic for topic in survey['topics'] if topic['messages']]
    silent = [topic['name'] for topic in survey['topics'] if not topic['messages']]
    texts = [f'no message on {_listed(silent)}'] if silent else []
    if not any(is_command(topic) for topic in topics):
        texts.append('no topic looks like a command (cmd_vel, command, goal, setpoint ...): what '
                     'the robot was told to do is not in the bag')
    elif not any(topic['joints'] or topic['type'].endswith(_STATES) for topic in topics):
        texts.append('no topic says where the robot is or how it moves (odometry, joint states, '
                     'pose, imu)')
    texts += _clocks(topics)
    for topic in topics:
        texts += [f"'{topic['name']}': {text}" for text in (
            *_content(topic), *_times(topic, survey))]
    return texts


def _listed(names) -> str:
    names = list(names)
    more = f' and {len(names) - _NAMES} more' if len(names) > _NAMES else ''
    return ', '.join(names[:_NAMES]) + more


def _of(count: int, total: int) -> str:
    return f'all {total}' if count == total else f'{count} of {total}'


def _clocks(topics: list[dict]) -> list[str]:
    """Say which streams are stamped by which clock, where there is more than one."""
    groups = []                      # [offset, names]
    for topic in topics:
        if topic['header'] and topic['offset'] and not header_trouble(topic):
            offset = topic['offset']['median']
            group = next((group for group in groups if abs(group[0] - offset) <= _CLOCK), None)
            if group is None:
                groups.append(group := [offset, []])
            group[1].append(topic)
    texts = []
    for offset, members in groups:
        if abs(offset) > _CLOCK:
            names, first = _listed(topic['name'] for topic in members), members[0]
            texts.append(f'header stamps of {names}: {_clock(first, offset)}')
    bare = [topic['name'] for topic in topics if is_command(topic) and topic['header'] is None
            and not topic['error']]
    if bare and any(abs(offset) > _CLOCK for offset, _ in groups):
        texts.append(f'{_listed(bare)} {"has" if len(bare) == 1 else "have"} no header: only the '
                     'receive time puts commands and observations on one clock (stamp: receive)')
    if len(groups) > 1:
        texts.append('the headers are on different clocks: '
                     + '; '.join(_listed(topic['name'] for topic in members)
                                 for _, members in groups))
    return texts


def _clock(topic: dict, offset: float) -> str:
    first, last = topic['header']['first'], topic['header']['last']
    if first < _SIMULATED < topic['first']:
        span = topic['last'] - topic['first']
        speed = (last - first) / span if span else 1.0
        pace = f', running at {speed:.3f} of the wall clock' if abs(speed - 1) > 2e-3 else ''
        return (f'simulated time ({first:.1f} s to {last:.1f} s), while they were received at '
                f'wall time{pace}')
    return f'{abs(offset):.6g} s {"before" if offset > 0 else "after"} the receive time'


def _content(topic: dict):
    if topic['error']:
        yield topic['error'].rpartition(f"topic '{topic['name']}': ")[2]
    lost = [field['name'] for field in topic['fields'] if field['minimum'] is None]
    if lost:
        yield f'never a finite number in {_listed(lost)}'
    some = [field for field in topic['fields']
            if 0 < field['nan'] < 1 and field['nan'] > field.get('infinite', 0)]
    if some:
        worst = max(field['nan'] for field in some)
        yield f"NaN or infinite in up to {worst:.1%}: {_listed(field['name'] for field in some)}"
    if topic['unnamed']:
        yield f"{_of(topic['unnamed'], topic['messages'])} messages have joints without names"
    if topic['joint_lists'] > 1:
        yield (f"its joint list changes ({topic['joint_lists']} different ones): several "
               'publishers?')
    empty = [path for path in topic['empty'] if topic['joints']]
    if empty:
        yield f'{_listed(empty)} always empty'
    still = still_joints(topic)
    if still:
        yield f'never moved: {_listed(still)}'
    hardly = [f'{joint} ({span:.2g})' for joint, span in hardly_moving(topic).items()]
    if hardly:
        yield f'hardly moved, which may be noise: {_listed(hardly)}'
    if is_command(topic) and topic['messages'] > 1 and topic['fields'] and all(
            field['constant'] for field in topic['fields']):
        yield 'the command never changes'
    for path, (low, high) in topic['norms'].items():
        if low is not None and (low < 0.99 or high > 1.01):
            yield f'{path} is no rotation (norm {low:.3g} to {high:.3g})'
    for path, count in topic['flips'].items():
        yield flips_in_words(path, count)
    whole = {field['name']: in_words(field['name'], Oddity(**field['odd']), 'messages')
             for field in topic['fields'] if 'odd' in field
             and field['name'].rpartition('.')[0] not in topic['flips']}
    yield from [text for texts in whole.values() for text in texts][:_NAMES]
    if len(whole) > _NAMES:
        yield f'the same kind of thing in {_listed(list(whole)[_NAMES:])}'


def _times(topic: dict, survey: dict):
    header, count = topic['header'], topic['messages']
    if header:
        if _unset(topic) or header['constant']:
            yield header_trouble(topic)
        if header['backwards'] and not header['constant']:
            yield f"{_of(header['backwards'], count)} header stamps go back"
    if topic['constant']:
        yield f'all {count} messages have one receive time'
    if count < _SHORT:
        return
    if header and not _unset(topic) and not header['constant']:
        for time, by in header['jumps'][:3]:
            yield f"the header's clock jumps by {by:+.6g} s at {time - survey['start']:.1f} s"
    if header and topic['offset'] and -_CLOCK < topic['offset']['median'] < -1e-3:
        yield (f"received before its header's stamp (median {-topic['offset']['median']:.4f} s): "
               'the recorder has another or a coarser clock')
    yield from _gaps(topic, survey)
    margin = max(1.0, 0.02 * (survey['end'] - survey['start']), 2.5 * topic['period'])
    late, early = topic['first'] - survey['start'], survey['end'] - topic['last']
    if late > margin or early > margin:
        yield (f"covers only {late:.1f} s to {topic['last'] - survey['start']:.1f} s of the "
               f"bag's {survey['end'] - survey['start']:.1f} s")
    span = topic['last'] - topic['first'] - sum(length for _, length in topic['gaps'])
    mean = (count - 1) / span if span > 0 else 0.0
    steady = topic['fields'] or topic['error']  # marks of events come when they do
    if steady and topic['bunched']:
        yield (f"comes in bunches: {topic['bunched']:.0%} of its messages right after another, "
               f"every {topic['period']:.3g} s on average")
    elif steady and topic['period'] and (topic['jitter'] > _JITTER * topic['period']
                                         or not 0.8 < mean / topic['rate'] < 1.25):
        yield (f"comes irregularly: every {topic['period']:.3g} s by the median, "
               f"{1 / mean if mean else 0:.3g} s on average, jitter {topic['jitter']:.3g} s")


def _gaps(topic: dict, survey: dict):
    gaps = sorted(topic['gaps'], key=lambda gap: -gap[1])
    if not gaps:
        return
    worst = ', '.join(f"{length:.2f} s at {start - survey['start']:.1f} s"
                      for start, length in gaps[:3])
    what = ('the receive clock jumps, or nothing came' if gaps[0][1] > 86_400 else
            'no message')
    number = f'{len(gaps)} gaps or more' if len(gaps) == GAPS_KEPT else (
        f"{len(gaps)} gap{'s' if len(gaps) > 1 else ''}")
    yield f"{number} ({what} for {worst}{' ...' if len(gaps) > 3 else ''})"
