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

_UNKNOWN = '_NODE_NAME_UNKNOWN_'  # ROS 2's, of an endpoint whose node has gone or not yet come


class Company:
    """Looks at the graph of ROS: what other nodes command, publish and are called; not a Node."""

    def __init__(self, node, interface, sentry_name: str):
        """Take the host node and the name of its sentry, which is no other commander."""
        self._node, self._ours = node, {
            (node.get_name(), node.get_namespace()), (sentry_name, node.get_namespace())}
        self._commanded = [node.resolve_topic_name(stream.topic) for stream in interface.action]
        self._streams = [node.resolve_topic_name(stream.topic)
                         for stream in interface.observation]

    def commanders(self) -> list[str]:
        """Return a remark for every command topic on which others publish."""
        remarks = []
        for topic in self._commanded:
            names = collections.Counter(
                (info.node_name, info.node_namespace)
                for info in self._node.get_publishers_info_by_topic(topic))
            others = sorted(_full(*name) for name, count in names.items()
                            if name not in self._ours or count > 1)
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
            if count > 1:
                found.append(f"'{topic}' has {count} publishers")
        return found


def _full(name: str, namespace: str) -> str:
    if name == _UNKNOWN:
        return 'a node whose name is not known'
    return f"{namespace.rstrip('/')}/{name}"
