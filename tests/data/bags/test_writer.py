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

"""Tests for bags/writer.py."""

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.typesys import get_typestore, Stores

from iql_ros.data.bags.files import find_bags
from iql_ros.data.bags.writer import BagWriter, clean
from iql_ros.files import InputError

STORE = get_typestore(Stores.ROS2_JAZZY)
STRING = 'std_msgs/msg/String'


def serialised(text):
    return bytes(STORE.serialize_cdr(STORE.types[STRING](text), STRING))


def read(path):
    with AnyReader([path]) as reader:
        return [(connection.topic, stamp, reader.deserialize(data, connection.msgtype).data)
                for connection, stamp, data in reader.messages()]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_what_is_written_is_read_back_in_order_of_time(tmp_path, storage):
    with BagWriter(tmp_path / 'folder' / 'bag', storage) as writer:
        writer.write('/a', STRING, 7, serialised('later'))
        writer.write('/a', STRING, 5, serialised('sooner'))
        writer.write('/b', STRING, 6, serialised('other'))
        assert [path.name for path in (tmp_path / 'folder').iterdir()] == ['.bag.partial']
    assert read(tmp_path / 'folder' / 'bag') == [
        ('/a', 5, 'sooner'), ('/b', 6, 'other'), ('/a', 7, 'later')]
    assert [path.name for path in (tmp_path / 'folder').iterdir()] == ['bag']


def test_an_interrupted_bag_is_not_there(tmp_path):
    with pytest.raises(RuntimeError):
        with BagWriter(tmp_path / 'bag') as writer:
            writer.write('/a', STRING, 0, serialised('x'))
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_bag_without_a_message_is_not_there(tmp_path):
    with BagWriter(tmp_path / 'bag'):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name, text', [
    ('bag', "bag '.*bag' exists; remove it"), ('.bag.partial', 'is being written, or was when')])
def test_nothing_is_overwritten(tmp_path, name, text):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'mine').write_text('x')
    with pytest.raises(InputError, match=text):
        BagWriter(tmp_path / 'bag')
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*')] == [
        name, f'{name}/mine']


def test_a_bag_that_is_being_written_is_not_taken_for_one(tmp_path):
    with BagWriter(tmp_path / 'bag') as writer:
        writer.write('/a', STRING, 0, serialised('x'))
        with pytest.raises(InputError, match='holds no bag'):
            find_bags(tmp_path)


def test_the_same_message_gives_the_same_bytes_whatever_its_padding_held():
    joints = STORE.types['sensor_msgs/msg/JointState'](
        STORE.types['std_msgs/msg/Header'](STORE.types['builtin_interfaces/msg/Time'](0, 0), ''),
        ['a'], np.array([]), np.array([]), np.array([]))
    plain = bytes(STORE.serialize_cdr(joints, joints.__msgtype__))
    padding = plain.index(b'a\x00') + 2
    held = plain[:padding] + b'\xab\xcd' + plain[padding + 2:] + b'secret!!'
    assert bytes(clean(STORE, joints.__msgtype__, held)) == plain
