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

"""Where a message type holds numbers."""

from iql_ros.robot.message_fields import NAME_LISTS

_LEFT_OUT = ('std_msgs/msg/Header', 'builtin_interfaces/msg/Time',
             'builtin_interfaces/msg/Duration')
_QUATERNION = 'geometry_msgs/msg/Quaternion'
_DEPTH = 16          # of messages in messages


class FieldLayout:
    """Where a message type holds numbers: dotted paths, by how they are read."""

    def __init__(self, fielddefs: dict, type_name: str):
        """Walk the definitions of rosbags (`store.fielddefs`)."""
        self.scalars, self.arrays, self.quaternions, self.texts = [], [], [], []
        self.points = False          # whether the arrays are those of a JointTrajectory's points
        self._walk(fielddefs, type_name, '', 0)
        tops = dict(fielddefs[type_name][1])
        self.names = next((name for name in NAME_LISTS if name in tops
                           and tops[name][0].name in ('ARRAY', 'SEQUENCE')), None)
        if self.names and 'points' in tops:
            kind, argument = tops['points']
            if kind.name in ('ARRAY', 'SEQUENCE') and argument[0][0].name == 'NAME':
                self.points = True
                self._walk_arrays(fielddefs, argument[0][1])

    def _walk(self, fielddefs: dict, type_name: str, prefix: str, depth: int) -> None:
        if type_name in _LEFT_OUT or type_name not in fielddefs or depth > _DEPTH:
            return
        if type_name == _QUATERNION and prefix:
            self.quaternions.append(prefix[:-1])
        for name, (kind, argument) in fielddefs[type_name][1]:
            path = prefix + name
            if kind.name == 'NAME':
                self._walk(fielddefs, argument, path + '.', depth + 1)
            elif kind.name == 'BASE' and argument[0] not in ('string', 'wstring'):
                self.scalars.append(path)
            elif kind.name == 'BASE' and depth == 0:
                self.texts.append(path)
            elif kind.name in ('ARRAY', 'SEQUENCE') and 'covariance' not in name:
                item = argument[0]
                if item[0].name == 'BASE' and item[1][0] not in ('string', 'wstring'):
                    self.arrays.append(path)

    def _walk_arrays(self, fielddefs: dict, type_name: str) -> None:
        scalars = list(self.scalars)
        self._walk(fielddefs, type_name, '', 1)
        self.scalars = scalars
