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

"""What a simulator that is followed step by step says of one step, on a host node."""

import threading
import time

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from iql_ros.nodes.control.lockstep import StepAssembler
from iql_ros.nodes.hosting.message_waiter import MessageWaiter

# A late joiner gets the current step, and a step is never dropped or queued behind another.
LOCKSTEP_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                          durability=DurabilityPolicy.TRANSIENT_LOCAL)


class StepCollector:
    """
    Collects one message of every stream, and the clock; not a Node.

    Subscriptions are made with its `waiter` as their callback group, and added to that.
    """

    def __init__(self, node, names):
        """Take the streams' topic names, in order, and listen to /clock."""
        self._steps, self._clock_index = StepAssembler([*names, '/clock']), len(names)
        self._without_stamp = {}            # by topic, of the step that is being collected
        self._stamp_ns: int | None = None   # of the newest step
        self.waiter = MessageWaiter(node)
        self.subscription = node.create_subscription(Clock, '/clock', self._on_clock, LOCKSTEP_QOS,
                                                     callback_group=self.waiter)

    def _on_clock(self, message: Clock) -> None:
        self._stamp_ns = message.clock.sec * 1_000_000_000 + message.clock.nanosec
        self.put(self._clock_index, self._stamp_ns, None)

    @property
    def stamp_ns(self) -> int:
        """Return the stamp [ns] of the newest step, 0 before the first."""
        return self._stamp_ns or 0

    def put(self, index: int, stamp_ns: int | None, value) -> None:
        """Take what a message says to stream `index`; the newest counts."""
        self._steps.put(index, stamp_ns, value)

    def keep(self, topic: str, message) -> None:
        """Keep a message without a stamp until its step is complete."""
        self._without_stamp[topic] = message

    def wait(self, stamp_ns: int | None, timeout: float, stopping: threading.Event) -> bool:
        """
        Take messages until a step is complete; say whether it is.

        Args:
            stamp_ns: Of the step [ns]; None: any.
            timeout: How long to wait [s].
            stopping: Set, and followed by `waiter.wake`, it ends the wait.

        """
        end = time.monotonic() + timeout
        while self.missing(stamp_ns) and not stopping.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.waiter.wait(left)
        return not stopping.is_set()

    def missing(self, stamp_ns: int | None) -> list[str]:
        """Return whom a lockstep run waits for."""
        expected = self._stamp_ns if stamp_ns is None else stamp_ns
        names = self._steps.missing(expected)
        return names or (['/clock'] if self._stamp_ns != expected else [])

    def take(self) -> tuple[list, dict]:
        """Return the values of the complete step, and by topic its messages without a stamp."""
        kept, self._without_stamp = self._without_stamp, {}
        return self._steps.values(), kept

    def next(self) -> None:
        """Begin to wait for the next step; call it before the answer is sent."""
        self._steps.clear()
        self._without_stamp = {}
