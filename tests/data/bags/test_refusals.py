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

"""Tests for bags/reader.py, bags/samples.py and rosbag.py: what is refused, on one line."""

import math

import numpy as np
import pytest

from tests.data.bags import oddities as odd
from tests.data.bags.conversions import same
from tests.data.bags.oddities import drive, ROBOT, SECOND, START, write

BY_RECEIVE = ROBOT.replace('stamp: header', 'stamp: receive')


def constant_stamps(path):
    return write(path, odd.stamps(drive(), lambda stamp: START))


def zero_stamps(path):
    return write(path, odd.stamps(drive(), lambda stamp: 0))


def other_clock(path):
    return write(path, odd.stamps(drive(), lambda stamp: stamp - 500_000 * SECOND,
                                  ['/joint_states']))


def empty_names(path):
    entries = drive()
    for entry in entries:
        if entry.topic == '/joint_states':
            entry.message.name = []
    return write(path, entries)


def custom_type(path):
    return odd.without_definitions(path, custom=True)


def empty_file(path):
    path.with_suffix('.mcap').write_bytes(b'')
    return path.with_suffix('.mcap')


def empty_folder(path):
    path.mkdir()
    return path


def damaged_metadata(path):
    bag = write(path, drive())
    (bag / 'metadata.yaml').write_text('rosbag2_bagfile_information: [\n')
    return bag


def metadata_alone(path):
    bag = write(path, drive())
    (bag / 'bag.mcap').unlink()
    return bag


def damaged_definition(path):
    bag = write(path, drive())
    content = (bag / 'bag.mcap').read_bytes()
    (bag / 'bag.mcap').write_bytes(content.replace(b'float64[] position', b'float64[] posit(on'))
    return bag


@pytest.mark.parametrize('make, texts', [
    (constant_stamps, ["topic '/joint_states'", 'the same in every message', 'stamp: receive']),
    (zero_stamps, ["topic '/joint_states'", 'stamps of zero', '--allow unset-stamps']),
    (other_clock, ["'/joint_states'", "'/cmd_vel'", '500,000.0 s', '--allow clocks']),
    (empty_names, ["topic 'joint_states'", 'list of joints is empty', '--allow unfit-messages']),
    (odd.whole_of_nan, ["'joint_states position[left]' is NaN", '--allow non-finite']),
    (custom_type, ["topic '/joint_states'", 'type my_robot/msg/Joints; the robot interface']),
    (odd.without_messages, ["unknown topic '/joint_states'", 'allowed: none']),
    (empty_file, ["bag.mcap' cannot be read", 'empty']),
    (empty_folder, ['holds no bag']),
    (damaged_metadata, ['metadata.yaml: not valid YAML']),
    (metadata_alone, ['has no data file']),
    (damaged_definition, ["topic '/joint_states'", 'definition of sensor_msgs/msg/JointState']),
])
def test_a_bag_that_cannot_be_loaded_right_is_refused(workplace, make, texts):
    line = workplace.refusal(make(workplace.folder / 'bag'))
    assert [text for text in texts if text not in line] == [], line


@pytest.mark.parametrize('make', [constant_stamps, zero_stamps, other_clock])
def test_bags_with_unusable_stamps_load_by_receive_time(workplace, make):
    dataset = workplace.convert(make(workplace.folder / 'bag'), BY_RECEIVE)
    assert len(dataset.rewards) == 30 and dataset.observations[1, 0] == pytest.approx(1.05)


def test_a_custom_type_without_a_definition_that_is_asked_for_is_refused(workplace):
    robot = ROBOT.replace('sensor_msgs/msg/JointState', 'my_robot/msg/Joints')
    line = workplace.refusal(custom_type(workplace.folder / 'bag'), robot)
    assert 'my_robot/msg/Joints, which is not defined in the bag' in line


@pytest.mark.parametrize('effort, text', [
    ([], "field 'effort' has 0 values for 2 joints"),
    ([math.nan, 1.0], "'joint_states effort[left]' is NaN"),
])
def test_effort_that_is_empty_or_nan_is_refused_where_it_is_asked_for(workplace, usual, effort,
                                                                      text):
    entries = drive()
    for entry in entries:
        if entry.topic == '/joint_states':
            entry.message.effort = np.array(effort)
    bag = write(workplace.folder / 'bag', entries)
    assert text in workplace.refusal(bag, ROBOT.replace('velocity]', 'velocity, effort]'))
    assert same(workplace.convert(bag), usual)


@pytest.mark.parametrize('old, new, texts', [
    ('topic: joint_states', 'topic: joint_state', ["unknown topic '/joint_state'",
                                                   "did you mean '/joint_states'?"]),
    ('topic: cmd_vel', 'topic: cmd_val', ["did you mean '/cmd_vel'?"]),
    ('sensor_msgs/msg/JointState', 'nav_msgs/msg/Odometry', [
        "topic '/joint_states' is of type sensor_msgs/msg/JointState",
        'says nav_msgs/msg/Odometry']),
    ('joints: [left, right]', 'joints: [left, rihgt]', ["unknown joint 'rihgt'",
                                                        "did you mean 'right'?"]),
    ('fields: [position', 'fields: [positon', ["field 'positon'", "did you mean 'position'?"]),
    ('twist.linear.x', 'twist.linaer.x', ["field 'twist.linaer.x'", "did you mean 'linear'?"]),
    ('twist.linear.x', 'twist.linear', ["topic 'cmd_vel'", 'of another kind']),
    ('joints: [left, right]', 'size: 3', ["field 'position' has 2 values", 'size: 3']),
])
def test_a_robot_yaml_that_does_not_fit_the_bag_names_what_does(workplace, old, new, texts):
    bag = write(workplace.folder / 'bag', drive())
    line = workplace.refusal(bag, ROBOT.replace(old, new))
    assert [text for text in texts if text not in line] == [], line
