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

"""Field paths of messages, read and written by duck typing: no message package is imported."""

import functools
import math
import operator
import re

import numpy as np

from iql_ros.files import InputError, unknown_name

_FIELD = re.compile(r'(?:(\w+)\()?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\)?')
_ROTATIONS = ('yaw_cos', 'yaw_sin')
_NAME_LISTS = ('name', 'joint_names')  # JointState, JointTrajectory


class MissingJointError(InputError):
    """A message lacks a joint that the robot YAML names."""


@functools.lru_cache(maxsize=256)
def split_field(field: str, where: str) -> tuple[str | None, str]:
    """Split `function(path)` or `path` into (function or None, path)."""
    match = _FIELD.fullmatch(field)
    if not match or (match[1] is None) == field.endswith(')'):
        raise InputError(f"{where}: field '{field}' is not a path like pose.position.x "
                         f'or a function of one ({", ".join(_ROTATIONS)})')
    if match[1] is not None and match[1] not in _ROTATIONS:
        raise InputError(f'{where}: {unknown_name("field function", match[1], _ROTATIONS)}')
    return match[1], match[2]


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


def assign(message, path: str, value: float) -> None:
    """Write a number at a dotted path in the type that stands there (bool, int or float)."""
    *parents, name = path.split('.')
    owner = follow(message, '.'.join(parents)) if parents else message
    current = follow(owner, name)
    if isinstance(current, (bool, np.bool_)):
        setattr(owner, name, bool(value >= 0.5))
    else:
        setattr(owner, name, int(round(value)) if isinstance(current, int) else float(value))


def stamp_ns(message) -> int:
    """Return the header's stamp [ns]; 0 means unset (a message without a stamp)."""
    stamp = follow(message, 'header.stamp')
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def set_stamp(message, time_ns: int) -> None:
    """Write the header's stamp [ns]."""
    stamp = follow(message, 'header.stamp')
    stamp.sec, stamp.nanosec = divmod(time_ns, 1_000_000_000)


def read_scalar(message, function: str | None, path: str) -> float:
    """Read one number: a plain field, or the cosine or sine of a quaternion's yaw (REP 103)."""
    value = follow(message, path)
    if function is None:
        return float(value)
    sine = 2.0 * (value.w * value.z + value.x * value.y)
    cosine = 1.0 - 2.0 * (value.y * value.y + value.z * value.z)
    length = math.hypot(sine, cosine)
    if length == 0.0:
        return math.nan  # an orientation of zeros is no orientation: the finite check trips
    return (cosine if function == 'yaw_cos' else sine) / length


def write_yaw(message, path: str, cosine: float, sine: float) -> None:
    """Write a rotation about z into a quaternion."""
    half = 0.5 * math.atan2(sine, cosine)
    quaternion = follow(message, path)
    quaternion.x = quaternion.y = 0.0
    quaternion.z, quaternion.w = math.sin(half), math.cos(half)


def read_joints(message, path: str, joints: tuple[str, ...]) -> np.ndarray:
    """Read one array field for the named joints, in the order asked for, whatever was sent."""
    names = next((getattr(message, key) for key in _NAME_LISTS if hasattr(message, key)), None)
    if names is None:
        raise InputError(f"'joints' needs a message with a list of names ({_NAME_LISTS[0]} or "
                         f'{_NAME_LISTS[1]}); this one has none')
    source = message
    if hasattr(message, 'points'):  # JointTrajectory: its last point is the goal
        if not message.points:
            raise InputError('the trajectory has no points')
        source = message.points[-1]
    values = follow(source, path)
    indices = _joint_indices(tuple(names), joints)
    if len(values) != len(names):
        raise InputError(f"field '{path}' has {len(values)} values for {len(names)} joints")
    return np.asarray(values, dtype=np.float64)[indices]


@functools.lru_cache(maxsize=256)
def _joint_indices(names: tuple[str, ...], joints: tuple[str, ...]) -> np.ndarray:
    for joint in joints:
        if joint not in names:
            raise MissingJointError(str(unknown_name('joint', joint, names)))
    return np.array([names.index(joint) for joint in joints])


def read_array(message, path: str, size: int) -> np.ndarray:
    """Read an array field of exactly `size` numbers."""
    values = np.asarray(follow(message, path), dtype=np.float64)
    if values.shape != (size,):
        raise InputError(f"field '{path}' has {values.size} values; the interface says "
                         f'size: {size}')
    return values


def read_beams(message, path: str, beams: int) -> np.ndarray:
    """Read a scan as the nearest return of `beams` equal sectors; nothing seen is range_max."""
    ranges = np.asarray(follow(message, path), dtype=np.float64)
    if ranges.size < beams:
        raise InputError(f"field '{path}' has {ranges.size} readings for beams: {beams}")
    unseen = np.isposinf(ranges) | (ranges < message.range_min)
    ranges = np.where(unseen, float(message.range_max), ranges)
    return np.minimum.reduceat(ranges, _sector_starts(ranges.size, beams))


@functools.lru_cache(maxsize=256)
def _sector_starts(size: int, beams: int) -> np.ndarray:
    """Return where equal sectors begin; the first ones are longer by one where they must be."""
    length, longer = divmod(size, beams)
    return np.array([sector * length + min(sector, longer) for sector in range(beams)])
