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

"""Tests for draft_choice.py, through the YAML text that it makes."""

import numpy as np
import pytest

from iql_ros.data.rosbag import read_episodes
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.data.bags.make_bag import header, make, point, SECOND, twist
from tests.data.bags.survey.test_robot_draft import (
    commands, draft, loaded, odom, stream, times, with_task, written)


@pytest.mark.parametrize('rates, expected', [
    ((30, 100), 10), ((5, 100), 5), ((4.97, 100), 5), ((9, 20), 5), ((2.5, 20), 2), ((1, 3), 1),
    ((20, 3), 2)])
def test_the_control_rate_is_that_of_the_slowest_stream_and_at_most_10(
        tmp_path, rates, expected):
    slow, fast = (times(rate, 60) for rate in rates)
    assert loaded(tmp_path, odom(at=slow), commands(at=fast)).control_rate == expected


def test_a_header_on_another_clock_is_replaced_by_the_receive_time(tmp_path):
    text = draft(tmp_path, commands(), odom(behind=-5000.0))
    assert parse_robot_interface(text, 'draft.yaml').observation[0].stamp == 'receive'
    assert 'its header is 5000 s after that' in text


def test_headers_that_share_a_clock_are_used_whatever_it_says(tmp_path):
    def stamped(time):
        return make('geometry_msgs/msg/TwistStamped', header(round((time + 5000) * SECOND)),
                    twist(np.sin(time)))
    interface = loaded(tmp_path, odom(behind=-5000.0), stream('/cmd_vel', stamped))
    assert [stream.stamp for stream in (*interface.observation, *interface.action)] == [
        'header', 'header']


@pytest.mark.parametrize('stamp, reason', [(0, 'stamps are zero'), (7, 'stamp is the same')])
def test_header_stamps_that_say_nothing_are_not_used(tmp_path, stamp, reason):
    text = draft(tmp_path, commands(), stream('/pose', lambda time: point(stamp, time)))
    assert parse_robot_interface(text, 'draft.yaml').observation[0].stamp == 'receive'
    assert reason in text


def test_samples_that_arrive_late_are_waited_for(tmp_path):
    interface = loaded(tmp_path, commands(), odom(behind=0.03))
    assert 0.03 < interface.settle < 0.04
    assert interface.observation[0].max_age >= 0.25 + 0.03


def test_of_two_streams_about_one_thing_the_better_is_taken(tmp_path):
    text = draft(tmp_path, commands(), odom('/odom', times(10)), odom('/odometry', times(20)))
    assert [stream.topic for stream in parse_robot_interface(text, 'x').observation] == [
        'odometry']
    assert '# Left out: it says the same as /odometry' in text
    assert '  # - topic: odom ' in text and '  #     - pose.pose.position.x' in text


def test_what_was_executed_is_preferred_and_other_twins_are_commented_out(tmp_path):
    text = draft(tmp_path, odom(), commands('/cmd_vel'), commands('/cmd_vel_safe', scale=0.5),
                 commands('/cmd_vel_teleop', times(5)))
    action, = parse_robot_interface(text, 'x').action
    assert (action.topic, action.executed) == ('cmd_vel', 'cmd_vel_safe')
    assert 'Left out: what /cmd_vel became' in text
    assert 'Left out: the same command as /cmd_vel' in text


def test_streams_that_are_slow_or_short_or_few_are_not_waited_for(tmp_path):
    text = draft(tmp_path, odom(), commands(),
                 stream('/temperature', lambda time: make(
                     'std_msgs/msg/Float64', time), times(0.5, 40)),
                 stream('/brief', lambda time: point(1, time), times(10, 5)),
                 stream('/few', lambda time: point(1, time), times(10, 0.5)))
    assert len(parse_robot_interface(text, 'x').observation) == 1
    assert 'slow (0.5 Hz)' in text and 'fewer than 10 messages: /few' in text
    assert 'covers only' in text


def test_names_that_two_robots_share_stay_absolute(tmp_path):
    text, bag = written(tmp_path, odom('/odom'), commands('/cmd_vel'),
                        odom('/r1/odom', times(5)), commands('/r1/cmd_vel', times(5), 0.1))
    interface = parse_robot_interface(with_task(text), 'x')
    assert interface.observation[0].topic == '/odom' and interface.action[0].topic == '/cmd_vel'
    assert read_episodes([bag], interface)[1]['transitions'] > 100


def test_slow_and_short_streams_are_taken_where_there_is_no_other(tmp_path):
    text = draft(tmp_path, commands(at=times(10, 60)), odom(at=times(0.5, 60)))
    interface = parse_robot_interface(text, 'x')
    assert interface.control_rate == 1 and interface.observation[0].max_age >= 5
    assert '# slow (0.5 Hz): every tick would wait for it' in text


def test_a_command_that_covers_a_part_of_the_bag_is_still_the_command(tmp_path):
    interface = loaded(tmp_path, odom(at=times(10, 60)), commands(at=times(10, 10)))
    assert interface.action_names == ['cmd_vel linear.x']


def test_what_the_operator_does_is_no_observation(tmp_path):
    def joy(time):
        return make('sensor_msgs/msg/Joy', header(round(time * SECOND)),
                    np.array([np.sin(time), time], np.float32), np.zeros(0, np.int32))
    text = draft(tmp_path, odom(), commands(), stream('/joy', joy))
    assert [stream.topic for stream in parse_robot_interface(text, 'x').observation] == ['odom']
    assert '# Left out: what the operator did' in text
