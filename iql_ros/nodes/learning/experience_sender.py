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

"""Sends what a robot lived through to its learner, again and again until that has it on disk."""

import array
import collections
import dataclasses
import itertools
import math
import threading
import time

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import (
    Float64MultiArray, MultiArrayDimension, MultiArrayLayout, UInt64MultiArray)

from iql_ros.online.experience import Acknowledgement, Experience, ExperienceFormat

# Keep all would let a subscriber that hangs block the control loop.
_EXPERIENCE_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
_ACKNOWLEDGED_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_TOGETHER = 0.01        # [s] what is made in that time is sent together
_AGAIN_AFTER = 1.0      # [s]
_AGAIN_AT_ONCE = 50     # steps a message
_NAMED_FOR = 5.0        # [s] diagnostics speak of what was ignored


@dataclasses.dataclass
class _Kept:
    step: int
    row: np.ndarray                  # as it is sent
    sent_at: float                   # [s] last; before, when it was made


class ExperienceSender:
    """
    The experience of one session that its learner has not acknowledged; not a Node.

    `changed` guards everything, and is notified of every acknowledgement; it is held for one
    message at most, so that the control loop never waits for a learner.
    """

    def __init__(self, node, form: ExperienceFormat, session: int, history: int,
                 changed: threading.Condition, run: int | None = None):
        """
        Open the topics.

        Args:
            node: The host.
            form: Of the messages.
            session: Of this process, random.
            history: Steps to keep: beyond it the oldest is given up, and counted.
            changed: See the class.
            run: The learner's run to follow; None: that of the only one that answers.

        """
        self._node, self._form, self._history = node, form, history
        self.session, self._changed = session, changed
        self._robot = node.get_namespace().rstrip('/')
        self._layout = MultiArrayLayout(dim=[
            MultiArrayDimension(label=label, size=size, stride=size)
            for label, size in form.labels(session)])
        self._kept = collections.deque()        # _Kept, by step
        self._unsent, self._sent_at = [], -math.inf
        self._next_step = 0
        self.run = run                          # of the learner that is followed
        self.acknowledgement: Acknowledgement | None = None
        self.heard_at: float | None = None      # or, before, when the first was sent
        self.lost, self.ignored = 0, 0
        self._fault, self._fault_at = '', 0.0
        self._publisher = node.create_publisher(Float64MultiArray, '~/experience',
                                                _EXPERIENCE_QOS)
        self._subscription = node.create_subscription(
            UInt64MultiArray, '~/acknowledged', self._on_acknowledged, _ACKNOWLEDGED_QOS)
        self._timer = node.create_timer(_AGAIN_AFTER, self._send_again,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def unacknowledged(self) -> int:
        """Return how many experiences are kept."""
        return len(self._kept)

    @property
    def heard(self) -> bool:
        """Say whether anybody subscribes to the experience."""
        return self._publisher.get_subscription_count() > 0

    def silence(self) -> float:
        """Return for how long [s] no acknowledgement has come, though there is one to come."""
        with self._changed:
            return time.monotonic() - self.heard_at if self._kept else 0.0

    def follow(self, run: int) -> None:
        """Listen to this learner's run alone."""
        with self._changed:
            self.run = run

    def send(self, transition, episode: int, weights_version: int, evaluation: bool,
             success: bool | None) -> None:
        """Keep the next step of the session, and send it: soon, or now with an episode's last."""
        with self._changed:
            if len(self._kept) >= self._history:
                self._kept.popleft()
                self.lost += 1
            row = self._form.encode(Experience(
                transition, self._robot, self.session, self._next_step, 0, episode,
                weights_version, evaluation, success))
            now = time.monotonic()
            self._kept.append(_Kept(self._next_step, row, now))
            self._unsent.append(self._kept[-1])
            self._next_step += 1
            self.heard_at = self.heard_at or now
            if (transition.terminated or transition.truncated or now >= self._sent_at + _TOGETHER
                    or len(self._unsent) >= self._history):
                self._publish(self._unsent)

    def hurry(self) -> None:
        """Send what waits to be sent with later steps."""
        with self._changed:
            if self._unsent:
                self._publish(self._unsent)

    def _publish(self, steps: list[_Kept]) -> None:
        now = self._sent_at = time.monotonic()
        numbers = self._form.join([kept.row for kept in steps], self._kept[0].step)
        for kept in steps:
            kept.sent_at = now
        self._unsent = [kept for kept in self._unsent if kept.step > steps[-1].step]
        self._publisher.publish(Float64MultiArray(
            layout=self._layout, data=array.array('d', numbers.tobytes())))

    def _on_acknowledged(self, message: UInt64MultiArray) -> None:
        with self._changed:
            if len(message.data) != len(Acknowledgement._fields):
                self._ignore(f'acknowledgement of {len(message.data)} values; expected '
                             f'{len(Acknowledgement._fields)}')
                return
            said = Acknowledgement(*message.data)
            if said.session != self.session:
                return  # a learner that has not heard of this session yet
            if self.run is not None and said.run != self.run:
                self._ignore(f"acknowledgement of learner's run {said.run:016x}; following "
                             f'{self.run:016x}')
                return
            heard = self._subscription.get_publisher_count()
            if self.run is None and heard > 1:
                self._ignore(f"acknowledgement of learner's run {said.run:016x}: {heard} learners "
                             'answer; learner_run says whom to follow')
                return
            if said.steps > self._next_step:
                self._ignore(f'acknowledgement of step {said.steps - 1}; {self._next_step} were '
                             'made')
                return
            self.run, self.acknowledgement, self.heard_at = said.run, said, time.monotonic()
            while self._kept and self._kept[0].step < said.steps:
                self._kept.popleft()
            self._changed.notify_all()
        self._send_again()

    @property
    def fault(self) -> str:
        """Return why an acknowledgement was ignored a moment ago; empty: none was."""
        return self._fault if time.monotonic() - self._fault_at < _NAMED_FOR else ''

    def _ignore(self, fault: str) -> None:
        self.ignored += 1
        self._fault, self._fault_at = fault, time.monotonic()

    def _send_again(self) -> None:
        """Publish what was sent a while ago and not acknowledged, some at a time."""
        if not self.heard:
            return
        with self._changed:
            until = time.monotonic() - _AGAIN_AFTER
            due = list(itertools.islice((kept for kept in self._kept if kept.sent_at <= until),
                                        _AGAIN_AT_ONCE))
            if due:
                self._publish(due)

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)
