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

"""The recent samples of a robot's observation streams, asked for by time."""

import bisect

import numpy as np

from iql_ros.robot.robot_interface import RobotInterface

_SECOND = 1_000_000_000  # [ns]
_OTHER_CLOCK = 10**6 * _SECOND  # of an age: no recording and no run is so long
# Samples of one stream between two ticks: 1 kHz for 4 s. Of a flood the oldest go first, which
# no later tick would ask for.
_KEPT = 4_000


class ObservationBuffer:
    """The recent samples of every observation stream, asked for by time; knows no clock."""

    def __init__(self, interface: RobotInterface, decode=None):
        """Start empty; `decode(index, value)` makes a vector of what was pushed, if it is none."""
        self._streams = interface.observation
        self._max_ages = [stream.max_age_ns for stream in interface.observation]
        self._decode = decode or (lambda index, value: value)
        self.clear()

    def clear(self) -> None:
        """Forget every sample, as after a reset of the clock."""
        self._stamps = [[] for _ in self._streams]
        self._values = [[] for _ in self._streams]
        self.ages = []       # [ns] of every stream's sample in the last observation

    def push(self, index: int, stamp_ns: int, value) -> None:
        """Take a sample of stream `index`; late ones are put where they belong."""
        stamps = self._stamps[index]
        if not stamps or stamp_ns >= stamps[-1]:
            stamps.append(stamp_ns)
            self._values[index].append(value)
        else:
            position = bisect.bisect_right(stamps, stamp_ns)
            stamps.insert(position, stamp_ns)
            self._values[index].insert(position, value)
        if len(stamps) > _KEPT:
            del stamps[0], self._values[index][0]

    def replace(self, index: int, stamp_ns: int, value) -> None:
        """Take a sample of stream `index` in place of those before: nobody samples them."""
        self._stamps[index], self._values[index] = [stamp_ns], [value]

    def sample(self, tick_ns: int) -> np.ndarray | None:
        """
        Return what is sensed (sensed_dim,) at a tick, or None when a stream is too old.

        Causal: of every stream the latest sample stamped at or before the tick, and none
        older than its max_age; nothing is interpolated. Older samples are forgotten, so ticks
        must be asked for in order.
        """
        self.ages, whole = [], True
        for stamps, values, max_age_ns in zip(self._stamps, self._values, self._max_ages):
            if len(stamps) > 1 and stamps[1] <= tick_ns:
                keep = bisect.bisect_right(stamps, tick_ns) - 1
                del stamps[:keep], values[:keep]
            age = tick_ns - stamps[0] if stamps else -1
            whole = whole and 0 <= age <= max_age_ns
            self.ages.append(age)
        if not whole:
            return None
        return np.concatenate([self._decode(index, values[0])
                               for index, values in enumerate(self._values)])

    def newest(self, time_ns: int) -> np.ndarray:
        """Return the newest values (sensed_dim,), NaN where they are older than max_age."""
        parts = []
        for index, (stream, stamps) in enumerate(zip(self._streams, self._stamps)):
            fresh = stamps and time_ns - stamps[-1] <= stream.max_age_ns
            parts.append(self._decode(index, self._values[index][-1]) if fresh
                         else np.full(stream.dim, np.nan))
        return np.concatenate(parts)

    def ages_ns(self, tick_ns: int) -> list[int | None]:
        """Return the age [ns] of every stream's latest sample at a tick, None without one."""
        positions = [bisect.bisect_right(stamps, tick_ns) for stamps in self._stamps]
        return [tick_ns - stamps[position - 1] if position else None
                for stamps, position in zip(self._stamps, positions)]

    def stale_streams(self, tick_ns: int) -> list[int]:
        """Return the indices of the streams that have no sample young enough for a tick."""
        return [index for index, age in enumerate(self.ages_ns(tick_ns))
                if age is None or age > self._streams[index].max_age_ns]

    def stale(self, tick_ns: int) -> list[str]:
        """Return a description of every stream that has no sample young enough for a tick."""
        ages = self.ages_ns(tick_ns)
        return [f"'{self._streams[index].topic}' ({self._what_is_wrong(ages[index])}; "
                f'max_age {self._streams[index].max_age} s)'
                for index in self.stale_streams(tick_ns)]

    @staticmethod
    def _what_is_wrong(age_ns: int | None) -> str:
        if age_ns is None:
            return 'nothing received'
        said = f'{age_ns / _SECOND:.3f} s old'
        return f'{said}: stamped by another clock' if age_ns > _OTHER_CLOCK else said
