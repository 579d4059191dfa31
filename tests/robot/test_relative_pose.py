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

"""Tests for relative_pose.py."""

import math

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot.memory import ObservationMemory
from iql_ros.robot.robot_interface import parse_robot_interface

TEXT = """
robot: courier
control_rate: 10.0
observation:
  - {topic: pose, type: geometry_msgs/msg/PoseStamped, frame_id: map, max_age: 0.1,
     fields: [pose.position.x, pose.position.y, yaw(pose.orientation)]}
  - {topic: goal, type: geometry_msgs/msg/PoseStamped, frame_id: map, goal: true,
     relative_to: pose,
     fields: [pose.position.x, pose.position.y, yaw_cos(pose.orientation),
              yaw_sin(pose.orientation)]}
action:
  - {topic: cmd_vel, type: geometry_msgs/msg/Twist, stamp: receive, max_age: 0.5,
     fields: [linear.x], low: [-1.0], high: [1.0], rule: mean,
     gate: {max_rate: none, downstream_timeout: 0.5}}
task: {reward: -1.0, time_limit: 1.0}
"""
PLACE = '[pose.position.x, pose.position.y, yaw(pose.orientation)]'
GOAL = ('[pose.position.x, pose.position.y, yaw_cos(pose.orientation),\n'
        '              yaw_sin(pose.orientation)]')


def courier(*changes):
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_robot_interface(text, 'courier.yaml')


def test_a_goal_is_seen_from_the_pose_of_every_tick_and_stays_where_it_was_at_the_start():
    memory = ObservationMemory(courier())
    goal = [3.0, 2.0, 0.0, 1.0]                                # it looks along y
    first = memory.begin(np.array([1.0, 2.0, 0.0, *goal]))
    assert np.allclose(first, [1.0, 2.0, 0.0, 2.0, 0.0, 0.0, 1.0])
    turned = memory.observe(np.array([3.0, 1.0, math.pi / 2, 9.0, 9.0, 1.0, 0.0]), np.zeros(1))
    assert np.allclose(turned, [3.0, 1.0, math.pi / 2, 1.0, 0.0, 1.0, 0.0])


def test_the_names_say_whence_and_the_contract_knows_it():
    assert courier().observation_names[3] == 'goal pose.position.x (from pose)'
    assert courier().contract()['observation'][1]['relative_to'] == 0
    plain = courier(('     relative_to: pose,\n', ''))
    assert plain.contract_hash != courier().contract_hash
    assert 'relative_to' not in plain.contract()['observation'][1]


def matrix(x, y, z, w):
    """Return the rotation matrix of a unit quaternion."""
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                     [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                     [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]])


@pytest.mark.parametrize(('pose', 'goal'), [
    ('hemisphere(pose.orientation)', 'rotation_6d(pose.orientation)'),
    ('rotation_6d(pose.orientation)', 'hemisphere(pose.orientation)'),
    ('pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w',
     'rotation_6d(pose.orientation)')])
def test_in_space_it_is_what_rotation_matrices_say(pose, goal):
    place = 'pose.position.x, pose.position.y, pose.position.z'
    interface = courier((PLACE, f'[{place}, {pose}]'), (GOAL, f'[{place}, {goal}]'))
    rng = np.random.default_rng(1)
    for _ in range(20):
        here, there = rng.normal(size=(2, 3))
        turns = rng.normal(size=(2, 4))
        turns /= np.linalg.norm(turns, axis=1, keepdims=True)
        matrices = [matrix(*turn) for turn in turns]
        values = [part if 'rotation_6d' not in said else each[:, :2].T.ravel()
                  for said, part, each in zip((pose, goal), turns, matrices)]
        sensed = np.concatenate([here, values[0], there, values[1]])
        seen = ObservationMemory(interface).begin(sensed)[3 + len(values[0]):]
        wanted = matrices[0].T @ matrices[1]
        assert np.allclose(seen[:3], matrices[0].T @ (there - here))
        assert np.allclose(seen[3:], wanted[:, :2].T.ravel()) if 'rotation_6d' in goal else (
            np.allclose(matrix(*seen[3:]), wanted) and seen[6] >= 0)


def test_a_goal_that_is_a_place_alone_asks_the_pose_alone_for_a_heading():
    interface = courier((GOAL, '[pose.position.x, pose.position.y]'))
    seen = ObservationMemory(interface).begin(np.array([1.0, 1.0, math.pi, 0.0, 1.0]))
    assert np.allclose(seen[3:], [1.0, 0.0])


def test_a_pose_may_come_of_the_tree_of_frames():
    interface = courier(('{topic: pose, type: geometry_msgs/msg/PoseStamped, frame_id: map,',
                         '{transform: {of: base, in: map},'),
                        (PLACE, '[translation.x, translation.y, yaw(rotation)]'),
                        ('relative_to: pose', 'relative_to: /tf'))
    assert interface.relative[1][1] == slice(0, 3)


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('relative_to: pose', 'relative_to: poses',
     "unknown relative_to 'poses' (did you mean 'pose'?); allowed: pose"),
    ('relative_to: pose', 'relative_to: goal', "unknown relative_to 'goal'; allowed: pose"),
    ('goal: true,', 'max_age: 1.0,', "relative_to: got 'pose'; only a goal is given so"),
    ('frame_id: map, max_age', 'frame_id: odom, max_age',
     "'goal' is in frame 'map' and 'pose' in 'odom'; expected the same frame_id"),
    (PLACE, '[pose.position.x, pose.position.y]', "'pose' lacks yaw or yaw_cos and yaw_sin of"),
    (PLACE, '[pose.position.x, pose.position.y, rotation_6d(pose.orientation)]',
     'it tilts, so z is needed of both positions'),
    (PLACE, '[pose.position.x, pose.position.y, pose.position.z, yaw(pose.orientation)]',
     "'goal' has ['x', 'y'] of a position and 'pose' has ['x', 'y', 'z']; expected the same"),
    ('yaw_sin(pose.orientation)', 'roll(pose.orientation)', "'goal' lacks yaw_sin of its orient"),
    (PLACE, '[pose.position.x, header.stamp.sec, yaw(pose.orientation)]',
     "'pose': fields ['pose.position.x', 'header.stamp.sec', 'yaw(pose.orientation)']: expected "
     'those of one pose'),
])
def test_what_says_too_little_of_a_pose_is_refused_on_one_line(old, new, message):
    with pytest.raises(InputError) as error:
        courier((old, new))
    assert message in str(error.value) and '\n' not in str(error.value)
