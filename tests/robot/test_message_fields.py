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

"""Tests for message_fields.py."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot import message_fields


def joint_state(names, velocities):
    return SimpleNamespace(name=names, velocity=velocities)


def test_joints_are_read_by_name_whatever_their_order():
    message = joint_state(['b', 'c', 'a'], [2.0, 3.0, 1.0])
    assert message_fields.read_joints(message, 'velocity', ('a', 'b')).tolist() == [1.0, 2.0]


def test_a_missing_joint_is_named_with_those_that_exist():
    with pytest.raises(InputError, match="unknown joint 'lefft'.*did you mean 'left'"):
        message_fields.read_joints(joint_state(['left'], [1.0]), 'velocity', ('lefft',))


def test_an_empty_array_field_of_a_joint_state_is_refused():
    with pytest.raises(InputError, match="'velocity' has 0 values for 1 joints"):
        message_fields.read_joints(joint_state(['left'], []), 'velocity', ('left',))


@pytest.mark.parametrize('yaw', [-3.1, -0.5, 0.0, 2.0])
def test_a_yaw_survives_its_way_through_a_quaternion(yaw):
    message = SimpleNamespace(q=SimpleNamespace(x=9.0, y=9.0, z=9.0, w=9.0))
    message_fields.write_yaw(message, 'q', math.cos(yaw), math.sin(yaw))
    assert message_fields.read_scalar(message, 'yaw_cos', 'q') == pytest.approx(math.cos(yaw))
    assert message_fields.read_scalar(message, 'yaw_sin', 'q') == pytest.approx(math.sin(yaw))


def test_scan_sectors_take_the_nearest_return_and_nothing_seen_is_range_max():
    scan = SimpleNamespace(ranges=[1.0, 0.01, math.inf, math.inf, 3.0, 2.0], range_min=0.1,
                           range_max=5.0)
    assert message_fields.read_beams(scan, 'ranges', 3).tolist() == [1.0, 5.0, 2.0]


def test_a_path_that_does_not_exist_names_what_does():
    message = SimpleNamespace(twist=SimpleNamespace(linear=SimpleNamespace(x=1.0, y=0.0)))
    with pytest.raises(InputError, match="unknown name 'z'; allowed: x, y"):
        message_fields.follow(message, 'twist.linear.z')


@pytest.mark.parametrize('field', ['a..b', 'yaw_cos(q', '__import__("os")', 'a b', 'tan(q)', ''])
def test_a_field_is_a_path_and_never_code(field):
    with pytest.raises(InputError):
        message_fields.split_field(field, 'topic')


def test_numbers_are_written_in_the_type_that_stands_there():
    message = SimpleNamespace(on=False, count=0, speed=0.0)
    for path, value in (('on', 0.9), ('count', 2.6), ('speed', 2)):
        message_fields.assign(message, path, value)
    assert (message.on, message.count, message.speed) == (True, 3, 2.0)
    assert isinstance(message.speed, float)


def test_a_stamp_survives_its_way_through_a_header():
    message = SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0)))
    message_fields.set_stamp(message, 12_345_678_901)
    assert message.header.stamp.sec == 12
    assert message_fields.stamp_ns(message) == 12_345_678_901


def test_an_array_of_another_size_is_refused():
    with pytest.raises(InputError, match="'data' has 2 values; the interface says size: 3"):
        message_fields.read_array(SimpleNamespace(data=np.zeros(2)), 'data', 3)
