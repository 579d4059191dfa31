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

"""A bag of any size: five streams that a robot's YAML names, and a camera that it does not."""

import math
import struct

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores

SECOND = 1_000_000_000   # [ns]
START = 1_700_000_000    # [s]
JOINTS, BEAMS, PICTURE = 7, 720, 50_000  # the picture in bytes, as a JPEG has them
VARIANTS = 64            # messages of a stream that differ in more than their stamp
ROBOT = f"""
robot: benchmark
control_rate: 20.0
observation:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    max_age: 0.1
    joints: [{', '.join(f'joint_{index}' for index in range(JOINTS))}]
    fields: [position, velocity]
  - topic: imu
    type: sensor_msgs/msg/Imu
    max_age: 0.1
    fields: [angular_velocity.z, linear_acceleration.x, linear_acceleration.y]
  - topic: odom
    type: nav_msgs/msg/Odometry
    max_age: 0.2
    fields: [pose.pose.position.x, pose.pose.position.y, yaw_cos(pose.pose.orientation),
             yaw_sin(pose.pose.orientation), twist.twist.linear.x]
  - topic: scan
    type: sensor_msgs/msg/LaserScan
    max_age: 0.3
    beams: 12
    fields: [ranges]
action:
  - topic: cmd_vel
    type: geometry_msgs/msg/TwistStamped
    max_age: 0.5
    fields: [twist.linear.x, twist.angular.z]
    low: [-1.0, -1.0]
    high: [1.0, 1.0]
    rule: mean
    gate: {{downstream_timeout: 0.5}}
task: {{reward: 'iql_ros.tasks:docking_cost', time_limit: 60.0}}
"""


class Messages:
    """Makes messages of six types with values at random."""

    def __init__(self, store):
        """Take the typestore."""
        self._types, self._rng = store.types, np.random.default_rng(0)

    def streams(self):
        """Return {topic: (rate [Hz], messages)}."""
        makers = {'/joint_states': (100, self._joint_state), '/imu': (100, self._imu),
                  '/odom': (50, self._odometry), '/scan': (10, self._scan),
                  '/cmd_vel': (20, self._command), '/camera': (15, self._picture)}
        return {topic: (rate, [make() for _ in range(VARIANTS)])
                for topic, (rate, make) in makers.items()}

    def _make(self, type_name, /, **fields):
        return self._types[type_name](**fields)

    def _header(self):
        stamp = self._make('builtin_interfaces/msg/Time', sec=0, nanosec=0)
        return self._make('std_msgs/msg/Header', stamp=stamp, frame_id='base_link')

    def _vector(self, type_name='geometry_msgs/msg/Vector3'):
        return self._make(type_name, **dict(zip('xyz', self._rng.uniform(-1, 1, 3).tolist())))

    def _orientation(self):
        angle = self._rng.uniform(-1.5, 1.5)
        return self._make('geometry_msgs/msg/Quaternion', x=0.0, y=0.0, z=math.sin(angle),
                          w=math.cos(angle))

    def _twist(self):
        return self._make('geometry_msgs/msg/Twist', linear=self._vector(),
                          angular=self._vector())

    def _joint_state(self):
        values = {key: self._rng.normal(size=JOINTS) for key in ('position', 'velocity', 'effort')}
        return self._make('sensor_msgs/msg/JointState', header=self._header(),
                          name=[f'joint_{index}' for index in range(JOINTS)], **values)

    def _imu(self):
        covariances = {f'{key}_covariance': np.zeros(9) for key in (
            'orientation', 'angular_velocity', 'linear_acceleration')}
        return self._make('sensor_msgs/msg/Imu', header=self._header(),
                          orientation=self._orientation(), angular_velocity=self._vector(),
                          linear_acceleration=self._vector(), **covariances)

    def _odometry(self):
        pose = self._make('geometry_msgs/msg/Pose', orientation=self._orientation(),
                          position=self._vector('geometry_msgs/msg/Point'))
        parts = {key: self._make(f'geometry_msgs/msg/{key.capitalize()}WithCovariance',
                                 covariance=np.zeros(36), **{key: value})
                 for key, value in (('pose', pose), ('twist', self._twist()))}
        return self._make('nav_msgs/msg/Odometry', header=self._header(),
                          child_frame_id='base_link', **parts)

    def _scan(self):
        return self._make(
            'sensor_msgs/msg/LaserScan', header=self._header(), angle_min=-3.1, angle_max=3.1,
            angle_increment=6.2 / BEAMS, time_increment=0.0, scan_time=0.1, range_min=0.1,
            range_max=20.0, intensities=np.zeros(0, np.float32),
            ranges=self._rng.uniform(0.2, 20.0, BEAMS).astype(np.float32))

    def _command(self):
        return self._make('geometry_msgs/msg/TwistStamped', header=self._header(),
                          twist=self._twist())

    def _picture(self):
        return self._make('sensor_msgs/msg/CompressedImage', header=self._header(), format='jpeg',
                          data=self._rng.integers(0, 256, PICTURE, dtype=np.uint8))


def make_bag(path, size):
    """Write a bag of about `size` bytes."""
    store = get_typestore(Stores.ROS2_JAZZY)
    streams = []  # (connection, rate [Hz], serialised messages)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, (rate, messages) in Messages(store).streams().items():
            type_name = messages[0].__msgtype__
            connection = writer.add_connection(topic, type_name, typestore=store)
            packed = [bytearray(store.serialize_cdr(message, type_name)) for message in messages]
            streams.append((connection, rate, packed))
        a_second = sum(rate * len(packed[0]) for _, rate, packed in streams)
        for second in range(max(int(size / a_second), 10)):
            _write_second(writer, streams, START + second, second)


def _write_second(writer, streams, second, number):
    due = sorted((index * SECOND // rate, place, index)
                 for place, (_, rate, _) in enumerate(streams) for index in range(rate))
    for nanosecond, place, index in due:
        connection, rate, packed = streams[place]
        message = packed[(number * rate + index) % VARIANTS]
        struct.pack_into('<iI', message, 4, second, nanosecond)  # the header's stamp comes first
        writer.write(connection, second * SECOND + nanosecond, message)
