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

"""Makes small bags that are odd in the ways in which real ones are, each by one function."""

import dataclasses
import math
import shutil
import sqlite3

import numpy as np
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores
import yaml

from tests.data.bags.make_bag import header, make, SECOND, STORE

START = 1_700_000_000 * SECOND
ROBOT = """
robot: odd
control_rate: 10.0
observation:
  - {topic: joint_states, type: sensor_msgs/msg/JointState, stamp: header, max_age: 0.2,
     joints: [left, right], fields: [position, velocity]}
action:
  - {topic: cmd_vel, type: geometry_msgs/msg/TwistStamped, stamp: header, max_age: 0.3,
     fields: [twist.linear.x], low: [-1.0], high: [1.0], rule: mean,
     gate: {downstream_timeout: 0.5}}
task: {reward: 'tests.data.bags.robot_tasks:near_zero', time_limit: 100.0}
"""
SERVICE_EVENT = """service_msgs/ServiceEventInfo info
example_interfaces/srv/AddTwoInts_Request[<=1] request
example_interfaces/srv/AddTwoInts_Response[<=1] response
"""


@dataclasses.dataclass
class Entry:
    """A message and when it was received [ns]."""

    topic: str
    received_ns: int
    message: object


def joint_state(stamp_ns, position, effort=(), names=('left', 'right')):
    """Return a JointState, its velocity the sine of its position."""
    position = np.array(position, dtype=np.float64)
    return make('sensor_msgs/msg/JointState', header=header(stamp_ns), name=list(names),
                position=position, velocity=np.sin(position), effort=np.array(effort, np.float64))


def command(stamp_ns, speed):
    """Return a TwistStamped."""
    linear, angular = (make('geometry_msgs/msg/Vector3', x=x, y=0.0, z=0.0) for x in (speed, 0.0))
    return make('geometry_msgs/msg/TwistStamped', header=header(stamp_ns),
                twist=make('geometry_msgs/msg/Twist', linear=linear, angular=angular))


def drive(seconds=3.0, start=START):
    """Return joint states at 50 Hz and commands at 25 Hz, received at once, ticks included."""
    entries = []
    for index in range(round(seconds * 50) + 1):
        stamp_ns = start + index * SECOND // 50
        entries.append(Entry('/joint_states', stamp_ns,
                             joint_state(stamp_ns, [0.01 * index + 1.0, 2.0])))
        if index % 2 == 0:
            entries.append(Entry('/cmd_vel', stamp_ns, command(stamp_ns, math.sin(0.1 * index))))
    return entries


def stamps(entries, change, topics=('/joint_states', '/cmd_vel')):
    """Change the header stamps [ns] of some topics by a function of the stamp."""
    for entry in entries:
        if entry.topic in topics:
            stamp = entry.message.header.stamp
            entry.message.header = header(change(stamp.sec * SECOND + stamp.nanosec))
    return entries


def write(path, entries, storage='mcap', extra=()):
    """Write a ROS 2 bag folder; `extra` are topics of (name, type, definition), no messages."""
    with Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()]) as writer:
        connections = {name: writer.add_connection(name, type_name, msgdef=definition,
                                                   rihs01='RIHS01_' + 64 * '0')
                       for name, type_name, definition in extra}
        for entry in entries:
            message = entry.message
            if entry.topic not in connections:
                connections[entry.topic] = writer.add_connection(
                    entry.topic, message.__msgtype__, typestore=STORE)
            writer.write(connections[entry.topic], entry.received_ns,
                         STORE.serialize_cdr(message, message.__msgtype__))
        for name, _, _ in extra:
            writer.write(connections[name], START, bytes(8))
    return path


def write_ros1(path, entries, compression=None, chunk=2 ** 20):
    """Write a ROS 1 bag; compression: None, LZ4 or BZ2, chunks of so many bytes."""
    store = get_typestore(Stores.ROS1_NOETIC)
    writer = Rosbag1Writer(path)
    writer.chunk_threshold = chunk
    if compression:
        writer.set_compression(Rosbag1Writer.CompressionFormat[compression])
    with writer:
        connections = {}
        for entry in entries:
            type_name = entry.message.__msgtype__
            if entry.topic not in connections:
                connections[entry.topic] = writer.add_connection(entry.topic, type_name,
                                                                 typestore=store)
            entry.message.header.seq = 0  # which ROS 2 has no more
            writer.write(connections[entry.topic], entry.received_ns,
                         store.serialize_ros1(entry.message, type_name))
    return path


def metadata(bag, change):
    """Change the mapping in a bag's metadata.yaml by a function."""
    file = bag / 'metadata.yaml'
    content = yaml.safe_load(file.read_text())
    change(content['rosbag2_bagfile_information'])
    file.write_text(yaml.safe_dump(content))
    return bag


def declare_more(bag, count):
    """Let metadata.yaml announce more joint states than there are."""
    def change(information):
        for entry in information['topics_with_message_count']:
            if entry['topic_metadata']['name'] == '/joint_states':
                entry['message_count'] += count
    return metadata(bag, change)


def renamed_after_recording(path):
    """Return a bag whose data file has another name than metadata.yaml says."""
    bag = write(path, drive())
    (bag / f'{path.name}.mcap').rename(bag / 'kitchen.mcap')
    return bag


def split(path, parts=3, missing=None):
    """Return a bag of several files, one of them missing."""
    entries = drive()
    size = math.ceil(len(entries) / parts)
    path.mkdir()
    names = []
    for part in range(parts):
        piece = write(path / f'piece_{part}', entries[part * size:(part + 1) * size])
        names.append(f'{path.name}_{part}.mcap')
        (piece / f'piece_{part}.mcap').rename(path / names[-1])
        shutil.move(piece / 'metadata.yaml', path / 'metadata.yaml')
        piece.rmdir()

    def change(information):
        information['relative_file_paths'] = names
        for entry in information['topics_with_message_count']:
            entry['message_count'] = 0
    metadata(path, change)
    if missing is not None:
        (path / names[missing]).unlink()
    return path


def type_names_without_msg(path):
    """Return a sqlite3 bag that writes its types as pkg/Name."""
    return edit(write(path, drive(), 'sqlite3'),
                "UPDATE topics SET type = replace(type, '/msg/', '/')",
                "UPDATE message_definitions SET topic_type = replace(topic_type, '/msg/', '/')")


def without_definitions(path, custom=False):
    """Return a sqlite3 bag as before Iron: no definitions; its joint states of a custom type."""
    statements = ['DROP TABLE message_definitions', 'DROP TABLE schema',
                  'ALTER TABLE topics DROP COLUMN type_description_hash']
    if custom:
        statements.append("UPDATE topics SET type = 'my_robot/msg/Joints' "
                          "WHERE name = '/joint_states'")
    bag = edit(write(path, drive(), 'sqlite3'), *statements)
    (bag / 'metadata.yaml').unlink()
    return bag


def whole_of_nan(path):
    """Return a bag in which no number is one."""
    entries = drive()
    for entry in entries:
        if entry.topic == '/joint_states':
            entry.message.position[:] = entry.message.velocity[:] = math.nan
        else:
            entry.message.twist.linear.x = math.nan
    return write(path, entries)


def edit(bag, *statements):
    file, = bag.glob('*.db3')
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return bag


def without_messages(path):
    """Return a bag that was stopped before its first message, times as rosbag2 leaves them."""
    bag = write(path, [])

    def change(information):
        information['duration'] = {'nanoseconds': -2 ** 63 + 1}
        information['starting_time'] = {'nanoseconds_since_epoch': 2 ** 63 - 1}
    return metadata(bag, change)


def flip(file, position, mask=0xFF, length=1):
    """Flip bits of some bytes of a file."""
    content = bytearray(file.read_bytes())
    for index in range(position, position + length):
        content[index] ^= mask
    file.write_bytes(content)
    return file


def cut(file, size):
    """Keep the first bytes of a file."""
    file.write_bytes(file.read_bytes()[:size])
    return file
