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

"""Tests for draft_command.py: what a command controls, its stop, its limits."""

import numpy as np
import pytest

from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.survey.robot_draft import draft_robot
from iql_ros.data.bags.survey.survey import survey_bag
from iql_ros.data.bags.survey.urdf_limits import JointLimits
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.data.bags.make_bag import header, make, SECOND, write_rosbag2
from tests.data.bags.survey.test_robot_draft import joints, odom, stream

COMMAND = '/arm_controller/joint_trajectory'


def trajectory(time):
    goal = make('trajectory_msgs/msg/JointTrajectoryPoint',
                np.array([1.0 + np.sin(time), -1.0 + 0.5 * np.cos(time)]), np.zeros(0),
                np.zeros(0), np.zeros(0), make('builtin_interfaces/msg/Duration', 0, 100))
    return make('trajectory_msgs/msg/JointTrajectory', header(round(time * SECOND)), ['a', 'b'],
                [goal])


def array(time):
    return make('std_msgs/msg/Float64MultiArray',
                make('std_msgs/msg/MultiArrayLayout', [], 0), np.array([np.sin(time), 0.3 * time]))


def draft(tmp_path, *streams, urdf=None):
    messages = sorted((message for each in streams for message in each),
                      key=lambda message: message[1])
    bag = write_rosbag2(tmp_path / 'bag', messages)
    return draft_robot(survey_bag(bag, Allowed()), 'robot', urdf)


def action(text):
    return parse_robot_interface(text, 'draft.yaml').action[0]


def measured():
    return stream('/joint_states', joints(['b', 'c', 'a'], (0.1, 0.2, 0.3)))


def test_a_position_that_is_measured_is_held(tmp_path):
    found = action(draft(tmp_path, measured(), stream(COMMAND, trajectory)))
    assert found.kinds == ('position', 'position') and found.gate.stop == 'hold'
    assert found.measured == ('joint_states position[a]', 'joint_states position[b]')


def test_a_position_that_nothing_measures_cannot_be_held_and_that_is_said(tmp_path):
    text = draft(tmp_path, odom(), stream(COMMAND, trajectory))
    assert action(text).gate.stop == (0.0, -0.5) and action(text).measured == ()
    assert 'No stream of the bag measures it' in ' '.join(text.replace('#', ' ').split())


def test_of_an_array_nobody_knows_what_it_controls_and_that_is_asked(tmp_path):
    text = draft(tmp_path, odom(), stream('/effort_controller/commands', array))
    assert '# controls:' in text and action(text).kinds == ('', '')


@pytest.mark.parametrize('joint, low, high, rate', [
    (JointLimits(-0.5, 1.5, 2.0, 10.0), 0.0, 1.5, 2.0),
    (JointLimits(-9.0, 9.0, 0.5, 10.0), 0.0, 2.0, 0.5),
    (JointLimits(5.0, 6.0, 2.0, 10.0), 0.0, 2.0, 2.0),      # of another robot
])
def test_limits_and_rates_of_a_urdf_are_taken(tmp_path, joint, low, high, rate):
    gate = action(draft(tmp_path, measured(), stream(COMMAND, trajectory),
                        urdf={'a': joint, 'b': JointLimits(-3.0, 3.0, 1.0, 1.0)})).gate
    assert (gate.limit.low[0], gate.limit.high[0]) == (low, high)
    assert gate.max_rate == (rate, 1.0)
