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

"""Whether the streams of a bag share one axis of time, and by how much their clocks differ."""

import numpy as np

from iql_ros.data.bags.reader import Bag
from iql_ros.data.bags.robot_streams import ACTION, OBSERVATION
from iql_ros.files import InputError

_SECOND = 1_000_000_000      # [ns]
_JUMP_NS = _SECOND           # a stream whose stamps go back by more has a new clock
_DELAY_NS = _SECOND          # receive minus header time from which no delay explains it
_AGREE = 1.0                 # [s] within which header clocks, and receive time, must agree


def jumped_back(stamp_ns: int, previous_ns: int) -> bool:
    """Say whether a stream's clock was set back between two of its messages."""
    return previous_ns - stamp_ns > _JUMP_NS


def ticks_offset_ns(readings) -> int:
    """Return receive time minus the clock of the ticks [ns], 0 where they are one clock."""
    offset_ns = next((reading.statistics.offset_ns for reading in readings
                      if reading.stream.kind == OBSERVATION and reading.stream.by_header
                      and reading.statistics.messages), None) or 0
    return int(offset_ns) if abs(offset_ns) >= _DELAY_NS else 0


def check_clocks(bag: Bag, readings, whole: bool) -> None:
    """
    Refuse streams that cannot share one axis of time.

    Args:
        bag: The bag, which knows what a person allowed.
        readings: Its streams with their statistics so far, see samples.StreamReading.
        whole: Whether the bag was read to its end; before, only what is beyond doubt is refused.

    Raises:
        InputError: naming the topics and how far they are apart.

    """
    timed = [reading for reading in readings
             if reading.statistics.messages and reading.stream.kind in (OBSERVATION, ACTION)]
    for reading in timed:
        if whole and reading.stream.by_header and reading.statistics.summary()['constant']:
            raise InputError(f"bag '{bag.path}': topic '{reading.stream.topic}': the header's "
                             'stamp is the same in every message; say stamp: receive')
    offsets = [(reading.statistics.offset_ns or 0.0) / _SECOND if reading.stream.by_header else 0.0
               for reading in timed]
    if len(offsets) < 2:
        return
    low, high = int(np.argmin(offsets)), int(np.argmax(offsets))
    apart = offsets[high] - offsets[low]
    if apart > (_AGREE if whole else 60 * _AGREE):
        ahead, behind = timed[low].stream, timed[high].stream
        ways = {True: 'its header', False: 'its receive time'}
        bag.allowed.refuse('clocks', (
            f"bag '{bag.path}': topic '{ahead.topic}', by {ways[ahead.by_header]}, runs "
            f"{apart:,.1f} s ahead of topic '{behind.topic}', by {ways[behind.by_header]}; "
            'say stamp: receive, or header, for both'))
