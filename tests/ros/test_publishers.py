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

"""Tests for nodes/sentry/publishers.py."""

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
import yaml

from iql_ros.files import share_folder
from iql_ros.nodes.sentry.publishers import CommandPublishers
from iql_ros.robot.robot_interface import parse_robot_interface

DIFFBOT = (share_folder() / 'config' / 'robots' / 'diffbot.yaml').read_text()
LIFT = {'topic': 'lift', 'type': 'std_msgs/msg/Float64MultiArray', 'size': 1,
        'fields': ['data'], 'stamp': 'receive', 'controls': 'position', 'max_age': 0.5,
        'rule': 'last', 'low': [-1.0], 'high': [1.0], 'measured': ['robot_pose pose.position.x'],
        'gate': {'stop': 'hold', 'downstream_timeout': 0.5}}


def publishers(graph):
    """Return those of a base with a lift."""
    robot = yaml.safe_load(DIFFBOT)
    text = yaml.safe_dump({**robot, 'action': [*robot['action'], LIFT]})
    return CommandPublishers(graph.add(Node('tested')), parse_robot_interface(text, 'text'))


def test_a_position_that_nobody_knows_is_not_sent_and_all_else_is(graph):
    tested = publishers(graph)
    base, lift = tested.encode(np.array([0.1, 0.2, np.nan]), 0)
    assert base.twist.linear.x == 0.1 and lift is None
    tested.publish([base, lift])
    assert tested.encode(np.array([0.1, 0.2, 0.5]), 0)[1].data.tolist() == [0.5]


def test_whoever_listens_to_positions_counts_once_there_was_time_to_find_each_other(
        graph, wait_for):
    tested, arm = publishers(graph), graph.add(Node('arm'))
    assert tested.unheard() == ['/lift']
    listening = arm.create_subscription(Float64MultiArray, 'lift', print, 10)
    wait_for(lambda: tested.publishers[1].get_subscription_count(), what='the listener')
    assert tested.unheard() == ['/lift']
    wait_for(lambda: tested.unheard() == [], what='that it counts')
    arm.destroy_subscription(listening)
    wait_for(lambda: tested.unheard() == ['/lift'], what='that it is gone')
