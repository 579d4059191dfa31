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

"""One stream of messages and the vector that it makes, both ways: decode and encode."""

import array
import dataclasses
import functools
import re

import numpy as np

from iql_ros.files import InputError, shown, unknown_name
from iql_ros.robot import message_fields
from iql_ros.robot.action_scaling import ActionScaling
from iql_ros.robot.gate_settings import (
    check_vector, EFFORT, GateSettings, KINDS, POSITION, VELOCITY)

_STAMPS = ('header', 'receive')
_QOS = ('auto', 'reliable', 'best_effort')
_RULES = ('mean', 'last', 'longest')
RANGE_MAX = 'range_max'
_TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
# What a message's fields control, by type; other types are used for this and that.
_CONTROLS = {
    _TRAJECTORY: {'positions': POSITION, 'velocities': VELOCITY, 'effort': EFFORT},
    'sensor_msgs/msg/JointState': {'position': POSITION, 'velocity': VELOCITY, 'effort': EFFORT}}
_VELOCITIES = ('geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped')
TOPIC_NAME = re.compile(r'/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', re.ASCII)
_MAX_AGE = 1_000_000  # [s]


def kind_of(type_name: str, field: str) -> str:
    """Return what a field of a message controls, one of KINDS; '' where that is not said."""
    return VELOCITY if type_name in _VELOCITIES else _CONTROLS.get(type_name, {}).get(field, '')


def _check_topic(where: str, topic: str) -> None:
    if not TOPIC_NAME.fullmatch(topic):
        raise InputError(f'{where}: got {topic!r}; expected a name like robot_pose, of letters, '
                         'digits and _, parts separated by /')


@dataclasses.dataclass(frozen=True)
class Stream:
    """A topic, its type, and the fields that are taken from it, in this order."""

    topic: str                           # under the node's namespace unless it begins with /
    type: str                            # of its messages; allowed: pkg/msg/Name
    # numbers of a message by their paths, in the vector's order; an orientation's heading as
    # yaw_cos(path) and yaw_sin(path)
    fields: tuple[str, ...]
    # [s] of an observation: an older sample counts as none; of an action: how long a command
    # stays in force when no other follows it; allowed: 0 < max_age <= 1000000
    max_age: float
    # whose time a sample has: its header's, or that of its arrival; allowed: header | receive
    stamp: str = 'header'
    # of the subscription; auto hears every publisher; allowed: auto | reliable | best_effort
    qos: str = 'auto'
    # by name, in the vector's order; every field has a value per joint
    joints: tuple[str, ...] = ()
    size: int = 0                        # values of an array field; 0: no array; allowed: >= 0
    beams: int = 0                       # sectors of a LaserScan; 0: no scan; allowed: >= 0
    # what a sector without a reading is (NaN, or nearer than range_min, alone); empty: not known,
    # the message counts as none; range_max: clear, of a sensor that says so; allowed: range_max
    unseen: str = ''
    # that the header must have, as base_link; empty: any
    frame_id: str = ''

    def __post_init__(self):
        where = f"topic '{self.topic}'"
        package, _, name = self.type.partition('/msg/')
        if not (package.isidentifier() and name.isidentifier()):
            raise InputError(f'{where}: type: got {self.type!r}; expected pkg/msg/Name')
        for key, allowed in (('stamp', _STAMPS), ('qos', _QOS)):
            if getattr(self, key) not in allowed:
                raise InputError(f'{where}: {unknown_name(key, getattr(self, key), allowed)}')
        _check_topic('topic', self.topic)
        if not 0 < self.max_age <= _MAX_AGE:
            raise InputError(f'{where}: max_age: got {self.max_age}; allowed: 0 < s <= {_MAX_AGE}')
        if not self.fields:
            raise InputError(f'{where}: fields: got []; expected at least one')
        for key in ('size', 'beams'):
            if getattr(self, key) < 0:
                raise InputError(f'{where}: {key}: got {getattr(self, key)}; allowed: >= 0')
        if self.unseen not in ('', RANGE_MAX) or (self.unseen and not self.beams):
            raise InputError(f'{where}: unseen: got {self.unseen!r}; allowed: {RANGE_MAX}, with '
                             'beams')
        if len(set(self.joints)) < len(self.joints):
            raise InputError(f'{where}: joints: got {list(self.joints)}; expected each once')
        if sum(map(bool, (self.joints, self.size, self.beams))) > 1:
            raise InputError(f"{where}: only one of 'joints', 'size' and 'beams' can be given")
        for field in self.fields:
            message_fields.split_field(field, where)

    @property
    def width(self) -> int:
        """Return how many values one field gives."""
        return len(self.joints) or self.size or self.beams or 1

    @property
    def dim(self) -> int:
        """Return the length of the stream's vector."""
        return len(self.fields) * self.width

    @property
    def max_age_ns(self) -> int:
        """Return max_age [ns]."""
        return round(self.max_age * 1e9)

    @property
    def value_names(self) -> list[str]:
        """Return a name for every value, field by field."""
        parts = self.joints or ([str(index) for index in range(self.width)]
                                if self.width > 1 else ('',))
        return [f'{self.topic} {field}' + (f'[{part}]' if part else '')
                for field in self.fields for part in parts]

    def contract(self) -> dict:
        """Return what gives the vector its meaning."""
        said = {'fields': list(self.fields), 'joints': list(self.joints),
                'size': self.size, 'beams': self.beams}
        return {**said, 'unseen': self.unseen} if self.unseen else said

    def decode(self, message, recorded: bool = False) -> np.ndarray:
        """
        Return the vector (dim,) float64 of a message.

        Args:
            message: Of the stream's type.
            recorded: It is of a bag: a quaternion that is none does not end the reading of the
                others, it gives NaN, and what is not finite is looked for and counted there.

        Raises:
            UnseenError: for a scan with a sector that has no reading: no sample.
            EmptyTrajectoryError: for a trajectory without points, which ends a command.
            InputError: naming the topic and the field, joint or size that does not fit.

        """
        self._check_frame(message)
        try:
            if self.width == 1 and not (self.joints or self.size or self.beams):
                read = (message_fields.read_recorded_scalar if recorded
                        else message_fields.read_scalar)
                return np.array([read(message, function, path)
                                 for function, path in self._split_fields])
            parts = [self._read(message, path) for _, path in self._split_fields]
        except InputError as error:
            raise type(error)(f"topic '{self.topic}' ({self.type}): {error}") from None
        except (AttributeError, TypeError, ValueError):  # a field of another kind than was said
            raise InputError(f"topic '{self.topic}' ({self.type}): fields {list(self.fields)} are "
                             'of another kind; expected numbers, arrays of them with joints or '
                             'size, scans with beams, orientations in yaw_...()') from None
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _check_frame(self, message) -> None:
        if not self.frame_id:
            return
        header = getattr(message, 'header', None)
        found = '' if header is None else header.frame_id
        if found.lstrip('/') != self.frame_id.lstrip('/'):
            raise InputError(f"topic '{self.topic}' ({self.type}): frame_id is {shown(found)}; "
                             f"expected '{self.frame_id}'")

    @functools.cached_property
    def _split_fields(self) -> list[tuple[str | None, str]]:
        return [message_fields.split_field(field, self.topic) for field in self.fields]

    def _read(self, message, path: str) -> np.ndarray:
        if self.joints:
            return message_fields.read_joints(message, path, self.joints)
        if self.size:
            return message_fields.read_array(message, path, self.size)
        return message_fields.read_beams(message, path, self.beams, bool(self.unseen))

    def check_invertible(self) -> None:
        """
        Refuse a field that encode cannot write (scan sectors, half of a yaw).

        Raises:
            InputError: naming the field.

        """
        if self.beams:
            raise InputError(f"topic '{self.topic}': field '{self.fields[0]}' with beams cannot "
                             'be turned back into a message')
        yaws = [message_fields.split_field(field, self.topic) for field in self.fields]
        for function, path in yaws:
            other = {'yaw_cos': 'yaw_sin', 'yaw_sin': 'yaw_cos'}.get(function)
            if other and (other, path) not in yaws:
                raise InputError(f"topic '{self.topic}': field '{function}({path})' cannot be "
                                 f"turned back into a message without '{other}({path})'")

    def encode(self, vector, time_ns: int, make_message):
        """
        Return the message of a vector (dim,); inverse of decode.

        `make_message(type)` returns an empty message, so that no message package is needed
        here. A stream with `stamp: header` is stamped `time_ns`.
        """
        message = make_message(self.type)
        if self.stamp == 'header':
            message_fields.set_stamp(message, time_ns)
        if self.frame_id:
            message.header.frame_id = self.frame_id
        values = np.asarray(vector, dtype=np.float64).reshape(len(self.fields), self.width)
        if self.joints:
            self._encode_joints(message, values, make_message)
        elif self.size:
            for field, row in zip(self.fields, values):
                *parents, name = field.split('.')
                owner = message_fields.follow(message, '.'.join(parents)) if parents else message
                setattr(owner, name, _like(getattr(owner, name), row))
        else:
            self._encode_scalars(message, values[:, 0])
        return message

    def _encode_scalars(self, message, values) -> None:
        functions = [message_fields.split_field(field, self.topic) for field in self.fields]
        by_field = dict(zip(functions, values.tolist()))
        for (function, path), value in by_field.items():
            if function is None:
                message_fields.assign(message, path, value)
            elif function == 'yaw_cos':
                message_fields.write_yaw(message, path, value, by_field['yaw_sin', path])

    def _encode_joints(self, message, values, make_message) -> None:
        target = message
        if self.type == _TRAJECTORY:
            target = make_message('trajectory_msgs/msg/JointTrajectoryPoint')
            message.joint_names, message.points = list(self.joints), [target]
        else:
            message.name = list(self.joints)
        for field, row in zip(self.fields, values):
            setattr(target, field, _like(getattr(target, field), row))


def _like(current, row: np.ndarray):
    """Return the row in the type that stands in the message; array.array is the quick path."""
    if isinstance(current, array.array):
        return array.array(current.typecode, row.tolist())
    return row.astype(current.dtype) if isinstance(current, np.ndarray) else row.tolist()


@dataclasses.dataclass(frozen=True)
class Observation(Stream):
    """A stream that the policy sees."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Action(Stream):
    """A stream that the policy commands."""

    low: tuple[float, ...]               # what -1 of the policy means, per value; below high
    high: tuple[float, ...]              # what +1 of the policy means, per value
    # what several commands within one tick count as; allowed: mean | last | longest
    rule: str
    gate: GateSettings                   # what may be sent
    time_from_start: float = 0.0         # [s] of a JointTrajectory's point; allowed: >= 0
    # topic of what the robot executed; where a recording has it, it is what is learned from
    executed: str = ''
    # what the values do; default: what the type says (JointState, JointTrajectory, Twist);
    # allowed: position | velocity | effort
    controls: str = ''
    # names of the observed values, as `inspect` prints them, that measure these, in their order:
    # of a joint that is driven by velocity or effort its position
    measured: tuple[str, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        where = f"action '{self.topic}'"
        if self.rule not in _RULES:
            raise InputError(f'{where}: {unknown_name("rule", self.rule, _RULES)}')
        check_vector(self.low, self.dim, f'{where}: low')
        check_vector(self.high, self.dim, f'{where}: high')
        if self.executed:
            _check_topic(f'{where}: executed', self.executed)
        if self.time_from_start < 0:
            raise InputError(f'{where}: time_from_start: got {self.time_from_start}; allowed: '
                             '>= 0 s')
        self.check_invertible()
        ActionScaling(self.low, self.high)  # refuses low >= high
        if self.controls and self.controls not in KINDS:
            raise InputError(f'{where}: {unknown_name("controls", self.controls, KINDS)}')
        if self.measured and len(self.measured) != self.dim:
            raise InputError(f'{where}: measured: got {len(self.measured)} names; expected '
                             f'{self.dim}, one a value')
        self.gate.check(self.kinds, self.low, self.high, bool(self.measured), where)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what every value controls, of KINDS; '' where nobody says."""
        each = [self.controls or kind_of(self.type, field) for field in self.fields]
        return tuple(kind for kind in each for _ in range(self.width))

    def contract(self) -> dict:
        """Return what gives the vector its meaning, with what -1 and +1 stand for."""
        return {**super().contract(), 'low': list(self.low), 'high': list(self.high)}

    def _encode_joints(self, message, values, make_message) -> None:
        super()._encode_joints(message, values, make_message)
        if self.type == _TRAJECTORY:
            duration = message.points[0].time_from_start
            duration.sec, duration.nanosec = divmod(round(self.time_from_start * 1e9), 10 ** 9)
