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

"""Tests for transitions.py."""

import numpy as np
import pytest

from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import make_episode, reduce_commands, TransitionBuilder
from tests.robot.test_robot_interface import TEXT

PERIOD = 200_000_000  # [ns]


def make_builder(rule='mean', time_limit=20.0, reward='iql_ros.tasks:docking_cost'):
    text = TEXT.replace('rule: mean', f'rule: {rule}')
    text = text[:text.index('task:')] + (
        f'task: {{reward: "{reward}", terminated: "iql_ros.tasks:docked", '
        f'time_limit: {time_limit}}}')
    interface = parse_robot_interface(text, 'toy.yaml')
    return TransitionBuilder(interface, Task(interface))


def observation(x):
    return np.array([x, 0.0, 0.0, 0.0, 0.0, 0.0])


def test_a_transition_joins_two_ticks_and_the_command_between_them():
    builder = make_builder()
    assert builder.tick(0, observation(3.0)) is None
    builder.add_command(0, 0, np.array([0.1, 0.2]))
    step = builder.tick(PERIOD, observation(2.0))
    assert step.tick_ns == 0 and step.observation[0] == 3.0 and step.next_observation[0] == 2.0
    assert step.action.tolist() == [0.1, 0.2] and step.reward == -1.0
    assert not step.terminated and not step.truncated


def test_the_task_terminates_and_the_time_limit_truncates_and_termination_wins():
    builder = make_builder(time_limit=0.4)
    for tick, x in enumerate((3.0, 2.0, 1.0)):
        step = builder.tick(tick * PERIOD, observation(x))
        builder.add_command(0, tick * PERIOD, np.zeros(2))
    assert (step.terminated, step.truncated) == (False, True)
    builder.end_episode()
    for tick, x in enumerate((3.0, 2.0, 0.0), start=10):
        step = builder.tick(tick * PERIOD, observation(x))
        builder.add_command(0, tick * PERIOD, np.zeros(2))
    assert (step.terminated, step.truncated, step.reward) == (True, False, 0.0)


def test_a_person_who_says_failure_terminates_with_the_given_reward():
    builder = make_builder()
    builder.tick(0, observation(3.0))
    builder.add_command(0, 0, np.zeros(2))
    step = builder.tick(PERIOD, observation(2.0), outcome=-100.0)
    assert step.reward == -100.0 and step.terminated and not step.truncated


def test_no_transition_is_made_where_no_command_was_in_force():
    builder = make_builder()
    builder.tick(0, observation(3.0))
    assert builder.tick(PERIOD, observation(2.0)) is None         # no command at all
    builder.add_command(0, PERIOD, np.zeros(2))
    assert builder.tick(2 * PERIOD, observation(2.0)) is not None
    assert builder.tick(3 * PERIOD, observation(2.0)) is not None  # 0.4 s old of max_age 0.5
    assert builder.tick(4 * PERIOD, observation(2.0)) is None      # would be 0.6 s old
    assert builder.steps == 0


def test_rewards_from_a_topic_are_summed_over_the_tick_and_none_is_zero():
    builder = make_builder()
    builder._task._reward = None
    builder.add_reward(0, 100.0)                     # at the first tick: belongs to no transition
    builder.tick(0, observation(3.0))
    builder.add_command(0, 0, np.zeros(2))
    for stamp, reward in ((1, 1.0), (PERIOD, 2.0), (PERIOD + 1, 4.0)):
        builder.add_reward(stamp, reward)
    assert builder.tick(PERIOD, observation(2.0)).reward == 3.0
    builder.add_terminated(2 * PERIOD, True)
    step = builder.tick(2 * PERIOD, observation(2.0))
    assert step.reward == 4.0 and step.terminated
    builder.add_command(0, 2 * PERIOD, np.zeros(2))
    assert builder.tick(3 * PERIOD, observation(2.0)).reward == 0.0


A, B, C = np.array([1.0]), np.array([2.0]), np.array([4.0])


@pytest.mark.parametrize('rule, segments, expected', [
    ('mean', [(0, 10, A)], 1.0),
    ('mean', [(0, 5, A), (5, 20, B)], 1.75),
    ('last', [(0, 19, A), (19, 20, B)], 2.0),
    ('longest', [(0, 4, A), (4, 10, B), (10, 13, C)], 2.0),
    ('longest', [(0, 4, A), (4, 8, B), (8, 10, B), (10, 15, C)], 2.0),
    ('longest', [(0, 5, A), (5, 10, B)], 2.0),
])
def test_the_commands_of_a_tick_are_reduced_by_the_rule(rule, segments, expected):
    assert reduce_commands(rule, segments).tolist() == [expected]


def test_a_single_command_comes_out_unchanged_to_the_bit():
    value = np.array([0.1 + 0.2])
    for rule in ('mean', 'last', 'longest'):
        assert reduce_commands(rule, [(3, 10, value)]) is value


def test_an_episode_holds_one_observation_more_and_an_unmarked_end_is_a_truncation():
    builder, steps = make_builder(), []
    for tick, x in enumerate((3.0, 2.0, 1.0)):
        steps.append(builder.tick(tick * PERIOD, observation(x)))
        builder.add_command(0, tick * PERIOD, np.array([x, 0.0]))
    episode = make_episode(steps[1:])
    assert episode.observations[:, 0].tolist() == [3.0, 2.0, 1.0]
    assert episode.actions[:, 0].tolist() == [3.0, 2.0]
    assert episode.terminations.tolist() == [False, False]
    assert episode.truncations.tolist() == [False, True]
