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
import tracemalloc
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


@pytest.mark.parametrize('numbers', [(0.0, 0.0, 0.0, 0.0), (0.0, 0.0, math.nan, 1.0),
                                     (0.0, math.inf, 0.0, 1.0)])
def test_an_orientation_that_is_none_is_not_a_number(numbers):
    message = SimpleNamespace(q=SimpleNamespace(**dict(zip('xyzw', numbers))))
    assert math.isnan(message_fields.read_scalar(message, 'yaw_cos', 'q'))
    assert math.isnan(message_fields.read_scalar(message, 'yaw_sin', 'q'))


def quaternion(yaw, norm):
    return SimpleNamespace(q=SimpleNamespace(x=0.0, y=0.0, z=norm * math.sin(yaw / 2),
                                             w=norm * math.cos(yaw / 2)))


@pytest.mark.parametrize('norm', [0.91, 1.09])
def test_an_orientation_of_nearly_norm_one_is_normalised(norm):
    assert message_fields.read_scalar(quaternion(2.0, norm), 'yaw_cos', 'q') == pytest.approx(
        math.cos(2.0))


@pytest.mark.parametrize('norm, words', [(2.0, '2'), (0.5, '0.5'), (1e200, '1e+200')])
def test_an_orientation_of_another_norm_is_refused_live_and_no_number_in_a_bag(norm, words):
    message = quaternion(2.0, norm)
    with pytest.raises(InputError) as error:
        message_fields.read_scalar(message, 'yaw_cos', 'q')
    assert str(error.value) == f"field 'q' is a quaternion of norm {words}; expected 1"
    assert math.isnan(message_fields.read_recorded_scalar(message, 'yaw_cos', 'q'))


def test_a_message_that_names_none_of_the_joints_is_another_publishers():
    with pytest.raises(message_fields.OtherJointsError):
        message_fields.read_joints(joint_state(['arm'], [0.0]), 'velocity', ('left', 'right'))
    for names, fault in (([], InputError), (['left', 'arm'], message_fields.MissingJointError)):
        with pytest.raises(fault) as error:
            message_fields.read_joints(joint_state(names, [0.0]), 'velocity', ('left', 'right'))
        assert not isinstance(error.value, message_fields.OtherJointsError)


def test_a_joint_that_is_named_twice_is_the_first():
    message = joint_state(['a', 'b', 'a'], [1.0, 2.0, 3.0])
    assert message_fields.read_joints(message, 'velocity', ('b', 'a')).tolist() == [2.0, 1.0]


def test_names_that_are_changed_in_place_are_seen():
    message = joint_state(['a', 'b'], [1.0, 2.0])
    message_fields.read_joints(message, 'velocity', ('a', 'b'))
    message.name.reverse()
    assert message_fields.read_joints(message, 'velocity', ('a', 'b')).tolist() == [2.0, 1.0]


def test_names_that_change_are_not_kept():
    tracemalloc.start()
    for number in range(300):
        names = [f'{number}_{joint}' for joint in range(1000)]
        with pytest.raises(message_fields.OtherJointsError):
            message_fields.read_joints(joint_state(names, [0.0] * 1000), 'velocity', ('left',))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2_000_000


@pytest.mark.parametrize('names', [[f'joint_{number}' for number in range(100_000)],
                                   [f'joint_{number}' for number in range(1000)],
                                   ['j' * 1_000_000], ['j' * 256] * 1000])
def test_names_without_end_are_refused_in_a_short_line(names):
    with pytest.raises(InputError) as error:
        message_fields.read_joints(joint_state(names, [0.0] * len(names)), 'velocity', ('left',))
    assert len(str(error.value)) < 4000


def test_scan_sectors_take_the_nearest_return_and_nothing_seen_is_range_max():
    scan = SimpleNamespace(ranges=[1.0, 0.01, math.inf, math.inf, 3.0, 2.0], range_min=0.1,
                           range_max=5.0)
    assert message_fields.read_beams(scan, 'ranges', 3).tolist() == [1.0, 5.0, 2.0]


def test_a_path_that_does_not_exist_names_what_does():
    message = SimpleNamespace(twist=SimpleNamespace(linear=SimpleNamespace(x=1.0, y=0.0)))
    with pytest.raises(InputError, match="unknown name 'z'; allowed: x, y"):
        message_fields.follow(message, 'twist.linear.z')


def test_an_array_of_another_size_is_refused():
    with pytest.raises(InputError, match="'data' has 2 values; the interface says size: 3"):
        message_fields.read_array(SimpleNamespace(data=np.zeros(2)), 'data', 3)
