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

"""Tests for memory.py."""

import gymnasium
import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot.memory import ObservationMemory
from iql_ros.robot.observation_buffer import ObservationBuffer
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.safety import Gate
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import TransitionBuilder
from iql_ros.runs.evaluate import run_episodes

TEXT = """
robot: cart
control_rate: 10.0
observation:
  - {topic: a, type: std_msgs/msg/Float64, stamp: receive, max_age: 0.2, fields: [data],
     history: 3}
  - {previous: action, history: 2}
  - {topic: b, type: std_msgs/msg/Float64, stamp: receive, max_age: 0.2, fields: [data]}
action:
  - {topic: u, type: std_msgs/msg/Float64, stamp: receive, max_age: 0.5, fields: [data],
     low: [-9.0], high: [9.0], rule: last, controls: velocity,
     gate: {max_rate: none, stop: [0.5], downstream_timeout: none}}
task: {reward: -1.0, time_limit: 1.0}
"""


def cart(old='', new=''):
    assert old in TEXT
    return parse_robot_interface(TEXT.replace(old, new, 1), 'cart')


def test_an_observation_holds_this_tick_and_those_before_and_what_was_sent():
    memory = ObservationMemory(cart())
    assert memory.begin(np.array([1.0, 10.0])).tolist() == [1.0, 1.0, 1.0, 0.5, 0.5, 10.0]
    assert memory.observe(np.array([2.0, 20.0]), np.array([7.0])).tolist() == [
        2.0, 1.0, 1.0, 7.0, 0.5, 20.0]
    assert memory.observe(np.array([3.0, 30.0]), np.array([8.0])).tolist() == [
        3.0, 2.0, 1.0, 8.0, 7.0, 30.0]
    assert memory.begin(np.array([4.0, 40.0])).tolist() == [4.0, 4.0, 4.0, 0.5, 0.5, 40.0]


def test_the_values_of_an_observation_are_named_after_how_long_ago_they_were():
    interface = cart()
    assert interface.observation_names == [
        'a data', 'a data (-1)', 'a data (-2)', 'u data (-1)', 'u data (-2)', 'b data']
    assert (interface.observation_dim, interface.sensed_dim) == (6, 2)
    assert interface.sensed_names == ['a data', 'b data']
    assert interface.sensed_index.tolist() == [0, 5]


def test_a_stop_that_holds_counts_as_sent_where_the_robot_stands():
    interface = cart('controls: velocity,\n     gate: {max_rate: none, stop: [0.5],',
                     'controls: position, measured: [b data],\n     gate: {max_rate: [1.0], '
                     'stop: hold,')
    assert ObservationMemory(interface).begin(np.array([1.0, 4.0]))[3:5].tolist() == [4.0, 4.0]


def test_without_a_past_nothing_is_added_and_the_contract_is_what_it_was():
    interface = cart(',\n     history: 3', '')
    plain = parse_robot_interface(interface.text.replace(
        '  - {previous: action, history: 2}\n', ''), 'cart')
    sensed = np.array([1.0, 2.0])
    assert not plain.remembers and ObservationMemory(plain).begin(sensed) is sensed
    assert all('history' not in stream for stream in plain.contract()['observation'])
    assert interface.contract()['observation'][1] == {
        'previous': 'action', 'history': 2, 'stop': [[0.5]]}


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('history: 3', 'history: 0', "topic 'a': history: got 0; allowed: 1 to 100"),
    ('history: 2', 'history: 101', 'history: got 101; allowed: 1 to 100'),
    ('previous: action', 'previous: reward', "unknown previous 'reward'; allowed: action"),
    ('{previous: action, history: 2}', '{previous: action, topic: u}', "unknown key 'topic'"),
    ('  - {topic: b', '  - {previous: action}\n  - {topic: b',
     "'previous: action' is given twice")])
def test_a_past_that_cannot_be_is_refused(old, new, message):
    with pytest.raises(InputError) as error:
        cart(old, new)
    assert message in str(error.value)


def test_an_episode_without_a_command_in_force_begins_anew_and_forgets():
    interface = cart()
    builder = TransitionBuilder(interface, Task(interface))
    builder.tick(0, np.array([1.0, 0.0]))
    builder.add_command(0, 0, np.array([3.0]))
    step = builder.tick(10 ** 8, np.array([2.0, 0.0]))
    assert step.next_observation.tolist() == [2.0, 1.0, 1.0, 3.0, 0.5, 0.0]
    builder.tick(9 * 10 ** 8, np.array([5.0, 0.0]))       # the command is too old by then
    assert builder.observation.tolist() == [5.0, 5.0, 5.0, 0.5, 0.5, 0.0]


class Cart(gymnasium.Env):
    """Tells (steps, command), for three steps."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gymnasium.spaces.Box(-9, 9, (1,), np.float64)

    def reset(self, *, seed=None, options=None):
        self._steps = 0
        return np.zeros(2), {}

    def step(self, action):
        self._steps += 1
        return np.array([self._steps, action[0]]), 0.0, self._steps == 3, False, {}


class Doubles:
    """A policy that notes what it sees and acts by how many steps there were."""

    observation_dim, action_dim = 6, 1

    def __init__(self):
        self.seen = []

    def act(self, observation, draw):
        self.seen.append(observation.tolist())
        return np.array([observation[0] / 10])


def test_an_environment_is_driven_with_the_same_past():
    interface, policy = cart(), Doubles()
    result, = run_episodes(policy, Cart(), 1, 0, interface.action_scaling, Gate(interface))
    assert result.length == 3
    assert policy.seen[0] == [0.0, 0.0, 0.0, 0.5, 0.5, 0.0]
    np.testing.assert_allclose(policy.seen[2], [2.0, 1.0, 0.0, 0.9, 0.0, 0.9])


def test_a_goal_stays_what_it_was_at_the_start_however_old_it_is():
    interface = cart('topic: b, type: std_msgs/msg/Float64, stamp: receive, max_age: 0.2',
                     'topic: b, type: std_msgs/msg/Float64, stamp: receive, goal: true')
    memory = ObservationMemory(interface)
    assert memory.begin(np.array([1.0, 7.0]))[-1] == 7.0
    assert memory.observe(np.array([2.0, 9.0]), np.array([0.0]))[-1] == 7.0
    assert memory.begin(np.array([3.0, 9.0]))[-1] == 9.0
    assert interface.max_age_ns == 0.2e9 and interface.contract()['observation'][2]['goal']
    buffer = ObservationBuffer(interface)
    buffer.push(1, 0, np.array([7.0]))
    buffer.push(0, 10 ** 13, np.array([1.0]))
    assert buffer.sample(10 ** 13).tolist() == [1.0, 7.0]


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('max_age: 0.2, fields: [data],\n', 'goal: true, fields: [data],\n',
     'history: got 3; a goal is the same at every tick'),
    ('max_age: 0.2, fields: [data],\n     history: 3', 'goal: true, max_age: 0.2, fields: [data]',
     'max_age: got 0.2; a goal has none')])
def test_a_goal_that_cannot_be_is_refused(old, new, message):
    with pytest.raises(InputError, match=message):
        cart(old, new)


def test_goals_alone_are_no_observation():
    text = TEXT.replace('max_age: 0.2', 'goal: true').replace(',\n     history: 3', '')
    with pytest.raises(InputError, match='no topic but goals; expected at least one'):
        parse_robot_interface(text, 'cart')
