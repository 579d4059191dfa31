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

"""Messages of any type that a typestore knows, empty: what rclpy's constructors give."""

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

# As their packages define them, as far as a robot's YAML of config/robots/examples goes.
DEFINITIONS = {
    'ackermann_msgs/msg/AckermannDrive': """
        float32 steering_angle
        float32 steering_angle_velocity
        float32 speed
        float32 acceleration
        float32 jerk""",
    'ackermann_msgs/msg/AckermannDriveStamped': """
        std_msgs/Header header
        AckermannDrive drive""",
    'px4_msgs/msg/VehicleLocalPosition': """
        uint64 timestamp
        uint64 timestamp_sample
        bool xy_valid
        float32 x
        float32 y
        float32 z
        float32 vx
        float32 vy
        float32 vz
        float32 heading""",
    'px4_msgs/msg/VehicleAttitude': """
        uint64 timestamp
        uint64 timestamp_sample
        float32[4] q
        float32[4] delta_q_reset
        uint8 quat_reset_counter""",
    'px4_msgs/msg/OffboardControlMode': """
        uint64 timestamp
        bool position
        bool velocity
        bool acceleration
        bool attitude
        bool body_rate""",
    'px4_msgs/msg/TrajectorySetpoint': """
        uint64 timestamp
        float32[3] position
        float32[3] velocity
        float32[3] acceleration
        float32[3] jerk
        float32 yaw
        float32 yawspeed""",
    'auv_msgs/msg/Actuators': """
        std_msgs/Header header
        float32[4] fin
        float32 thruster"""}


def store_with_others():
    """Return the standard types, and those of DEFINITIONS."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for name, text in DEFINITIONS.items():
        store.register(get_types_from_msg(
            '\n'.join(line.strip() for line in text.strip().splitlines()), name))
    return store


def empty(type_name, store):
    """Return a message whose numbers are zero."""
    return store.types[type_name](**{
        name: _value(kind, store) for name, kind in store.fielddefs[type_name][1]})


def _value(kind, store):
    node, what = kind
    if node == Nodetype.NAME:
        return empty(what, store)
    if node == Nodetype.BASE:
        return {'string': '', 'bool': False}.get(
            what[0], 0.0 if what[0].startswith('float') else 0)
    (inner, of), length = what
    if inner == Nodetype.BASE and of[0] != 'string':
        return np.zeros(length, of[0])
    return [_value((inner, of), store) for _ in range(length)]
