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

"""Tests for field_ranges.py."""

import json

import numpy as np
import pytest

from iql_ros.data.bags.survey.field_layout import FieldLayout
from iql_ros.data.bags.survey.field_ranges import FieldRanges
from tests.data.bags.make_bag import CUSTOM, header, make, point, STORE, twist


def ranges(messages, type_name=None):
    """Return the summary of messages, its fields by name."""
    seen = FieldRanges(STORE.fielddefs, type_name or messages[0].__msgtype__)
    for message in messages:
        seen.add(message)
    result = seen.summary()
    json.dumps(result, allow_nan=False)
    return {**result, 'fields': {entry['name']: entry for entry in result['fields']}}


def joints(names, position, velocity=(), effort=()):
    return make('sensor_msgs/msg/JointState', header(1), list(names), np.array(position),
                np.array(velocity), np.array(effort))


def quaternion(x, y, z, w):
    return make('geometry_msgs/msg/Pose', make('geometry_msgs/msg/Point', 0.0, 0.0, 0.0),
                make('geometry_msgs/msg/Quaternion', x, y, z, w))


def test_numbers_in_nested_messages_are_found_and_stamps_and_texts_are_not():
    fields = ranges([point(5, 1.0), point(6, -2.0), point(7, 0.5)])['fields']
    assert list(fields) == ['point.x', 'point.y', 'point.z']
    assert fields['point.x'] == {'name': 'point.x', 'minimum': -2.0, 'maximum': 1.0,
                                 'constant': False, 'nan': 0.0, 'count': 3, 'changes': 2}
    assert fields['point.y']['constant'] and fields['point.y']['changes'] == 0


def test_values_that_are_not_finite_are_left_out_of_the_range_and_counted():
    fields = ranges([twist(value) for value in (1.0, np.nan, np.inf, 3.0)])['fields']
    assert (fields['linear.x']['minimum'], fields['linear.x']['maximum']) == (1.0, 3.0)
    assert fields['linear.x']['nan'] == 0.5 and not fields['linear.x']['constant']
    lost = ranges([twist(np.nan), twist(np.nan)])['fields']['linear.x']
    assert lost['minimum'] is None and lost['nan'] == 1.0 and not lost['constant']
    assert lost['changes'] == 0


@pytest.mark.parametrize('count', [255, 256, 257, 1000])
def test_every_message_counts_whatever_is_looked_at_together(count):
    field = ranges([twist(float(index // 2)) for index in range(count)])['fields']['linear.x']
    assert field['maximum'] == (count - 1) // 2 and field['count'] == count
    assert field['changes'] == (count - 1) // 2


def test_arrays_with_names_are_by_joint_whatever_their_order():
    seen = ranges([joints(['a', 'b'], [1.0, 10.0]), joints(['b', 'a'], [11.0, 2.0])])
    assert seen['joints'] == ['a', 'b'] and seen['joint_lists'] == 2
    assert seen['fields']['position[a]']['maximum'] == 2.0
    assert seen['fields']['position[b]']['minimum'] == 10.0
    assert not seen['fields']['position[a]']['constant']
    assert seen['empty'] == ['velocity', 'effort']


def test_joint_lists_of_several_publishers_are_all_kept():
    seen = ranges([joints(['a'], [1.0]), joints(['b', 'c'], [2.0, 3.0])] * 10)
    assert seen['joints'] == ['a', 'b', 'c']
    assert [entry['count'] for entry in seen['fields'].values()] == [10, 10, 10]


def test_joints_without_names_are_by_index_and_counted():
    seen = ranges([joints([], [1.0, 2.0]), joints([], [1.0, 3.0])])
    assert list(seen['fields']) == ['position[0]', 'position[1]'] and seen['unnamed'] == 2


def test_endless_new_joint_names_stay_bounded():
    seen = ranges([joints([f'j{index}'], [1.0]) for index in range(1000)])
    assert len(seen['fields']) <= 64


def test_short_arrays_are_by_index_and_long_ones_are_one_entry():
    short = make('std_msgs/msg/Float64MultiArray', make(
        'std_msgs/msg/MultiArrayLayout', [], 0), np.arange(3.0))
    assert [name for name in ranges([short])['fields'] if name.startswith('data')] == [
        'data[0]', 'data[1]', 'data[2]']
    scan = make('sensor_msgs/msg/LaserScan', header(1), *[np.float32(0)] * 7,
                np.array([np.inf, 2, *[3] * 98], np.float32), np.zeros(0, np.float32))
    field = ranges([scan, scan])['fields']['ranges']
    assert (field['minimum'], field['maximum'], field['length']) == (2.0, 3.0, [100, 100])
    assert field['nan'] == pytest.approx(0.01) == field['infinite']
    assert field['count'] == 2 and field['changes'] == 0


def test_bytes_are_one_entry_however_few():
    message = make('std_msgs/msg/UInt8MultiArray', make('std_msgs/msg/MultiArrayLayout', [], 0),
                   np.array([1, 7], np.uint8))
    field = ranges([message])['fields']['data']
    assert (field['minimum'], field['maximum'], field['dtype']) == (1, 7, 'uint8')


def test_orientations_have_a_yaw_and_a_norm():
    half = np.sqrt(0.5)
    seen = ranges([quaternion(0.0, 0.0, 0.0, 1.0), quaternion(0.0, 0.0, half, half)])
    assert seen['fields']['yaw_cos(orientation)']['minimum'] == pytest.approx(0, abs=1e-12)
    assert seen['fields']['yaw_sin(orientation)']['maximum'] == pytest.approx(1)
    assert seen['norms']['orientation'] == [pytest.approx(1), pytest.approx(1)]
    zeros = ranges([quaternion(0.0, 0.0, 0.0, 0.0)])
    assert zeros['norms']['orientation'] == [0, 0]


def test_a_message_that_is_a_quaternion_has_no_path_to_its_yaw():
    seen = ranges([make('geometry_msgs/msg/Quaternion', 0.0, 0.0, 0.0, 1.0)])
    assert list(seen['fields']) == ['x', 'y', 'z', 'w'] and seen['norms'] == {}


def test_covariances_and_lists_of_messages_are_left_out():
    layout = FieldLayout(STORE.fielddefs, 'nav_msgs/msg/Odometry')
    assert layout.arrays == [] and 'pose.pose.position.x' in layout.scalars
    assert layout.quaternions == ['pose.pose.orientation']
    assert FieldLayout(STORE.fielddefs, 'tf2_msgs/msg/TFMessage').scalars == []


def test_a_trajectory_is_read_at_its_last_point():
    def trajectory(*goals):
        duration = make('builtin_interfaces/msg/Duration', 1, 0)
        points = [make('trajectory_msgs/msg/JointTrajectoryPoint', np.array(goal), np.zeros(0),
                       np.zeros(0), np.zeros(0), duration) for goal in goals]
        return make('trajectory_msgs/msg/JointTrajectory', header(1), ['a', 'b'], points)

    seen = ranges([trajectory([0.0, 0.0], [1.0, 2.0]), trajectory(), trajectory([3.0, 2.0])])
    assert seen['joints'] == ['a', 'b'] and seen['fields']['positions[a]']['minimum'] == 1.0
    assert seen['fields']['positions[b]']['constant']
    assert seen['empty'] == ['velocities', 'accelerations', 'effort']


def test_texts_of_a_message_are_kept_while_they_are_few():
    grips = [make(CUSTOM, f'finger{index % 2}', 1.0, np.zeros(0, np.float32))
             for index in range(5)]
    seen = ranges(grips)
    assert seen['texts'] == {'finger': ['finger0', 'finger1']} and seen['empty'] == ['touch']


def test_every_standard_type_has_a_layout():
    for type_name in STORE.fielddefs:
        layout = FieldLayout(STORE.fielddefs, type_name)
        assert len(set(layout.scalars)) == len(layout.scalars), type_name
