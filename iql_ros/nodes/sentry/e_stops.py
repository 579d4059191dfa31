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

"""The emergency stop buttons of a robot: what state each is in, whoever publishes it."""

import functools
import time

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool

# Every publisher matches one of them, each is heard in the best way that it offers: one that
# keeps its last message says it at once, a reliable one loses none.
_RELIABLE, _LATCHED = ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL
_QOS = (QoSProfile(depth=10, reliability=_RELIABLE, durability=_LATCHED),
        QoSProfile(depth=10, reliability=_RELIABLE),
        QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT))
# [s] in which who publishes before us is found, also on a busy machine that loses packets: where
# the first announcements are lost, DDS sends the next after 3 s. Who says his state ends the wait.
DISCOVERY = 3.5
SIMULATED_DISCOVERY = 0.5
_ASKING = 1.0      # [s] in which a publisher may say its state, if it repeats it,
# and one that keeps it: where the first heartbeat is lost, DDS sends the next after 3 s
_ASKING_KEPT = 4.0


class Button:
    """
    One button's state from its messages; knows neither topic nor clock.

    rclpy does not say who published a message. So with several publishers on one topic a true
    counts until it is forgiven, whatever false comes.
    """

    def __init__(self):
        """Begin with nothing heard."""
        self.pressed, self.heard_at = False, None
        self._said, self._several = False, False

    def hear(self, pressed: bool, publishers: int, now: float) -> None:
        """Take a message that came at `now` [s], while so many publish the topic."""
        self._said, self.heard_at = pressed, now
        self._several = (self._several and self.pressed) or publishers > 1
        self.pressed = pressed or (self.pressed and self._several)

    def forgive(self) -> None:
        """Let a true of one of several publishers go, unless it was the last word."""
        self.pressed = self._said


class EStops:
    """
    Subscribes the topics, one button each: all must be false; not a Node.

    A button that somebody publishes is asked for its state before the first command: one that
    keeps or repeats it (at 1 Hz or more) is heard in time.
    """

    def __init__(self, node, topics, timeout: float, on_press, discovery: float = DISCOVERY):
        """
        Listen from now on.

        Args:
            node: The host.
            topics: Names of std_msgs/msg/Bool topics.
            timeout: [s] after which a silent button counts as pressed; 0: it never does.
            on_press: Called with a text when a button is pressed.
            discovery: [s] in which a publisher of one is found, if there is one.

        """
        self._discovery = discovery
        self._node, self._timeout, self._on_press = node, timeout, on_press
        self.topics = [node.resolve_topic_name(topic) for topic in topics]
        self._buttons = {topic: Button() for topic in self.topics}
        self._asked_at = dict.fromkeys(self.topics, time.monotonic())
        self._matched_at: dict[str, float] = {}
        quiet = SubscriptionEventCallbacks(use_default_callbacks=False)  # one of three matches
        for topic in self.topics:
            for qos in _QOS:
                node.create_subscription(Bool, topic, functools.partial(self._on_message, topic),
                                         qos, event_callbacks=quiet)

    def _on_message(self, topic: str, message: Bool) -> None:
        button, before = self._buttons[topic], self._buttons[topic].pressed
        button.hear(message.data, self._node.count_publishers(topic), time.monotonic())
        if button.pressed and not before:
            self._on_press(_pressed(topic))

    def pressed(self) -> str:
        """Return which button is pressed; empty: none."""
        return next((_pressed(topic) for topic in self.topics if self._buttons[topic].pressed),
                    '')

    def silent(self) -> str:
        """Return which button has been silent for too long; empty: none."""
        if not self._timeout:
            return ''
        now = time.monotonic()
        for topic, button in self._buttons.items():
            silence = now - (button.heard_at or self._asked_at[topic])
            if silence > self._timeout:
                return f"e_stop '{topic}' has been silent for {silence:.1f} s"
        return ''

    def unknown(self) -> str:
        """Return which button has not said its state yet, and may; empty: none."""
        now = time.monotonic()
        for topic, button in self._buttons.items():
            if button.heard_at is not None:
                continue
            publishers = self._node.get_publishers_info_by_topic(topic)
            if publishers:
                keeps = any(each.qos_profile.durability == _LATCHED for each in publishers)
                until = self._matched_at.setdefault(topic, now) + (
                    _ASKING_KEPT if keeps else _ASKING)
            else:
                self._matched_at.pop(topic, None)
                until = self._asked_at[topic] + self._discovery
            if self._timeout or now < until:
                return f"the state of e_stop '{topic}'"
        return ''

    def forgive(self) -> None:
        """Let go what one of several publishers said once; see Button."""
        for button in self._buttons.values():
            button.forgive()


def _pressed(topic: str) -> str:
    return f"e_stop: '{topic}' is true"
