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

"""A six-joint arm that holds positions, as a robot's YAML: for tests."""

JOINTS = tuple(f'joint_{number}' for number in range(1, 7))
LOW, HIGH = (-2.5, -1.8, -2.5, -3.0, -1.8, -3.1), (2.5, 1.8, 2.5, 3.0, 1.8, 3.1)
MAX_RATE = (1.0, 1.0, 1.5, 2.0, 2.0, 3.0)   # [rad/s]
GATE = {'max_rate': list(MAX_RATE), 'stop': 'hold', 'downstream_timeout': 0.5}


def measured(joints=JOINTS) -> list[str]:
    """Return the names of the observed positions."""
    return [f'joint_states position[{joint}]' for joint in joints]


def arm(trajectory: bool = True, rate: float = 50.0, action=(), **gate) -> dict:
    """Return the YAML's content, with keys of the action and of its gate in place or besides."""
    how = {'type': 'trajectory_msgs/msg/JointTrajectory', 'joints': list(JOINTS),
           'fields': ['positions'], 'time_from_start': 2 / rate} if trajectory else {
        'type': 'std_msgs/msg/Float64MultiArray', 'size': 6, 'fields': ['data'],
        'stamp': 'receive', 'controls': 'position'}
    return {
        'robot': 'arm', 'control_rate': rate,
        'observation': [{'topic': 'joint_states', 'type': 'sensor_msgs/msg/JointState',
                         'max_age': 0.1, 'joints': list(JOINTS),
                         'fields': ['position', 'velocity']}],
        'action': [{'topic': 'arm/command', **how, 'max_age': 0.5, 'rule': 'last',
                    'low': list(LOW), 'high': list(HIGH), 'measured': measured(),
                    **dict(action), 'gate': {**GATE, **gate}}],
        'task': {'reward': 'iql_ros.tasks:docking_cost', 'time_limit': 10.0}}
