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

"""What others learn of a policy node's episodes: events, bags, results."""

from std_msgs.msg import Header

from iql_ros.nodes.control import recorder
from iql_ros.runs.evaluate import EpisodeResult, write_results


class EpisodeLog:
    """Publishes ~/event, shows what passes to `tap` and to the recorder; not a Node."""

    def __init__(self, node, settings, tap=None):
        """Take policy_node's parameters; `tap(topic, message, stamp_ns)`: see RobotBridge."""
        self._node, self._settings, self._tap, self._recorder = node, settings, tap, None
        self.results: list[EpisodeResult] = []
        self._publisher = node.create_publisher(Header, '~/event', 10)

    def open(self, robot: str, types) -> None:
        """Begin a recording, where one is asked for."""
        self._recorder = recorder.start(self._node, self._settings, robot,
                                        [*types, 'std_msgs/msg/Header'])

    def event(self, kind: str, stamp_ns: int) -> None:
        """Mark an event on ~/event."""
        message = Header(frame_id=kind)
        message.stamp.sec, message.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        self._publisher.publish(message)
        self.message(self._publisher.topic_name, message, stamp_ns)

    def message(self, topic: str, message, stamp_ns: int) -> None:
        """Show a message to `tap` and to the recorder."""
        if self._tap:
            self._tap(topic, message, stamp_ns)
        if self._recorder:
            still = self._settings.lockstep or self._node.simulated_time
            self._recorder.add(topic, message, stamp_ns,
                               None if still else self._node.now_ns())

    def episode(self, summary) -> None:
        """Note an episode's result, and write the results so far."""
        if self._recorder:
            self._recorder.end_episode()
        number = len(self.results)
        self.results.append(EpisodeResult(
            episode=number, seed=self._settings.seed + number, return_=summary.return_,
            length=summary.length, terminated=summary.terminated, truncated=summary.truncated,
            success=summary.success))
        end = 'terminated' if summary.terminated else 'truncated'
        operated = f', {summary.interventions} by an operator' if summary.interventions else ''
        self._node.get_logger().info(f'episode {number}: return {summary.return_:.2f}, '
                                     f'{summary.length} ticks{operated}, {end}')
        if self._settings.results:
            write_results(self._settings.results, self.results)

    def close(self) -> None:
        """End the recording."""
        if self._recorder:
            self._recorder.close()

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self._node.destroy_publisher(self._publisher)
