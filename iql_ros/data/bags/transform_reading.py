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

"""The frames of /tf and /tf_static while a bag is read: edges of the tree -> samples."""

import itertools

from iql_ros.data.bags.clocks import jumped_back
from iql_ros.data.bags.order import Sample
from iql_ros.data.bags.robot_streams import RobotStream, STATIC
from iql_ros.data.bags.stream_reading import StreamReading
from iql_ros.files import InputError

_SECOND = 1_000_000_000      # [ns]


class TransformReading(StreamReading):
    """
    A sample is the edges of one message that have one stamp.

    Frames that stay where they are have no place in time: they come with the next that move.
    """

    def __init__(self, stream: RobotStream, bag, trace, numbers, static: dict):
        """As StreamReading; `static` holds, by stream, what waits for the next sample."""
        super().__init__(stream, bag, trace, numbers)
        self._static = static.setdefault(stream.index, [])
        self._newest_ns = {}     # of every frame: publishers of /tf have clocks of their own

    def take(self, received_ns: int, data) -> tuple[Sample, ...]:
        """Return the samples of the next message; see StreamReading.take."""
        try:
            edges = self.stream.decode(data)
        except InputError as error:
            return self._instead(error, received_ns, received_ns)
        if self.stream.kind == STATIC:
            self._static += edges
            return ()
        timed = [edge for edge in edges if edge.stamp_ns or received_ns <= _SECOND]
        if len(timed) < len(edges):
            self._bag.allowed.leave_out(
                'unset-stamps', f"bag '{self._bag.path}': topic '{self.stream.topic}' has "
                'transforms with stamps of zero', self._seconds(received_ns))
        if not timed:
            return ()
        self.statistics.add(received_ns, timed[0].stamp_ns)
        waiting, self._static[:] = list(self._static), ()
        found = ()
        for stamp_ns, group in itertools.groupby(
                sorted(timed, key=lambda edge: edge.stamp_ns), lambda edge: edge.stamp_ns):
            found += self._sample(stamp_ns, received_ns, [*waiting, *group])
            waiting = []
        return found

    def was_set_back(self, sample: Sample) -> bool:
        """Say whether the clock of any frame was set back; see StreamReading.was_set_back."""
        back = False
        for edge in sample.value:
            if edge.stamp_ns is not None:
                if jumped_back(edge.stamp_ns, self._newest_ns.get(edge.child, 0)):
                    back = True
                    self._newest_ns.clear()    # one clock: the others go back with it
                self._newest_ns[edge.child] = edge.stamp_ns
        return back
