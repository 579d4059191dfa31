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

"""Tests that frames are seen live as a bag has them; of a type that this machine can send."""

from geometry_msgs.msg import TransformStamped, TwistStamped
import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node

from iql_ros.data.bags.reader import Bag
from iql_ros.nodes.control.step_collector import LOCKSTEP_QOS
from tests.ros.recorded_drive import RecordedDrive

TEXT = """
robot: camera_on_wheels
control_rate: 10.0
observation:
  - {transform: {of: camera, in: odom}, topic: tf, type: geometry_msgs/msg/TransformStamped,
     max_age: 0.3, fields: [translation.x, translation.y, yaw(rotation)]}
action:
  - {topic: cmd_vel, type: geometry_msgs/msg/TwistStamped, max_age: 0.5, fields: [twist.linear.x],
     low: [-1.0], high: [1.0], rule: mean, gate: {max_rate: none, downstream_timeout: 0.5}}
task: {reward: -1.0, time_limit: 60.0, episode: {topic: policy_node/event}}
"""


class Wheels(Node):
    """A base that moves along x, and a camera on it that looks to the left."""

    def __init__(self):
        super().__init__('wheels')
        self._moving = self.create_publisher(TransformStamped, 'tf', 10)
        self._static = self.create_publisher(TransformStamped, 'tf_static', LOCKSTEP_QOS)
        self.create_subscription(TwistStamped, 'cmd_vel', lambda message: None, 10)
        self._x, self.moves, self.ahead_ns = 0.0, True, 0
        self._send(self._static, 'camera', 'base', 0.0, 0.5, 1.0)
        self.create_timer(0.02, self._move)

    def _move(self):
        if self.moves:
            self._x += 0.01
            self._send(self._moving, 'base', 'odom', self._x, 0.0, 0.0)

    def _send(self, publisher, child, parent, x, y, turn):
        message = TransformStamped(child_frame_id=child)
        stamp = self.get_clock().now() + Duration(nanoseconds=self.ahead_ns)
        message.header.frame_id, message.header.stamp = parent, stamp.to_msg()
        message.transform.translation.x, message.transform.translation.y = x, y
        message.transform.rotation.z = float(np.sin(0.5 * turn))
        message.transform.rotation.w = float(np.cos(0.5 * turn))
        publisher.publish(message)


def test_a_camera_is_seen_over_a_frame_that_moves_and_one_that_was_said_once(
        graph, tmp_path, wait_for):
    robot = graph.add(Wheels())
    drive = RecordedDrive(graph, tmp_path, TEXT)
    node, transitions = drive.node, drive.transitions
    node.begin()
    wait_for(lambda: len(transitions) >= 20, what='transitions')
    seen = np.array([step.observation for step in transitions])
    assert np.all(np.diff(seen[:, 0]) > 0)
    assert np.allclose(seen[:, 1:], [0.5, 1.0])
    robot.moves = False
    gate = node._runner.gate
    wait_for(lambda: gate.trip_reason, what='the trip')
    assert "stream too old: 'camera in odom' (" in gate.trip_reason
    assert "by 'base' in 'odom'; max_age 0.3 s" in gate.trip_reason
    episodes, _ = drive.read()
    observations = np.concatenate([episode.observations[:-1] for episode in episodes])
    assert np.array_equal(observations[:20], seen[:20])


def test_the_frames_that_stay_are_in_every_bag(graph, tmp_path, wait_for):
    graph.add(Wheels())
    drive = RecordedDrive(graph, tmp_path, TEXT)
    drive.node.begin()
    wait_for(lambda: len(drive.transitions) >= 5, what='transitions')
    drive.read()
    path, = (tmp_path / 'bags').iterdir()
    with Bag(path) as bag:
        assert [topic for topic, *_ in bag.messages(['/tf_static'])] == ['/tf_static']


def test_a_frame_that_is_stamped_ahead_counts_when_its_time_comes_and_one_far_ahead_never(
        graph, tmp_path, wait_for):
    robot = graph.add(Wheels())
    robot.ahead_ns = 1_000_000_000        # as localisation does
    drive = RecordedDrive(graph, tmp_path, TEXT)
    drive.node.begin()
    wait_for(lambda: len(drive.transitions) >= 5, what='transitions')
    robot.ahead_ns = 5_000_000_000
    wait_for(lambda: drive.node._runner.gate.trip_reason, what='the trip')
    assert drive.node._bridge.refused >= 1
    assert "by 'base' in 'odom'" in drive.node._runner.gate.trip_reason
