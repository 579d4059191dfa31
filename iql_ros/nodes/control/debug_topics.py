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

"""What a policy sees and what becomes of its actions, tick by tick, for whoever listens."""

import array

import numpy as np
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from visualization_msgs.msg import MarkerArray

from iql_ros.nodes.control.debug_markers import DebugMarkers
from iql_ros.robot.episode_runner import TickResult
from iql_ros.robot.robot_interface import RobotInterface

# Of every value of an action: what was wanted, what the gate made of it, what the robot was told
# (in shadow by others), and whether the gate changed it (1 or 0). NaN: there was none.
KINDS = ('raw', 'gated', 'sent', 'clipped')
_QOS = QoSProfile(depth=10)


class DebugTopics:
    """
    ~/debug/observation, ~/debug/action and, where a pose is seen, ~/debug/markers; not a Node.

    A JointState is the one message of ROS 2's own that carries names, values and a stamp. Its
    `position` holds the values, whatever they are; the stamp is the tick's.
    """

    def __init__(self, node, interface: RobotInterface):
        """Make the publishers; without a listener nothing is made of a tick."""
        self._node = node
        self._unknown = np.full(interface.action_dim, np.nan)
        self._seen = JointState(name=interface.observation_names)
        self._chosen = JointState(name=[f'{name}/{kind}' for name in interface.action_names
                                        for kind in KINDS])
        self._observation = node.create_publisher(JointState, '~/debug/observation', _QOS)
        self._action = node.create_publisher(JointState, '~/debug/action', _QOS)
        self._drawing = DebugMarkers(interface)
        self._markers = node.create_publisher(MarkerArray, '~/debug/markers', _QOS) \
            if self._drawing.positions else None
        self._publishers = tuple(filter(None, (self._observation, self._action, self._markers)))
        self._heard = ()        # what somebody listened to, when looked at last
        self._unframed = {node.resolve_topic_name(each.topic): each.topic
                          for each in self._drawing.positions if not each.frame}

    def tap(self, topic: str, message) -> None:
        """See a message of the robot, by the topic's full name: what frame a pose is in."""
        name = self._unframed.pop(topic, None)
        if name is not None and hasattr(message, 'header'):
            self._drawing.frames[name] = message.header.frame_id

    def begin(self) -> None:
        """Take that an episode begins: its path is drawn anew."""
        self._drawing.begin()

    def look(self) -> None:
        """See who listens, once in a while: to ask at every tick would take 20 us of it."""
        self._heard = tuple(publisher for publisher in self._publishers
                            if publisher.get_subscription_count())

    def show(self, result: TickResult, told) -> None:
        """Publish a tick whose command has gone out; `told()`: what the robot was told last."""
        if not self._heard:
            return
        if self._observation in self._heard and result.observation is not None:
            _fill(self._seen, result.stamp_ns, result.observation)
            self._observation.publish(self._seen)
        if self._action in self._heard:
            _fill(self._chosen, result.stamp_ns, self._rows(result, told()))
            self._action.publish(self._chosen)
        if self._markers in self._heard:
            markers = self._drawing.draw(result.stamp_ns, result.observation)
            if markers:
                self._markers.publish(MarkerArray(markers=markers))

    def _rows(self, result: TickResult, told: np.ndarray) -> np.ndarray:
        known = [self._unknown if row is None else row
                 for row in (result.action, result.command, told, result.changed)]
        return np.array(known, np.float64).T.ravel()

    def destroy(self) -> None:
        """Leave the host node as it was."""
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)


def _fill(message: JointState, stamp_ns: int, values: np.ndarray) -> None:
    stamp = message.header.stamp
    stamp.sec, stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    message.position = array.array('d', np.asarray(values, np.float64).tobytes())
