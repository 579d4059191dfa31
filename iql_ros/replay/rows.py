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

"""A replay as a CSV file: a row a tick, every number to the bit."""

import csv
import io

import numpy as np

from iql_ros.replay.replay import Replay

_VALUES = ('commanded', 'wanted', 'sent')     # of every action


def csv_text(replay: Replay) -> str:
    """
    Return the rows of all ticks under a header.

    bag, episode, tick, stamp [ns], seconds since the bag began; of every action what was
    commanded, what the policy wanted, what would have been sent; which of them the gate changed,
    why it would have tripped; whether an operator had control; which observations lie outside the
    training data's range; the critic's preference. What is not known is empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header(replay))
    writer.writerows(_row(replay, row) for row in range(len(replay)))
    return text.getvalue()


def header(replay: Replay) -> list[str]:
    """Return the names of the columns."""
    return ['bag', 'episode', 'tick', 'stamp', 'seconds',
            *(f'{name} {value}' for name in replay.interface.action_names for value in _VALUES),
            'gated', 'trip', 'operator', 'outside', 'advantage']


def _row(replay: Replay, row: int) -> list[str]:
    numbers = np.stack([getattr(replay, value)[row] for value in _VALUES], axis=1).ravel()
    names = replay.interface
    outside, advantage = replay.outside, replay.advantage
    return [replay.bags[replay.bag[row]], str(replay.episode[row]), str(replay.tick[row]),
            str(replay.stamp_ns[row]), repr(float(replay.seconds[row])), *map(_number, numbers),
            _named(names.action_names, replay.gated[row]), str(replay.trip[row]),
            str(int(replay.operated[row])),
            '' if outside is None else _named(names.observation_names, outside[row]),
            '' if advantage is None else _number(advantage[row])]


def _number(value) -> str:
    return '' if np.isnan(value) else repr(float(value))


def _named(names: list[str], mask: np.ndarray) -> str:
    return '; '.join(names[index] for index in np.flatnonzero(mask))
