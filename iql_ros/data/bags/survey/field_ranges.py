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

import dataclasses
import operator

import numpy as np

from iql_ros.data.bags.survey.field_layout import FieldLayout
from iql_ros.data.oddities import flips, look, Oddity

_ROWS = 256          # of numbers, gathered before they are looked at together
_KEPT = 1 << 18      # numbers of a table that are kept; of later rows those with a new extreme
_LONG = 32           # longer arrays are one entry
_TABLES = 64         # different (array, joint list) pairs that are kept of a topic
_TEXTS = 8           # different values that are kept of a text
_TEXT_LENGTH = 60
_NEARLY = 0.5        # [rad] of a turn
_LARGEST_ANGLE = 2 * np.pi + 0.01   # [rad] of one that is kept within a turn


class _Columns:
    """Ranges, changes and oddities of some numbers that always come together."""

    def __init__(self, names: list[str], extend=None):
        self.names, self._extend, self._last = names, extend, None
        self._pending, self._seconds = [], []
        self._kept, self._kept_seconds = [], []
        self.count = 0
        self.minimum = np.full(len(names), np.inf)
        self.maximum = np.full(len(names), -np.inf)
        self.finite, self.changes = np.zeros(len(names), int), np.zeros(len(names), int)
        self.wraps = np.zeros(len(names), int)

    def add(self, row, seconds: float) -> None:
        self._pending.append(row)
        self._seconds.append(seconds)
        if len(self._pending) == _ROWS:
            self.flush()

    def flush(self) -> None:
        if not self._pending:
            return
        rows = np.array(self._pending, dtype=np.float64)
        self._pending = []
        rows = self._extend(rows) if self._extend else rows
        finite = np.isfinite(rows)
        self._keep(rows, finite)
        self.count += len(rows)
        self.finite += finite.sum(axis=0)
        self.minimum = np.minimum(self.minimum, np.where(finite, rows, np.inf).min(axis=0))
        self.maximum = np.maximum(self.maximum, np.where(finite, rows, -np.inf).max(axis=0))
        before = rows[:1] if self._last is None else self._last[None]
        previous = np.concatenate([before, rows[:-1]])
        same = (rows == previous) | (np.isnan(rows) & np.isnan(previous))
        self.changes += (~same).sum(axis=0)
        self.wraps += _wraps(previous, rows).sum(axis=0)
        self._last = rows[-1]

    def _keep(self, rows: np.ndarray, finite: np.ndarray) -> None:
        seconds, self._seconds = np.array(self._seconds), []
        if self.count * len(self.names) > _KEPT:
            new = finite & ((rows < self.minimum) | (rows > self.maximum))
            rows, seconds = rows[new.any(axis=1)], seconds[new.any(axis=1)]
        self._kept.append(rows)
        self._kept_seconds.append(seconds)

    def entries(self) -> list[dict]:
        self.flush()
        odd = [None] * len(self.names)
        if self._kept:
            odd = look(np.concatenate(self._kept), np.concatenate(self._kept_seconds))
        entries = [_entry(name, low, high, self.count, finite, changes, each)
                   for name, low, high, finite, changes, each in zip(
                       self.names, self.minimum.tolist(), self.maximum.tolist(),
                       self.finite.tolist(), self.changes.tolist(), odd)]
        for entry, wraps in zip(entries, self.wraps.tolist()):
            if wraps and max(-entry['minimum'], entry['maximum']) <= _LARGEST_ANGLE:
                entry['wraps'] = wraps
        return entries

    def flips(self) -> dict[str, int]:
        return flips(self.names, np.concatenate(self._kept)) if self._kept else {}


def _wraps(before: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Say where a value leaps by a turn, as an angle does that is kept within one."""
    with np.errstate(invalid='ignore', over='ignore'):
        return np.abs(np.abs(rows - before) - 2 * np.pi) < _NEARLY


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


def _entry(name: str, low: float, high: float, count: int, finite: int, changes: int,
           odd: Oddity | None = None) -> dict:
    entry = {'name': name, 'minimum': low if finite else None, 'maximum': high if finite else None,
             'constant': changes == 0 and finite == count > 0, 'count': count, 'changes': changes,
             'nan': (count - finite) / count if count else 0.0}
    if odd and (odd.is_any):
        entry['odd'] = dataclasses.asdict(odd)
    return entry


def usual_range(entry: dict) -> tuple[float, float]:
    """Return the range of a field's values but for those far outside of all others."""
    odd = entry.get('odd')
    return (odd['low'], odd['high']) if odd else (entry['minimum'], entry['maximum'])


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
        self._layout = layout = FieldLayout(fielddefs, type_name)
        names = layout.scalars + [
            name for path in layout.quaternions
            for name in (f'yaw_cos({path})', f'yaw_sin({path})', f'norm({path})')]
        self._scalars = _Columns(names, self._extend if layout.quaternions else None)
        self._read = operator.attrgetter(*layout.scalars) if layout.scalars else None
        self._tables, self._long = {}, {}
        self._joints, self._lists, self._unnamed = {}, {}, 0
        self._filled, self._texts = set(), {path: {} for path in layout.texts}

    def _extend(self, rows: np.ndarray) -> np.ndarray:
        return _yaws(rows, self._layout.scalars, self._layout.quaternions)

    def add(self, message, seconds: float = 0.0) -> None:
        """Take the next message, received at a time after the start of its bag [s]."""
        layout = self._layout
        if self._read:
            row = self._read(message)
            self._scalars.add(row if len(layout.scalars) > 1 else (row,), seconds)
        for path in layout.texts:
            if len(self._texts[path]) <= _TEXTS:
                self._texts[path][getattr(message, path)[:_TEXT_LENGTH]] = None
        if layout.arrays:
            self._add_arrays(message, seconds)

    def _add_arrays(self, message, seconds: float) -> None:
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
                self._add_array(path, values, names if len(names) == len(values) else None,
                                seconds)
        if layout.names and filled:
            self._unnamed += not names
            if names in self._lists or (names and len(self._lists) < _TABLES):
                self._lists[names] = self._lists.get(names, 0) + 1
                self._joints.update(dict.fromkeys(names))

    def _add_array(self, path: str, values: np.ndarray, names: tuple | None,
                   seconds: float) -> None:
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
        table.add(values.astype(np.float64), seconds)

    def summary(self) -> dict:
        """
        Return what was seen, ready for JSON.

        Keys: joints, fields (name, minimum, maximum, constant, nan, count, changes; a long
        array also length, dtype, infinite), empty (arrays that never held anything),
        joint_lists (how many different ones), lists (each, and how often), unnamed (messages
        with values for joints without names), texts (path -> values seen), norms (orientation ->
        [lowest, highest]), flips (orientation -> changes of its quaternion's sign). A field with
        something odd about it also has odd, see oddities.Oddity; an angle that leaps by a turn has
        wraps, how often.
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
                'joint_lists': len(self._lists),
                'lists': [{'joints': list(names), 'messages': count}
                          for names, count in self._lists.items()], 'unnamed': self._unnamed,
                'texts': {path: list(values)[:_TEXTS] for path, values in self._texts.items()},
                'norms': norms, 'flips': self._scalars.flips()}


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
    odd = [entry['odd'] for entry in (one, other) if 'odd' in entry]
    if odd:
        ranges = [usual_range(entry) for entry in (one, other) if entry['minimum'] is not None]
        most = max(odd, key=lambda each: each['outside'])
        one = {**one, 'odd': {**most, 'low': min(low for low, _ in ranges),
                              'high': max(high for _, high in ranges)}}
    return {**one, 'minimum': min(lows, default=None), 'maximum': max(highs, default=None),
            'count': count, 'changes': max(changes, int(moved)), 'nan': nan,
            'constant': changes == 0 and not moved and nan == 0}
