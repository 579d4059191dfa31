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

"""Small bags of a toy robot: poses, commands and events, message by message."""

from rosbags.typesys import get_typestore, Stores

from iql_ros.data.bags.writer import BagWriter
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.robot.test_robot_interface import TEXT

STORE = get_typestore(Stores.ROS2_JAZZY)
PERIOD = 200_000_000  # [ns]
TOY = parse_robot_interface(
    TEXT[:TEXT.index('observation:')] + """
observation:
  - {topic: pose, type: geometry_msgs/msg/PointStamped, max_age: 0.2, fields: [point.x, point.y]}
""" + TEXT[TEXT.index('action:'):TEXT.index('task:')] + """
task: {reward: 'iql_ros.tasks:docking_cost', terminated: 'iql_ros.tasks:docked', time_limit: 2.0,
       success_reward: 7.0, episode: {topic: event}}
""", 'toy.yaml')


def header(stamp_ns):
    time = STORE.types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10 ** 9))
    return STORE.types['std_msgs/msg/Header'](stamp=time, frame_id='')


def pose(stamp_ns, x):
    point = STORE.types['geometry_msgs/msg/Point'](x=x, y=0.0, z=0.0)
    return 'pose', STORE.types['geometry_msgs/msg/PointStamped'](header(stamp_ns), point)


def command(stamp_ns, speed):
    vector = STORE.types['geometry_msgs/msg/Vector3']
    twist = STORE.types['geometry_msgs/msg/Twist'](vector(speed, 0.0, 0.0),
                                                   vector(0.0, 0.0, 0.0))
    return 'cmd_vel', STORE.types['geometry_msgs/msg/TwistStamped'](header(stamp_ns), twist)


def event(stamp_ns, kind):
    message = header(stamp_ns)
    message.frame_id = kind
    return 'event', message


def write_bag(path, messages, namespace='', storage='mcap', interval=3_000_000, first=0):
    """Write (topic, message) pairs in this order, received `interval` ns after each other."""
    with BagWriter(path, storage) as writer:
        for index, (topic, message) in enumerate(messages):
            writer.write(f'{namespace}/{topic}', message.__msgtype__, first + interval * index,
                         bytes(STORE.serialize_cdr(message, message.__msgtype__)))
    return path


def drive(start, positions):
    """Return a pose a tick from tick `start` on, and the command 0.01 * tick after each."""
    messages = []
    for tick, x in enumerate(positions, start=start):
        messages += [pose(tick * PERIOD, x), command(tick * PERIOD, 0.01 * tick)]
    return messages


def toy(old, new):
    assert old in TOY.text
    return parse_robot_interface(TOY.text.replace(old, new, 1), 'toy.yaml')
