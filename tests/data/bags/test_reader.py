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

"""Tests for bags/reader.py."""

import contextlib
import sqlite3

import numpy as np
import pytest
import yaml

from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.reader import Bag
from iql_ros.files import InputError
from tests.data.bags.make_bag import (
    CUSTOM, header, make, point, twist, write_rosbag1, write_rosbag2)
from tests.data.bags.test_files import DRIVE, split_bag
from tests.places import DATA

needs_shared = pytest.mark.skipif(not DATA.is_dir(), reason='../shared is absent')
KINDS = [('MCAP', ''), ('MCAP', 'STORAGE'), ('MCAP', 'FILE'), ('MCAP', 'MESSAGE'),
         ('SQLITE3', ''), ('SQLITE3', 'FILE'), ('SQLITE3', 'MESSAGE')]


def speeds(path, allowed=None):
    """Return (receive time, linear.x) of every message on /cmd_vel."""
    with Bag(path, allowed) as bag:
        read = bag.deserializer('/cmd_vel')
        return [(message.received_ns, read(message.data).linear.x)
                for message in bag.messages(['/cmd_vel'])]


EXPECTED = [(0, 0.0), (100, 0.1), (200, 0.2)]


@pytest.mark.parametrize('storage, compression', KINDS)
def test_every_kind_of_ros2_bag_gives_its_messages(tmp_path, storage, compression):
    bag = write_rosbag2(tmp_path / 'bag', DRIVE, storage, compression)
    assert speeds(bag) == EXPECTED


@pytest.mark.parametrize('compression', ['', 'BZ2', 'LZ4'])
def test_a_ros1_bag_gives_its_messages(tmp_path, compression):
    assert speeds(write_rosbag1(tmp_path / 'old.bag', DRIVE, compression)) == EXPECTED


@pytest.mark.parametrize('storage', ['MCAP', 'SQLITE3'])
def test_a_bare_data_file_and_a_renamed_one_are_read(tmp_path, storage):
    bag = write_rosbag2(tmp_path / 'bag', DRIVE, storage)
    file = next(file for file in bag.iterdir() if file.name != 'metadata.yaml')
    assert speeds(file) == EXPECTED
    renamed = file.rename(bag / f'run{file.suffix}')
    assert speeds(bag) == EXPECTED and speeds(renamed) == EXPECTED


def test_a_bare_compressed_file_is_read(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', DRIVE, 'MCAP', 'FILE')
    assert speeds(next(bag.glob('*.mcap.zstd'))) == EXPECTED


def test_the_parts_of_a_split_bag_follow_each_other(tmp_path):
    bag = split_bag(tmp_path / 'split')
    assert [time for time, _ in speeds(bag)] == [
        1000 * part + 100 * index for part in range(3) for index in range(3)]
    (bag / 'split_1.mcap').unlink()
    with pytest.raises(InputError, match='parts are missing'):
        speeds(bag)
    assert len(speeds(bag, Allowed(['missing-parts']))) == 6


def test_topics_are_rooted_and_only_the_named_ones_are_read(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', [('pose', 0, point(5, 1.0)), *DRIVE])
    with Bag(bag) as opened:
        assert sorted(opened.topics) == ['/cmd_vel', '/pose']
        assert opened.topics['/pose'].declared == 1
        assert [message.topic for message in opened.messages(['/pose'])] == ['/pose']


def test_type_names_without_msg_are_completed(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', DRIVE, 'SQLITE3')
    change(bag, "UPDATE topics SET type = 'geometry_msgs/Twist'")
    change(bag, 'DELETE FROM message_definitions')
    with Bag(bag) as opened:
        assert opened.topics['/cmd_vel'].type == 'geometry_msgs/msg/Twist'
    assert speeds(bag) == EXPECTED


def change(bag, statement):
    database = sqlite3.connect(next(bag.glob('*.db3')))
    with database:
        database.execute(statement)
    database.close()


def grips():
    return [('/grip', index, make(CUSTOM, 'left', force, np.array([0.5], np.float32)))
            for index, force in enumerate([1.0, 2.0])]


@pytest.mark.parametrize('storage', ['MCAP', 'SQLITE3'])
def test_a_custom_type_is_read_by_the_definition_in_the_bag(tmp_path, storage):
    bag = write_rosbag2(tmp_path / 'bag', grips(), storage)
    with Bag(bag) as opened:
        read = opened.deserializer('/grip')
        forces = [read(message.data).force for message in opened.messages(['/grip'])]
    assert forces == [1.0, 2.0]


def test_a_custom_type_without_definition_is_counted_and_named(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', grips() + DRIVE, 'SQLITE3')
    change(bag, 'DELETE FROM message_definitions')
    with Bag(bag) as opened:
        assert len(list(opened.messages(['/grip']))) == 2
        with pytest.raises(InputError, match=f"topic '/grip' is of type {CUSTOM}, which is not "
                                             'defined in the bag and is not a standard one'):
            opened.deserializer('/grip')
    assert speeds(bag) == EXPECTED


def test_a_bag_without_messages_opens_and_yields_none(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', [])
    with Bag(bag) as opened:
        assert opened.topics == {} and list(opened.messages([])) == []


@pytest.mark.parametrize('storage', ['MCAP', 'SQLITE3'])
def test_qos_that_differs_between_metadata_and_data_loses_no_message(tmp_path, storage):
    bag = write_rosbag2(tmp_path / 'bag', DRIVE, storage)
    content = yaml.safe_load((bag / 'metadata.yaml').read_text())
    topic, = content['rosbag2_bagfile_information']['topics_with_message_count']
    topic['topic_metadata']['offered_qos_profiles'] = [{'depth': 77}]
    (bag / 'metadata.yaml').write_text(yaml.safe_dump(content))
    assert speeds(bag) == EXPECTED


@needs_shared
@pytest.mark.parametrize('name', ['qos_mismatch_mcap', 'qos_mismatch_sqlite3'])
def test_the_recordings_with_other_qos_are_read_whole(name):
    with Bag(DATA / 'bags_damaged' / name) as bag:
        assert len(list(bag.messages(bag.topics))) == 20


def test_fewer_messages_than_declared_are_refused_unless_allowed(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', DRIVE)
    text = (bag / 'metadata.yaml').read_text()
    (bag / 'metadata.yaml').write_text(text.replace('message_count: 3', 'message_count: 20'))
    with pytest.raises(InputError, match="'/cmd_vel' declares 20 messages, and 3 were read"):
        speeds(bag)
    allowed = Allowed(['counts'])
    assert speeds(bag, allowed) == EXPECTED and len(allowed.notes) == 1


@pytest.mark.parametrize('storage', ['MCAP', 'SQLITE3'])
def test_the_header_stamp_is_read_without_deserialising(tmp_path, storage):
    stamps = [5, 3_000_000_007, 123_456_789_012_345_678]
    messages = [('/pose', 10 * index, point(stamp, 1.0)) for index, stamp in enumerate(stamps)]
    messages.append(('/mark', 100, header(42)))
    with Bag(write_rosbag2(tmp_path / 'bag', messages + DRIVE, storage)) as bag:
        stamp_of = bag.header_stamp('/pose')
        assert [stamp_of(message.data) for message in bag.messages(['/pose'])] == stamps
        mark, = bag.messages(['/mark'])
        assert bag.header_stamp('/mark')(mark.data) == 42
        assert bag.header_stamp('/cmd_vel') is None


def test_messages_too_short_are_refused_on_one_line(tmp_path):
    with Bag(write_rosbag2(tmp_path / 'bag', [('/pose', 0, point(5, 1.0))])) as bag:
        for read in (bag.header_stamp('/pose'), bag.deserializer('/pose')):
            for data in (b'', b'\0\1\0\0', b'\0\1\0\0\1\2\3'):
                with pytest.raises(InputError, match="topic '/pose': a message ") as error:
                    read(data)
                assert '\n' not in str(error.value)


@pytest.mark.parametrize('cut', [0.1, 0.5, 0.9])
def test_a_cut_bag_of_any_kind_is_refused_on_one_line(tmp_path, cut):
    drive = [('/cmd_vel', index, twist(0.001 * index)) for index in range(3000)]
    bags = [write_rosbag1(tmp_path / 'one.bag', drive)]
    for storage, compression in KINDS:
        folder = write_rosbag2(tmp_path / f'{storage}{compression}', drive, storage, compression)
        bags.append(next(file for file in folder.iterdir() if file.name != 'metadata.yaml'))
    for file in bags:
        data = file.read_bytes()
        file.write_bytes(data[:int(cut * len(data))])
        with pytest.raises(InputError, match='bag ') as error:
            speeds(file)
        assert '\n' not in str(error.value), file


def custom(stamp_ns, force):
    message = make(CUSTOM, 'left', force, np.zeros(0, np.float32))
    return '/grip', stamp_ns, message


def without_definitions(path, messages):
    """Write a db3 as older recorders did, which hold no definitions of types."""
    bag = write_rosbag2(path, messages, 'SQLITE3', version=8)
    with contextlib.closing(sqlite3.connect(next(bag.glob('*.db3')))) as database, database:
        database.execute('DROP TABLE IF EXISTS message_definitions')
        database.execute('UPDATE schema SET schema_version = 3')
    return bag


def forces(bag, *folders):
    with Bag(bag, None, folders) as opened:
        read = opened.deserializer('/grip')
        return [read(message.data).force for message in opened.messages(['/grip'])]


@pytest.mark.parametrize('place', ['src/hand/robot_msgs/msg', 'robot_msgs/msg'])
def test_a_type_that_a_bag_does_not_define_is_taken_from_a_folder(tmp_path, place):
    bag = without_definitions(tmp_path / 'bag', [custom(0, 1.0), custom(5, 2.0)])
    with pytest.raises(InputError, match='robot_msgs/msg/Grip, which is not defined.*--types'):
        forces(bag)
    folder = tmp_path / 'ws' / place
    folder.mkdir(parents=True)
    (folder / 'Grip.msg').write_text('string finger\nfloat64 force\nfloat32[] touch\n')
    assert forces(bag, tmp_path / 'ws') == [1.0, 2.0]
    with pytest.raises(InputError, match='--types .*nowhere: no such folder'):
        forces(bag, tmp_path / 'nowhere')


def test_a_type_that_a_bag_does_not_define_is_taken_from_an_installed_package(tmp_path,
                                                                              monkeypatch):
    bag = without_definitions(tmp_path / 'bag', [custom(0, 1.0)])
    folder = tmp_path / 'install' / 'share' / 'robot_msgs' / 'msg'
    folder.mkdir(parents=True)
    (folder / 'Grip.msg').write_text('string finger\nfloat64 force\nfloat32[] touch\n')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{tmp_path / "install"}')
    assert forces(bag) == [1.0]


def test_a_topic_of_two_types_matters_only_to_who_asks_for_it(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', DRIVE)
    other = write_rosbag2(tmp_path / 'other', [('/odd', 500, twist(0.1))])
    third = write_rosbag2(tmp_path / 'third', [('/odd', 600, point(600, 1.0))])
    for number, folder in enumerate((other, third)):
        next(folder.glob('*.mcap')).rename(bag / f'part_{number}.mcap')
    (bag / 'metadata.yaml').unlink()
    assert speeds(bag) == EXPECTED
    with Bag(bag) as opened, pytest.raises(InputError, match="'/odd' is of 2 types: "
                                           'geometry_msgs/msg/Twist, geometry_msgs/msg/Point'):
        opened.deserializer('/odd')
