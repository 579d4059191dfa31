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

"""Tests for robot_interface.py."""

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot.robot_interface import ActionScaling, parse_robot_interface

TEXT = """
robot: toy
control_rate: 5.0
observation:
  - {topic: pose, type: geometry_msgs/msg/Pose, max_age: 0.2, fields: [position.x, position.y]}
  - {topic: joint_states, type: sensor_msgs/msg/JointState, max_age: 0.1, joints: [l, r],
     fields: [position, velocity]}
action:
  - topic: cmd_vel
    type: geometry_msgs/msg/TwistStamped
    fields: [twist.linear.x, twist.angular.z]
    low: [-0.3, -1.5]
    high: [0.3, 1.5]
    max_age: 0.5
    rule: mean
    gate: {downstream_timeout: 0.5}
task: {reward: 'iql_ros.tasks:docking_cost', time_limit: 20.0}
"""


def toy(old='', new=''):
    assert old in TEXT
    return parse_robot_interface(TEXT.replace(old, new, 1), 'toy.yaml')


def test_vectors_are_field_major_in_the_order_of_the_file():
    interface = toy()
    assert (interface.observation_dim, interface.action_dim) == (6, 2)
    assert interface.observation_names[2:] == [
        'joint_states position[l]', 'joint_states position[r]', 'joint_states velocity[l]',
        'joint_states velocity[r]']


@pytest.mark.parametrize('old, new, message', [
    ('robot: toy', 'robot: toy\nspeed: 1', "unknown key 'speed'; allowed: robot, control_rate"),
    ('max_age: 0.2', 'max_ago: 0.2',
     "observation[0]: unknown key 'max_ago' (did you mean 'max_age'?)"),
    ('control_rate: 5.0', 'control_rate: 0', 'control_rate: got 0; allowed: 0 < Hz <= 1000'),
    ('rule: mean', 'rule: median', "unknown rule 'median'"),
    ('rule: mean\n', '\n', "key 'rule' is missing"),
    ('low: [-0.3, -1.5]', 'low: [0.3, -1.5]', 'low < high'),
    ('low: [-0.3, -1.5]', 'low: [-0.3]', 'expected 2 finite values'),
    ('downstream_timeout: 0.5', 'downstream_timeout: 0.3',
     'at least two control periods (of publish_rate, where that is set), 0.4 s'),
    ('downstream_timeout: 0.5', 'downstream_timeout: 1, limit: {low: [-1, -1], high: [1, 1]}',
     'allowed: inside [-0.3, 0.3]'),
    ('downstream_timeout: 0.5', 'downstream_timeout: 1, stop: hold',
     "got 'hold'; allowed for positions"),
    ('downstream_timeout: 0.5', 'downstream_timeout: 1, stop: [0.0, -50.0]',
     'gate.stop[1]: got -50.0; allowed: inside [-1.5, 1.5]'),
    ('downstream_timeout: 0.5',
     'downstream_timeout: 1, stop: [0.3, 0.0], limit: {low: [-0.1, 0.0], high: [0.2, 1.0]}',
     'gate.stop[0]: got 0.3; allowed: inside [-0.1, 0.2]'),
    ('low: [-0.3, -1.5]', 'low: [0.1, -1.5]', 'gate.stop[0]: got 0.0; allowed: inside [0.1, 0.3]; '
     'write values, such as stop: [0.1, 0.0]'),
    ('downstream_timeout: 0.5', 'downstream_timeout: 1, stop_repeat: 61',
     'gate.stop_repeat: got 61.0; allowed: 0 <= s <= 60'),
    ('topic: pose', 'topic: joint_states', "topic 'joint_states' is given twice"),
    ('geometry_msgs/msg/Pose,', 'os.system,', 'expected pkg/msg/Name'),
    ('action:\n', 'action:\n  - {topic: /cmd_vel, type: geometry_msgs/msg/Twist, '
     'fields: [linear.y], low: [-1], high: [1], max_age: 1, rule: mean, '
     'gate: {max_rate: none, stop: zero, downstream_timeout: none}}\n',
     "topic 'cmd_vel' is given twice; a command is one whole"),
    ('action:\n', '  - {topic: pose, type: geometry_msgs/msg/Pose, max_age: 0.2, '
     'fields: [position.x]}\naction:\n', "value 'pose position.x' is given twice"),
    ('robot: toy', 'robot:', 'robot: got None; expected a name'),
    ('topic: pose', "topic: 'the pose'", "topic: got 'the pose'; expected a name"),
    ('max_age: 0.2', 'max_age: 1.0e+300', 'max_age: got 1e+300; allowed: 0 < s <= 1000000'),
    ('joints: [l, r]', 'joints: [l, l]', "joints: got ['l', 'l']; expected each once"),
    ('joints: [l, r]', 'size: -2', 'size: got -2; allowed: >= 0'),
    ('position.x', 'exec(1)', "field 'exec(1)'"),
])
def test_a_wrong_file_is_refused_on_one_line_that_names_what_is_allowed(old, new, message):
    with pytest.raises(InputError) as error:
        toy(old, new)
    assert message in str(error.value) and str(error.value).startswith('toy.yaml')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('settings, seconds', [
    ('downstream_timeout: 0.7', 1.4), ('downstream_timeout: none', 1.0),
    ('downstream_timeout: 1.0e+9', 60.0), ('downstream_timeout: 0.7, stop_repeat: 0', 0.0)])
def test_the_stop_is_repeated_until_the_robot_stops_by_itself(settings, seconds):
    stream, = toy('downstream_timeout: 0.5', settings).action
    assert stream.gate.stop_repeat_ns == seconds * 1e9


def test_scaling_is_the_identity_to_the_bit_for_unit_actions():
    values = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    scaling = ActionScaling([-1, -1], [1, 1])
    assert np.array_equal(scaling.to_unit(values), values)
    assert np.array_equal(scaling.to_physical(values), values)


def test_scaling_maps_the_ends_to_low_and_high():
    scaling = ActionScaling([0.0, -2.4], [2.0, 3.4])
    assert scaling.to_physical([-1.0, 1.0]).tolist() == [0.0, 3.4]
    assert scaling.to_unit([1.0, 0.5]).tolist() == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize('rate', [5.0, 30.0, 125.0, 0.3, 333.3])
def test_ticks_are_whole_multiples_that_never_drift(rate):
    interface = toy('control_rate: 5.0', f'control_rate: {rate}\nsettle: 0.0') \
        if rate >= 5 else toy('control_rate: 5.0', 'control_rate: 5.0')
    for index in (0, 1, 7, 10 ** 9):
        assert interface.tick_index(interface.tick_ns(index)) == index
        assert interface.tick_index(interface.tick_ns(index) + 1) == index
        assert interface.tick_index(interface.tick_ns(index + 1) - 1) == index
