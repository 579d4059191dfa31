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

"""What the numbers in one topic's messages range over, field by field, in bounded memory."""

import operator

import numpy as np

_LEFT_OUT = ('std_msgs/msg/Header', 'builtin_interfaces/msg/Time',
             'builtin_interfaces/msg/Duration')
_QUATERNION = 'geometry_msgs/msg/Quaternion'
_NAME_LISTS = ('name', 'joint_names')
_ROWS = 256          # of numbers, gathered before they are looked at together
_LONG = 32           # longer arrays are one entry
_TABLES = 64         # different (array, joint list) pairs that are kept of a topic
_DEPTH = 16          # of messages in messages
_TEXTS = 8           # different values that are kept of a text
_TEXT_LENGTH = 60


class Layout:
    """Where a message type holds numbers: dotted paths, by how they are read."""

    def __init__(self, fielddefs: dict, type_name: str):
        """Walk the definitions of rosbags (`store.fielddefs`)."""
        self.scalars, self.arrays, self.quaternions, self.texts = [], [], [], []
        self.points = False          # whether the arrays are those of a JointTrajectory's points
        self._walk(fielddefs, type_name, '', 0)
        tops = [name for name, _ in fielddefs[type_name][1]]
        self.names = next((name for name in _NAME_LISTS if name in tops), None)
        if self.names and 'points' in tops:
            kind, argument = dict(fielddefs[type_name][1])['points']
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


class _Columns:
    """Minimum, maximum, finite values and changes of some numbers that always come together."""

    def __init__(self, names: list[str], extend=None):
        self.names, self._extend, self._pending, self._last = names, extend, [], None
        self.count = 0
        self.minimum = np.full(len(names), np.inf)
        self.maximum = np.full(len(names), -np.inf)
        self.finite, self.changes = np.zeros(len(names), int), np.zeros(len(names), int)

    def add(self, row) -> None:
        self._pending.append(row)
        if len(self._pending) == _ROWS:
            self.flush()

    def flush(self) -> None:
        if not self._pending:
            return
        rows = np.array(self._pending, dtype=np.float64)
        self._pending = []
        rows = self._extend(rows) if self._extend else rows
        finite = np.isfinite(rows)
        self.count += len(rows)
        self.finite += finite.sum(axis=0)
        self.minimum = np.minimum(self.minimum, np.where(finite, rows, np.inf).min(axis=0))
        self.maximum = np.maximum(self.maximum, np.where(finite, rows, -np.inf).max(axis=0))
        before = rows[:1] if self._last is None else self._last[None]
        previous = np.concatenate([before, rows[:-1]])
        same = (rows == previous) | (np.isnan(rows) & np.isnan(previous))
        self.changes += (~same).sum(axis=0)
        self._last = rows[-1]

    def entries(self) -> list[dict]:
        self.flush()
        return [_entry(name, low, high, self.count, finite, changes)
                for name, low, high, finite, changes in zip(
                    self.names, self.minimum.tolist(), self.maximum.tolist(),
                    self.finite.tolist(), self.changes.tolist())]


class _LongArray:
    """The total range of an array too long to name its values, and how long it was."""

    def __init__(self, name: str):
        self._name, self._previous = name, None
        self._lowest, self._highest, self._values, self._finite = np.inf, -np.inf, 0, 0
        self._count, self._changes, self._infinite = 0, 0, 0
        self._lengths, self._dtype = [], ''

    def add(self, values: np.ndarray) -> None:
        self._count += 1
        if self._previous is not None:
            self._changes += not np.array_equal(values, self._previous)
        self._previous, self._dtype = values, str(values.dtype)
        self._lengths = [min([*self._lengths, len(values)]), max([*self._lengths, len(values)])]
        self._values += len(values)
        finite = values
        if values.dtype.kind == 'f':
            finite = values[np.isfinite(values)]
            self._infinite += int(np.isinf(values).sum())
        self._finite += len(finite)
        if len(finite):
            self._lowest = min(self._lowest, float(finite.min()))
            self._highest = max(self._highest, float(finite.max()))

    def entry(self) -> dict:
        entry = _entry(self._name, self._lowest, self._highest, self._values, self._finite,
                       self._changes)
        return {**entry, 'count': self._count, 'length': self._lengths, 'dtype': self._dtype,
                'infinite': self._infinite / self._values if self._values else 0.0}


def _entry(name: str, low: float, high: float, count: int, finite: int, changes: int) -> dict:
    return {'name': name, 'minimum': low if finite else None, 'maximum': high if finite else None,
            'constant': changes == 0 and finite == count > 0, 'count': count, 'changes': changes,
            'nan': (count - finite) / count if count else 0.0}


def _yaws(rows: np.ndarray, paths: list[str], quaternions: list[str]) -> np.ndarray:
    """Append columns: of every quaternion the cosine and sine of its yaw, and its norm."""
    extra = []
    with np.errstate(all='ignore'):
        for path in quaternions:
            x, y, z, w = (rows[:, paths.index(f'{path}.{name}')] for name in 'xyzw')
            sine, cosine = 2 * (w * z + x * y), 1 - 2 * (y * y + z * z)
            length = np.hypot(sine, cosine)
            length[length == 0] = np.nan
            extra += [cosine / length, sine / length, np.sqrt(x * x + y * y + z * z + w * w)]
    return np.column_stack([rows, *extra])


class FieldRanges:
    """What the messages of one topic held."""

    def __init__(self, fielddefs: dict, type_name: str):
        """Take the definitions of rosbags (`store.fielddefs`) and the topic's type."""
        self._layout = layout = Layout(fielddefs, type_name)
        names = layout.scalars + [
            name for path in layout.quaternions
            for name in (f'yaw_cos({path})', f'yaw_sin({path})', f'norm({path})')]
        self._scalars = _Columns(names, self._extend if layout.quaternions else None)
        self._read = operator.attrgetter(*layout.scalars) if layout.scalars else None
        self._tables, self._long = {}, {}
        self._joints, self._lists, self._unnamed = {}, set(), 0
        self._filled, self._texts = set(), {path: {} for path in layout.texts}

    def _extend(self, rows: np.ndarray) -> np.ndarray:
        return _yaws(rows, self._layout.scalars, self._layout.quaternions)

    def add(self, message) -> None:
        """Take the next message."""
        layout = self._layout
        if self._read:
            row = self._read(message)
            self._scalars.add(row if len(layout.scalars) > 1 else (row,))
        for path in layout.texts:
            if len(self._texts[path]) <= _TEXTS:
                self._texts[path][getattr(message, path)[:_TEXT_LENGTH]] = None
        if layout.arrays:
            self._add_arrays(message)

    def _add_arrays(self, message) -> None:
        layout, source = self._layout, message
        names = tuple(getattr(message, layout.names)) if layout.names else ()
        if layout.points:
            if not message.points:
                return
            source = message.points[-1]  # the goal, as the robot interface reads it
        filled = False
        for path in layout.arrays:
            values = np.asarray(operator.attrgetter(path)(source))
            if len(values):
                filled = True
                self._filled.add(path)
                self._add_array(path, values, names if len(names) == len(values) else None)
        if layout.names and filled:
            self._unnamed += not names
            if names and len(self._lists) < _TABLES:
                self._lists.add(names)
                self._joints.update(dict.fromkeys(names))

    def _add_array(self, path: str, values: np.ndarray, names: tuple | None) -> None:
        if names is None and (len(values) > _LONG or values.dtype.itemsize == 1
                              or path in self._long):
            self._long.setdefault(path, _LongArray(path)).add(values)
            return
        key = path, names or len(values)
        table = self._tables.get(key)
        if table is None:
            if len(self._tables) == _TABLES:
                return
            parts = names or range(len(values))
            table = self._tables[key] = _Columns([f'{path}[{part}]' for part in parts])
        table.add(values.astype(np.float64))

    def summary(self) -> dict:
        """
        Return what was seen, ready for JSON.

        Keys: joints, fields (name, minimum, maximum, constant, nan, count, changes; a long
        array also length, dtype, infinite), empty (arrays that never held anything),
        joint_lists (how many different ones), unnamed (messages with values for joints
        without names), texts (path -> values seen), norms (orientation -> [lowest, highest]).
        """
        scalars = {entry['name']: entry for entry in self._scalars.entries()}
        norms = {path: [scalars[f'norm({path})'][key] for key in ('minimum', 'maximum')]
                 for path in self._layout.quaternions}
        fields = {name: entry for name, entry in scalars.items()
                  if not name.startswith('norm(') and entry['count']}
        for table in self._tables.values():
            for entry in table.entries():
                fields[entry['name']] = _merged(fields.get(entry['name']), entry)
        fields.update((path, array.entry()) for path, array in self._long.items())
        empty = [path for path in self._layout.arrays if path not in self._filled]
        return {'joints': list(self._joints), 'fields': list(fields.values()), 'empty': empty,
                'joint_lists': len(self._lists), 'unnamed': self._unnamed,
                'texts': {path: list(values)[:_TEXTS] for path, values in self._texts.items()},
                'norms': norms}


def _merged(one: dict | None, other: dict) -> dict:
    """Return one entry of a value that came in two joint lists."""
    if one is None:
        return other
    lows, highs = ([entry[key] for entry in (one, other) if entry[key] is not None]
                   for key in ('minimum', 'maximum'))
    count = one['count'] + other['count']
    nan = (one['nan'] * one['count'] + other['nan'] * other['count']) / count
    moved = len(set(lows + highs)) > 1
    changes = one['changes'] + other['changes']
    return {**one, 'minimum': min(lows, default=None), 'maximum': max(highs, default=None),
            'count': count, 'changes': max(changes, int(moved)), 'nan': nan,
            'constant': changes == 0 and not moved and nan == 0}
