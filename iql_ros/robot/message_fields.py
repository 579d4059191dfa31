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

"""Fields of messages, read by duck typing: no message package is imported."""

import functools
import math
import operator

import numpy as np

from iql_ros.files import InputError, unknown_name
from iql_ros.robot import rotations

NAME_LISTS = ('name', 'joint_names')  # JointState, JointTrajectory
# Whoever may publish may send names without end: what is looked at, kept and said is bounded.
_MOST_JOINTS, _LONGEST_NAME = 1000, 256
_LISTED = 24            # joints in an error
_REMEMBERED = 4         # lists of names a stream: several publishers may share its topic
_NORM_ROUNDED = 1e-6    # by which the square of a quaternion's norm is off for rounding alone
_ROUNDED = ('yaw_cos', 'yaw_sin')   # are of a length of their own making
_NORM_OFF = 0.1         # by which a norm may be off


class MissingJointError(InputError):
    """A message lacks a joint that the robot YAML names."""


class OtherJointsError(MissingJointError):
    """A message names joints, and none that the robot YAML names: another publisher's."""


class OrientationError(InputError):
    """A quaternion's norm is far from one."""


class UnseenError(InputError):
    """A scan has a sector without a reading: whether the way is clear there is not known."""


class EmptyTrajectoryError(InputError):
    """A trajectory has no points: as a command, it ends the one before (ros2_control holds)."""


def follow(message, path: str):
    """Return the attribute at a dotted path; the error names what exists where it breaks."""
    try:
        return _getter(path)(message)
    except AttributeError:
        pass
    for name in path.split('.'):
        try:
            message = getattr(message, name)
        except AttributeError:
            raise InputError(_no_such_field(message, name, path)) from None
    return message


@functools.lru_cache(maxsize=256)
def _getter(path: str):
    return operator.attrgetter(path)


def _no_such_field(message, name: str, path: str) -> str:
    types = getattr(message, 'get_fields_and_field_types', None)
    existing = list(types()) if types else [key for key in getattr(message, '__dict__', ())
                                            if key[0] != '_']
    return f"field '{path}': {unknown_name('name', name, existing)}"


def stamp_ns(message) -> int:
    """Return the header's stamp [ns]; 0 means unset (a message without a stamp)."""
    stamp = follow(message, 'header.stamp')
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def read_scalar(message, function: str | None, path: str) -> float:
    """
    Read one number: a plain field, or what a function of one value says of an orientation.

    Raises:
        OrientationError: for a quaternion whose norm is far from one.

    """
    value = follow(message, path)
    if function is None:
        return value.__float__()  # float() would read a text, and an array as one
    return rotations.read(function, *_unit(path, value, function in _ROUNDED))[0]


def read_recorded_scalar(message, function: str | None, path: str) -> float:
    """Read one number of a recording: a quaternion whose norm is far from one gives NaN."""
    try:
        return read_scalar(message, function, path)
    except OrientationError:
        return math.nan


def read_rotation(message, function: str, path: str, recorded: bool = False) -> np.ndarray:
    """
    Read what a function says of an orientation, see rotations.read.

    Raises:
        OrientationError: as read_scalar, unless it is recorded: then NaN.

    """
    try:
        return np.array(rotations.read(function, *_unit(path, follow(message, path), False)))
    except OrientationError:
        if not recorded:
            raise
        return np.full(rotations.WIDTHS[function], math.nan)


def _unit(path: str, value, rounded: bool) -> tuple[float, ...]:
    """
    Return a quaternion of norm one; `rounded`: that of a float32 message is near enough.

    An orientation of zeros, or one that is not finite, is none: NaN, which the finite check of
    who asks will find.
    """
    x, y, z, w = value.x, value.y, value.z, value.w
    square = x * x + y * y + z * z + w * w
    if rounded and abs(square - 1.0) < _NORM_ROUNDED:
        return x, y, z, w
    norm = math.hypot(x, y, z, w)
    if norm == 0.0 or not math.isfinite(norm):
        return (math.nan,) * 4
    if not abs(norm - 1.0) <= _NORM_OFF:
        raise OrientationError(f"field '{path}' is a quaternion of norm {norm:.4g}; expected 1")
    return x / norm, y / norm, z / norm, w / norm


def read_joints(message, path: str, joints: tuple[str, ...]) -> np.ndarray:
    """Read one array field for the named joints, in the order asked for, whatever was sent."""
    names = next((getattr(message, key) for key in NAME_LISTS if hasattr(message, key)), None)
    if names is None:
        raise InputError(f"'joints' needs a message with a list of names ({NAME_LISTS[0]} or "
                         f'{NAME_LISTS[1]}); this one has none')
    source = message
    if hasattr(message, 'points'):  # JointTrajectory: its last point is the goal
        if not message.points:
            raise EmptyTrajectoryError('the trajectory has no points')
        source = message.points[-1]
    values = follow(source, path)
    indices = _joint_order(joints).indices(names)
    if len(values) != len(names):
        raise InputError(f"field '{path}' has {len(values)} values for {len(names)} joints")
    return np.asarray(values, dtype=np.float64)[indices]


@functools.lru_cache(maxsize=256)
def _joint_order(joints: tuple[str, ...]):
    return _JointOrder(joints)


class _JointOrder:
    """Where the joints of a robot YAML stand in messages; the last lists of names are known."""

    def __init__(self, joints: tuple[str, ...]):
        self._joints = joints
        self._known = ()     # (names, indices or the error); replaced whole: threads share it

    def indices(self, names) -> np.ndarray:
        """Return the joints' places in a list of names."""
        if len(names) > _MOST_JOINTS:
            raise InputError(f'{len(names)} joints are named; allowed: at most {_MOST_JOINTS}')
        names = list(names)
        for known, found in self._known:
            if known == names:
                break
        else:
            found = self._find(names)
            self._known = ((names, found), *self._known[:_REMEMBERED - 1])
        if isinstance(found, InputError):
            raise type(found)(str(found))
        return found

    def _find(self, names: list[str]) -> np.ndarray | InputError:
        if max(map(len, names), default=0) > _LONGEST_NAME:
            raise InputError(f'the name of a joint has {max(map(len, names))} characters; '
                             f'allowed: at most {_LONGEST_NAME}')
        if not names:
            return InputError('its list of joints is empty')
        places = {name: index for index, name in reversed(list(enumerate(names)))}
        missing = [joint for joint in self._joints if joint not in places]
        if not missing:
            return np.array([places[joint] for joint in self._joints])
        kind = OtherJointsError if len(missing) == len(self._joints) else MissingJointError
        listed = names if len(names) <= _LISTED else [*names[:_LISTED],
                                                      f'and {len(names) - _LISTED} more']
        return kind(str(unknown_name('joint', missing[0], listed)))


def read_array(message, path: str, size: int) -> np.ndarray:
    """Read an array field of exactly `size` numbers."""
    values = _numbers(message, path)
    if len(values) != size:
        raise InputError(f"field '{path}' has {len(values)} values; the interface says "
                         f'size: {size}')
    return np.asarray(values, dtype=np.float64)


def read_slice(message, path: str, first: int, last: int) -> np.ndarray:
    """Read the numbers from `first` to before `last` of an array field."""
    values = _numbers(message, path)
    if len(values) < last:
        raise InputError(f"field '{path}' has {len(values)} values; the interface says "
                         f'[{last - 1}]')
    return np.asarray(values[first:last], dtype=np.float64)


def _numbers(message, path: str):
    values = follow(message, path)
    if isinstance(values, str):
        raise TypeError
    return values


def read_beams(message, path: str, beams: int, clear_if_unseen: bool = False) -> np.ndarray:
    """
    Read a scan as the nearest return of `beams` equal sectors, as REP 117 has it.

    -inf, too close to measure, is range_min; +inf, and what lies beyond range_max, is range_max.
    NaN and what is nearer than range_min are no readings. A sector of nothing else is unseen.

    Args:
        message: A LaserScan.
        path: Of its readings.
        beams: Sectors.
        clear_if_unseen: Whether a sector without a reading is range_max.

    Raises:
        UnseenError: for a sector without a reading.

    """
    ranges = np.asarray(follow(message, path), dtype=np.float64)
    if ranges.size < beams:
        raise InputError(f"field '{path}' has {ranges.size} readings for beams: {beams}")
    nearest, farthest = float(message.range_min), float(message.range_max)
    read = np.minimum(np.where(np.isneginf(ranges), nearest, ranges), farthest)
    read = np.where(read >= nearest, read, np.inf)
    sectors = np.minimum.reduceat(read, _sector_starts(ranges.size, beams))
    unseen = np.isposinf(sectors)
    if unseen.any() and not clear_if_unseen:
        raise UnseenError(f'sector {int(np.argmax(unseen))} of {beams} has no reading (NaN, or '
                          f'nearer than range_min, {nearest:g}, alone)')
    return np.where(unseen, farthest, sectors)


@functools.lru_cache(maxsize=256)
def _sector_starts(size: int, beams: int) -> np.ndarray:
    """Return where equal sectors begin; the first ones are longer by one where they must be."""
    length, longer = divmod(size, beams)
    return np.array([sector * length + min(sector, longer) for sector in range(beams)])
