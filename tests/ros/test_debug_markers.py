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

"""Tests for nodes/control/debug_markers.py: what RViz draws."""

import math

import numpy as np
import pytest
from visualization_msgs.msg import Marker

from iql_ros.nodes.control.debug_markers import DebugMarkers, positions
from iql_ros.robot.robot_interface import parse_robot_interface

TEXT = """
robot: cart
control_rate: 10.0
observation:
  - previous: action
  - {topic: goal, type: geometry_msgs/msg/PoseStamped, goal: true, frame_id: odom,
     fields: [pose.position.x, pose.position.y]}
  - {topic: odom, type: nav_msgs/msg/Odometry, max_age: 0.2, fields: [
       twist.twist.linear.x, pose.pose.position.x, pose.pose.position.y,
       yaw_cos(pose.pose.orientation), yaw_sin(pose.pose.orientation)]}
action:
  - topic: cmd_vel
    type: geometry_msgs/msg/Twist
    stamp: receive
    fields: [linear.x, linear.y]
    low: [-1, -1]
    high: [1, 1]
    max_age: 0.5
    rule: mean
    measured: [odom pose.pose.position.x, odom pose.pose.position.y]
    gate: {stop: zero, downstream_timeout: 0.5, range: {low: [-2, -1], high: [2, 1]}}
task: {reward: 0.0, time_limit: 20.0}
"""
SENT, GOAL = [0.0, 0.0], [1.5, 0.5]
SECOND = 1_000_000_000


def drawing():
    return DebugMarkers(parse_robot_interface(TEXT, 'cart.yaml'))


def at(x, y, yaw=0.0):
    return np.array([*SENT, *GOAL, 0.3, x, y, math.cos(yaw), math.sin(yaw)])


def by_name(markers):
    return {marker.ns: marker for marker in markers if marker.action == Marker.ADD}


def test_places_are_found_by_their_fields_behind_what_was_sent_before():
    goal, pose = positions(parse_robot_interface(TEXT, 'cart.yaml'))
    assert (goal.goal, goal.indices, goal.heading, goal.frame) == (True, (2, 3, -1), (), 'odom')
    assert (pose.goal, pose.indices, pose.heading, pose.frame) == (False, (5, 6, -1), (7, 8), '')


def test_pose_goal_path_and_limits_are_drawn():
    markers = drawing()
    markers.frames['odom'] = 'odom_frame'
    first = markers.draw(SECOND, at(0.0, 0.0))
    assert first[0].action == Marker.DELETEALL and 'path' not in by_name(first)
    found = by_name(markers.draw(2 * SECOND, at(0.5, 0.25, yaw=math.pi / 2)))
    assert set(found) == {'pose', 'goal', 'path', 'limits'}
    pose, goal = found['pose'].pose, found['goal'].pose
    assert (pose.position.x, pose.position.y) == (0.5, 0.25)
    assert pose.orientation.z == pytest.approx(math.sqrt(0.5))
    assert (goal.position.x, goal.position.y) == tuple(GOAL)
    assert [(point.x, point.y) for point in found['path'].points] == [(0.0, 0.0), (0.5, 0.25)]
    assert [(point.x, point.y) for point in found['limits'].points] == [
        (-2, -1), (2, -1), (2, 1), (-2, 1), (-2, -1)]
    assert found['pose'].header.frame_id == 'odom_frame'
    assert found['goal'].header.frame_id == 'odom' and found['goal'].header.stamp.sec == 2


def test_no_more_is_drawn_than_one_can_see_and_a_new_episode_begins_anew():
    markers = drawing()
    assert markers.draw(SECOND, at(0, 0)) and not markers.draw(SECOND + 10_000_000, at(0, 1))
    markers.begin()
    again = markers.draw(SECOND + 20_000_000, at(0, 1))
    assert again[0].action == Marker.DELETEALL and 'path' not in by_name(again)


def test_a_goal_that_is_seen_from_a_frame_is_drawn_where_it_is():
    odom = TEXT[TEXT.index('  - {topic: odom'):TEXT.index('action:')]
    text = TEXT.replace(odom, """
  - {transform: {of: base, in: odom}, max_age: 0.2, fields: [translation.x, translation.y,
     yaw(rotation)]}
""").replace('goal: true', 'goal: true, relative_to: /tf').replace('measured: ', 'executed: "" #')
    text = text.replace(', range: {low: [-2, -1], high: [2, 1]}', '')
    markers = DebugMarkers(parse_robot_interface(text, 'cart.yaml'))
    seen = np.array([*SENT, 2.0, 1.0, 10.0, 5.0, math.pi / 2])
    found = by_name(markers.draw(SECOND, seen))
    assert (found['pose'].header.frame_id, found['goal'].header.frame_id) == ('odom', 'odom')
    goal = found['goal'].pose.position
    assert (goal.x, goal.y) == pytest.approx((9.0, 7.0))


def test_a_robot_without_a_pose_has_nothing_to_draw():
    text = TEXT.replace('position', 'covariance').replace('measured: ', 'executed: "" #')
    text = text.replace(', range: {low: [-2, -1], high: [2, 1]}', '')
    assert positions(parse_robot_interface(text, 'cart.yaml')) == []
