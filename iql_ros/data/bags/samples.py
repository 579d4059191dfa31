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

"""Messages of one bag -> samples of a robot's streams, in order of their stamps."""

import collections
import itertools
import typing

from iql_ros.data.bags.action_delay import DelayTrace
from iql_ros.data.bags.clocks import check_clocks, ticks_offset_ns
from iql_ros.data.bags.labels import Label, label_events
from iql_ros.data.bags.order import in_order, Sample
from iql_ros.data.bags.reader import Bag
from iql_ros.data.bags.robot_streams import ACTION, EVENT, OBSERVATION, RobotStream
from iql_ros.data.bags.stream_reading import StreamReading
from iql_ros.data.bags.transform_reading import TransformReading
from iql_ros.files import InputError
from iql_ros.robot.robot_interface import RobotInterface

_LOOK_EVERY = 16_384         # messages between two looks at the clocks


class BagSamples:
    """
    The samples of a robot's streams in one bag, and what is counted of them on the way.

    Where a person labelled the bag, the labels are its events, whatever it says itself.
    """

    def __init__(self, bag: Bag, interface: RobotInterface, streams: list[RobotStream],
                 labels: list[Label], on_progress=None):
        """
        Read nothing yet.

        Args:
            bag: An open bag.
            interface: Of the robot.
            streams: Where the bag has the robot's streams.
            labels: What a person says about the bag; none: the bag's own events count.
            on_progress: Called with the bag's name, the messages read and those it declares.

        Raises:
            InputError: for a label beyond the end of the bag.

        """
        self._bag, self._on_progress = bag, on_progress or (lambda *progress: None)
        self._numbers, self._interface = itertools.count(), interface
        self.trace = DelayTrace(interface)
        static = {}     # edges by stream, see TransformReading
        self.readings = [
            TransformReading(stream, bag, self.trace, self._numbers, static) if stream.frames
            else StreamReading(stream, bag, self.trace, self._numbers)
            for stream in streams if not (labels and stream.kind == EVENT)]
        self._labels = collections.deque(
            label_events(labels, bag.path, bag.start_ns, bag.end_ns) if labels else ())

    def __iter__(self) -> typing.Iterator[Sample | None]:
        """
        Read the bag, once: yield its samples by their stamps, None where a clock was set back.

        Raises:
            InputError: as Bag.messages; for a message that does not fit the robot; for streams
                without messages, publishers and clocks that disagree, at the latest at the end.

        """
        yield from in_order(self._as_received())
        for reading in self.readings:
            if not reading.statistics.messages and reading.stream.kind in (OBSERVATION, ACTION):
                raise InputError(f"bag '{self._bag.path}': no message on topic "
                                 f"'{reading.stream.topic}'")
            reading.check(self._interface)
        check_clocks(self._bag, self.readings, whole=True)

    def _as_received(self):
        """Yield samples in order of receive time, None where a stream's clock was set back."""
        by_topic = collections.defaultdict(list)
        for reading in self.readings:
            by_topic[reading.stream.topic].append(reading)
        declared = sum(self._bag.topics[topic].declared for topic in by_topic)
        for count, (topic, received_ns, data) in enumerate(self._bag.messages(by_topic)):
            if count % _LOOK_EVERY == 0:
                check_clocks(self._bag, self.readings, whole=False)
                self._on_progress(self._bag.path.name, count, declared)
            while self._labels and self._labels[0][0] <= received_ns:
                yield self._next_label(received_ns)
            for reading in by_topic[topic]:
                for sample in reading.take(received_ns, data):
                    if reading.was_set_back(sample):
                        yield None
                    yield sample
        while self._labels:
            yield self._next_label(self._bag.end_ns)

    def _next_label(self, received_ns: int) -> Sample:
        """Return the next label as an event on the clock of the ticks."""
        time_ns, event = self._labels.popleft()
        return Sample(time_ns - ticks_offset_ns(self.readings), next(self._numbers), received_ns,
                      EVENT, 0, event)
