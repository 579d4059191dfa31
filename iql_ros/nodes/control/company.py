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

"""Who else is on the topics and names of a policy node."""

import collections

from rclpy.qos import qos_check_compatible, QoSCompatibility, QoSProfile

from iql_ros.nodes.control.robot_bridge import stream_qos
from iql_ros.nodes.control.step_collector import LOCKSTEP_QOS
from iql_ros.nodes.sentry.publishers import COMMAND_QOS
from iql_ros.robot.observations import Transform

_UNKNOWN = '_NODE_NAME_UNKNOWN_'  # ROS 2's, of an endpoint whose node has gone or not yet come


class Company:
    """Looks at the graph of ROS: what other nodes command, publish and are called; not a Node."""

    def __init__(self, node, interface, sentry_name: str, lockstep: bool, shadow: bool = False):
        """
        Take the host node and the name of its sentry, which is no other commander.

        `lockstep` is whether a simulator is followed step by step: with another QoS. In `shadow`
        others are to command, and that is no remark.
        """
        self._node, self._shadow, self._ours = node, shadow, {
            (node.get_name(), node.get_namespace()), (sentry_name, node.get_namespace())}
        self._commanded = [node.resolve_topic_name(stream.topic) for stream in interface.action]
        self._command_qos = LOCKSTEP_QOS if lockstep else COMMAND_QOS
        self._streams = {node.resolve_topic_name(stream.topic): stream_qos(stream, lockstep)
                         for stream in interface.observation}
        self._shared = {node.resolve_topic_name(stream.topic) for stream in interface.observation
                        if isinstance(stream, Transform)}    # every part of a robot publishes

    def commanders(self) -> list[str]:
        """Return a remark for every command topic on which others publish."""
        remarks = []
        for topic in () if self._shadow else self._commanded:
            others = others_on(self._node, topic, self._ours)
            if others:
                remarks.append(f"'{topic}' is commanded by {', '.join(others)} too")
        return remarks

    def remarks(self) -> list[str]:
        """Return all that a person should know."""
        found = self.commanders()
        ours = self._node.get_name(), self._node.get_namespace()
        same = self._node.get_node_names_and_namespaces().count(ours) - 1
        if same > 0:
            found.append(f"another node is called '{_full(*ours)}'")
        for topic in self._streams:
            count = self._node.count_publishers(topic)
            if count > 1 and topic not in self._shared:
                found.append(f"'{topic}' has {count} publishers")
        return found + self._misfits()

    def _misfits(self) -> list[str]:
        """Return a remark for everyone whose QoS keeps messages of a topic from arriving."""
        pairs = []
        for topic, qos in self._streams.items():
            pairs += [(topic, info, info.qos_profile, qos)
                      for info in self._node.get_publishers_info_by_topic(topic)]
        for topic in self._commanded:
            pairs += [(topic, info, self._command_qos, info.qos_profile)
                      for info in self._node.get_subscriptions_info_by_topic(topic)]
        found = []
        for topic, info, offered, asked in pairs:
            fits, why = qos_check_compatible(_named(offered), _named(asked))
            if fits == QoSCompatibility.ERROR:
                name = _full(info.node_name, info.node_namespace)
                found.append(f"the QoS of {name} on '{topic}' does not fit: {_brief(why)}")
        return list(dict.fromkeys(found))


def others_on(node, topic: str, ours=frozenset()) -> list[str]:
    """Return the full names of who publishes a topic; one of `ours` counts where it is two."""
    names = collections.Counter((info.node_name, info.node_namespace)
                                for info in node.get_publishers_info_by_topic(topic))
    return sorted(_full(*name) for name, count in names.items() if name not in ours or count > 1)


def _full(name: str, namespace: str) -> str:
    if name == _UNKNOWN:
        return 'a node whose name is not known'
    return f"{namespace.rstrip('/')}/{name}"


def _named(qos: QoSProfile) -> QoSProfile:
    """Return what of a QoS people choose; the graph tells times that nobody set in another way."""
    return QoSProfile(depth=1, reliability=qos.reliability, durability=qos.durability)


def _brief(why: str) -> str:
    return why.removeprefix('ERROR: ').rstrip(';').lower()
