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

"""Bags for tests, of every kind that rosbags can write."""

from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

STORE = get_typestore(Stores.ROS2_JAZZY)
STORE1 = get_typestore(Stores.ROS1_NOETIC)
CUSTOM = 'robot_msgs/msg/Grip'
STORE.register(get_types_from_msg('string finger\nfloat64 force\nfloat32[] touch\n', CUSTOM))
SECOND = 1_000_000_000


def make(type_name, *values, store=STORE, **fields):
    """Return a message of a standard type."""
    return store.types[type_name](*values, **fields)


def header(stamp_ns):
    time = make('builtin_interfaces/msg/Time', *divmod(stamp_ns, SECOND))
    return make('std_msgs/msg/Header', stamp=time, frame_id='')


def point(stamp_ns, x, y=0.0):
    return make('geometry_msgs/msg/PointStamped', header(stamp_ns),
                make('geometry_msgs/msg/Point', x, y, 0.0))


def twist(speed, turn=0.0):
    return make('geometry_msgs/msg/Twist', make('geometry_msgs/msg/Vector3', speed, 0.0, 0.0),
                make('geometry_msgs/msg/Vector3', 0.0, 0.0, turn))


def write_rosbag2(path, messages, storage='MCAP', compression='', version=9):
    """
    Write (topic, receive time [ns], message) as a bag folder.

    `compression` is '' or one of CompressionMode: FILE, MESSAGE, STORAGE (of MCAP chunks).
    """
    writer = Writer2(path, version=version, storage_plugin=StoragePlugin[storage])
    if compression:
        writer.set_compression(CompressionMode[compression], CompressionFormat.ZSTD)
    connections = {}
    with writer:
        for topic, received_ns, message in messages:
            type_name = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, type_name, typestore=STORE)
            writer.write(connections[topic], received_ns,
                         STORE.serialize_cdr(message, type_name))
    return path


def write_rosbag1(path, messages, compression=''):
    """Write (topic, receive time [ns], message) as a ROS 1 bag; compression: '', BZ2 or LZ4."""
    writer = Writer1(path)
    if compression:
        writer.set_compression(Writer1.CompressionFormat[compression])
    connections = {}
    with writer:
        for topic, received_ns, message in messages:
            type_name = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, type_name, typestore=STORE1)
            writer.write(connections[topic], received_ns,
                         STORE1.serialize_ros1(message, type_name))
    return path
