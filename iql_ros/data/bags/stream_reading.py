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

"""One stream of a robot while its bag is read: messages -> samples, and what is left out."""

import contextlib
import functools
import typing

from iql_ros.data.bags.clocks import jumped_back
from iql_ros.data.bags.damage import about, DamageError
from iql_ros.data.bags.joint_lists import Publishers
from iql_ros.data.bags.order import Sample
from iql_ros.data.bags.reader import Bag
from iql_ros.data.bags.robot_streams import ACTION, OBSERVATION, RobotStream
from iql_ros.data.bags.statistics import StreamStatistics
from iql_ros.files import InputError
from iql_ros.robot.message_fields import (
    EmptyTrajectoryError, MissingJointError, OtherJointsError, UnseenError)
from iql_ros.robot.robot_interface import RobotInterface

_SECOND = 1_000_000_000      # [ns]
_LEAVES_OUT = ('damaged', 'partial-joints', 'unfit-messages')


class Unfit(typing.NamedTuple):
    """Stands for a message that does not fit the robot: no tick may see another in its place."""

    topic: str


class StreamReading:
    """Its samples, its clock, its statistics, and whether several publish on its topic."""

    def __init__(self, stream: RobotStream, bag: Bag, trace, numbers):
        """Start before the first message; `numbers` counts the samples of all streams."""
        self.stream, self.statistics = stream, StreamStatistics(stream.by_header)
        self.last_ns = 0               # stamp of the sample before
        self._bag, self._trace, self._numbers = bag, trace, numbers
        self._traced = stream.kind in (OBSERVATION, ACTION)  # for what an action brings about
        # a message that may be left out must be looked at before it is counted as a sample
        self._may_wait = stream.kind == OBSERVATION and not stream.decoded_at_once and not any(
            name in bag.allowed for name in _LEAVES_OUT)
        self._waits = False            # deserialised only when a tick asks; not the first one
        self._decoded = None, None     # the data of the last one that waited, and its vector
        self._samples, self._others = 0, ''    # the error of messages about other joints alone
        self._publishers, self._before = None, None  # the message before: stamp, list, data

    def take(self, received_ns: int, data) -> tuple[Sample, ...]:
        """
        Return the sample of the stream's next message, nothing where it is left out.

        Raises:
            InputError: for a message that does not fit, unless that was allowed.

        """
        stream, stamp_ns = self.stream, received_ns
        try:
            header_ns = stream.stamp_of(data) if stream.stamp_of else None
            self.statistics.add(received_ns, header_ns)
            stamp_ns = header_ns if stream.by_header else received_ns
            unset = stamp_ns == 0 and received_ns > _SECOND  # else simulated time begins
            value = None if unset else self._value(stamp_ns, received_ns, data)
        except InputError as error:
            return self._instead(error, stamp_ns, received_ns)
        if unset:
            self._bag.allowed.leave_out(
                'unset-stamps', f"bag '{self._bag.path}': topic '{stream.topic}' has header "
                'stamps of zero; say stamp: receive', self._seconds(received_ns))
            return ()
        self._samples += 1
        return (Sample(stamp_ns, next(self._numbers), received_ns, stream.kind, stream.index,
                       value),)  # as _sample does, at every message

    def was_set_back(self, sample: Sample) -> bool:
        """Say whether the stream's clock was set back before a sample, the next of `take`."""
        back = self.stream.by_header and jumped_back(sample.stamp_ns, self.last_ns)
        self.last_ns = sample.stamp_ns
        return back

    def check(self, interface: RobotInterface) -> None:
        """
        Look at the whole, once the bag was read.

        Raises:
            InputError: for a topic on which nothing was about the robot's joints; for several
                publishers that disagree, unless that is allowed.

        """
        if self._others and not self._samples:
            raise InputError(self._others)
        if self._publishers:
            said = self._publishers.disagreement(interface, self._bag.start_ns)
            if not said:
                self._bag.allowed.note(f"bag '{self._bag.path}': topic '{self.stream.topic}': its "
                                       'list of joints changes; the values agree')
            else:
                self._bag.allowed.refuse(
                    'publishers', f"bag '{self._bag.path}': topic '{self.stream.topic}': {said}")

    def _seconds(self, received_ns: int) -> float:
        return (received_ns - self._bag.start_ns) / _SECOND

    def _sample(self, stamp_ns: int, received_ns: int, value) -> tuple[Sample]:
        self._samples += 1
        return (Sample(stamp_ns, next(self._numbers), received_ns, self.stream.kind,
                       self.stream.index, value),)

    def _instead(self, error: InputError, stamp_ns: int, received_ns: int) -> tuple[Sample, ...]:
        """Return what stands for a message that is no sample; refuse what is not allowed."""
        allowed, text, kind = self._bag.allowed, about(self._bag.path, error), self.stream.kind
        seconds = self._seconds(received_ns)
        if isinstance(error, OtherJointsError):  # of another part of the robot: live, too
            self._others = self._others or text
        elif isinstance(error, UnseenError):
            allowed.count(f"bag '{self._bag.path}': topic '{self.stream.topic}': no sample, as a "
                          'sector of the scan has no reading (unseen: range_max if that means '
                          'clear)', seconds)
        elif isinstance(error, EmptyTrajectoryError) and kind == ACTION:
            allowed.count(f'{text}: no command until the next', seconds)
            return self._sample(stamp_ns, received_ns, None)
        elif isinstance(error, MissingJointError):
            allowed.leave_out('partial-joints', text, seconds)
        elif isinstance(error, DamageError):
            allowed.leave_out('damaged', text, seconds)
        elif kind in (OBSERVATION, ACTION):
            allowed.leave_out('unfit-messages', text, seconds)
            return self._sample(stamp_ns, received_ns,
                                Unfit(self.stream.topic) if kind == OBSERVATION else None)
        else:  # of a reward nobody knows what it was
            raise InputError(f'{text}, {seconds:.3f} s after the start of the bag')
        return ()

    def _value(self, stamp_ns: int, received_ns: int, data):
        """Return what a message says, or the function that a tick calls for it."""
        stream, lists, index = self.stream, self.stream.lists, 0
        if lists is not None:
            index = lists.index(data)
        traced = self._traced and self._trace.due(stream.kind, stream.index, stamp_ns)
        if self._waits and not traced and index is not None and self._publishers is None:
            if lists is not None:
                self._before = stamp_ns, index, data
            return functools.partial(self._decode_late, received_ns, data)
        value = stream.decode(data)
        if index is None:
            index = lists.learn(data)
        self._waits = self._may_wait and index is not None
        if lists is not None:
            self._look_for_publishers(stamp_ns, index, data, value)
        if traced:
            self._trace.add(stream.kind, stream.index, stamp_ns, value)
        return value

    def _look_for_publishers(self, stamp_ns: int, index: int | None, data, value) -> None:
        """Compare, from the first message on that has another list of joints than the first."""
        if self._publishers is None and self._before and index != self._before[1]:
            self._publishers = Publishers()
            before_ns, before, data_before = self._before
            with contextlib.suppress(InputError):  # no tick asked for it
                self._publishers.add(before_ns, before, self.stream.decode(data_before))
        if self._publishers and index is not None:
            self._publishers.add(stamp_ns, index, value)
        self._before = stamp_ns, index, data

    def _decode_late(self, received_ns: int, data):
        """Return the vector of an observation; that of a slow stream is asked for again."""
        if self._decoded[0] is not data:
            try:
                self._decoded = data, self.stream.decode(data)
            except InputError as error:
                self._instead(error, 0, received_ns)  # refuses: nothing of it is allowed
                raise
        return self._decoded[1]
