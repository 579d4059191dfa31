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
from iql_ros.robot.gate_settings import EFFORT, POSITION, VELOCITY

_STAMPS = ('header', 'receive')
_QOS = ('auto', 'reliable', 'best_effort')
RANGE_MAX = 'range_max'
TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
# What a message's fields control, by type; other types are used for this and that.
_CONTROLS = {
    TRAJECTORY: {'positions': POSITION, 'velocities': VELOCITY, 'effort': EFFORT},
    'sensor_msgs/msg/JointState': {'position': POSITION, 'velocity': VELOCITY, 'effort': EFFORT}}
_NO_NUMBERS = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage',
               'sensor_msgs/msg/PointCloud2', 'stereo_msgs/msg/DisparityImage',
               'foxglove_msgs/msg/CompressedVideo', 'theora_image_transport/msg/Packet',
               'visualization_msgs/msg/Marker', 'visualization_msgs/msg/MarkerArray',
               'tf2_msgs/msg/TFMessage')
_VELOCITIES = ('geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped')
TOPIC_NAME = re.compile(r'/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', re.ASCII)
MAX_AGE = 1_000_000  # [s]


def kind_of(type_name: str, field: str) -> str:
    """Return what a field of a message controls, one of KINDS; '' where that is not said."""
    return VELOCITY if type_name in _VELOCITIES else _CONTROLS.get(type_name, {}).get(field, '')


def check_topic(where: str, topic: str) -> None:
    """Refuse what is no topic's name."""
    if not TOPIC_NAME.fullmatch(topic):
        raise InputError(f'{where}: got {topic!r}; expected a name like robot_pose, of letters, '
                         'digits and _, parts separated by /')


def check_type(where: str, type_name: str) -> None:
    """Refuse what is no message type's name."""
    package, _, name = type_name.partition('/msg/')
    if not (package.isidentifier() and name.isidentifier()):
        raise InputError(f'{where}: type: got {type_name!r}; expected pkg/msg/Name')


def check_numbers(where: str, type_name: str) -> None:
    """Refuse a type whose values mean nothing one by one."""
    if type_name in _NO_NUMBERS:
        raise InputError(
            f'{where}: type: a {type_name} cannot be read as numbers; expected one of numbers, '
            'arrays of them, orientations, joints or scans'
            + (', or transform: {of: FRAME, in: FRAME}' if 'tf2' in type_name else ''))


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
        check_type(where, self.type)
        self._check_numbers(where)
        for key, allowed in (('stamp', _STAMPS), ('qos', _QOS)):
            if isinstance(getattr(self, key), str) and getattr(self, key) not in allowed:
                raise InputError(f'{where}: {unknown_name(key, getattr(self, key), allowed)}')
        check_topic('topic', self.topic)
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

    def _check_numbers(self, where: str) -> None:
        check_numbers(where, self.type)

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
    def label(self) -> str:
        """Return what people call it: its topic."""
        return self.topic

    @property
    def value_names(self) -> list[str]:
        """Return a name for every value, field by field."""
        parts = self.joints or (range(self._array) if self._array > 1 else ())
        return [f'{self.label} {name}' for field in self.parsed for name in field.names(parts)]

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

        Args:
            vector: (dim,).
            time_ns: The stamp of a stream with `stamp: header`.
            make_message: Type -> empty message, so that no message package is needed here.
            message: One that another stream of the topic has begun; None: a new one.

        Raises:
            InputError: for a field or a constant that the message does not have.

        """
        message = make_message(self.type) if message is None else message
        if self.stamp == 'header':
            message_writing.set_stamp(message, time_ns)
        if self.frame_id:
            message_writing.write_constants(message, {'header.frame_id': self.frame_id})
        self._with_constants(message, time_ns)
        target = self._with_joints(message, make_message) if self.joints else message
        self._write(target, vector)
        return message

    def _write(self, target, vector) -> None:
        """Write what the fields say of a vector (dim,)."""
        vector = np.asarray(vector, dtype=np.float64)
        message_writing.write_fields(target, self._parts, [vector[each] for each in self._slices],
                                     bool(self._array))

    def _with_constants(self, message, time_ns: int) -> None:
        """Write what does not come from the vector."""

    @functools.cached_property
    def _parts(self) -> dict:
        return field_paths.parts_of(self.parsed)

    @functools.cached_property
    def _slices(self) -> list[slice]:
        """Return where in the vector every field's values are."""
        ends = np.cumsum(self.widths).tolist()
        return [slice(end - width, end) for end, width in zip(ends, self.widths)]

    def _with_joints(self, message, make_message):
        """Name the joints in a message; return what has their values."""
        target = message
        if self.type == TRAJECTORY:
            target = make_message('trajectory_msgs/msg/JointTrajectoryPoint')
            message.joint_names, message.points = list(self.joints), [target]
        else:
            message.name = list(self.joints)
        return target
