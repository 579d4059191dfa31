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
from tests.data.bags.slow_reference import SECOND, slow_episodes
from tests.places import BAGS, ROBOTS

pytestmark = pytest.mark.skipif(not BAGS.is_dir(), reason='../shared is absent')


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


def compare(bag, interface):
    """Assert that every tick is equal; return how many transitions and episodes there are."""
    expected = slow_episodes(bag, interface, Task(interface))
    found, report = read_episodes([bag], interface)
    assert [len(episode.rewards) for episode in found] == [
        len(episode.rewards) for episode in expected]
    assert [entry['start'] for entry in report['bags'][0]['episodes']] == [
        episode.tick_ns / SECOND for episode in expected]
    for one, other in zip(found, expected):
        for name in ('observations', 'rewards', 'terminations', 'truncations'):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        # the mean of several commands may be added up in another order
        assert np.allclose(one.actions, other.actions, rtol=0, atol=1e-12)
    return sum(len(episode.rewards) for episode in found), len(found)
