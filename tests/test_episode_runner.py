"""Tests for episode_runner.py."""

import numpy as np

from iql_ros.episode_runner import EpisodeRunner
from iql_ros.robot_interface import parse_robot_interface
from iql_ros.task import Task
from tests.test_robot_interface import TEXT

PERIOD = 200_000_000  # [ns]
TASK = ('task: {reward: "iql_ros.task:docking_cost", terminated: "iql_ros.task:docked", '
        'time_limit: 0.6, success_reward: 5.0, failure_reward: -100.0}')


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
    assert result.command.tolist() == [0.0, 0.0] and not runner.running


def test_an_action_that_is_not_finite_trips_and_truncates():
    runner = make_runner()
    drive(runner, 3.0)
    runner._act = lambda observation: np.array([np.inf, 0.0])
    result = runner.tick(PERIOD, np.ones(6))
    assert result.ended == 'trip' and result.transition.truncated
    assert result.command.tolist() == [0.0, 0.0]


def test_a_new_episode_never_joins_the_old_one():
    runner = make_runner()
    drive(runner, 3.0, 2.0, 0.0)
    runner.start()
    assert runner.tick(10 * PERIOD, np.ones(6)).transition is None
