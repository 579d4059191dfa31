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

"""Tests for simulated_robot.py."""

import itertools

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.online.simulated_robot import interface_of_environment, SimulatedRobot
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.safety import Gate
from iql_ros.robot.task import Task
from iql_ros.runs.evaluate import evaluate_policy
from iql_ros.sim.envs import make_env
from tests.small_run import INTERFACE, TASK, TEXT

DIFFBOT = 'iql_ros/Diffbot-v0'


class ToThePlate:
    """Turns towards the plate and drives; the plate is at the origin of the observation."""

    observation_dim, action_dim = 6, 2

    def act(self, observation, draw=None):
        x, y, cosine, sine = observation[:4]
        ahead, aside = -x * cosine - y * sine, x * sine - y * cosine
        return np.clip([ahead, 3 * np.arctan2(aside, ahead)], -1, 1)


def drive(env, seed=3, interface=INTERFACE, task=TASK, policy=ToThePlate()):
    scaling = interface.action_scaling
    return SimulatedRobot(env, lambda observation: scaling.to_physical(policy.act(observation)),
                          interface, task, seed=seed, session=9)


def episodes(robot, count):
    return [list(robot.run_episode()) for _ in range(count)]


def test_episodes_are_those_of_an_evaluation_with_the_same_gate_to_the_bit():
    env = make_env(DIFFBOT)
    expected = evaluate_policy(ToThePlate(), env, 3, 3, INTERFACE.action_scaling, Gate(INTERFACE))
    for steps, result in zip(episodes(drive(env), 3), expected):
        assert len(steps) == result.length
        assert sum(step.transition.reward for step in steps) == result.return_
        assert steps[-1].success == result.success
        assert steps[-1].transition.terminated == result.terminated
    assert {result.success for result in expected} == {True}
    env.close()


def test_steps_count_on_and_every_observation_is_the_last_ones_next():
    env = make_env(DIFFBOT)
    robot = drive(env)
    first, second = episodes(robot, 2)
    assert [step.step for step in first + second] == list(range(len(first + second)))
    assert {(step.robot, step.session) for step in first + second} == {('', 9)}
    assert {step.episode for step in second} == {1}
    for one, two in itertools.pairwise(first):
        assert np.array_equal(one.transition.next_observation, two.transition.observation)
        assert two.transition.tick_ns - one.transition.tick_ns == INTERFACE.period_ns
    assert [step.success for step in first[:-1]] == [None] * (len(first) - 1)
    env.close()


def test_the_action_is_the_one_that_was_sent_after_the_gate():
    env = make_env(DIFFBOT)
    text = TEXT.replace('max_rate: [3.0, 15.0]', 'max_rate: [0.1, 15.0]')
    interface = parse_robot_interface(text, 'slow.yaml')
    steps, = episodes(drive(env, interface=interface, task=Task(interface)), 1)
    speeds = np.array([0.0] + [step.transition.action[0] for step in steps])
    assert np.abs(np.diff(speeds)).max() <= 0.1 * 0.2 + 1e-12
    env.close()


def test_the_tasks_time_limit_truncates_and_not_the_environments():
    env = make_env(DIFFBOT)
    interface = parse_robot_interface(TEXT.replace('time_limit: 20.0', 'time_limit: 1.0'), 'x')
    steps, = episodes(drive(env, interface=interface, task=Task(interface)), 1)
    assert len(steps) == 5 and steps[-1].transition.truncated
    assert not steps[-1].transition.terminated and steps[-1].success is False
    env.close()


def test_an_environment_gets_an_interface_of_its_own_reward_ends_and_range():
    env = make_env('InvertedPendulum-v5')
    interface = interface_of_environment(env, 4, [-3.0], [3.0])
    task = Task(interface)
    assert (interface.observation_dim, interface.action_dim) == (4, 1)
    assert interface.control_rate == pytest.approx(25.0)
    assert (interface.action_scaling.low, interface.action_scaling.high) == ([-3.0], [3.0])
    assert task.time_limit_ticks == env.spec.max_episode_steps == 1000
    robot = SimulatedRobot(env, lambda observation: np.array([3.0]), interface, task)
    steps = list(robot.run_episode())
    assert steps[-1].transition.terminated and len(steps) < 50
    assert [step.transition.reward for step in steps] == [1.0] * (len(steps) - 1) + [0.0]
    env.close()


def test_an_environment_without_a_time_limit_needs_a_robot_config():
    env = make_env('InvertedPendulum-v5')
    env.spec.max_episode_steps = None
    with pytest.raises(InputError, match='no control rate or no time limit; give a --robot-con'):
        interface_of_environment(env, 4, [-3.0], [3.0])
    env.close()
