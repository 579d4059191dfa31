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

"""The publishers of a robot's command topics: vectors in, messages out."""

import time

import numpy as np
from rclpy.duration import Duration
from rclpy.qos import QoSProfile, ReliabilityPolicy

from iql_ros.nodes.hosting.message_classes import make_message, message_class
from iql_ros.robot.gate_settings import POSITION
from iql_ros.robot.robot_interface import RobotInterface

COMMAND_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
_MATCHING = 0.2   # [s] until a listener that was found hears: it has to find the publisher, too


class CommandPublishers:
    """What sends commands from a host node; not a Node."""

    def __init__(self, node, interface: RobotInterface, qos: QoSProfile = COMMAND_QOS,
                 topics=None, heartbeats=()):
        """
        Make the publishers.

        `topics` stand for those of the interface, in its order, and so do `heartbeats` for theirs,
        None where there is none; without it none is sent, as in lockstep.
        """
        self._node, self._interface = node, interface
        self.publishers = [
            node.create_publisher(message_class(stream.type), topic, qos) for stream, topic in
            zip(interface.action, topics or [stream.topic for stream in interface.action])]
        self._beats = {index: node.create_publisher(
            message_class(interface.action[index].heartbeat.type), topic, COMMAND_QOS)
            for index, topic in enumerate(heartbeats) if topic}
        self._found_at = np.full(len(self.publishers), np.inf)  # a listener, monotonic [s]

    def encode(self, command: np.ndarray, stamp_ns: int) -> list:
        """Return the message of every topic for a command (action_dim,); None where one is NaN."""
        return [None if np.isnan(vector).any() else stream.encode(vector, stamp_ns, make_message)
                for stream, vector in zip(
                    self._interface.action, self._interface.split_action(command))]

    def publish(self, messages: list) -> None:
        """Send what `encode` made: every message is made before the first one goes out."""
        for publisher, message in zip(self.publishers, messages):
            if message is not None:
                publisher.publish(message)

    def send(self, command: np.ndarray, stamp_ns: int) -> None:
        """Send a command (action_dim,)."""
        self.publish(self.encode(command, stamp_ns))

    def send_one(self, index: int, command: np.ndarray, stamp_ns: int) -> None:
        """Send what one topic has of a command (action_dim,)."""
        message = self.encode(command, stamp_ns)[index]
        if message is not None:
            self.publishers[index].publish(message)

    def beat(self, index: int, stamp_ns: int) -> None:
        """Send the heartbeat of an action stream."""
        self._beats[index].publish(
            self._interface.action[index].heartbeat.encode(stamp_ns, make_message))

    def unheard(self) -> list[str]:
        """
        Return the topics that command positions and to which nobody listens.

        Who comes to hear later would hear a position far from where the robot stands.
        """
        now, found = time.monotonic(), []
        for index, (stream, publisher) in enumerate(zip(self._interface.action, self.publishers)):
            if not publisher.get_subscription_count():
                self._found_at[index] = np.inf
            elif np.isinf(self._found_at[index]):
                self._found_at[index] = now
            if POSITION in stream.kinds and not now - self._found_at[index] >= _MATCHING:
                found.append(publisher.topic_name)
        return found

    def flush(self, timeout: float) -> None:
        """Wait up to `timeout` [s] until those who listen reliably have it."""
        for publisher in self.publishers:
            publisher.wait_for_all_acked(Duration(seconds=timeout))

    def destroy(self) -> None:
        """Destroy the publishers: silence."""
        for publisher in [*self.publishers, *self._beats.values()]:
            self._node.destroy_publisher(publisher)
        self.publishers, self._beats = [], {}
