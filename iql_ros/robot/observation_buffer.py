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

from iql_ros.robot.observations import Transform
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.transform_tree import Edge, TransformTree

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
        decode = decode or (lambda index, value: value)
        self._tracks = [_Frames(stream) if isinstance(stream, Transform)
                        else _Samples(index, decode)
                        for index, stream in enumerate(self._streams)]
        self.ages = []       # [ns] of every stream's sample in the last observation

    def clear(self) -> None:
        """Forget every sample, as after a reset of the clock, but where frames stay."""
        for track in self._tracks:
            track.clear()
        self.ages = []

    def push(self, index: int, stamp_ns: int, value) -> None:
        """Take a sample of stream `index`, of a transform its edges; late ones are put in."""
        self._tracks[index].push(stamp_ns, value)

    def replace(self, index: int, stamp_ns: int, value) -> None:
        """Take a sample of stream `index` in place of those before: nobody samples them."""
        self._tracks[index].replace(stamp_ns, value)

    def sample(self, tick_ns: int) -> np.ndarray | None:
        """
        Return what is sensed (sensed_dim,) at a tick, or None when a stream is too old.

        Causal: of every stream the latest sample stamped at or before the tick, and none
        older than its max_age; nothing is interpolated. Older samples are forgotten, so ticks
        must be asked for in order.
        """
        self.ages = [track.look(tick_ns) for track in self._tracks]
        for age, max_age_ns in zip(self.ages, self._max_ages):
            if not 0 <= age <= max_age_ns:
                return None
        return np.concatenate([track.seen() for track in self._tracks])

    def sample_of(self, index: int, tick_ns: int) -> tuple[int, np.ndarray] | None:
        """Return the age [ns] and the vector of one stream at a tick, None: nothing is known."""
        age = self._tracks[index].look(tick_ns)
        return None if age < 0 else (age, self._tracks[index].seen())

    def newest(self, time_ns: int) -> np.ndarray:
        """Return the newest values (sensed_dim,), NaN where they are older than max_age."""
        parts = []
        for stream, track in zip(self._streams, self._tracks):
            stamp_ns, value = track.newest()
            fresh = stamp_ns is not None and time_ns - stamp_ns <= stream.max_age_ns
            parts.append(value() if fresh else np.full(stream.dim, np.nan))
        return np.concatenate(parts)

    def ages_ns(self, tick_ns: int) -> list[int | None]:
        """Return the age [ns] of every stream's latest sample at a tick, None without one."""
        return [track.age_ns(tick_ns) for track in self._tracks]

    def stale_streams(self, tick_ns: int) -> list[int]:
        """Return the indices of the streams that have no sample young enough for a tick."""
        return [index for index, age in enumerate(self.ages_ns(tick_ns))
                if age is None or age > self._streams[index].max_age_ns]

    def lacking(self, tick_ns: int) -> list[str]:
        """Return the name of every stream without a young sample, and what a tree lacks."""
        ages, found = self.ages_ns(tick_ns), []
        for index in self.stale_streams(tick_ns):
            why = self._tracks[index].said(tick_ns) if ages[index] is None else ''
            found.append(self._streams[index].label + (f' ({why})' if why else ''))
        return found

    def stale(self, tick_ns: int) -> list[str]:
        """Return a description of every stream that has no sample young enough for a tick."""
        ages = self.ages_ns(tick_ns)
        return [f"'{self._streams[index].label}' ({self._what_is_wrong(index, ages, tick_ns)}; "
                f'max_age {self._streams[index].max_age} s)'
                for index in self.stale_streams(tick_ns)]

    def _what_is_wrong(self, index: int, ages: list[int | None], tick_ns: int) -> str:
        said = self._tracks[index].said(tick_ns)
        if ages[index] is None:
            return said or 'nothing received'
        said = f'{ages[index] / _SECOND:.3f} s old{said}'
        return f'{said}: stamped by another clock' if ages[index] > _OTHER_CLOCK else said


class _Samples:
    """The recent samples of one stream."""

    def __init__(self, index: int, decode):
        self._index, self._decode = index, decode
        self.clear()

    def clear(self) -> None:
        self._stamps, self._values = [], []

    def push(self, stamp_ns: int, value) -> None:
        stamps = self._stamps
        if not stamps or stamp_ns >= stamps[-1]:
            stamps.append(stamp_ns)
            self._values.append(value)
        else:
            position = bisect.bisect_right(stamps, stamp_ns)
            stamps.insert(position, stamp_ns)
            self._values.insert(position, value)
        if len(stamps) > _KEPT:
            del stamps[0], self._values[0]

    def replace(self, stamp_ns: int, value) -> None:
        self._stamps, self._values = [stamp_ns], [value]

    def look(self, tick_ns: int) -> int:
        """Return the age at a tick [ns], < 0 without a sample; forget what is older."""
        stamps = self._stamps
        if len(stamps) > 1 and stamps[1] <= tick_ns:
            keep = bisect.bisect_right(stamps, tick_ns) - 1
            del stamps[:keep], self._values[:keep]
        return tick_ns - stamps[0] if stamps else -1

    def seen(self) -> np.ndarray:
        """Return the value at the tick that was looked at."""
        return self._decode(self._index, self._values[0])

    def newest(self) -> tuple:
        """Return the newest stamp [ns], or None, and what gives its value."""
        if not self._stamps:
            return None, None
        return self._stamps[-1], lambda: self._decode(self._index, self._values[-1])

    def age_ns(self, tick_ns: int) -> int | None:
        position = bisect.bisect_right(self._stamps, tick_ns)
        return tick_ns - self._stamps[position - 1] if position else None

    def said(self, tick_ns: int) -> str:
        """Return what more there is to say of it."""
        return ''


class _Frames:
    """The recent edges that lead from one frame to another."""

    def __init__(self, stream: Transform):
        self._stream, self._tree, self._found = stream, TransformTree(), None

    def clear(self) -> None:
        self._tree.clear()

    def push(self, stamp_ns: int, edges: list[Edge]) -> None:
        for edge in edges:
            self._tree.push(edge)

    def replace(self, stamp_ns: int, edges: list[Edge]) -> None:
        self.push(stamp_ns, edges)
        self._tree.forget_before(self._tree.newest_ns() or 0)

    def _find(self, tick_ns: int):
        return self._tree.find(self._stream.of, self._stream.within, tick_ns)

    def look(self, tick_ns: int) -> int:
        self._tree.forget_before(tick_ns)
        self._found = self._find(tick_ns)
        return -1 if self._found is None else self._age(self._found, tick_ns)

    def seen(self) -> np.ndarray:
        return self._stream.vector(self._found.pose)

    def newest(self) -> tuple:
        newest_ns = self._tree.newest_ns() or 0
        found = self._find(newest_ns)
        if found is None:
            return None, None
        stamp_ns = newest_ns if found.stamp_ns is None else found.stamp_ns
        return stamp_ns, lambda: self._stream.vector(found.pose)

    def age_ns(self, tick_ns: int) -> int | None:
        found = self._find(tick_ns)
        return None if found is None else self._age(found, tick_ns)

    @staticmethod
    def _age(found, tick_ns: int) -> int:
        return 0 if found.stamp_ns is None else tick_ns - found.stamp_ns

    def said(self, tick_ns: int) -> str:
        found = self._find(tick_ns)
        if found is None:
            return self._tree.missing(self._stream.of, self._stream.within, tick_ns)
        return f', by {found.oldest}' if found.oldest else ''
