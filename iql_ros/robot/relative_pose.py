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

"""A pose as it is seen from another one, from their vectors."""

import collections

import numpy as np

from iql_ros.files import InputError
from iql_ros.robot import rotations

_AXES, _QUATERNION = ('x', 'y', 'z'), ('x', 'y', 'z', 'w')
_TILTING = ('roll', 'pitch', 'projected_gravity', 'rotation_6d', 'hemisphere')


class _PoseFields:
    """Which values of a stream's vector say where something is, and how it is turned."""

    def __init__(self, stream):
        groups = collections.defaultdict(dict)   # by the path above them
        self.turns, first = {}, 0
        others = set()
        for field, width in zip(stream.parsed, stream.widths):
            values, above = slice(first, first + width), field.path.rpartition('.')
            first += width
            if field.turns:
                others.add(field.path)
                self.turns[field.function] = values
            elif field.function is None and width == 1 and above[2] in _QUATERNION:
                groups[above[0]][above[2]] = values
            else:
                others.add(field.text)
        quaternions = {path for path, group in groups.items() if 'w' in group}
        places = [path for path in groups if path not in quaternions]
        if len(places) > 1 or len(others | quaternions) > 1 or (others and not self.turns) or any(
                len(groups[path]) < 4 for path in quaternions):
            raise InputError(
                f"'{stream.label}': fields {list(stream.fields)}: expected those of one pose: x, "
                'y and z of its position, and functions of its orientation')
        self.place = groups[places[0]] if places else {}
        if quaternions:
            self.turns = {'quaternion': [groups[path][axis] for path in quaternions
                                         for axis in _QUATERNION]}

    @property
    def tilts(self) -> bool:
        return bool(self.turns.keys() & {*_TILTING, 'quaternion'})

    def missing(self) -> list:
        return [] if 'quaternion' in self.turns else rotations.missing(self.turns)

    def pose(self, vector: np.ndarray) -> rotations.Pose:
        place = tuple(float(vector[self.place[axis]][0]) if axis in self.place else 0.0
                      for axis in _AXES)
        if 'quaternion' in self.turns:
            turn = np.concatenate([vector[each] for each in self.turns['quaternion']])
            return rotations.Pose(place, rotations.write({'hemisphere': turn}))
        if not self.turns:
            return rotations.Pose(place, rotations.HERE.turn)
        return rotations.Pose(place, rotations.write(
            {function: vector[each] for function, each in self.turns.items()}))

    def write(self, pose: rotations.Pose, vector: np.ndarray) -> None:
        for axis, values in self.place.items():
            vector[values] = pose.place[_AXES.index(axis)]
        for function, values in self.turns.items():
            if function != 'quaternion':
                vector[values] = rotations.read(function, *pose.turn)
                continue
            for each, part in zip(values, rotations.read('hemisphere', *pose.turn)):
                vector[each] = part


class RelativePose:
    """
    Gives a stream's pose in the frame of another stream's pose.

    What a vector does not say is zero: of a heading alone, that the body stands upright.
    """

    def __init__(self, stream, reference):
        """
        Take two streams whose fields are those of a pose.

        Raises:
            InputError: for fields that are none, or do not say enough of the one or the other.

        """
        where = f"relative_to '{reference.label}'"
        self._pose, self._reference = _PoseFields(stream), _PoseFields(reference)
        for fields, each in ((self._pose, stream), (self._reference, reference)):
            if each is stream and not fields.turns:
                continue
            if lacking := fields.missing():
                raise InputError(f"{where}: '{each.label}' lacks "
                                 f'{" or ".join(" and ".join(names) for names in lacking)} of its '
                                 'orientation')
        axes = set(self._pose.place), set(self._reference.place)
        if self._pose.place and (axes[0] != axes[1] or not axes[0] >= {'x', 'y'}):
            raise InputError(f"{where}: '{stream.label}' has {sorted(axes[0])} of a position and "
                             f"'{reference.label}' has {sorted(axes[1])}; expected the same, "
                             'x and y at least')
        if self._pose.place and self._reference.tilts and 'z' not in axes[0]:
            raise InputError(f'{where}: it tilts, so z is needed of both positions')
        if _frame(stream) != _frame(reference):
            raise InputError(f"{where}: '{stream.label}' is in frame '{_frame(stream)}' and "
                             f"'{reference.label}' in '{_frame(reference)}'; expected the same "
                             'frame_id')

    def __call__(self, vector: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """Return the vector (dim,) of the stream as seen from the reference's (its dim,)."""
        seen = rotations.compose(rotations.inverse(self._reference.pose(reference)),
                                 self._pose.pose(vector))
        found = np.empty(len(vector))
        self._pose.write(seen, found)
        return found


def _frame(stream) -> str:
    return getattr(stream, 'within', stream.frame_id.lstrip('/'))
