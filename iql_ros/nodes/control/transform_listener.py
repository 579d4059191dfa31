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
_KEPT = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE,
                   durability=DurabilityPolicy.TRANSIENT_LOCAL)
_MOST_STATIC = 100     # messages about static frames that are kept, for recordings
# Localisation stamps its frames ahead on purpose: AMCL by its transform_tolerance, 1 s.
_AHEAD_NS = 2_000_000_000


class TransformListener:
    """Hears the two topics of one tree and hands over the edges of every message; not a Node."""

    def __init__(self, node, stream: Transform, waiter, take, refuse):
        """
        Subscribe.

        Args:
            node: The host.
            stream: Any of those that look into the tree.
            waiter: The callback group of a simulator that is followed step by step; None: there
                is none.
            take: Called with the topic's full name, the message and its edges.
            refuse: Called with how many edges are left out, and why.

        """
        self._node, self._take, self._refuse = node, take, refuse
        self._waiter, self._static = waiter, {}
        self.static_name = node.resolve_topic_name(stream.static_topic)
        self.subscriptions = [
            node.create_subscription(message_class(stream.type), topic, functools.partial(
                self._on_message, node.resolve_topic_name(topic), static), qos,
                callback_group=waiter)
            for topic, static, qos in ((stream.topic, False, _KEPT if waiter else _MOVING),
                                       (stream.static_topic, True, _KEPT))]

    def _on_message(self, name: str, static: bool, message) -> None:
        edges = read_edges(message, static)
        if static and len(self._static) < _MOST_STATIC:
            self._static[tuple(edge.child for edge in edges)] = message
        self._take(name, message, edges if self._waiter else self._not_too_early(name, edges))

    def _not_too_early(self, name: str, edges) -> list:
        """Return the edges that stay, and those of now; in real time."""
        until_ns = self._node.get_clock().now().nanoseconds + _AHEAD_NS
        fit = [edge for edge in edges if edge.stamp_ns is None or edge.stamp_ns <= until_ns]
        if len(fit) < len(edges):
            self._refuse(len(edges) - len(fit), f"'{name}' has frames stamped more than "
                         f'{_AHEAD_NS * 1e-9:g} s in the future')
        return fit

    def static_messages(self) -> list:
        """Return the newest message about every set of frames that stay where they are."""
        return list(self._static.values())
