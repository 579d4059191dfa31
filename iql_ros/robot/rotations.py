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

"""What a quaternion (x, y, z, w) says of an orientation, and back; angles as in REP 103 [rad]."""

import math
import typing

import numpy as np

# name -> how many values it gives
WIDTHS = {'yaw_cos': 1, 'yaw_sin': 1, 'roll': 1, 'pitch': 1, 'yaw': 1, 'rotation_6d': 6,
          'projected_gravity': 3, 'hemisphere': 4}
_HEADINGS = (('yaw',), ('yaw_cos', 'yaw_sin'))
_TILTS = (('roll', 'pitch'), ('projected_gravity',))
_WHOLE = (('rotation_6d',), ('hemisphere',))
_SAME = 1e-12


class Pose(typing.NamedTuple):
    """Where a body is and how it is turned, in some frame."""

    place: tuple[float, float, float]           # [m]
    turn: tuple[float, float, float, float]     # unit quaternion (x, y, z, w)


HERE = Pose((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def compose(first: Pose, second: Pose) -> Pose:
    """Return in what frame `first` is in the pose that `second` has in the frame of `first`."""
    ax, ay, az, aw = first.turn
    bx, by, bz, bw = second.turn
    x, y, z = rotate(first.turn, second.place)
    return Pose((first.place[0] + x, first.place[1] + y, first.place[2] + z),
                (aw * bx + ax * bw + ay * bz - az * by, aw * by - ax * bz + ay * bw + az * bx,
                 aw * bz + ax * by - ay * bx + az * bw, aw * bw - ax * bx - ay * by - az * bz))


def inverse(pose: Pose) -> Pose:
    """Return the pose that the frame of a pose has in the posed body's."""
    x, y, z, w = pose.turn
    turn = (-x, -y, -z, w)
    return Pose(rotate(turn, tuple(-part for part in pose.place)), turn)


def rotate(turn, vector) -> tuple[float, float, float]:
    """Return a vector (3,) turned by a unit quaternion (x, y, z, w)."""
    x, y, z, w = turn
    a, b, c = vector
    # twice the cross product of the axis and the vector
    i, j, k = 2.0 * (y * c - z * b), 2.0 * (z * a - x * c), 2.0 * (x * b - y * a)
    return (a + w * i + y * k - z * j, b + w * j + z * i - x * k, c + w * k + x * j - y * i)


def heading(x: float, y: float, z: float, w: float) -> tuple[float, float]:
    """Return cosine and sine of the yaw; NaN straight up or down, where there is none."""
    sine = 2.0 * (w * z + x * y)
    cosine = 1.0 - 2.0 * (y * y + z * z)
    length = math.hypot(sine, cosine)
    return (cosine / length, sine / length) if length else (math.nan, math.nan)


def read(function: str, x: float, y: float, z: float, w: float) -> tuple[float, ...]:
    """
    Return what a function, one of WIDTHS, says of a unit quaternion.

    roll, pitch and yaw turn about the fixed axes x, y and z, in this order (REP 103).
    rotation_6d is the first two columns of the rotation matrix (Zhou et al. 2019, section 4.2);
    projected_gravity the direction of gravity as the turned body sees it; hemisphere the one of
    the two quaternions of a rotation whose w, or first other part if it is zero, is positive.
    """
    if function in ('yaw_cos', 'yaw_sin'):
        return (heading(x, y, z, w)[function == 'yaw_sin'],)
    if function == 'yaw':
        cosine, sine = heading(x, y, z, w)
        return (math.atan2(sine, cosine),)
    if function == 'roll':
        return (math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y)),)
    if function == 'pitch':
        sine = 2.0 * (w * y - x * z)
        return (math.asin(min(max(sine, -1.0), 1.0)) if math.isfinite(sine) else math.nan,)
    if function == 'rotation_6d':
        return (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y),
                2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x))
    if function == 'projected_gravity':
        return (2.0 * (w * y - x * z), -2.0 * (w * x + y * z), 2.0 * (x * x + y * y) - 1.0)
    sign = next((math.copysign(1.0, part) for part in (w, x, y, z) if part), 1.0)
    return (sign * x, sign * y, sign * z, sign * w)


def missing(functions) -> list[tuple[str, ...]]:
    """
    Return what would make a quaternion of these functions of it; empty: they do.

    A heading alone is that of a body that stands upright.
    """
    given = set(functions)
    if any(given.issuperset(all_of) for all_of in _WHOLE):
        return []
    tilted = any(given.issuperset(all_of) for all_of in _TILTS)
    if not any(given.issuperset(all_of) for all_of in _HEADINGS):
        begun = [all_of for all_of in _HEADINGS if given.intersection(all_of)] or _HEADINGS
        return [tuple(name for name in all_of if name not in given) for all_of in begun]
    if not tilted and given.intersection(('roll', 'pitch')):
        return [tuple(name for name in _TILTS[0] if name not in given)]
    return []


def write(parts: dict) -> tuple[float, float, float, float]:
    """
    Return the unit quaternion (x, y, z, w) of what is said of it.

    Args:
        parts: Function -> its values; `missing` of them must be empty. What is no rotation, as a
            network may ask for, is taken to the nearest: six numbers are made two columns at right
            angles, four are made a unit.

    """
    if 'rotation_6d' in parts:
        return _of_columns(np.asarray(parts['rotation_6d'], np.float64))
    if 'hemisphere' in parts:
        quaternion = np.asarray(parts['hemisphere'], np.float64)
        norm = np.linalg.norm(quaternion)
        return tuple((quaternion / norm).tolist()) if norm > _SAME else (0.0, 0.0, 0.0, 1.0)
    roll, pitch = 0.0, 0.0
    if 'projected_gravity' in parts:
        down = np.asarray(parts['projected_gravity'], np.float64)
        down = down / max(np.linalg.norm(down), _SAME)
        roll, pitch = math.atan2(-down[1], -down[2]), math.asin(min(max(down[0], -1.0), 1.0))
    elif 'roll' in parts and 'pitch' in parts:
        roll, pitch = float(parts['roll'][0]), float(parts['pitch'][0])
    yaw = float(parts['yaw'][0]) if 'yaw' in parts else math.atan2(
        float(parts['yaw_sin'][0]), float(parts['yaw_cos'][0]))
    return _of_angles(roll, pitch, yaw)


def _of_angles(roll: float, pitch: float, yaw: float) -> tuple[float, float, float, float]:
    half_roll, half_pitch, half_yaw = 0.5 * roll, 0.5 * pitch, 0.5 * yaw
    sr, cr = math.sin(half_roll), math.cos(half_roll)
    sp, cp = math.sin(half_pitch), math.cos(half_pitch)
    sy, cy = math.sin(half_yaw), math.cos(half_yaw)
    return (sr * cp * cy - cr * sp * sy, cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy, cr * cp * cy + sr * sp * sy)


def _of_columns(six: np.ndarray) -> tuple[float, float, float, float]:
    first = _unit(six[:3], np.array([1.0, 0.0, 0.0]))
    rest = six[3:] - (first @ six[3:]) * first
    second = _unit(rest, _unit(np.cross(np.array([0.0, 0.0, 1.0]), first),
                               np.array([0.0, 1.0, 0.0])))
    return _of_matrix(np.stack([first, second, np.cross(first, second)], axis=1))


def _unit(vector: np.ndarray, instead: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(vector)
    return vector / norm if norm > _SAME else instead


def _of_matrix(matrix: np.ndarray) -> tuple[float, float, float, float]:
    """Return a rotation matrix's quaternion, by its largest part: nothing small is divided by."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    squares = (1.0 + a - e - i, 1.0 - a + e - i, 1.0 - a - e + i, 1.0 + a + e + i)
    largest = max(range(4), key=squares.__getitem__)
    part = 0.5 * math.sqrt(squares[largest])
    quarter = 0.25 / part
    rows = ((part, (b + d) * quarter, (c + g) * quarter, (h - f) * quarter),
            ((b + d) * quarter, part, (f + h) * quarter, (c - g) * quarter),
            ((c + g) * quarter, (f + h) * quarter, part, (d - b) * quarter),
            ((h - f) * quarter, (c - g) * quarter, (d - b) * quarter, part))
    return rows[largest]
