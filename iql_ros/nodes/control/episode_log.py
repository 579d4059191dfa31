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

from iql_ros.files import write_atomic
from iql_ros.nodes.control import recorder
from iql_ros.nodes.hosting.latest_writer import LatestWriter, why
from iql_ros.runs.evaluate import EpisodeResult, result_row, RESULTS_HEADER

_CLOSING = 5.0      # [s] the last results may take
_REST = 9.0         # of what writing all results took: it is done a tenth of the time at most
_SAID_AGAIN = 60.0  # [s] at the earliest


class EpisodeLog:
    """
    Publishes ~/event, shows what passes to `tap` and to the recorder; not a Node.

    Control never waits for the file of the results, nor ends with it: each write is of all of
    them, so what a full disk refused comes with the next episode.
    """

    def __init__(self, node, settings, tap=None):
        """Take policy_node's parameters; `tap(topic, message, stamp_ns)`: see RobotBridge."""
        self._node, self._settings, self._tap, self._recorder = node, settings, tap, None
        self.results: list[EpisodeResult] = []
        self._rows = [RESULTS_HEADER]
        self._writer = LatestWriter('results', self._write, self._say, _REST)
        # In shadow ~/event is what others say. Its own marks stand in its bag where they would if
        # it drove: that is where a conversion looks for them.
        self._topic = node.resolve_topic_name('~/event')
        self._publisher = node.create_publisher(
            Header, '~/shadow/event' if settings.shadow else '~/event', 10)

    def open(self, robot: str, types, kept_topics) -> None:
        """Begin a recording, where one is asked for; see recorder.Recorder."""
        self._recorder = recorder.start(self._node, self._settings, robot,
                                        [*types, 'std_msgs/msg/Header'], kept_topics)

    def event(self, kind: str, stamp_ns: int) -> None:
        """Mark an event on ~/event."""
        message = Header(frame_id=kind)
        message.stamp.sec, message.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        self._publisher.publish(message)
        self.message(self._topic, message, stamp_ns)

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
            self._rows.append(result_row(self.results[-1]))
            self._writer.put(len(self._rows))

    def _write(self, count: int) -> None:
        write_atomic(self._settings.results, ''.join(self._rows[:count]))

    def _say(self, error: BaseException) -> None:
        self._node.get_logger().warning(self.trouble, throttle_duration_sec=_SAID_AGAIN)

    @property
    def trouble(self) -> str:
        """Return what cannot be written, '' where all can."""
        error, texts = self._writer.error, []
        if error:
            texts.append(f"results '{self._settings.results}' cannot be written: {why(error)}; "
                         'trying again with the next episode')
        if self._recorder and self._recorder.trouble:
            texts.append(self._recorder.trouble)
        return '; '.join(texts)

    def close(self) -> None:
        """End the recording, and see that the results are written."""
        if self._writer.error:
            self._writer.put(len(self._rows))
        if not self._writer.flush(_CLOSING):
            text = self.trouble or f'the disk has not taken them in {_CLOSING} s'
            self._node.get_logger().warning(
                f"results '{self._settings.results}' are not whole: {text}")
        if self._recorder:
            self._recorder.close()

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self._node.destroy_publisher(self._publisher)
