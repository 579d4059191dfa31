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

"""Tests for bags/robot_streams.py."""

import numpy as np
import pytest

from iql_ros.data.bags.reader import Bag
from iql_ros.data.bags.robot_streams import find_streams, resolve
from iql_ros.data.rosbag import read_episodes
from iql_ros.files import InputError
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from tests.data.toy_bags import command, drive, event, PERIOD, pose, TOY, toy, write_bag


def found(path, text=TOY.text, namespace=None):
    interface = parse_robot_interface(text, 'toy.yaml')
    with Bag(path) as bag:
        return {stream.kind: stream.topic
                for stream in find_streams(bag, interface, Task(interface), namespace)}


def test_an_absolute_name_is_itself_and_another_lies_under_the_prefix():
    assert [resolve('/sim', name) for name in ('cmd_vel', '/cmd_vel')] == [
        '/sim/cmd_vel', '/cmd_vel']


@pytest.mark.parametrize('namespace', ['', '/sim', '/fleet/r1'])
def test_the_namespace_of_a_robot_is_found(tmp_path, namespace):
    bag = write_bag(tmp_path / 'bag', [*drive(0, [3.0, 2.0]), event(0, 'start')], namespace)
    assert found(bag) == {'observation': f'{namespace}/pose', 'action': f'{namespace}/cmd_vel',
                          'event': f'{namespace}/event'}


def test_events_need_not_be_there_and_streams_must(tmp_path):
    assert 'event' not in found(write_bag(tmp_path / 'a', drive(0, [3.0, 2.0])))
    near = [pose(0, 3.0), ('cmd_vell', command(0, 0.1)[1])]
    with pytest.raises(InputError, match=r"unknown topic '/cmd_vel' \(did you mean '/cmd_vell'"):
        found(write_bag(tmp_path / 'b', near))


def test_a_reward_that_comes_on_a_topic_must_be_there(tmp_path):
    text = TOY.text.replace("reward: 'iql_ros.tasks:docking_cost'", (
        'reward: {topic: reward, type: std_msgs/msg/Float64, field: data}'))
    with pytest.raises(InputError, match="unknown topic '/reward'; allowed: /cmd_vel, /pose"):
        found(write_bag(tmp_path / 'bag', drive(0, [3.0, 2.0])), text)


def test_of_two_robots_the_one_that_fits_is_taken(tmp_path):
    messages = [(f'whole/{topic}', message) for topic, message in drive(0, [3.0, 2.0])]
    bag = write_bag(tmp_path / 'bag', [*messages, ('half/pose', pose(0, 1.0)[1])])
    assert found(bag)['observation'] == '/whole/pose'
    with pytest.raises(InputError, match="unknown topic '/half/cmd_vel'"):
        found(bag, namespace='half')


def test_what_was_executed_is_the_action_where_it_was_recorded(tmp_path):
    gated = toy('rule: mean', 'rule: mean\n    executed: cmd_vel_out')
    messages = drive(0, [3.0] * 4)
    twins = [('cmd_vel_out', command(tick * PERIOD, 0.2)[1]) for tick in range(4)]
    (asked,), _ = read_episodes([write_bag(tmp_path / 'a', messages)], gated)
    (sent,), report = read_episodes([write_bag(tmp_path / 'b', messages + twins)], gated)
    assert np.allclose(asked.actions[:, 0], [0.0, 0.01, 0.02])
    assert np.allclose(sent.actions[:, 0], 0.2)
    assert '/cmd_vel_out' in [stream['topic'] for stream in report['bags'][0]['streams']]
