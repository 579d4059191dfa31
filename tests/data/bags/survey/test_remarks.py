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

"""Tests for remarks.py."""

import numpy as np
import pytest

from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.survey.remarks import is_command
from iql_ros.data.bags.survey.survey import survey_bag
from tests.data.bags.make_bag import header, make, point, SECOND, twist, write_rosbag2
from tests.data.bags.survey.test_survey import odometry

WALL = 1_700_000_000


def remarks(tmp_path, *streams):
    """Return the remarks on a bag of these streams, as one text."""
    messages = sorted((message for stream in streams for message in stream),
                      key=lambda message: message[1])
    bag = write_rosbag2(tmp_path / 'bag', messages)
    return '\n'.join(survey_bag(bag, Allowed())['remarks'])


def stream(name, message_of, times=None):
    """Return messages received at `times` [s], each made of its time [ns]."""
    times = np.arange(200) / 10 if times is None else times
    return [(name, round(time * SECOND), message_of(round(time * SECOND))) for time in times]


def commands(times=None):
    return stream('/cmd_vel', lambda time: twist(time * 1e-9), times)


def odom(times=None, ahead=5):
    return stream('/odom', lambda time: odometry(time + ahead), times)


@pytest.mark.parametrize('name, type_name, expected', [
    ('/cmd_vel', 'geometry_msgs/msg/Twist', True),
    ('/r1/cmd_vel_nav', 'geometry_msgs/msg/Twist', True),
    ('/cf_controll', 'geometry_msgs/msg/Pose', True),
    ('/wx200/commands/joint_single', 'interbotix_xs_sdk/msg/JointSingleCommand', True),
    ('/arm_controller/commands', 'std_msgs/msg/Float64MultiArray', True),
    ('/arm_controller/joint_trajectory', 'trajectory_msgs/msg/JointTrajectory', True),
    ('/goal_pose', 'geometry_msgs/msg/PoseStamped', True),
    ('/steer', 'ackermann_msgs/msg/AckermannDriveStamped', True),
    ('/jackal_velocity_controller/odom', 'nav_msgs/msg/Odometry', False),
    ('/arm_controller/state', 'control_msgs/msg/JointTrajectoryControllerState', False),
    ('/commander/status', 'std_msgs/msg/String', False),
    ('/joint_states', 'sensor_msgs/msg/JointState', False),
    ('/imu/data', 'sensor_msgs/msg/Imu', False),
])
def test_a_command_is_known_by_its_name_or_type(name, type_name, expected):
    assert is_command({'name': name, 'type': type_name}) is expected


def test_gaps_are_told_with_their_length_and_place(tmp_path):
    times = np.arange(200) / 10
    times = np.concatenate([times[:50], times[100:]])
    assert "'/cmd_vel': 1 gap (no message for 5.10 s at 4.9 s)" in remarks(
        tmp_path, commands(times), odom())


def test_a_leap_of_the_receive_clock_is_no_mere_gap(tmp_path):
    text = remarks(tmp_path, commands([*np.arange(20) / 10, *(WALL + np.arange(20) / 10)]))
    assert 'the receive clock jumps, or nothing came' in text


def test_zero_and_constant_header_stamps_are_told(tmp_path):
    text = remarks(tmp_path, commands(), stream('/zero', lambda time: point(0, 1.0)),
                   stream('/same', lambda time: point(7, 1.0)))
    assert "'/zero': all 200 header stamps are zero" in text
    assert "'/same': every header stamp is the same" in text


def test_a_header_clock_that_goes_back_is_told(tmp_path):
    text = remarks(tmp_path, commands(), odom(), stream(
        '/pose', lambda time: point(time % (10 * SECOND) + 5, 1.0)))
    assert "'/pose': 1 of 200 header stamps go back" in text
    assert "'/pose': the header's clock jumps by -10 s at 10.0 s" in text


def test_simulated_and_wall_clocks_in_one_bag_are_told_apart(tmp_path):
    times = WALL + np.arange(200) / 10
    text = remarks(tmp_path, commands(times), odom(times),
                   odom_named('/sim_odom', times, -WALL * SECOND + 100 * SECOND))
    assert 'header stamps of /sim_odom: simulated time (100.0 s to 119.9 s)' in text
    assert '/cmd_vel has no header: only the receive time puts' in text
    assert 'the headers are on different clocks: /odom; /sim_odom' in text


def odom_named(name, times, ahead):
    return [(name, received, message) for _, received, message in odom(times, ahead)]


def test_the_clock_of_another_computer_is_told(tmp_path):
    assert 'header stamps of /odom: 500000 s before the receive time' in remarks(
        tmp_path, commands(WALL + np.arange(20)), odom(WALL + np.arange(20), -500_000 * SECOND))


def test_joints_without_names_and_joints_that_stand_still_are_told(tmp_path):
    def joints(names):
        return lambda time: make('sensor_msgs/msg/JointState', header(time + 5), names, np.array(
            [time * 1e-9, 0.5]), np.zeros(0), np.full(2, np.nan))
    text = remarks(tmp_path, commands(), stream('/named', joints(['a', 'b'])),
                   stream('/bare', joints([])))
    assert "'/bare': all 200 messages have joints without names" in text
    assert "'/named': never moved: b" in text and "'/named': velocity always empty" in text
    assert 'never a finite number in effort[a], effort[b]' in text


def test_some_values_that_are_not_finite_are_told_with_their_share(tmp_path):
    text = remarks(tmp_path, odom(), stream(
        '/cmd_vel', lambda time: twist(np.nan if time % SECOND == 0 else 1e-9 * time)))
    assert "'/cmd_vel': NaN or infinite in up to 10.0%: linear.x" in text


def test_returns_of_infinity_are_usual_for_a_scan_and_nan_is_not(tmp_path):
    def scan(value):
        return lambda time: make(
            'sensor_msgs/msg/LaserScan', header(time + 5), *[np.float32(0)] * 7, np.array(
                [value, *[3] * 99], np.float32), np.zeros(0, np.float32))
    text = remarks(tmp_path, commands(), odom(), stream('/scan', scan(np.inf)),
                   stream('/bad_scan', scan(np.nan)))
    assert "'/scan'" not in text and "'/bad_scan': NaN or infinite in up to 1.0%" in text


def test_a_stream_that_covers_a_part_comes_unevenly_or_never_changes_is_told(tmp_path):
    bursts = np.sort(np.concatenate([np.arange(100) / 5, np.arange(100) / 5 + 0.01]))
    text = remarks(tmp_path, odom(), stream('/cmd_vel', lambda time: twist(0.0), bursts),
                   stream('/pose', lambda time: point(time + 5, 1.0), np.arange(30, 100) / 10))
    assert "'/pose': covers only 3.0 s to 9.9 s of the bag's 19.9 s" in text
    assert "'/cmd_vel': comes in bunches: 50% of its messages right after another, every" in text
    assert "'/cmd_vel': the command never changes" in text


def test_an_orientation_that_is_no_rotation_is_told(tmp_path):
    def pose(time):
        return make('geometry_msgs/msg/Pose', make('geometry_msgs/msg/Point', 0.0, 0.0, 0.0),
                    make('geometry_msgs/msg/Quaternion', 0.0, 0.0, 3.0, 4.0))
    text = remarks(tmp_path, commands(), stream('/pose', pose))
    assert "'/pose': orientation is no rotation (norm 5 to 5)" in text


def test_a_bag_without_commands_or_without_state_is_told(tmp_path):
    assert 'no topic looks like a command' in remarks(tmp_path, odom())
    (tmp_path / 'other').mkdir()
    assert 'no topic says where the robot is' in remarks(tmp_path / 'other', commands())
