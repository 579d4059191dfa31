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

"""Tests for observations.py."""

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot.observation_buffer import ObservationBuffer
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.transform_tree import read_edges
from tests.data.bags.make_bag import make

TEXT = """
robot: reacher
control_rate: 10.0
observation:
  - {transform: {of: hand, in: base}, max_age: 0.1,
     fields: [translation.x, translation.y, translation.z, rotation_6d(rotation)]}
  - {transform: {of: base, in: odom}, max_age: 0.5, history: 2,
     fields: [translation.x, yaw_cos(rotation), yaw_sin(rotation)]}
action:
  - {topic: cmd_vel, type: geometry_msgs/msg/Twist, stamp: receive, max_age: 0.5,
     fields: [linear.x], low: [-1.0], high: [1.0], rule: mean,
     gate: {max_rate: none, downstream_timeout: 0.5}}
task: {reward: -1.0, time_limit: 1.0}
"""


def reacher(old='', new=''):
    assert old in TEXT
    return parse_robot_interface(TEXT.replace(old, new, 1), 'reacher.yaml')


def empty(type_name):
    """Return an empty message of /tf or of one transform."""
    if type_name == 'tf2_msgs/msg/TFMessage':
        return make(type_name, [])
    zeros = make('geometry_msgs/msg/Vector3', 0.0, 0.0, 0.0)
    return make(type_name, make('std_msgs/msg/Header', make('builtin_interfaces/msg/Time', 0, 0),
                                ''), '',
                make('geometry_msgs/msg/Transform', zeros,
                     make('geometry_msgs/msg/Quaternion', 0.0, 0.0, 0.0, 1.0)))


def test_a_transform_is_called_by_its_frames_and_hears_the_whole_tree():
    hand, base = reacher().observation
    assert (hand.topic, hand.static_topic, hand.dim) == ('/tf', '/tf_static', 9)
    assert reacher().observation_names[9:] == [
        'base in odom translation.x', 'base in odom yaw_cos(rotation)',
        'base in odom yaw_sin(rotation)', 'base in odom translation.x (-1)',
        'base in odom yaw_cos(rotation) (-1)', 'base in odom yaw_sin(rotation) (-1)']
    assert base.contract()['transform'] == {'of': 'base', 'in': 'odom'}


def test_the_vectors_of_two_transforms_make_one_message_and_come_back_from_it():
    interface = reacher()
    vectors = [np.array([0.1, 0.2, 0.3, 0, 1, 0, -1, 0, 0.0]), np.array([4.0, 0.6, 0.8])]
    message, time_ns = None, 5_000_000_007
    for stream, vector in zip(interface.observation, vectors):
        message = stream.encode(vector, time_ns, empty, message)
    assert [each.child_frame_id for each in message.transforms] == ['hand', 'base']
    buffer = ObservationBuffer(interface)
    for index, stream in enumerate(interface.observation):
        buffer.push(index, time_ns, read_edges(message, static=False))
    assert np.allclose(buffer.sample(time_ns), np.concatenate(vectors), rtol=0, atol=1e-15)


def test_the_buffer_says_which_edge_is_late_and_what_is_not_known():
    interface = reacher()
    buffer, (hand, base) = ObservationBuffer(interface), interface.observation
    message = base.encode(np.array([4.0, 0.6, 0.8]), 10**9, empty)
    for index in (0, 1):
        buffer.push(index, 10**9, read_edges(message, static=False))
    assert buffer.sample(10**9) is None
    assert buffer.stale(10**9) == [
        "'hand in base' (no frame 'hand'; known: base, odom; max_age 0.1 s)"]
    message = hand.encode(np.eye(9)[3] + np.eye(9)[7], 10**9, empty)
    buffer.push(0, 10**9, read_edges(message, static=False))
    assert buffer.sample(10**9) is not None
    assert buffer.stale(1_150_000_000) == [
        "'hand in base' (0.150 s old, by 'hand' in 'base'; max_age 0.1 s)"]
    assert np.isnan(buffer.newest(1_150_000_000)).tolist() == [True] * 9 + [False] * 3


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('{of: hand, in: base}', '{of: hand}', 'transform: in: got None; expected the name of a'),
    ('{of: hand, in: base}', '{of: hand, to: base}', "transform: unknown key 'to'"),
    ('{of: hand, in: base}', '{of: base, in: /base}', "transform: got 'base' in itself"),
    ('{of: hand, in: base}', 'hand', "transform: got 'hand'; expected keys with values"),
    ('translation.x, translation.y', 'pose.x, translation.y',
     "'hand in base': field 'pose.x': expected translation.x, translation.y, translation.z, or "
     'one of yaw_cos'),
    ('rotation_6d(rotation)', 'rotation.w', "field 'rotation.w': expected translation.x"),
    ('max_age: 0.1', 'max_age: 0.1, joints: [a]', "'hand in base': joints: got ('a',); a transf"),
    ('max_age: 0.1', 'max_age: 0.1, goal: true',
     "'hand in base': goal: got True; a transform has none"),
    ('max_age: 0.1', 'max_age: 0.1, type: std_msgs/msg/Float64',
     'allowed: tf2_msgs/msg/TFMessage, geometry_msgs/msg/TransformStamped'),
    ('{of: base, in: odom}', '{of: hand, in: base}', "value 'hand in base translation.x' is giv"),
])
def test_a_transform_that_cannot_be_is_refused_on_one_line(old, new, message):
    with pytest.raises(InputError) as error:
        reacher(old, new)
    assert message in str(error.value) and str(error.value).startswith('reacher.yaml')
    assert '\n' not in str(error.value)
