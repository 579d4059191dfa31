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

"""Samples of a bag in order of their stamps, though they were received in another order."""

import heapq
import typing

_SECOND = 1_000_000_000      # [ns]
_WAIT_NS = 5 * _SECOND       # a sample is held this long for one with an earlier stamp


class Sample(typing.NamedTuple):
    """What a bag says at one time about one stream; ordered by stamp, then as received."""

    stamp_ns: int
    number: int              # in order of receive time
    received_ns: int
    kind: str
    index: int               # of the stream, among those of its kind
    value: object            # decoded, or a function that decodes it


def in_order(samples):
    """
    Yield samples in order of their stamps; memory holds those of some seconds.

    None in the sequence says that a clock was set back: all that was held comes first, then
    None, and the order begins anew.
    """
    held = []
    for sample in samples:
        if sample is None:
            yield from _drain(held)
            yield None
            continue
        heapq.heappush(held, sample)
        received_by = sample.received_ns - _WAIT_NS
        while held[0].received_ns <= received_by:
            yield heapq.heappop(held)
    yield from _drain(held)


def _drain(held: list):
    while held:
        yield heapq.heappop(held)
