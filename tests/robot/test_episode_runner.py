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

"""Tests for episode_runner.py."""

import numpy as np

from iql_ros.robot.episode_runner import EpisodeRunner
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from tests.robot.test_robot_interface import TEXT

PERIOD = 200_000_000  # [ns]
TASK = ('task: {reward: "iql_ros.tasks:docking_cost", terminated: "iql_ros.tasks:docked", '
        'success: "iql_ros.tasks:docked", time_limit: 0.6, success_reward: 5.0, '
        'failure_reward: -100.0}')


def make_runner(act=lambda observation: np.array([0.9, 0.1])):
    interface = parse_robot_interface(TEXT[:TEXT.index('task:')] + TASK, 'toy.yaml')
    runner = EpisodeRunner(act, interface, Task(interface))
    runner.start()
    return runner


def drive(runner, *positions):
    results = []
    for tick, x in enumerate(positions):
        results.append(runner.tick(tick * PERIOD, np.array([x, 0, 0, 0, 0, 0], dtype=float)))
    return results


def test_the_stored_action_is_the_one_that_was_sent():
    results = drive(make_runner(), 3.0, 2.0)
    assert results[0].command.tolist() == [0.3, 0.1]
    assert results[1].transition.action.tolist() == [0.3, 0.1]


def test_the_task_ends_an_episode_and_nothing_more_is_commanded():
    runner = make_runner()
    last = drive(runner, 3.0, 2.0, 0.0)[-1]
    assert last.ended == 'terminated' and last.command is None and not runner.running
    assert (runner.summary.return_, runner.summary.length) == (-1.0, 2)
    assert runner.summary.terminated and not runner.summary.truncated


def test_the_time_limit_truncates():
    runner = make_runner()
    last = drive(runner, 3.0, 2.0, 2.0, 2.0)[-1]
    assert last.ended == 'truncated' and last.transition.truncated
    assert runner.summary.truncated and runner.summary.length == 3


def test_what_a_person_says_ends_the_episode_at_the_next_tick():
    for kind, reward, terminated in (('success', 5.0, True), ('failure', -100.0, True),
                                     ('end', -1.0, False)):
        runner = make_runner()
        drive(runner, 3.0)
        runner.request(kind)
        result = runner.tick(PERIOD, np.ones(6))
        assert result.ended == kind and result.transition.reward == reward
        assert result.transition.terminated is terminated
        assert result.transition.truncated is not terminated


def test_a_trip_sends_the_stop_and_leaves_nothing_unfinite_in_a_transition():
    runner = make_runner()
    drive(runner, 3.0)
    result = runner.tick(PERIOD, np.array([np.nan, 0, 0, 0, 0, 0]))
    assert result.ended == 'trip' and result.transition is None
    assert result.command is None and not runner.running


def test_an_action_that_is_not_finite_trips_and_truncates():
    runner = make_runner()
    drive(runner, 3.0)
    runner._act = lambda observation: np.array([np.inf, 0.0])
    result = runner.tick(PERIOD, np.ones(6))
    assert result.ended == 'trip' and result.transition.truncated
    assert result.command is None


def test_a_new_episode_never_joins_the_old_one():
    runner = make_runner()
    drive(runner, 3.0, 2.0, 0.0)
    runner.start()
    assert runner.tick(10 * PERIOD, np.ones(6)).transition is None


def test_an_operators_command_passes_the_same_gate_and_is_stored_with_its_flag():
    runner = make_runner()
    drive(runner, 3.0)
    result = runner.tick(PERIOD, np.array([2.5, 0, 0, 0, 0, 0]), np.array([-0.9, 0.2]))
    assert result.command.tolist() == [-0.3, 0.2] and not result.transition.intervention
    stored = runner.tick(2 * PERIOD, np.array([2.0, 0, 0, 0, 0, 0])).transition
    assert stored.action.tolist() == [-0.3, 0.2] and stored.intervention
    assert not runner.tick(3 * PERIOD, np.ones(6)).transition.intervention
    assert runner.summary.interventions == 1


def test_where_the_operator_has_no_say_the_policy_goes_on():
    result = make_runner().tick(0, np.ones(6), np.array([np.nan, -0.4]))
    assert result.command.tolist() == [0.3, -0.4]


def test_an_operator_takes_over_between_ticks_and_the_mean_of_what_was_sent_is_stored():
    runner = make_runner()
    drive(runner, 3.0)
    assert runner.operate(PERIOD // 2, np.array([-0.1, np.nan])).tolist() == [-0.1, 0.1]
    step = runner.tick(PERIOD, np.ones(6), np.array([-0.1, 0.0])).transition
    np.testing.assert_allclose(step.action, [0.1, 0.1], atol=1e-15)
    assert step.intervention and runner.operated


def test_a_command_that_came_after_the_ticks_time_is_the_newer_one():
    runner = make_runner()
    drive(runner, 3.0)
    runner.operate(PERIOD + 1000, np.array([0.2, 0.0]))
    result = runner.tick(PERIOD, np.ones(6), np.array([0.2, 0.0]))
    assert result.stamp_ns == PERIOD + 1000 and not result.transition.intervention
    assert runner.tick(2 * PERIOD, np.ones(6)).transition.intervention


def test_between_episodes_an_operator_drives_and_the_next_episode_goes_on_from_there():
    runner = make_runner()
    drive(runner, 3.0, 0.0)
    for tick in range(20):
        assert runner.operate(2 * PERIOD + tick * 1000, np.array([-0.3, 0.0])) is not None
    assert len(runner.builder._commands[0]._stamped) == 1      # however long the drive was
    last = runner.gate.last
    runner.start()
    command = runner.tick(3 * PERIOD, np.array([3.0, 0, 0, 0, 0, 0])).command
    np.testing.assert_allclose(command, np.clip([0.3, 0.1], last - [0.6, 3.0], last + [0.6, 3.0]))
    runner.release(4 * PERIOD)
    assert runner.gate.last.tolist() == [0.0, 0.0] and not runner.operated


def test_a_persons_word_says_success_and_else_the_task_does():
    for kind, success in (('success', True), ('failure', False), ('end', False)):
        runner = make_runner()
        drive(runner, 3.0)
        runner.request(kind)
        assert runner.tick(PERIOD, np.ones(6)).success is success
        assert runner.summary.success is success
    assert drive(make_runner(), 3.0, 0.0)[-1].success is True
