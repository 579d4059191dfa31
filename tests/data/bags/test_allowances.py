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

"""Tests for ALLOWANCES of bags/files.py: what is refused unless it is allowed."""

import math

import numpy as np
import pytest

from iql_ros.cli import cli
from iql_ros.data.bags.files import ALLOWANCES
from tests.data.bags import oddities as odd
from tests.data.bags.conversions import same
from tests.data.bags.make_bag import header, make
from tests.data.bags.oddities import drive, Entry, ROBOT, SECOND, write


def test_a_name_that_cannot_be_allowed_is_refused_with_those_that_can(workplace):
    bag = write(workplace.folder / 'bag', drive())
    with pytest.raises(SystemExit) as ended:
        cli.main(workplace.arguments(bag, allow=['everything']))
    line = workplace.check_refused()
    assert ended.value.code == 2
    assert "'everything'" in line and all(name in line for name in ALLOWANCES)


def test_missing_parts_can_be_allowed(workplace, usual):
    bag = odd.split(workplace.folder / 'bag', missing=1)
    line = workplace.refusal(bag)
    assert '1 of its 3 parts are missing: bag_1.mcap' in line and '--allow missing-parts' in line
    dataset = workplace.convert(bag, allow=['missing-parts'])
    assert len(dataset.episode_lengths) == 2
    assert np.array_equal(dataset.observations[:5], usual.observations[:5])


def test_what_lies_before_damage_can_be_allowed(workplace):
    bag = write(workplace.folder / 'bag', drive(200.0))
    odd.flip(bag / 'bag.mcap', 1_500_000, length=9000)  # in the second chunk
    line = workplace.refusal(bag)
    assert "bag' cannot be read: " in line and '--allow damaged' in line
    dataset = workplace.convert(bag, allow=['damaged'])
    assert 500 < len(dataset.rewards) < 1500
    assert np.isfinite(dataset.observations).all()


def test_a_message_that_is_damaged_can_be_left_out(workplace, usual):
    entries = drive()
    bag = write(workplace.folder / 'bag', entries, 'sqlite3')
    odd.edit(bag, 'UPDATE messages SET data = substr(data, 1, 30) WHERE id IN (5, 15, 25)')
    assert 'a message cannot be deserialised' in workplace.refusal(bag)
    dataset = workplace.convert(bag, allow=['damaged'])
    assert len(dataset.rewards) == len(usual.rewards)


def test_fewer_messages_than_declared_can_be_allowed(workplace, usual):
    bag = odd.declare_more(write(workplace.folder / 'bag', drive()), 5)
    line = workplace.refusal(bag)
    assert "topic '/joint_states' declares 156 messages, and 151 were read" in line
    assert same(workplace.convert(bag, allow=['counts']), usual)


def test_clocks_that_disagree_can_be_allowed(workplace):
    entries = odd.stamps(drive(10.0), lambda stamp: stamp + 3 * SECOND, ['/joint_states'])
    bag = write(workplace.folder / 'bag', entries)
    line = workplace.refusal(bag)
    assert '3.0 s ahead' in line and '--allow clocks' in line
    assert len(workplace.convert(bag, allow=['clocks']).rewards) > 50


def test_messages_without_a_stamp_can_be_left_out(workplace, usual):
    entries = drive()
    odd.stamps([entry for entry in entries if entry.topic == '/joint_states'][3:5],
               lambda stamp: 0)
    bag = write(workplace.folder / 'bag', entries)
    assert '--allow unset-stamps' in workplace.refusal(bag)
    assert len(workplace.convert(bag, allow=['unset-stamps']).rewards) == len(usual.rewards)


def with_other_joints(names):
    """Return a drive in which some messages name other joints, all at 9."""
    entries = drive()
    for entry in entries:
        if entry.topic == '/joint_states' and entry.received_ns % (SECOND // 2) == SECOND // 10:
            entry.message = odd.joint_state(entry.received_ns, [9.0] * len(names), names=names)
    return entries


def test_messages_without_all_joints_can_be_left_out(workplace, usual):
    bag = write(workplace.folder / 'bag', with_other_joints(['right', 'gripper']))
    line = workplace.refusal(bag)
    assert "unknown joint 'left'; allowed: right, gripper" in line
    assert 's after the start of the bag (--allow partial-joints' in line
    dataset = workplace.convert(bag, allow=['partial-joints'])
    assert len(dataset.rewards) == len(usual.rewards) and dataset.observations.max() < 3.5


def test_messages_about_another_part_of_the_robot_are_not_for_its_stream(workplace, usual):
    bag = write(workplace.folder / 'bag', with_other_joints(['gripper']))
    dataset = workplace.convert(bag)
    assert len(dataset.rewards) == len(usual.rewards) and dataset.observations.max() < 3.5


def test_ticks_that_are_not_finite_can_be_left_out(workplace, usual):
    entries = drive()
    for entry in entries[60:70]:
        if entry.topic == '/joint_states':
            entry.message.velocity[1] = math.inf
    bag = write(workplace.folder / 'bag', entries)
    line = workplace.refusal(bag)
    assert "'joint_states velocity[right]' is" in line and '--allow non-finite' in line
    dataset = workplace.convert(bag, allow=['non-finite'])
    assert len(dataset.episode_lengths) == 2 and np.isfinite(dataset.next_observations).all()
    assert len(usual.rewards) - 5 < len(dataset.rewards) < len(usual.rewards)


def orientation(stamp_ns, norm):
    return Entry('/imu', stamp_ns, make('geometry_msgs/msg/QuaternionStamped', header=header(
        stamp_ns), quaternion=make('geometry_msgs/msg/Quaternion', x=0.0, y=0.0, z=0.0, w=norm)))


@pytest.mark.parametrize('norm', [0.0, 0.5])
def test_ticks_without_an_orientation_can_be_left_out_like_those_that_are_not_finite(
        workplace, usual, norm):
    robot = ROBOT.replace('action:', '  - {topic: imu, fields: [yaw_cos(quaternion)], max_age: '
                          '0.2,\n     type: geometry_msgs/msg/QuaternionStamped}\naction:')
    entries = drive()
    for entry in entries[:]:
        if entry.topic == '/joint_states':
            entries.append(orientation(entry.received_ns, 1.0))
    entries.sort(key=lambda entry: entry.received_ns)
    for entry in [entry for entry in entries if entry.topic == '/imu'][75:80]:
        entry.message.quaternion.w = norm
    bag = write(workplace.folder / 'bag', entries)
    line = workplace.refusal(bag, robot)
    assert "'imu yaw_cos(quaternion)' is" in line and '--allow non-finite' in line
    dataset = workplace.convert(bag, robot, allow=['non-finite'])
    assert len(usual.rewards) - 5 < len(dataset.rewards) < len(usual.rewards)


def test_nothing_that_is_finite_is_refused_also_when_that_is_allowed(workplace):
    line = workplace.refusal(odd.whole_of_nan(workplace.folder / 'bag'), allow=['non-finite'])
    assert 'no transition' in line
