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

"""Tests for draft_streams.py, through the YAML text that it makes."""

import numpy as np
import pytest

from iql_ros.data.bags.survey.draft_streams import outwards
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.data.bags.make_bag import header, make, SECOND
from tests.data.bags.survey.test_robot_draft import (
    commands, draft, flat, joints, loaded, odom, stream, times)


def test_joints_that_stand_still_and_empty_arrays_are_comments(tmp_path):
    text = draft(tmp_path, commands(), stream(
        '/joint_states', joints(['left', 'right', 'lift'], [1.0, 2.0, 0.0], [1.0, 2.0, 0.0])))
    observation, = parse_robot_interface(text, 'draft.yaml').observation
    assert observation.joints == ('left', 'right')
    assert observation.fields == ('position', 'velocity') and observation.dim == 4
    assert 'left out: joint lift never moves' in text and 'left out: effort always empty' in text


def test_joints_of_several_publishers_are_those_that_come_most_often(tmp_path):
    text = draft(tmp_path, commands(), stream(
        '/joint_states', joints(['a', 'b'], [1.0, 2.0]), times(10)), stream(
        '/joint_states', joints(['gripper', 'b', 'a'], [1.0, 2.0, 1.0]), times(5) + 0.03))
    observation, = parse_robot_interface(text, 'draft.yaml').observation
    assert observation.joints == ('a', 'b') and 'convert --allow partial-joints' in flat(text)
    assert 'joint gripper is in 100 messages of 300' in text


def test_joints_of_which_each_comes_in_messages_of_one_kind_are_a_stream_for_each_kind(tmp_path):
    text = draft(tmp_path, commands(), stream(
        '/joint_states', joints(['a', 'b'], [1.0, 2.0]), times(10)), stream(
        '/joint_states', joints(['gripper'], [1.0]), times(5) + 0.03))
    arm, gripper = parse_robot_interface(text, 'draft.yaml').observation
    assert (arm.topic, arm.joints, gripper.topic, gripper.joints) == (
        'joint_states', ('a', 'b'), 'joint_states', ('gripper',))
    assert gripper.max_age > 2 / 5 > arm.max_age


def test_a_scan_is_taken_in_sectors_and_one_with_nan_is_commented_out(tmp_path):
    def scan(value):
        return lambda time: make(
            'sensor_msgs/msg/LaserScan', header(round(time * SECOND)),
            *[np.float32(value) for value in (0, 6.28, 0.01, 0, 0, 0.1, 12)],
            np.array([value, *[time] * 99], np.float32), np.zeros(0, np.float32))
    text = draft(tmp_path, commands(), stream('/scan', scan(np.inf)), stream('/bad', scan(np.nan)))
    observation, = parse_robot_interface(text, 'draft.yaml').observation
    assert (observation.topic, observation.beams, observation.dim) == ('scan', 16, 16)
    assert '# Left out: 1.0% of its readings are NaN\n  # - topic: bad ' in text


def test_arrays_have_a_size_and_images_are_no_vector(tmp_path):
    def array(type_name, values):
        return make(type_name, make('std_msgs/msg/MultiArrayLayout', [], 0), values)
    text = draft(
        tmp_path, stream('/arm_controller/commands', lambda time: array(
            'std_msgs/msg/Float64MultiArray', np.array([time, -time, 0.0]))),
        stream('/force', lambda time: array('std_msgs/msg/Float32MultiArray', np.full(
            40, time, np.float32))),
        stream('/camera', lambda time: array('std_msgs/msg/UInt8MultiArray', np.full(
            3, int(time), np.uint8))),
        stream('/ragged', lambda time: array('std_msgs/msg/Float64MultiArray', np.full(
            2 + int(time) % 2, time))))
    interface = parse_robot_interface(text, 'draft.yaml')
    assert interface.action[0].size == 3 and interface.action[0].rule == 'last'
    assert [stream.topic for stream in interface.observation] == ['force']
    assert interface.observation_dim == 40
    assert 'not a vector: /camera' in flat(text)
    assert 'its length changes: /ragged' in flat(text)


def test_a_trajectory_is_commanded_by_joint(tmp_path):
    def trajectory(time):
        goal = make('trajectory_msgs/msg/JointTrajectoryPoint', np.array([time, -time]),
                    np.zeros(0), np.zeros(0), np.zeros(0),
                    make('builtin_interfaces/msg/Duration', 0, 100))
        return make('trajectory_msgs/msg/JointTrajectory', header(round(time * SECOND)),
                    ['a', 'b'], [goal])
    text = draft(tmp_path, odom(), stream('/arm_controller/joint_trajectory', trajectory))
    action, = parse_robot_interface(text, 'draft.yaml').action
    assert action.joints == ('a', 'b') and action.fields == ('positions',)
    assert action.time_from_start == 0.1 and action.stamp == 'header'


def test_an_orientation_is_its_yaw_on_the_ground_and_whole_in_the_air(tmp_path):
    def pose(tilt):
        def message(time):
            angle = 0.01 * time
            w = np.sqrt(1 - tilt ** 2 - np.sin(angle) ** 2)
            return make('geometry_msgs/msg/PoseStamped', header(round(time * SECOND)), make(
                'geometry_msgs/msg/Pose', make('geometry_msgs/msg/Point', time * tilt, 0., 0.),
                make('geometry_msgs/msg/Quaternion', tilt * np.sin(time), 0., np.sin(angle), w)))
        return message
    interface = loaded(tmp_path, commands(), stream('/ground', pose(0.01)),
                       stream('/air', pose(0.5)))
    fields = {stream.topic: stream.fields for stream in interface.observation}
    assert fields['ground'][-2:] == ('yaw_cos(pose.orientation)', 'yaw_sin(pose.orientation)')
    assert fields['air'][-3:] == ('pose.orientation.x', 'pose.orientation.z', 'pose.orientation.w')


@pytest.mark.parametrize('low, high, expected', [
    (-0.1093, 0.5, (-0.11, 0.5)), (0.0, 0.26, (0.0, 0.26)), (-3.1415, 3.1415, (-3.2, 3.2)),
    (-244.3, 0.0, (-250.0, 0.0)), (-0.00042, 0.0011, (-0.0005, 0.0011)), (0.0, 1.0, (0.0, 1.0))])
def test_ranges_are_rounded_outwards_to_two_digits(low, high, expected):
    assert outwards(low, high) == pytest.approx(expected)


def test_rounding_never_cuts_and_never_closes_a_range():
    generator = np.random.default_rng(0)
    for scale in 10.0 ** np.arange(-12, 13):
        for low, high in np.sort(scale * generator.normal(size=(20, 2))):
            rounded = outwards(low, high)
            assert rounded[0] <= low + 1e-6 * scale and high - 1e-6 * scale <= rounded[1]
    assert outwards(0.0, 0.0)[0] < outwards(0.0, 0.0)[1]


def test_an_image_is_left_out_whatever_else_changes_in_it(tmp_path):
    def image(time):
        width = 40 + int(time) % 2
        return make('sensor_msgs/msg/Image', header(round(time * SECOND)), 1, width, 'mono8', 0,
                    width, np.zeros(width, np.uint8))
    text = draft(tmp_path, odom(), commands(), stream('/image', image))
    assert len(parse_robot_interface(text, 'x').observation) == 1
    assert 'an image, a cloud or a map: not a vector: /image' in flat(text)
