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

"""The tree of frames as /tf and /tf_static say it, on a host node."""

import functools

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from iql_ros.nodes.hosting.message_classes import message_class
from iql_ros.robot.observations import Transform
from iql_ros.robot.transform_tree import read_edges

# tf2_ros' own, but best effort: whoever publishes is heard. Every part of a robot publishes here.
_MOVING = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
_STATIC = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE,
                     durability=DurabilityPolicy.TRANSIENT_LOCAL)
_MOST_STATIC = 100     # messages about static frames that are kept, for recordings


class TransformListener:
    """Hears the two topics of one tree and hands over the edges of every message; not a Node."""

    def __init__(self, node, stream: Transform, lockstep: bool, waiter, take):
        """
        Subscribe.

        Args:
            node: The host.
            stream: Any of those that look into the tree.
            lockstep: Whether a simulator is followed step by step: it sends one message a step.
            waiter: The callback group, None: the node's own.
            take: Called with the topic's full name, the message and its edges.

        """
        self._take, self._static = take, {}
        self.static_name = node.resolve_topic_name(stream.static_topic)
        moving = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE,
                            durability=DurabilityPolicy.TRANSIENT_LOCAL) if lockstep else _MOVING
        self.subscriptions = [
            node.create_subscription(message_class(stream.type), topic, functools.partial(
                self._on_message, node.resolve_topic_name(topic), static), qos,
                callback_group=waiter)
            for topic, static, qos in ((stream.topic, False, moving),
                                       (stream.static_topic, True, _STATIC))]

    def _on_message(self, name: str, static: bool, message) -> None:
        edges = read_edges(message, static)
        if static and len(self._static) < _MOST_STATIC:
            self._static[tuple(edge.child for edge in edges)] = message
        self._take(name, message, edges)

    def static_messages(self) -> list:
        """Return the newest message about every set of frames that stay where they are."""
        return list(self._static.values())
