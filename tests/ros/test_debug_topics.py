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

"""Tests for nodes/control/debug_topics.py: what a policy sees, for who listens."""

import numpy as np
import pytest
from rclpy.node import Node
from sensor_msgs.msg import JointState
from visualization_msgs.msg import MarkerArray

from iql_ros.nodes.control.debug_topics import DebugTopics, KINDS
from iql_ros.robot.episode_runner import TickResult
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.ros.test_policy_node import DIFFBOT, start

SPEED, TURN = 'cmd_vel twist.linear.x', 'cmd_vel twist.angular.z'


class Listener(Node):
    """Somebody who plots."""

    def __init__(self, *topics):
        super().__init__('listener')
        self.seen = {topic: [] for topic in topics}
        for topic, seen in self.seen.items():
            kind = MarkerArray if topic == 'markers' else JointState
            self.create_subscription(kind, f'policy_node/debug/{topic}', seen.append, 100)


def named(message):
    return dict(zip(message.name, message.position, strict=True))


def test_what_was_seen_and_what_became_of_the_action_is_named_and_stamped(
        graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path, act=lambda observation: np.array([0.9, 0.1]))
    listener = graph.add(Listener('observation', 'action'))
    node.begin()
    wait_for(lambda: len(listener.seen['action']) >= 3 and listener.seen['observation'],
             what='ticks')
    seen, chosen = listener.seen['observation'][-1], listener.seen['action'][-1]
    assert named(seen) == dict(zip(node._interface.observation_names, [2.0, 0, 1, 0, 1.0, 2.0]))
    assert {named(chosen)[f'{SPEED}/{kind}'] for kind in ('gated', 'sent')} == {0.3}
    assert named(chosen)[f'{SPEED}/raw'] == 0.9 and named(chosen)[f'{SPEED}/clipped'] == 1.0
    assert [named(chosen)[f'{TURN}/{kind}'] for kind in KINDS] == [0.1, 0.1, 0.1, 0.0]
    stamp_ns = chosen.header.stamp.sec * 10**9 + chosen.header.stamp.nanosec
    assert stamp_ns % node._interface.period_ns == 0


def test_the_command_goes_out_first(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    listener, order = graph.add(Listener('action')), []
    node._tap = lambda topic, message, stamp_ns: order.append((topic, stamp_ns))
    node.trigger_configure()
    show = node._debug.show
    node._debug.show = lambda result, told: (order.append(('shown', result.stamp_ns)),
                                             show(result, told))
    node.trigger_activate()
    wait_for(lambda: len(listener.seen['action']) >= 3, what='ticks')
    for position, (what, stamp_ns) in enumerate(order):
        assert what != 'shown' or ('/cmd_vel', stamp_ns) in order[:position]


def test_an_episode_that_ends_tells_the_stop(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    listener = graph.add(Listener('action'))
    node.begin()
    wait_for(lambda: len(listener.seen['action']) >= 2, what='ticks')
    robot.x = 0.0
    wait_for(lambda: any(np.isnan(message.position[0]) for message in listener.seen['action']),
             what='the last tick')
    last = next(each for each in listener.seen['action'] if np.isnan(each.position[0]))
    assert np.isnan(named(last)[f'{SPEED}/gated']) and named(last)[f'{SPEED}/sent'] == 0.0


def test_where_a_pose_is_seen_its_path_is_drawn_in_the_frame_of_its_messages(
        graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    listener = graph.add(Listener('markers'))
    node.begin()
    wait_for(lambda: any(marker.ns == 'path' for array in listener.seen['markers']
                         for marker in array.markers), what='the path')
    first = listener.seen['markers'][0].markers
    assert first[-1].ns == 'pose' and first[-1].pose.position.x == 2.0
    assert {marker.header.frame_id for marker in first if marker.ns} == {'map'}  # it says none


@pytest.mark.parametrize('listens', [False, True])
def test_without_a_listener_nothing_is_made_of_a_tick(graph, wait_for, listens):
    interface = parse_robot_interface(DIFFBOT.read_text(), 'diffbot.yaml')
    debug, asked = DebugTopics(graph.add(Node('policy_node')), interface), []
    result = TickResult(np.zeros(2), None, None, 7, None, np.zeros(2, bool), np.zeros(6),
                        np.zeros(2))
    if listens:
        graph.add(Listener('action', 'observation'))
        wait_for(lambda: debug._action.get_subscription_count() == 1)
    debug.look()
    debug.show(result, lambda: asked.append(1) or np.zeros(2))
    assert len(asked) == listens
