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

"""What a robot's URDF says its joints may do."""

import math
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from iql_ros.files import InputError

_LARGEST = 16 << 20   # bytes
_UNLIMITED = ('continuous', 'floating', 'planar', 'fixed')


class JointLimits(NamedTuple):
    """The <limit> of one joint, REP 103 units; infinite where it says nothing."""

    lower: float      # [rad] or [m]
    upper: float
    velocity: float   # [rad/s] or [m/s]
    effort: float     # [N m] or [N]


def read_urdf_limits(path) -> dict[str, JointLimits]:
    """
    Return the limits of every joint that can move, by name.

    Raises:
        InputError: for a file that is no URDF, or a limit that is no number.

    """
    where = f'--urdf {path}'
    try:
        if Path(path).stat().st_size > _LARGEST:
            raise InputError(f'{where}: is larger than {_LARGEST} bytes')
        root = ElementTree.fromstring(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f'{where}: {error.strerror}') from None
    except ElementTree.ParseError as error:
        raise InputError(f'{where}: {error}; expected XML') from None
    if root.tag != 'robot':
        raise InputError(f'{where}: begins with <{root.tag[:50]}>; expected <robot>')
    if any('xacro' in element.tag for element in root.iter()):
        raise InputError(f'{where}: holds xacro; expand it first: xacro FILE > robot.urdf')
    return {joint.get('name', ''): _limits(joint, where) for joint in root.iter('joint')
            if joint.get('type') not in ('fixed', None)}


def _limits(joint, where: str) -> JointLimits:
    limit = joint.find('limit')
    said = {} if limit is None else limit.attrib
    name, ends = joint.get('name', ''), joint.get('type') not in _UNLIMITED

    def number(key: str, default: float) -> float:
        try:
            value = float(said.get(key, default))
        except ValueError:
            value = math.nan
        if math.isnan(value):
            raise InputError(f"{where}: joint '{name}': limit {key} is {said[key][:50]!r}; "
                             'expected a number')
        return value
    # without lower and upper, URDF means 0, which no joint that moves can mean
    bounded = ends and ('lower' in said or 'upper' in said)
    return JointLimits(number('lower', 0.0) if bounded else -math.inf,
                       number('upper', 0.0) if bounded else math.inf,
                       number('velocity', math.inf) or math.inf,
                       number('effort', math.inf) or math.inf)
