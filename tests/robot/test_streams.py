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

"""Tests for streams.py."""

import array
from types import SimpleNamespace

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot.observations import Observation


def stamp():
    return SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0))


def make_message(type_name):
    """Return a hand-written message; no ROS is needed to test the mapping."""
    vector = {'x': 0.0, 'y': 0.0, 'z': 0.0}
    return {
        'geometry_msgs/msg/TwistStamped': lambda: SimpleNamespace(
            header=stamp(), twist=SimpleNamespace(linear=SimpleNamespace(**vector),
                                                  angular=SimpleNamespace(**vector))),
        'geometry_msgs/msg/PoseStamped': lambda: SimpleNamespace(
            header=stamp(), pose=SimpleNamespace(position=SimpleNamespace(**vector),
                                                 orientation=SimpleNamespace(**vector, w=1.0))),
        'sensor_msgs/msg/JointState': lambda: SimpleNamespace(
            header=stamp(), name=[], position=array.array('d'), velocity=array.array('d')),
        'std_msgs/msg/Float64MultiArray': lambda: SimpleNamespace(data=array.array('d')),
        'trajectory_msgs/msg/JointTrajectory': lambda: SimpleNamespace(
            header=stamp(), joint_names=[], points=[]),
        'trajectory_msgs/msg/JointTrajectoryPoint': lambda: SimpleNamespace(
            positions=array.array('d'), velocities=array.array('d'),
            time_from_start=SimpleNamespace(sec=0, nanosec=0)),
    }[type_name]()


@pytest.mark.parametrize('type_name, options', [
    ('geometry_msgs/msg/TwistStamped', {'fields': ('twist.linear.x', 'twist.angular.z')}),
    ('geometry_msgs/msg/PoseStamped', {'fields': (
        'yaw_cos(pose.orientation)', 'yaw_sin(pose.orientation)')}),
    ('sensor_msgs/msg/JointState', {'fields': ('velocity',), 'joints': ('left', 'right')}),
    ('std_msgs/msg/Float64MultiArray', {'fields': ('data',), 'size': 2, 'stamp': 'receive'}),
    ('trajectory_msgs/msg/JointTrajectory', {'fields': ('positions',), 'joints': ('a', 'b')}),
])
def test_a_vector_survives_its_way_through_a_message(type_name, options):
    stream = Observation(topic='t', type=type_name, max_age=0.1, **options)
    vector = np.array([0.6, -0.8])
    message = stream.encode(vector, 1_500_000_000, make_message)
    assert np.allclose(stream.decode(message), vector, atol=1e-15)
    if stream.stamp == 'header':
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_000)


@pytest.mark.parametrize('type_name, options', [
    ('geometry_msgs/msg/PoseStamped', {'fields': ('pose.position',)}),
    ('geometry_msgs/msg/PoseStamped', {'fields': ('pose.position.x.y',)}),
    ('geometry_msgs/msg/PoseStamped', {'fields': ('yaw_cos(pose.position.x)',)}),
    ('sensor_msgs/msg/JointState', {'fields': ('header',), 'joints': ('left',)}),
    ('sensor_msgs/msg/JointState', {'fields': ('velocity',)}),
    ('std_msgs/msg/Float64MultiArray', {'fields': ('data',), 'beams': 1}),
])
def test_a_field_of_another_kind_is_named_with_its_topic(type_name, options):
    stream = Observation(topic='t', type=type_name, max_age=0.1, **options)
    message = make_message(type_name)
    if hasattr(message, 'name'):
        message.name, message.velocity = ['left', 'right'], array.array('d', [1.0, 2.0])
    if hasattr(message, 'data'):
        message.data = array.array('d', [1.0])
    with pytest.raises(InputError, match=f"topic 't' .{type_name}.: field"):
        stream.decode(message)


def test_float64_fields_keep_every_bit():
    stream = Observation(topic='t', type='std_msgs/msg/Float64MultiArray', max_age=0.1,
                         stamp='receive', fields=('data',), size=3)
    vector = np.random.default_rng(0).normal(size=3)
    assert np.array_equal(stream.decode(stream.encode(vector, 0, make_message)), vector)


def test_several_joint_fields_are_field_major():
    stream = Observation(topic='t', type='sensor_msgs/msg/JointState', max_age=0.1,
                         fields=('position', 'velocity'), joints=('a', 'b'))
    message = SimpleNamespace(name=['b', 'a'], position=[2.0, 1.0], velocity=[4.0, 3.0])
    assert stream.decode(message).tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize('options, message', [
    ({'fields': ('ranges',), 'beams': 4}, "field 'ranges' with beams"),
    ({'fields': ('yaw_cos(q)', 'x')}, r"'yaw_cos\(q\)'.*without 'yaw_sin\(q\)'"),
])
def test_a_field_that_cannot_be_written_is_refused_by_name(options, message):
    stream = Observation(topic='t', type='p/msg/T', max_age=0.1, **options)
    with pytest.raises(InputError, match=message):
        stream.check_invertible()


@pytest.mark.parametrize('options, message', [
    ({'fields': ()}, 'expected at least one'),
    ({'fields': ('a',), 'size': 2, 'joints': ('x',)}, "only one of 'joints', 'size' and 'beams'"),
    ({'fields': ('a',), 'stamp': 'send'}, "unknown stamp 'send'; allowed: header, receive"),
    ({'fields': ('a',), 'max_age': 0.0}, 'max_age: got 0.0'),
    ({'fields': ('data',), 'size': 9, 'type': 'sensor_msgs/msg/Image'},
     'a sensor_msgs/msg/Image cannot be read as numbers; expected one of numbers, arrays of'),
    ({'fields': ('transforms',), 'type': 'tf2_msgs/msg/TFMessage'}, 'transform: {of: FRAME, in:'),
])
def test_a_stream_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Observation(**{'topic': 't', 'type': 'p/msg/T', 'max_age': 0.1, **options})


def test_a_message_that_does_not_fit_names_topic_and_field():
    stream = Observation(topic='odom', type='p/msg/T', max_age=0.1, fields=('twist.liner.x',))
    with pytest.raises(InputError, match=r"topic 'odom' \(p/msg/T\).*did you mean 'linear'"):
        stream.decode(SimpleNamespace(twist=SimpleNamespace(linear=1)))


@pytest.mark.parametrize('value', ['12', array.array('b', b'12'), array.array('d', [1.0] * 9)])
def test_a_text_and_an_array_are_no_number_whatever_they_read_as(value):
    stream = Observation('data', 'a/msg/B', ('data',), 1.0)
    with pytest.raises(InputError, match="topic 'data' .*another kind"):
        stream.decode(SimpleNamespace(data=value))


@pytest.mark.parametrize('found, expected, message', [
    ('base_link', 'base_link', ''), ('/base_link', 'base_link', ''), ('map', '', ''),
    ('map', 'odom', "topic 'imu' (geometry_msgs/msg/TwistStamped): frame_id is 'map'; expected "
     "'odom'")])
def test_a_frame_that_is_stated_must_be_the_messages(found, expected, message):
    stream = Observation('imu', 'geometry_msgs/msg/TwistStamped', ('twist.linear.x',), 0.1,
                         frame_id=expected)
    twist = make_message('geometry_msgs/msg/TwistStamped')
    twist.header.frame_id = found
    if not message:
        assert stream.decode(twist).tolist() == [0.0]
        return
    with pytest.raises(InputError) as error:
        stream.decode(twist)
    assert str(error.value) == message


def test_elements_and_arrays_of_unlike_sizes_stand_in_one_stream():
    stream = Observation('joy', 'a/msg/B', ('axes[0:2]', 'buttons[3]', 'cos(axes[1])'), 1.0)
    message = SimpleNamespace(axes=[0.5, 0.0, 7.0], buttons=[0, 0, 0, 1])
    assert stream.decode(message).tolist() == [0.5, 0.0, 1.0, 1.0]
    assert stream.value_names == ['joy axes[0]', 'joy axes[1]', 'joy buttons[3]',
                                  'joy cos(axes[1])']
    message.buttons.pop()
    with pytest.raises(InputError, match=r"'buttons' has 3 values; the interface says \[3\]"):
        stream.decode(message)


def test_sine_and_cosine_of_joints_are_by_name():
    stream = Observation('arm', 'sensor_msgs/msg/JointState', ('sin(position)', 'cos(position)'),
                         1.0, joints=('a', 'b'))
    message = SimpleNamespace(name=['b', 'a'], position=[0.0, np.pi / 2])
    np.testing.assert_allclose(stream.decode(message), [1.0, 0.0, 0.0, 1.0], atol=1e-15)
    assert stream.value_names[0] == 'arm sin(position)[a]'


def test_an_orientation_of_a_bag_that_is_none_is_not_a_number_in_each_of_its_values():
    stream = Observation('imu', 'a/msg/B', ('rotation_6d(q)', 'hemisphere(q)'), 1.0)
    message = SimpleNamespace(q=SimpleNamespace(x=3.0, y=0.0, z=0.0, w=4.0))
    assert np.isnan(stream.decode(message, recorded=True)).all() and stream.dim == 10
    with pytest.raises(InputError, match='a quaternion of norm 5; expected 1'):
        stream.decode(message)
