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

"""Which list of joints each message of a stream has; a bag does not say who published it."""

import struct

import numpy as np

from iql_ros.files import InputError

_START = 12              # [bytes] of a message before its frame_id: CDR or ROS 1, with the stamp
_MOST_JOINTS = 1000
_KEPT = 16               # lists that are told apart
_USUAL = 0.99            # of the changes from message to message are usual,
_APART = 3.0             # times which two lists' values may differ,
_ROUNDING = 1e-9         # and by rounding, relative to the value
_NEAR_NS = 1_000_000_000  # [ns] between messages that are compared
_NAMED = 5               # ticks that are listed
_SECOND = 1_000_000_000  # [ns]


class JointLists:
    """
    Tells the lists of joints in one stream apart, by the bytes that begin its messages.

    So a message need not be deserialised to know that it names the joints of one before.
    """

    def __init__(self, ros1: bool):
        """Take how the messages are serialised: a header, then the names."""
        self._ros1, self._beginnings = ros1, []
        self._last = None    # the list of the message before, which is mostly that of the next

    def index(self, data: bytes) -> int | None:
        """Return which list a message has, in order of appearance; None: one not seen yet."""
        if self._last is not None and data.startswith(self._beginnings[self._last], _START):
            return self._last
        for index, beginning in enumerate(self._beginnings):
            if data.startswith(beginning, _START):
                self._last = index
                return index
        return None

    def learn(self, data: bytes) -> int | None:
        """
        Take a message with a list that was not seen yet; return its index, None of too many.

        Raises:
            InputError: for a list that is longer than the message.

        """
        if len(self._beginnings) == _KEPT:
            return None
        self._beginnings.append(data[_START:self._end_of_names(data)])
        return len(self._beginnings) - 1

    def _end_of_names(self, data: bytes) -> int:
        number = struct.Struct('<I' if self._ros1 or data[1] & 1 else '>I').unpack_from
        step = 1 if self._ros1 else 4    # CDR aligns what follows

        def after_text(at: int) -> int:
            return at + 4 + number(data, at)[0]

        try:
            at = -(-after_text(_START) // step) * step
            count, end = number(data, at)[0], at + 4
            for _ in range(min(count, _MOST_JOINTS)):
                end = after_text(-(-end // step) * step)
        except struct.error:
            end = len(data) + 1
        if end > len(data):
            raise InputError('the list of joints is longer than its message')
        return end


class Publishers:
    """
    Whether messages with different lists of joints say the same about a robot's joints.

    Compared is what the commonest list says just before and just after: where the values of
    another differ from both by 3 times what they usually change by, somebody else published it.
    """

    def __init__(self):
        """Start before the first message."""
        self._stamps, self._lists, self._values = [], [], []

    def add(self, stamp_ns: int, index: int, vector: np.ndarray) -> None:
        """Take a message: its time [ns], its list, its values (dim,)."""
        self._stamps.append(stamp_ns)
        self._lists.append(index)
        self._values.append(vector)

    def disagreement(self, interface, start_ns: int) -> str:
        """
        Return which ticks see a list that disagrees with the commonest one; empty: none.

        Args:
            interface: Of the robot, for its ticks.
            start_ns: From which the ticks' times are told [ns].

        """
        if len(set(self._lists)) < 2:
            return ''
        order = np.argsort(self._stamps, kind='stable')
        stamps, lists, values = (np.array(part)[order] for part in (
            self._stamps, self._lists, self._values))
        off, by = _apart(stamps, lists, values)
        first = interface.tick_index(int(stamps[0])) + 1
        ticks = np.array([interface.tick_ns(index) for index in
                          range(first, interface.tick_index(int(stamps[-1])) + 1)], dtype=np.int64)
        seen = ticks[off[np.searchsorted(stamps, ticks, 'right') - 1]] if len(ticks) else ticks
        if not len(seen):
            return ''
        times = ', '.join(f'{(tick - start_ns) / _SECOND:.3f}' for tick in seen[:_NAMED].tolist())
        more = ', ...' if len(seen) > _NAMED else ''
        return (f'{len(seen):,} of {len(ticks):,} ticks see messages with another list of names '
                f'whose values differ by up to {by:.4g} from those just before and after: several '
                f'publishers? At {times}{more} s')


def _apart(stamps, lists, values) -> tuple[np.ndarray, float]:
    """Return which messages (N,) disagree with the commonest list, and by how much at most."""
    names, counts = np.unique(lists, return_counts=True)
    common = lists == names[np.argmax(counts)]
    own, where = values[common], np.flatnonzero(common)
    steps = np.abs(np.diff(own, axis=0))
    usual = np.quantile(steps, _USUAL, axis=0) if len(steps) else np.zeros(values.shape[1])
    off, most = np.zeros(len(stamps), bool), 0.0
    for index in np.flatnonzero(~common):
        after = np.searchsorted(where, index)
        near = [where[place] for place in (after - 1, after) if 0 <= place < len(where)
                and abs(int(stamps[where[place]]) - int(stamps[index])) <= _NEAR_NS]
        if not near:
            continue
        by = np.abs(values[near] - values[index]).min(axis=0)
        off[index] = (by > _APART * usual + _ROUNDING * np.abs(values[index])).any()
        most = max(most, float(by.max())) if off[index] else most
    return off, most
