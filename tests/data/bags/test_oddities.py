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

"""Tests for bags/reader.py and rosbag.py: bags that are only odd are loaded right."""

import math

import pytest

from iql_ros.data.rosbag import read_episodes
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.data.bags import oddities as odd
from tests.data.bags.conversions import same
from tests.data.bags.oddities import drive, ROBOT, SECOND, START, write


def service_event(path):
    return write(path, drive(), extra=[('/add/_service_event',
                                        'example_interfaces/srv/AddTwoInts_Event',
                                        odd.SERVICE_EVENT)])


def folder_called_bag(path):
    return write(path.with_name('something.bag'), drive())


def folder_called_mcap(path):
    return write(path.with_name('something.mcap'), drive(), 'sqlite3')


def unknown_type_beside(path):
    return write(path, drive(), extra=[('/vendor', 'vendor/msg/Blob', 'vendor/Missing[] parts\n')])


def without_metadata(path):
    bag = write(path, drive())
    (bag / 'metadata.yaml').unlink()
    return bag


def bare_file(path):
    return write(path, drive(), 'sqlite3') / 'bag.db3'


def ros1(path):
    return odd.write_ros1(path.with_name('bag.bag'), drive(), 'LZ4')


def far_from_receive_time(path):
    entries = drive()
    for entry in entries:
        entry.received_ns += 500_000 * SECOND
    return write(path, entries)


def another_topic_has_nan(path):
    entries = drive()
    return write(path, entries + [odd.Entry('/other', entries[-1].received_ns,
                                            odd.command(START, math.nan))])


@pytest.mark.parametrize('make', [
    service_event, folder_called_bag, folder_called_mcap, unknown_type_beside, without_metadata,
    bare_file, ros1, another_topic_has_nan, far_from_receive_time, odd.renamed_after_recording,
    odd.split, odd.type_names_without_msg, odd.without_definitions])
def test_a_bag_that_is_only_odd_is_loaded_right(workplace, usual, make):
    assert same(workplace.convert(make(workplace.folder / 'bag')), usual)


def test_a_joint_that_never_moves_is_loaded_and_named(workplace):
    bag = write(workplace.folder / 'bag', drive())
    assert workplace.convert(bag).observations[:, 1].tolist() == 30 * [2.0]
    _, report = read_episodes([bag], parse_robot_interface(ROBOT, 'robot.yaml'))
    constant = [entry['name'] for entry in report['observations'] if entry['constant']]
    assert constant == ['joint_states position[right]', 'joint_states velocity[right]']


@pytest.mark.parametrize('topic, reason, steps', [
    ('/joint_states', 'no joint_states young enough', [22, 20]),  # to 2.2 s, from 4 s on
    ('/cmd_vel', 'no command in force', [23, 20])])
def test_a_topic_that_stops_for_seconds_splits_the_episode_there(workplace, topic, reason, steps):
    entries = [entry for entry in drive(6.0) if entry.topic != topic
               or not START + 2 * SECOND < entry.received_ns < START + 4 * SECOND]
    bag = write(workplace.folder / 'bag', entries)
    episodes, report = read_episodes([bag], parse_robot_interface(ROBOT, 'robot.yaml'))
    assert [len(episode.rewards) for episode in episodes] == steps
    assert report['bags'][0]['ended'] == {reason: 1, 'end of bag': 1}
