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

import dataclasses
import functools
import re

import numpy as np

from iql_ros.files import InputError, shown, unknown_name
from iql_ros.robot import field_paths, message_fields, message_writing
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
MAX_AGE = 1_000_000  # [s]
_HIGHEST_RATE = 1000  # [Hz]
_LONGEST_HISTORY = 100  # [ticks]


def kind_of(type_name: str, field: str) -> str:
    """Return what a field of a message controls, one of KINDS; '' where that is not said."""
    return VELOCITY if type_name in _VELOCITIES else _CONTROLS.get(type_name, {}).get(field, '')


def _check_topic(where: str, topic: str) -> None:
    if not TOPIC_NAME.fullmatch(topic):
        raise InputError(f'{where}: got {topic!r}; expected a name like robot_pose, of letters, '
                         'digits and _, parts separated by /')


def _check_type(where: str, type_name: str) -> None:
    package, _, name = type_name.partition('/msg/')
    if not (package.isidentifier() and name.isidentifier()):
        raise InputError(f'{where}: type: got {type_name!r}; expected pkg/msg/Name')


@dataclasses.dataclass(frozen=True)
class Stream:
    """A topic, its type, and the fields that are taken from it, in this order."""

    topic: str                           # under the node's namespace unless it begins with /
    type: str                            # of its messages; allowed: pkg/msg/Name
    # numbers of a message by their paths, in the vector's order; elements and slices of arrays as
    # data[0] and data[0:3]; sin and cos of angles; of orientations yaw_cos, yaw_sin, roll, pitch,
    # yaw, rotation_6d, projected_gravity and hemisphere, as in yaw_cos(pose.orientation)
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
    # values of every field that is an array, whole; 0: none is; allowed: >= 0
    size: int = 0
    beams: int = 0                       # sectors of a LaserScan; 0: no scan; allowed: >= 0
    # what a sector without a reading is (NaN, or nearer than range_min, alone); empty: not known,
    # the message counts as none; range_max: clear, of a sensor that says so; allowed: range_max
    unseen: str = ''
    # that the header must have, as base_link; empty: any
    frame_id: str = ''

    def __post_init__(self):
        where = f"topic '{self.topic}'"
        _check_type(where, self.type)
        for key, allowed in (('stamp', _STAMPS), ('qos', _QOS)):
            if isinstance(getattr(self, key), str) and getattr(self, key) not in allowed:
                raise InputError(f'{where}: {unknown_name(key, getattr(self, key), allowed)}')
        _check_topic('topic', self.topic)
        if not 0 < self.max_age <= MAX_AGE:
            raise InputError(f'{where}: max_age: got {self.max_age}; allowed: 0 < s <= {MAX_AGE}')
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
        try:
            field_paths.check_fields(self.parsed, bool(self.joints), bool(self.beams))
        except InputError as error:
            raise InputError(f'{where}: {error}') from None
        if self.type in _CONTROLS and any(field.first is not None for field in self.parsed):
            raise InputError(f"{where}: field '{self.fields[0]}': a {self.type} has its values by "
                             "name, in any order; expected 'joints'")

    @functools.cached_property
    def parsed(self) -> tuple[field_paths.Field, ...]:
        """Return `fields`, read."""
        return tuple(map(field_paths.parse_field, self.fields))

    @functools.cached_property
    def _array(self) -> int:
        return len(self.joints) or self.size or self.beams

    @functools.cached_property
    def widths(self) -> list[int]:
        """Return how many values every field gives."""
        return [field.width(self._array) for field in self.parsed]

    @functools.cached_property
    def dim(self) -> int:
        """Return the length of the stream's vector."""
        return sum(self.widths)

    @property
    def max_age_ns(self) -> int:
        """Return max_age [ns]."""
        return round(self.max_age * 1e9)

    @property
    def value_names(self) -> list[str]:
        """Return a name for every value, field by field."""
        parts = self.joints or (range(self._array) if self._array > 1 else ())
        return [f'{self.topic} {name}' for field in self.parsed for name in field.names(parts)]

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
            if self._scalars:
                read = (message_fields.read_recorded_scalar if recorded
                        else message_fields.read_scalar)
                return np.array([read(message, function, path)
                                 for function, path in self._scalars])
            parts = [self._read(message, field, recorded) for field in self.parsed]
        except InputError as error:
            raise type(error)(f"topic '{self.topic}' ({self.type}): {error}") from None
        except (AttributeError, TypeError, ValueError):  # a field of another kind than was said
            raise InputError(f"topic '{self.topic}' ({self.type}): fields {list(self.fields)} are "
                             'of another kind; expected numbers, arrays of them with joints or '
                             'size, or [0], scans with beams, orientations in '
                             'yaw_cos() or the like') from None
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
    def _scalars(self) -> list[tuple[str | None, str]]:
        """Return function and path of every field, where each is one number: the quick way."""
        single = not self._array and self.dim == len(self.fields) and all(
            field.first is None and field.function not in field_paths.ANGLES
            for field in self.parsed)
        return [(field.function, field.path) for field in self.parsed] if single else []

    def _read(self, message, field: field_paths.Field, recorded: bool) -> np.ndarray:
        if field.turns:
            return message_fields.read_rotation(message, field.function, field.path, recorded)
        values = self._read_numbers(message, field)
        if field.function is None:
            return values
        with np.errstate(invalid='ignore'):   # of infinity: the finite check will find NaN
            return np.sin(values) if field.function == 'sin' else np.cos(values)

    def _read_numbers(self, message, field: field_paths.Field) -> np.ndarray:
        path = field.path
        if field.last is not None:
            return message_fields.read_slice(message, path, field.first, field.last)
        if field.first is not None:
            return message_fields.read_slice(message, path, field.first, field.first + 1)
        if self.joints:
            return message_fields.read_joints(message, path, self.joints)
        if self.size:
            return message_fields.read_array(message, path, self.size)
        if self.beams:
            return message_fields.read_beams(message, path, self.beams, bool(self.unseen))
        return np.array([message_fields.read_scalar(message, None, path)])

    def check_invertible(self) -> None:
        """
        Refuse a field that encode cannot write (scan sectors, a sine without its cosine).

        Raises:
            InputError: naming the field.

        """
        if self.beams:
            raise InputError(f"topic '{self.topic}': field '{self.fields[0]}' with beams cannot "
                             'be turned back into a message')
        try:
            field_paths.check_invertible(self.parsed)
        except InputError as error:
            raise InputError(f"topic '{self.topic}': {error}") from None

    def encode(self, vector, time_ns: int, make_message, message=None):
        """
        Return the message of a vector (dim,); inverse of decode.

        `message` is one that another stream of the topic has begun.

        `make_message(type)` returns an empty message, so that no message package is needed
        here. A stream with `stamp: header` is stamped `time_ns`.
        """
        message = make_message(self.type) if message is None else message
        if self.stamp == 'header':
            message_writing.set_stamp(message, time_ns)
        if self.frame_id:
            message_writing.write_constants(message, {'header.frame_id': self.frame_id})
        self._with_constants(message, time_ns)
        target = self._with_joints(message, make_message) if self.joints else message
        values = np.split(np.asarray(vector, dtype=np.float64), self._ends)
        message_writing.write_fields(target, self.parsed, values, bool(self._array))
        return message

    def _with_constants(self, message, time_ns: int) -> None:
        """Write what does not come from the vector."""

    @functools.cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum(self.widths)[:-1]

    def _with_joints(self, message, make_message):
        """Name the joints in a message; return what has their values."""
        target = message
        if self.type == _TRAJECTORY:
            target = make_message('trajectory_msgs/msg/JointTrajectoryPoint')
            message.joint_names, message.points = list(self.joints), [target]
        else:
            message.name = list(self.joints)
        return target


def _check_history(history: int, where: str) -> None:
    if not 1 <= history <= _LONGEST_HISTORY:
        raise InputError(f'{where}: history: got {history}; allowed: 1 to {_LONGEST_HISTORY}')


@dataclasses.dataclass(frozen=True)
class Observation(Stream):
    """A stream that the policy sees."""

    # at how many ticks, this one first, its values are seen; before an episode's start they count
    # as the first ones; allowed: 1 to 100
    history: int = 1
    # what an episode is about: taken once, at its start, however old, and heard of publishers that
    # keep their last message (transient local); without max_age
    goal: bool = False

    def __post_init__(self):
        super().__post_init__()
        _check_history(self.history, f"topic '{self.topic}'")
        if self.goal and self.history > 1:
            raise InputError(f"topic '{self.topic}': history: got {self.history}; a goal is the "
                             'same at every tick: 1')

    def contract(self) -> dict:
        """Return what gives the vector its meaning."""
        said = super().contract()
        said = {**said, 'history': self.history} if self.history > 1 else said
        return {**said, 'goal': True} if self.goal else said


@dataclasses.dataclass(frozen=True)
class Previous:
    """What was sent before, as a part of the observation."""

    # the command that was in force since the tick before, after the gate, an operator's too; at
    # an episode's start the stop; allowed: action
    previous: str
    history: int = 1     # of how many ticks, the last one first; allowed: 1 to 100

    def __post_init__(self):
        if self.previous != 'action':
            raise unknown_name('previous', self.previous, ('action',))
        _check_history(self.history, 'previous: action')


@dataclasses.dataclass(frozen=True)
class StampField:
    """Where a message without a header has its time: the field, and what it counts."""

    field: str           # path of the number, as in timestamp
    unit: str            # what it counts; allowed: s | ms | us | ns

    def __post_init__(self):
        field_paths.parse_field(self.field)
        if self.unit not in message_writing.UNITS:
            raise unknown_name('unit', self.unit, message_writing.UNITS)


@dataclasses.dataclass(frozen=True)
class Heartbeat:
    """A message that a controller wants to hear as long as it is commanded."""

    topic: str           # under the node's namespace unless it begins with /
    type: str            # of its messages; allowed: pkg/msg/Name
    rate: float          # [Hz] how often it is sent; allowed: 0 < Hz <= 1000
    # what every one holds, as an action's `set`
    set: dict = dataclasses.field(default_factory=dict)
    # where it has its time; allowed: header | none | {field: timestamp, unit: us}
    stamp: str | StampField = 'none'

    def __post_init__(self):
        where = f"heartbeat '{self.topic}'"
        _check_topic(f'{where}: topic', self.topic)
        _check_type(where, self.type)
        if not 0 < self.rate <= _HIGHEST_RATE:
            raise InputError(f'{where}: rate: got {self.rate}; allowed: 0 < Hz <= '
                             f'{_HIGHEST_RATE}')
        if isinstance(self.stamp, str) and self.stamp not in ('header', 'none'):
            raise InputError(f"{where}: {unknown_name('stamp', self.stamp, ('header', 'none'))}")
        try:
            field_paths.check_constants(self.set, ())
        except InputError as error:
            raise InputError(f'{where}: set: {error}') from None

    def encode(self, time_ns: int, make_message):
        """
        Return the message of a time [ns].

        Raises:
            InputError: naming the topic and the constant that does not fit.

        """
        message = make_message(self.type)
        try:
            message_writing.write_constants(message, self.set)
            if self.stamp == 'header':
                message_writing.set_stamp(message, time_ns)
            elif isinstance(self.stamp, StampField):
                message_writing.write_time(message, self.stamp.field, self.stamp.unit, time_ns)
        except InputError as error:
            raise InputError(f"heartbeat '{self.topic}' ({self.type}): {error}") from None
        return message


@dataclasses.dataclass(frozen=True, kw_only=True)
class Action(Stream):
    """A stream that the policy commands."""

    # where a command has its time; in a recording one without a header has that of its arrival;
    # allowed: header | receive | {field: timestamp, unit: us}
    stamp: str | StampField = 'header'
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
    # what every command holds besides, the stop too: path, or element as data[2], -> a number
    # (.nan, too), text, true or false, or a list of them
    set: dict = dataclasses.field(default_factory=dict)
    # [Hz] how often the last command is sent, with a stamp of its own each time, while the policy
    # acts and while a trip lasts; null: once a tick; allowed: control_rate < Hz <= 1000
    publish_rate: float | None = None
    # what is sent besides, as long; null: nothing
    heartbeat: Heartbeat | None = None

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
        try:
            field_paths.check_constants(self.set, self.parsed)
        except InputError as error:
            raise InputError(f'{where}: set: {error}') from None

    def check_message(self, make_message) -> None:
        """
        See that a message of the type can be made of a vector, before the first one has to be.

        Raises:
            InputError: naming the topic, the field or the constant, and what is there.

        """
        try:
            self.encode(np.zeros(self.dim), 0, make_message)
            if self.heartbeat is not None:
                self.heartbeat.encode(0, make_message)
        except InputError as error:
            raise InputError(f"action '{self.topic}' ({self.type}): {error}") from None

    def check_rate(self, control_rate: float, where: str) -> None:
        """
        Refuse a `publish_rate` that repeats nothing.

        Raises:
            InputError: naming it, and what is allowed.

        """
        if self.publish_rate is not None and not (
                control_rate < self.publish_rate <= _HIGHEST_RATE):
            raise InputError(f'{where}: publish_rate: got {self.publish_rate:g}; allowed: '
                             f'{control_rate:g} (control_rate) < Hz <= {_HIGHEST_RATE}')

    def _with_constants(self, message, time_ns: int) -> None:
        message_writing.write_constants(message, self.set)
        if isinstance(self.stamp, StampField):
            message_writing.write_time(message, self.stamp.field, self.stamp.unit, time_ns)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what every value controls, of KINDS; '' where nobody says."""
        return tuple(self.controls or kind_of(self.type, field.path)
                     for field, width in zip(self.parsed, self.widths) for _ in range(width))

    def contract(self) -> dict:
        """Return what gives the vector its meaning, with what -1 and +1 stand for."""
        return {**super().contract(), 'low': list(self.low), 'high': list(self.high)}

    def _with_joints(self, message, make_message):
        target = super()._with_joints(message, make_message)
        if self.type == _TRAJECTORY:
            duration = target.time_from_start
            duration.sec, duration.nanosec = divmod(round(self.time_from_start * 1e9), 10 ** 9)
        return target
