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

"""What a stream of stamped messages looks like over time, in bounded memory."""

import numpy as np

_SAMPLES = 8192      # kept of a quantity whose percentiles are asked for
_BINS = 400          # of a stream's activity over time
GAPS_KEPT = 8        # the longest
_TOGETHER = 4096     # messages that are looked at together
_BUNCHED = 0.5       # of the mean interval: messages that follow each other closer come together
_GAP = 5.0           # [intervals] and
_GAP_SECONDS = 0.5   # [s] from which a pause is called a gap
_SECOND = 1_000_000_000


class Decimated:
    """An evenly spaced sample of a sequence of unknown length: every n-th value, n growing."""

    def __init__(self):
        """Start empty."""
        self._values, self._stride, self._skipped = [], 1, 0

    def add(self, value) -> None:
        """Take the next value of the sequence."""
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        self._values.append(value)
        if len(self._values) == _SAMPLES:
            self._thin()

    def extend(self, values: np.ndarray) -> None:
        """Take the next values of the sequence."""
        while len(values):
            first = self._stride - 1 - self._skipped
            kept, room = values[first::self._stride].tolist(), _SAMPLES - len(self._values)
            self._values += kept[:room]
            if len(kept) < room:
                self._skipped = (self._skipped + len(values)) % self._stride
                return
            values, self._skipped = values[first + (room - 1) * self._stride + 1:], 0
            self._thin()

    def _thin(self) -> None:
        del self._values[::2]
        self._stride *= 2

    def values(self) -> np.ndarray:
        """Return what was kept, in order."""
        return np.asarray(self._values)


class Activity:
    """How many messages came when: counts in bins that widen as the recording goes on."""

    def __init__(self, width_ns: int = _SECOND // 20):
        """Start with bins of `width_ns`."""
        self._width_ns, self._counts = width_ns, {}

    def extend(self, times_ns: np.ndarray) -> None:
        """Count messages."""
        for index, count in zip(*np.unique(times_ns // self._width_ns, return_counts=True)):
            index = int(index)
            self._counts[index] = self._counts.get(index, 0) + int(count)
        while len(self._counts) > _BINS:
            self._width_ns *= 2
            merged = {}
            for index, count in self._counts.items():
                merged[index // 2] = merged.get(index // 2, 0) + count
            self._counts = merged

    def bins(self) -> tuple[float, list[list[float]]]:
        """Return the width [s] and, in order of time, [start of a bin [s], messages]."""
        return self._width_ns / _SECOND, [[index * self._width_ns / _SECOND, count]
                                          for index, count in sorted(self._counts.items())]


class StreamStatistics:
    """The times of one stream's messages: rate, jitter, gaps, header against receive time."""

    def __init__(self, by_header: bool):
        """Take whether the header's stamps (else the receive times) place the messages."""
        self._by_header = by_header
        self.messages = 0
        self._waiting, self._waiting_offsets = [], []   # looked at together: much quicker
        self._unset, self._backwards, self._changes = 0, 0, 0
        self._first_ns, self._last_ns, self._previous_ns = None, None, None
        self._intervals, self._offsets, self._activity = Decimated(), Decimated(), Activity()
        self._longest = []                   # of (interval, start), the longest first

    def add(self, received_ns: int, stamp_ns: int | None) -> None:
        """Take a message's receive time and its header's stamp [ns], None without a header."""
        self.messages += 1
        if stamp_ns is not None:
            self._waiting_offsets.append(received_ns - stamp_ns)
            self._unset += stamp_ns == 0
        self._waiting.append(stamp_ns if self._by_header and stamp_ns is not None
                             else received_ns)
        if len(self._waiting) == _TOGETHER:
            self._look()

    def _look(self) -> None:
        """Take what waits into the figures."""
        if not self._waiting:
            return
        times = np.array(self._waiting, dtype=np.int64)
        self._offsets.extend(np.array(self._waiting_offsets, dtype=np.int64))
        self._waiting, self._waiting_offsets = [], []
        self._activity.extend(times)
        if self._previous_ns is None:
            self._first_ns = self._last_ns = self._previous_ns = int(times[0])
            times = times[1:]
        if not len(times):
            return
        starts = np.concatenate([[self._previous_ns], times[:-1]])
        intervals = times - starts
        self._intervals.extend(intervals)
        self._backwards += int(np.count_nonzero(intervals < 0))
        self._changes += int(np.count_nonzero(intervals))
        longest = np.argsort(intervals, kind='stable')[-GAPS_KEPT:]
        self._longest = sorted(
            self._longest + [(int(intervals[at]), int(starts[at])) for at in longest],
            reverse=True)[:GAPS_KEPT]
        self._previous_ns, self._last_ns = int(times[-1]), max(self._last_ns, int(times.max()))

    @property
    def offset_ns(self) -> float | None:
        """Return the median of receive minus header time [ns], None without headers."""
        self._look()
        offsets = self._offsets.values()
        return float(np.median(offsets)) if len(offsets) else None

    def summary(self) -> dict:
        """
        Return the figures, ready for JSON: times in seconds, rates in hertz.

        Keys: messages, first, last (on the clock that places the messages), rate (from the
        median interval, from the mean of messages that come in bunches), period, jitter
        (standard deviation of the interval without its longest percent), bunched (share of the
        messages that come right after another, where most do, else 0), gaps [[start,
        length]], constant (every stamp is the same), unset, backwards, offset {median, p01, p99}
        of receive minus header or None, activity {width, bins}.
        """
        self._look()
        intervals = self._intervals.values() / _SECOND if self.messages > 1 else np.empty(0)
        period = float(np.median(intervals)) if len(intervals) else 0.0
        usual = intervals[intervals <= np.percentile(intervals, 99)] if len(intervals) else [0.0]
        mean = float(np.mean(usual))
        bunched = 0.0
        if 0 < period < _BUNCHED * mean:  # most: the median says nothing of the rate
            bunched, period = float(np.mean(np.asarray(usual) < _BUNCHED * mean)), mean
        limit = max(_GAP * period, _GAP_SECONDS)
        gaps = sorted([start / _SECOND, length / _SECOND] for length, start in self._longest
                      if length / _SECOND > limit)
        offsets = self._offsets.values() / _SECOND
        width, bins = self._activity.bins()
        seconds = [None if time is None else time / _SECOND
                   for time in (self._first_ns, self._last_ns)]
        return {'messages': self.messages, 'first': seconds[0], 'last': seconds[1],
                'rate': 1 / period if period > 0 else 0.0, 'period': period,
                'jitter': float(np.std(usual)), 'bunched': bunched, 'gaps': gaps,
                'constant': self.messages > 2 and self._changes == 0,
                'unset': self._unset, 'backwards': self._backwards,
                'offset': _spread(offsets) if len(offsets) else None,
                'activity': {'width': width, 'bins': bins}}


def _spread(values: np.ndarray) -> dict:
    low, median, high = np.percentile(values, [1, 50, 99])
    return {'median': float(median), 'p01': float(low), 'p99': float(high)}
