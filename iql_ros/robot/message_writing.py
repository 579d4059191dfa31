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

"""Fields of messages, written by duck typing: no message package is imported."""

import array

import numpy as np

from iql_ros.files import InputError, shown
from iql_ros.robot import rotations
from iql_ros.robot.field_paths import parse_field
from iql_ros.robot.message_fields import follow

UNITS = {'s': 10**9, 'ms': 10**6, 'us': 10**3, 'ns': 1}   # [ns]


def set_stamp(message, time_ns: int) -> None:
    """Write the header's stamp [ns]."""
    stamp = follow(message, 'header.stamp')
    stamp.sec, stamp.nanosec = divmod(time_ns, 1_000_000_000)


def write_fields(message, parts: dict, values, arrays: bool) -> None:
    """
    Write what fields say; inverse of reading them, see field_paths.check_invertible.

    Args:
        message: Changed in place.
        parts: Of a stream's fields, see field_paths.parts_of.
        values: For each field an array of its values.
        arrays: Whether a field that is no element, slice or function is a whole array.

    """
    for (path, first, last), said in parts.items():
        if None in said:
            row = values[said[None]]
        elif 'sin' in said:
            row = np.arctan2(values[said['sin']], values[said['cos']])
        else:
            _write_rotation(message, path, rotations.write(
                {function: values[index] for function, index in said.items()}))
            continue
        if first is not None:
            _write_slice(message, path, first, last or first + 1, row)
        elif arrays:
            owner, name = _place(message, path)
            setattr(owner, name, _like(owner, name, row))
        else:
            assign(message, path, float(row[0]))


def _place(message, path: str) -> tuple:
    """Return the object and the attribute at a dotted path."""
    parents, _, name = path.rpartition('.')
    owner = follow(message, parents) if parents else message
    if not hasattr(owner, name):
        follow(owner, name)   # raises, with what is there
    return owner, name


def assign(message, path: str, value: float) -> None:
    """Write a number at a dotted path in the type that stands there (bool, int or float)."""
    owner, name = _place(message, path)
    current = getattr(owner, name)
    if isinstance(current, (bool, np.bool_)):
        setattr(owner, name, bool(value >= 0.5))
    else:
        setattr(owner, name, int(round(value)) if isinstance(current, int) else float(value))


def _write_rotation(message, path: str, parts: tuple[float, ...]) -> None:
    quaternion = follow(message, path)
    quaternion.x, quaternion.y, quaternion.z, quaternion.w = parts


def _write_slice(message, path: str, first: int, last: int, row: np.ndarray) -> None:
    """Write a part of an array; one that is shorter is made longer, with zeros."""
    owner, name = _place(message, path)
    whole = np.array(getattr(owner, name), dtype=np.float64)
    if len(whole) < last:
        whole = np.concatenate([whole, np.zeros(last - len(whole))])
    whole[first:last] = row
    setattr(owner, name, _like(owner, name, whole))


def _like(owner, name: str, row: np.ndarray):
    """Return the row in the type that stands in a message; array.array is the quick path."""
    current = getattr(owner, name)
    if isinstance(current, array.array):
        return array.array(current.typecode, (
            row if current.typecode in 'fd' else np.rint(row).astype(np.int64)).tolist())
    if isinstance(current, np.ndarray):
        return (row if current.dtype.kind == 'f' else np.rint(row)).astype(current.dtype)
    types = getattr(owner, 'get_fields_and_field_types', dict)()
    if 'boolean' in types.get(name, '') or (current and isinstance(current[0], bool)):
        return [value >= 0.5 for value in row.tolist()]
    return row.tolist()


def write_time(message, path: str, unit: str, time_ns: int) -> None:
    """Write a time [ns] into a number; `unit`, one of UNITS, says what that counts."""
    owner, name = _place(message, path)
    whole = isinstance(getattr(owner, name), int)
    setattr(owner, name, time_ns // UNITS[unit] if whole else time_ns / UNITS[unit])


def write_constants(message, constants: dict) -> None:
    """
    Write what a robot YAML sets in every message.

    Args:
        message: Changed in place.
        constants: Path, or element of an array, -> number, text, bool, or a list of them.

    Raises:
        InputError: for a path that is none, or a value that does not fit what stands there.

    """
    for text, value in constants.items():
        field = parse_field(text)
        owner, name = _place(message, field.path)
        current = getattr(owner, name)
        try:
            if field.first is not None:
                whole = list(current)
                whole += [0] * (field.first + 1 - len(whole))
                whole[field.first] = value
                value = whole
            setattr(owner, name, _fit(current, value))
        except (AssertionError, OverflowError, TypeError, ValueError):  # what the type refuses
            raise InputError(f"'{text}': got {shown(constants[text])}; expected what fits its "
                             f'{type(current).__name__}') from None


def _fit(current, value):
    """Return a value in the type of what stands there; TypeError or ValueError: it cannot be."""
    if isinstance(current, (array.array, np.ndarray, list, tuple)):
        if not isinstance(value, (list, tuple)):
            raise TypeError
        if isinstance(current, array.array):
            return array.array(current.typecode, list(value))
        if isinstance(current, np.ndarray):
            if current.size and current.size != len(value):
                raise ValueError
            return np.asarray(value).astype(current.dtype, casting='same_kind')
        return list(value)
    if isinstance(current, str) or isinstance(value, str):
        if type(current) is not type(value):
            raise TypeError
        return value
    if isinstance(current, (bool, np.bool_)):
        if value not in (0, 1):
            raise ValueError
        return bool(value)
    if isinstance(value, bool) or not isinstance(current, (int, float)):
        raise TypeError
    if isinstance(current, int):
        if int(value) != value:
            raise ValueError
        return int(value)
    return float(value)
