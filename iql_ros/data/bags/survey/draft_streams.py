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

"""Which fields of a surveyed topic make a stream of a robot YAML, and which are left out, why."""

import dataclasses
import math
import re

from iql_ros.data.bags.survey.field_ranges import usual_range
from iql_ros.data.bags.survey.remarks import hardly_moving, still_joints
from iql_ros.robot.field_paths import parse_field

_FEW = 10            # messages; of fewer nothing can be said
_ROUNDING = 1e-15, 1e-9   # relative and absolute: what changes by less is a constant, computed
_TURNS = 4 * math.pi  # [rad] of a joint's range, from which it is no arm's
_PLANAR = 0.1        # |x| and |y| of a quaternion, up to which yaw says all of an orientation
_UNIT = 0.01         # by which the norm of a rotation may be off
_BEAMS = 16
_BYTES = 32          # of an array, from which it is an image or the like
_OF_SINES = (-1.0, 1.0)   # the range of sines, cosines, and what a rotation matrix holds
_SIZE = 256          # the longest array that is offered as a stream
_INTERNAL = re.compile(r'(rcl_interfaces|rosgraph_msgs|diagnostic_msgs|tf2_msgs|action_msgs|'
                       r'lifecycle_msgs|bond|service_msgs|statistics_msgs|dynamic_reconfigure|'
                       r'visualization_msgs|rosbag2_interfaces)/msg/|_Event$')
_VELOCITY = re.compile(r'(^|\.)(linear|angular|velocity|velocities|speed|steering_angle_velocity)')


@dataclasses.dataclass
class StreamDraft:
    """One stream of a robot YAML in the making."""

    topic: dict                      # its entry in the survey
    fields: list[str] = dataclasses.field(default_factory=list)
    joints: list[str] = dataclasses.field(default_factory=list)
    size: int = 0
    beams: int = 0
    ranges: list[tuple[float, float]] = dataclasses.field(default_factory=list)  # of each value
    left_out: list[str] = dataclasses.field(default_factory=list)   # reasons, with names
    warnings: list[str] = dataclasses.field(default_factory=list)
    doubt: str = ''                  # why it is commented out
    last_resort: bool = False        # taken after all where there is nothing better
    executed: str = ''               # topic of its gated twin

    @property
    def widths(self) -> list[int]:
        """Return how many values every field gives."""
        array = len(self.joints) or self.size or self.beams
        return [parse_field(field).width(array) for field in self.fields]

    @property
    def name(self) -> str:
        """Return the topic's name in the bag."""
        return self.topic['name']

    @property
    def rule(self) -> str:
        """Return how several commands in one tick make one: mean of velocities, else last."""
        return 'mean' if all(_VELOCITY.search(field) for field in self.fields) else 'last'

    def quantity(self) -> frozenset:
        """Return what it is about: the ends of its fields, so that stamped twins are equal."""
        return frozenset('.'.join(field.split('.')[-2:]) for field in self.fields)


def draft_stream(topic: dict, command: bool) -> StreamDraft | str:
    """Return the stream of a topic, or why there is none."""
    if topic['error']:
        return topic['error'].rpartition(f"topic '{topic['name']}': ")[2]
    if _INTERNAL.search(topic['type']):
        return 'of the middleware or for people to look at'
    if topic['messages'] < _FEW:
        return f'fewer than {_FEW} messages'
    if any(field.get('dtype') in ('uint8', 'int8') and field['length'][1] > _BYTES
           for field in topic['fields']):
        return 'an image, a cloud or a map: not a vector'
    draft = StreamDraft(topic)
    fields = {field['name']: field for field in topic['fields']}
    if topic['type'].endswith('/LaserScan') and 'ranges' in fields:
        _take_scan(draft, fields)
    elif topic['joints']:
        _take_joints(draft, fields)
    else:
        _take_numbers(draft, fields, command)
    if draft.fields:
        return draft
    return '; '.join(draft.left_out) or 'no numbers that a vector can hold'


def _take_scan(draft: StreamDraft, fields: dict) -> None:
    ranges, limit = fields['ranges'], fields.get('range_max', {}).get('maximum') or 0.0
    nan = ranges['nan'] - ranges['infinite']
    if ranges['minimum'] is None or ranges['length'][0] < 1:
        draft.left_out.append('ranges never finite')
        return
    draft.fields, draft.beams = ['ranges'], min(_BEAMS, ranges['length'][0])
    draft.ranges = [(ranges['minimum'], max(ranges['maximum'], limit))]
    if nan > 0:
        draft.doubt = f'{nan:.1%} of its readings are NaN'


def _take_joints(draft: StreamDraft, fields: dict) -> None:
    still, kept = set(still_joints(draft.topic)), []
    paths = list(dict.fromkeys(name.partition('[')[0] for name in fields if '[' in name))
    counts = {joint: max((fields[f'{path}[{joint}]']['count'] for path in paths
                          if f'{path}[{joint}]' in fields), default=0)
              for joint in draft.topic['joints']}
    most = max(counts.values(), default=0)
    for joint in draft.topic['joints']:
        entries = [fields[f'{path}[{joint}]'] for path in paths if f'{path}[{joint}]' in fields]
        if joint in still or all(_is_constant(entry) for entry in entries):
            where = fields.get(f'position[{joint}]', {}).get('minimum')
            draft.left_out.append(f'joint {joint} never moves'
                                  + (f' (position {where:.4g})' if where is not None else ''))
        elif counts[joint] < most:
            draft.left_out.append(f'joint {joint} is in {counts[joint]} messages of {most}')
        else:
            kept.append(joint)
    if draft.topic['joint_lists'] > 1:
        draft.warnings.append('its joint list changes; messages that lack one of these joints '
                              'need: convert --allow partial-joints')
    if not kept:
        return
    draft.joints = kept
    hardly = [joint for joint in hardly_moving(draft.topic) if joint in kept]
    if hardly:
        draft.warnings.append(f'hardly moved; leave out what is noise: {", ".join(hardly)}')
    for path in paths:
        entries = [fields.get(f'{path}[{joint}]') for joint in kept]
        if any(entry is None for entry in entries):
            draft.left_out.append(f'{path} does not have every joint')
        elif all(_is_constant(entry) for entry in entries):
            draft.left_out.append(f'{path} is constant for these joints')
        elif max(entry['nan'] for entry in entries) > 0:
            draft.left_out.append(f'{path} is not always finite')
        else:
            draft.fields.append(path)
            draft.ranges += [usual_range(entry) for entry in entries]
            if path == 'position' and any(high - low > _TURNS for low, high in draft.ranges):
                draft.warnings.append('a position that turns on and on (a wheel?) leaves the '
                                      'range seen here as the robot drives on')
    draft.left_out += [f'{path} always empty' for path in draft.topic['empty']]


def _take_numbers(draft: StreamDraft, fields: dict, command: bool) -> None:
    scalars = {name: entry for name, entry in fields.items()
               if '[' not in name and 'length' not in entry}
    _drop_orientations(draft, scalars, command)
    constants = []
    for name, entry in scalars.items():
        pair = scalars.get(_other_half(name), entry)
        if entry['minimum'] is None:
            draft.left_out.append(f'{name} is never finite')
        elif entry['nan']:
            draft.left_out.append(f"{name} is not finite in {entry['nan']:.1%}")
        elif _is_constant(entry) and _is_constant(pair):
            constants.append(f"{name} = {entry['minimum']:.4g}")
        elif entry.get('wraps'):
            draft.fields += [f'sin({name})', f'cos({name})']
            draft.ranges += [_OF_SINES] * 2
        else:
            draft.fields.append(name)
            draft.ranges.append(usual_range(entry))
    if constants:
        draft.left_out.append('constant: ' + ', '.join(constants))
        moved = [text for text in constants if not text.endswith((' = 0', ' = -0'))]
        if command and moved:
            draft.warnings.append("the policy's messages will hold 0 there, unless 'set' says "
                                  f'otherwise, of the stop, too: {", ".join(moved)}')
    _take_arrays(draft, fields)


def _drop_orientations(draft: StreamDraft, scalars: dict, command: bool) -> None:
    """Keep of every orientation its yaw, six numbers, or its components if it is none."""
    for path, (low, high) in draft.topic['norms'].items():
        parts = [f'{path}.{name}' for name in 'xyzw']
        yaws = [f'yaw_cos({path})', f'yaw_sin({path})']
        tilts = [scalars[name] for name in parts[:2]]
        unit = low is not None and abs(low - 1) < _UNIT and abs(high - 1) < _UNIT
        planar = all(_is_constant(entry) if command else (
            entry['minimum'] is not None
            and max(abs(entry['minimum']), abs(entry['maximum'])) <= _PLANAR) for entry in tilts)
        if unit and not planar:
            draft.fields.append(f'rotation_6d({path})')
            draft.ranges += [_OF_SINES] * 6
        for name in [*(parts if unit else ()), *(() if unit and planar else yaws)]:
            scalars.pop(name, None)


def _other_half(name: str) -> str:
    return name.replace('yaw_cos', 'yaw_sin') if name.startswith('yaw_cos') else name.replace(
        'yaw_sin', 'yaw_cos')


def _take_arrays(draft: StreamDraft, fields: dict) -> None:
    """Take the arrays: whole, where all are of one size and there are no single numbers."""
    arrays, taken = {}, {}
    for name, entry in fields.items():
        if '[' in name or 'length' in entry:
            arrays.setdefault(name.partition('[')[0], []).append(entry)
    for path, entries in arrays.items():
        size, problem = _array_size(entries)
        if problem:
            draft.left_out.append(f'{path}: {problem}')
            continue
        taken[path] = size
        draft.ranges += [usual_range(entry) for entry in entries] * (
            size // len(entries))
    if len(set(taken.values())) == 1 and not draft.fields:
        draft.fields, draft.size = list(taken), next(iter(taken.values()))
    else:
        draft.fields += [f'{path}[0:{size}]' if size > 1 else f'{path}[0]'
                         for path, size in taken.items()]


def _array_size(entries: list[dict]) -> tuple[int, str | None]:
    """Return how long an array always is, or what is wrong with it as part of a vector."""
    first, size = entries[0], len(entries)
    if 'length' in first:
        size = first['length'][1]
        if first['length'][0] != size:
            return 0, f"its length changes ({first['length'][0]} to {size})"
        if size > _SIZE or first['dtype'] in ('uint8', 'int8', 'bool'):
            return 0, f'an array of {size} {first["dtype"]}, not a vector'
    elif len({entry['count'] for entry in entries}) > 1:
        return 0, 'its length changes'
    if all(_is_constant(entry) for entry in entries):
        return 0, 'constant'
    if any(entry['nan'] for entry in entries):
        return 0, 'not always finite'
    return size, None


def _is_constant(entry: dict) -> bool:
    if entry['constant']:
        return True
    if entry['minimum'] is None or entry['nan']:
        return False
    largest = max(abs(entry['minimum']), abs(entry['maximum']))
    least = max(_ROUNDING[0] * largest, _ROUNDING[1])
    return 'length' not in entry and entry['maximum'] - entry['minimum'] <= least


def outwards(low: float, high: float) -> tuple[float, float]:
    """Round a range outwards to two digits of its larger end; low < high in any case."""
    largest = max(abs(low), abs(high))
    digits = 1 - math.floor(math.log10(largest)) if largest > 0 else 1
    step = 10.0 ** -digits
    low, high = (round(rounding(value / step + nudge) * step, max(digits, 0)) for
                 rounding, value, nudge in ((math.floor, low, 1e-6), (math.ceil, high, -1e-6)))
    return (low, high) if low < high else (low, high + step)
