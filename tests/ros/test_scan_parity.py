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

"""Tests that a policy node sees of odd scans what the converter sees of its recording."""

import math

from geometry_msgs.msg import TwistStamped
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import LaserScan

from tests.ros.recorded_drive import RecordedDrive

TEXT = """
robot: scanner
control_rate: 10.0
observation:
  - {topic: scan, type: sensor_msgs/msg/LaserScan, max_age: 0.5, beams: 2, fields: [ranges]}
action:
  - {topic: cmd_vel, type: geometry_msgs/msg/TwistStamped, max_age: 0.5, fields: [twist.linear.x],
     low: [-1.0], high: [1.0], rule: mean, gate: {max_rate: none, downstream_timeout: 0.5}}
task: {reward: -1.0, time_limit: 60.0}
"""
AHEAD = {0: math.inf, 1: -math.inf, 2: 1.5, 3: 9.0, 4: 0.05}    # of these: 8, 0.2, 1.5, 8, none


class Scanner(Node):
    """A robot whose scans are odd in turn; blind, it sends NaN alone in a sector."""

    def __init__(self):
        super().__init__('scanner')
        self.sent, self.blind = 0, False
        self._publisher = self.create_publisher(LaserScan, 'scan', 10)
        self.create_subscription(TwistStamped, 'cmd_vel', lambda message: None, 10)
        self.create_timer(0.05, self._publish)

    def _publish(self):
        ahead = math.nan if self.blind else AHEAD[self.sent % len(AHEAD)]
        message = LaserScan(range_min=0.2, range_max=8.0, ranges=[
            3.0, 2.0 + 0.01 * self.sent, math.nan, ahead])
        message.header.stamp = self.get_clock().now().to_msg()
        self._publisher.publish(message)
        self.sent += 1


def test_scans_are_live_what_they_are_in_the_bag(graph, tmp_path, wait_for):
    robot, drive = graph.add(Scanner()), RecordedDrive(graph, tmp_path, TEXT)
    node, transitions = drive.node, drive.transitions
    node.begin()
    wait_for(lambda: len(transitions) >= 40, what='transitions')
    robot.blind = True
    wait_for(lambda: node._describe()[1].startswith('TRIPPED'), what='the trip')
    said = node._describe()[1]
    assert 'stream too old' in said and 'sector 1 of 2 has no reading' in said
    (episode,), report = drive.read()
    live = np.array([step.observation for step in transitions])
    assert set(live[:, 1].round(6)) == {8.0, 0.2, 1.5}
    # a message may come later than a tick acts, on a busy machine: the bag knows it nevertheless
    same = (live == episode.observations[:len(live)]).all(axis=1)
    assert same.mean() > 0.9
    note, = report['bags'][0]['notes']
    assert 'no sample, as a sector of the scan has no reading' in note
