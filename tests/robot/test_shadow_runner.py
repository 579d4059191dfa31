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

"""Tests for shadow_runner.py: what a policy decides while somebody else drives."""

import numpy as np
import pytest

from iql_ros.robot.episode_runner import EpisodeRunner
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.shadow_runner import ShadowRunner
from iql_ros.robot.task import Task
from tests.robot.test_episode_runner import PERIOD, TASK
from tests.robot.test_robot_interface import TEXT

RATE = 2.0 * PERIOD * 1e-9      # [m/s] the gate lets a speed change in a period
SENSED = np.array([3.0, 0, 0, 0, 0, 0])


class Driver:
    """Says what it is told to say, once."""

    def __init__(self):
        self.said = []

    def say(self, stamp_ns, *command):
        self.said.append((0, stamp_ns, np.array(command) if command else None))

    def take(self):
        said, self.said = self.said, []
        return said


def in_shadow(act=lambda observation: np.array([0.3, 0.0]), previous=False):
    text = TEXT[:TEXT.index('task:')] + TASK.replace('time_limit: 0.6', 'time_limit: 10.0')
    text = text.replace('gate: {', 'gate: {max_rate: [2.0, 10.0], ')
    if previous:
        text = text.replace('action:\n', '  - previous: action\naction:\n')
    interface = parse_robot_interface(text, 'toy.yaml')
    driver = Driver()
    runner = ShadowRunner(act, interface, Task(interface), driver.take)
    runner.start()
    return runner, driver


def test_the_transition_holds_what_was_really_commanded():
    runner, driver = in_shadow()
    assert runner.tick(0, SENSED).command.tolist() == [0.3, 0.0]
    driver.say(0, -0.2, 0.4)
    assert runner.tick(PERIOD, SENSED).transition.action.tolist() == [-0.2, 0.4]


def test_the_gate_goes_by_what_was_really_commanded_since_the_tick_before():
    runner, driver = in_shadow()
    driver.say(-1, -0.3, 0.0)
    assert runner.tick(0, SENSED).command[0] == 0.3     # the episode's first: from standing
    driver.say(PERIOD // 2, -0.2, 0.0)
    result = runner.tick(PERIOD, SENSED)
    assert result.transition.action[0] == pytest.approx(-0.25)
    assert result.command[0] == pytest.approx(-0.25 + RATE)


def test_a_command_of_the_tick_itself_is_not_known_yet():
    runner, driver = in_shadow()
    driver.say(0, -0.3, 0.0)                       # of another policy, at the same tick
    assert runner.tick(0, SENSED).command[0] == 0.3


def test_where_nobody_commands_its_own_command_counts_and_nothing_is_compared():
    runner, driver = in_shadow()
    runner.tick(0, SENSED)
    result = runner.tick(PERIOD, SENSED)
    assert result.transition.action.tolist() == [0.3, 0.0] and result.command[0] == 0.3
    assert (runner.comparison.ticks, runner.comparison.compared) == (1, 0)
    driver.say(PERIOD, 0.1, 0.0)
    assert runner.tick(2 * PERIOD, SENSED).transition.action.tolist() == [0.1, 0.0]
    assert runner.comparison.figures()['cmd_vel twist.linear.x'][:2] == (0.3 - 0.1, 0.3 - 0.1)


def test_a_command_that_is_too_old_is_none_any_more():
    runner, driver = in_shadow()
    driver.say(-1, -0.3, 0.0)
    runner.tick(0, SENSED)
    for tick in range(1, 5):
        result = runner.tick(tick * PERIOD, SENSED)
    assert result.command[0] == 0.3 and result.transition.action[0] == 0.3


def test_the_policy_sees_the_commands_of_who_drives_as_the_previous_ones():
    seen = []

    def act(observation):
        seen.append(observation[-2:].tolist())
        return np.array([0.3, 0.0])
    runner, driver = in_shadow(act, previous=True)
    runner.tick(0, SENSED)
    driver.say(0, -0.2, 0.4)
    runner.tick(PERIOD, SENSED)
    assert seen == [[0.0, 0.0], [-0.2, 0.4]]


def test_how_much_of_what_is_commanded_the_gate_would_let_through_is_counted():
    runner, driver = in_shadow()
    for tick, speed in enumerate((0.1, 0.2, 9.0, 0.1, 0.1)):
        runner.tick(tick * PERIOD, SENSED)
        driver.say(tick * PERIOD, speed, 0.0)
    runner.tick(5 * PERIOD, SENSED)
    assert runner.comparison.figures()['cmd_vel twist.linear.x'][2] == 3 / 5  # 9 and from there


def test_the_task_sees_the_robot_as_it_was_driven():
    runner, driver = in_shadow()
    for tick, x in enumerate((3.0, 2.0, 0.0)):
        result = runner.tick(tick * PERIOD, np.array([x, 0, 0, 0, 0, 0], dtype=float))
        driver.say(tick * PERIOD, -0.1, 0.0)
    assert result.ended == 'terminated' and runner.summary.return_ == -1.0


def test_one_who_commands_what_the_policy_would_sees_no_difference():
    act = lambda observation: np.array([0.2, 0.1])  # noqa: E731
    runner, driver = in_shadow(act)
    driving = EpisodeRunner(act, *_parts(runner))
    driving.start()
    for tick in range(5):
        command = driving.tick(tick * PERIOD, SENSED).command
        assert runner.tick(tick * PERIOD, SENSED).command.tolist() == command.tolist()
        driver.say(tick * PERIOD, *command)
    figures = runner.comparison.figures()
    assert runner.comparison.compared == 4
    assert set(figures.values()) == {(0.0, 0.0, 1.0)}


def _parts(runner):
    return runner.gate.interface, Task(runner.gate.interface)
