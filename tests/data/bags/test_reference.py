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

"""Tests for rosbag.py: real bags against the slow reference, on every tick."""

import numpy as np
import pytest

from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.survey.robot_draft import draft_robot
from iql_ros.data.bags.survey.survey import survey_bag
from iql_ros.data.rosbag import read_episodes
from iql_ros.robot.robot_interface import load_robot_interface, parse_robot_interface
from iql_ros.robot.task import Task
from tests.data.bags.make_bag import header, make, write_rosbag2
from tests.data.bags.slow_reference import SECOND, slow_episodes
from tests.places import BAGS, ROBOTS

NEEDS_BAGS = pytest.mark.skipif(not BAGS.is_dir(), reason='../shared is absent')
EVERY_FIELD = """
robot: made
control_rate: 20.0
observation:
  - {topic: imu, type: sensor_msgs/msg/Imu, max_age: 0.1, fields: [roll(orientation),
     pitch(orientation), yaw(orientation), yaw_cos(orientation), yaw_sin(orientation)]}
  - {topic: imu, type: sensor_msgs/msg/Imu, max_age: 0.2, fields: [rotation_6d(orientation),
     projected_gravity(orientation), hemisphere(orientation), sin(angular_velocity.z),
     cos(angular_velocity.z), 'orientation_covariance[8]', 'linear_acceleration_covariance[2:5]',
     'sin(angular_velocity_covariance[0:2])']}
action:
  - {topic: drive, type: std_msgs/msg/Float64MultiArray, stamp: receive, max_age: 0.5,
     fields: ['data[2]', 'data[0:2]'], low: [-9.0, -9.0, -9.0], high: [9.0, 9.0, 9.0], rule: mean,
     gate: {max_rate: none, stop: zero, downstream_timeout: none}}
task: {reward: -1.0, time_limit: 60.0}
"""


def made(path, seed):
    """Write a bag of an IMU that tumbles, irregularly, and of commands of its own rhythm."""
    rng, time_ns, entries = np.random.default_rng(seed), SECOND, []
    axes = [make('geometry_msgs/msg/Vector3', *rng.normal(size=3)) for _ in range(2)]
    for _ in range(400):
        time_ns += int(rng.uniform(2e6, 4e7 if rng.uniform() < 0.97 else 4e8))
        turn = rng.normal(size=4)
        turn *= rng.uniform(0.95, 1.05) / np.linalg.norm(turn)      # a driver that rounds
        axes[0].z = float(rng.normal(scale=3.0))
        entries.append((time_ns + int(rng.uniform(0, 3e6)), '/imu', make(
            'sensor_msgs/msg/Imu', header(time_ns), make('geometry_msgs/msg/Quaternion', *turn),
            rng.normal(size=9), make('geometry_msgs/msg/Vector3', *rng.normal(size=3)),
            rng.normal(size=9), axes[1], rng.normal(size=9))))
        if rng.uniform() < 0.5:
            layout = make('std_msgs/msg/MultiArrayLayout', [], 0)
            entries.append((time_ns + 1, '/drive', make(
                'std_msgs/msg/Float64MultiArray', layout, rng.normal(size=rng.integers(3, 6)))))
    entries.sort(key=lambda entry: entry[0])
    return write_rosbag2(path, [(topic, time, message) for time, topic, message in entries])


@pytest.mark.parametrize('seed', range(5))
def test_every_field_of_a_bag_that_was_made_equals_the_slow_reference(tmp_path, seed):
    transitions, _ = compare(made(tmp_path / 'bag', seed),
                             parse_robot_interface(EVERY_FIELD, 'made'), rounding=1e-12)
    assert transitions > 50


@NEEDS_BAGS
@pytest.mark.parametrize('bag, robot, transitions, episodes', [
    ('turtlebot3.bag', 'turtlebot3', 1033, 33),
    ('selfdriving_nav', 'selfdriving_nav', 146, 2),
    ('wx200_waist.bag', 'wx200_waist', 2995, 17),
    ('crazyflie_bag1', 'crazyflie', 256, 1),
    ('crazyflie_bags_pitch0bag', 'crazyflie', 379, 1),
    ('crazyflie_bags_roll2bag', 'crazyflie', 244, 1),
])
def test_a_real_bag_equals_the_slow_reference_on_every_tick(bag, robot, transitions, episodes):
    interface = load_robot_interface(ROBOTS / f'{robot}.yaml')
    assert compare(BAGS / bag, interface) == (transitions, episodes)


@NEEDS_BAGS
@pytest.mark.parametrize('bag, transitions, episodes', [
    ('turtlebot3.bag', 324, 30),
    ('selfdriving_nav', 148, 2),
    ('selfdriving_circular.db3', 146, 8),
    ('wx200_waist.bag', 1007, 3),
    ('crazyflie_bag1', 252, 3),
    ('crazyflie_bags_pitch0bag', 371, 3),
    ('crazyflie_bags_roll2bag', 244, 1),
])
def test_with_a_drafted_robot_a_real_bag_equals_the_slow_reference(bag, transitions, episodes):
    draft = draft_robot(survey_bag(BAGS / bag, Allowed()), 'drafted')
    text = draft.replace('reward: TODO', 'reward: tests.data.bags.robot_tasks:near_zero').replace(
        'time_limit: TODO', 'time_limit: 60.0')
    assert compare(BAGS / bag, parse_robot_interface(text, bag)) == (transitions, episodes)


def compare(bag, interface, rounding=0.0):
    """Assert that every tick is equal; return how many transitions and episodes there are."""
    expected = slow_episodes(bag, interface, Task(interface))
    found, report = read_episodes([bag], interface)
    assert [len(episode.rewards) for episode in found] == [
        len(episode.rewards) for episode in expected]
    assert [entry['start'] for entry in report['bags'][0]['episodes']] == [
        episode.tick_ns / SECOND for episode in expected]
    for one, other in zip(found, expected):
        for name in ('observations', 'rewards', 'terminations', 'truncations'):
            assert np.allclose(getattr(one, name), getattr(other, name), rtol=0,
                               atol=rounding), name
        # the mean of several commands may be added up in another order
        assert np.allclose(one.actions, other.actions, rtol=0, atol=1e-12)
    return sum(len(episode.rewards) for episode in found), len(found)
