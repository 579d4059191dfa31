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

"""What a person says about recordings in a CSV file: bag, start, end, outcome of each episode."""

import csv
import dataclasses
import io
import math

from iql_ros.files import InputError, read_text, unknown_name

_COLUMNS = ['bag', 'start', 'end', 'outcome']
_OUTCOMES = ('success', 'failure', 'end')
_SECOND = 1_000_000_000  # [ns]


@dataclasses.dataclass(frozen=True)
class Label:
    """One episode of a bag; times in seconds after the bag's first message was received."""

    start: float             # [s]
    end: float               # [s]
    outcome: str             # success, failure (terminated) or end (truncated)


def read_labels(path, bags) -> dict[str, list[Label]]:
    """
    Return the labels of every bag, in order of time.

    Args:
        path: CSV file with the columns bag, start, end, outcome.
        bags: Names of the bags that may be named in it; one that is not keeps what it says itself.

    Raises:
        InputError: for two bags of one name; naming the line, for a missing column, an unknown
            bag or outcome, times that are no numbers, out of order or overlap.

    """
    labels = {}
    for name in bags:
        if name in labels:
            raise InputError(f"{path}: two bags are named '{name}'; convert them one by one")
        labels[name] = []
    rows = csv.reader(io.StringIO(read_text(path)))
    header = [name.strip() for name in next(rows, [])]
    if header != _COLUMNS:
        raise InputError(f'{path}: columns are {",".join(header)}; expected {",".join(_COLUMNS)}')
    for row in rows:
        if not row:
            continue
        where = f'{path}: line {rows.line_num}'
        if len(row) != len(_COLUMNS):
            raise InputError(f'{where}: got {len(row)} values; expected {len(_COLUMNS)}')
        name = row[0].strip()
        if name not in labels:
            raise InputError(f'{where}: {unknown_name("bag", name, labels)}')
        labels[name].append(_label(row, where))
    for name, found in labels.items():
        found.sort(key=lambda label: label.start)
        for before, after in zip(found, found[1:]):
            if after.start < before.end:
                raise InputError(f"{path}: bag '{name}': the episodes from {before.start:g} s and "
                                 f'from {after.start:g} s overlap')
    return labels


def _label(row: list[str], where: str) -> Label:
    try:
        start, end = float(row[1]), float(row[2])
    except ValueError:
        raise InputError(f'{where}: start and end: got {row[1]!r} and {row[2]!r}; expected '
                         'seconds') from None
    if not (math.isfinite(end) and 0 <= start < end):
        raise InputError(f'{where}: start {start:g}, end {end:g}; allowed: 0 <= start < end')
    outcome = row[3].strip()
    if outcome not in _OUTCOMES:
        raise InputError(f'{where}: {unknown_name("outcome", outcome, _OUTCOMES)}')
    return Label(start, end, outcome)


def label_events(labels: list[Label], bag, start_ns: int, end_ns: int) -> list[tuple[int, str]]:
    """
    Return (receive time [ns], event) of a bag's labels, in order of time.

    Raises:
        InputError: for a label that ends after the bag, received from start_ns to end_ns.

    """
    events, seconds = [], (end_ns - start_ns) / _SECOND
    for label in labels:
        if label.end > seconds:
            raise InputError(f"bag '{bag}' lasts {seconds:.3f} s; a label says that an episode "
                             f'ends at {label.end:g} s')
        events += [(start_ns + round(label.start * _SECOND), 'start'),
                   (start_ns + round(label.end * _SECOND), label.outcome)]
    return events
