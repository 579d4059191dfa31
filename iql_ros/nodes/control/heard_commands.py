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

"""What others command a robot, heard on its own command topics."""

import collections
import functools
import threading
import time

import numpy as np
from rclpy.qos import QoSProfile, ReliabilityPolicy

from iql_ros.files import InputError
from iql_ros.nodes.control.company import others_on
from iql_ros.nodes.hosting.message_classes import message_class
from iql_ros.robot import message_fields
from iql_ros.robot.message_fields import EmptyTrajectoryError
from iql_ros.robot.robot_interface import RobotInterface

# Matches every publisher; a joystick at 100 Hz may say much between two turns of the executor.
_QOS = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
_KEPT = 4_000       # commands that may wait for a tick; of a flood the oldest go first
_AHEAD = 0.1        # [s] a stamp may be ahead of our clock, but at least a control period
_COUNTED_OVER = 0.5   # [s] at least: fewer messages tell no rate


class HeardCommands:
    """
    The commands of whoever drives, by action stream; not a Node.

    Of a stream with `executed` that topic is heard, as in a recording: behind a multiplexer it
    is what reached the robot. A command has the time that it would have in a bag.
    """

    def __init__(self, node, interface: RobotInterface, tap, on_fault):
        """
        Listen from now on.

        Args:
            node: The host.
            interface: Of the robot.
            tap: (topic, message, stamp_ns), sees what comes, by the topic's full name.
            on_fault: Told of a message that is not taken.

        """
        self._node, self._interface, self._streams = node, interface, interface.action
        self._tap, self._on_fault = tap, on_fault
        self._ahead_ns = max(round(_AHEAD * 1e9), interface.period_ns)
        self._waiting = collections.deque(maxlen=_KEPT)
        self._lock = threading.Lock()
        self._newest = [(None, None)] * len(self._streams)   # (stamp [ns], vector)
        self._received = [0] * len(self._streams)
        self._counted = time.monotonic(), list(self._received)
        names = [stream.executed or stream.topic for stream in self._streams]
        self.topics = [node.resolve_topic_name(name) for name in names]
        self._subscriptions = [node.create_subscription(
            message_class(stream.type), topic, functools.partial(self._on_message, index), _QOS)
            for index, (stream, topic) in enumerate(zip(self._streams, self.topics))]

    def _on_message(self, index: int, message) -> None:
        stream, topic = self._streams[index], self.topics[index]
        self._received[index] += 1
        stamp_ns, fault = self._stamp(stream, message)
        vector = None
        try:
            if not fault:
                vector = stream.decode(message)
        except EmptyTrajectoryError:   # ends the command before
            pass
        except InputError as error:
            fault = str(error)
        if vector is not None and not np.isfinite(vector).all():
            fault = f'{vector.tolist()} is not finite'
        if fault:
            self._on_fault(f"'{topic}' is commanded, and not compared: {fault}")
            return
        self._tap(topic, message, stamp_ns)
        self._waiting.append((index, stamp_ns, vector))
        with self._lock:
            self._newest[index] = stamp_ns, vector

    def _stamp(self, stream, message) -> tuple[int, str]:
        """Return the time [ns] of a command, and why it has none."""
        now_ns = self._node.get_clock().now().nanoseconds
        if stream.stamp != 'header' or not hasattr(message, 'header'):
            return now_ns, ''
        stamp_ns = message_fields.stamp_ns(message)
        if not stamp_ns:
            return 0, 'its header stamps are zero; say stamp: receive'
        ahead_ns = stamp_ns - now_ns
        if ahead_ns > self._ahead_ns:
            return 0, (f'it is stamped {ahead_ns * 1e-9:.3f} s in the future; allowed: '
                       f'{self._ahead_ns * 1e-9:g} s')
        return stamp_ns, ''

    def take(self) -> list[tuple[int, int, np.ndarray | None]]:
        """Return what has come since the last call: stream, stamp [ns], vector or None (end)."""
        found = []
        while self._waiting:
            found.append(self._waiting.popleft())
        return found

    def newest(self) -> np.ndarray:
        """Return what is commanded now (action_dim,), NaN where nothing is, or it is too old."""
        now_ns = self._node.get_clock().now().nanoseconds
        with self._lock:
            newest = list(self._newest)
        return np.concatenate([
            vector if vector is not None and now_ns - stamp_ns <= stream.max_age_ns
            else np.full(stream.dim, np.nan)
            for stream, (stamp_ns, vector) in zip(self._streams, newest)])

    def remarks(self) -> list[str]:
        """Return whom a person should look for."""
        silent = [topic for topic, part in zip(
            self.topics, self._interface.split_action(self.newest())) if np.isnan(part).all()]
        return [f"nobody commands '{topic}': there is nothing to compare with"
                for topic in silent]

    def describe(self) -> dict[str, str]:
        """Return who commands what, and how often, by topic."""
        now, (since, before) = time.monotonic(), self._counted
        received = list(self._received)
        found = {}
        for topic, count, earlier in zip(self.topics, received, before):
            names = ', '.join(others_on(self._node, topic)) or 'nobody'
            rate = (count - earlier) / (now - since) if now - since >= _COUNTED_OVER else 0.0
            found[f'commanded {topic}'] = f'by {names}, {rate:.1f} Hz'
        if now - since >= _COUNTED_OVER:
            self._counted = now, received
        return found

    def destroy(self) -> None:
        """Leave the host node as it was."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
