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

"""Tests for task.py."""

from types import SimpleNamespace

import pytest

from iql_ros.files import InputError
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from iql_ros.tasks import docked, docking_cost
from tests.robot.test_robot_interface import TEXT


def make_task(task):
    return Task(parse_robot_interface(TEXT[:TEXT.index('task:')] + f'task: {task}', 'toy.yaml'))


def test_docking_costs_one_a_tick_until_docked():
    away, on = [0.08, 0.061, 1, 0, 0, 0], [0.08, 0.06, 1, 0, 0, 0]
    assert docking_cost(away, None, away) == -1.0 and not docked(away, None, away)
    assert docking_cost(away, None, on) == 0.0 and docked(away, None, on)


def test_a_task_of_named_functions():
    task = make_task('{reward: "iql_ros.tasks:docking_cost", terminated: "iql_ros.tasks:docked", '
                     'time_limit: 20.0}')
    assert task.reward([1, 1], None, [0, 0]) == 0.0 and task.terminated([1, 1], None, [0, 0])
    assert task.time_limit_ticks == 100


def test_a_task_of_topics():
    task = make_task('{reward: {topic: reward, type: std_msgs/msg/Float64, field: data}, '
                     'time_limit: 1.0}')
    assert task.reward_source.decode(SimpleNamespace(data=2.5)) == 2.5
    assert task.reward([0], [0], [0]) == 0.0 and task.terminated_source is None


@pytest.mark.parametrize('value', ['2.5', [1.0], None])
def test_a_reward_that_is_no_number_is_refused_by_its_field(value):
    task = make_task('{reward: {topic: reward, type: a/msg/B, field: data}, time_limit: 1.0}')
    with pytest.raises(InputError, match="topic 'reward' .a/msg/B.: field 'data' is no number"):
        task.reward_source.decode(SimpleNamespace(data=value))


@pytest.mark.parametrize('task, message', [
    ('{reward: "iql_ros.tasks:dokced", time_limit: 1.0}', 'iql_ros.tasks:dokced'),
    ('{reward: "nowhere:f", time_limit: 1.0}', "No module named 'nowhere'"),
    ('{reward: "iql_ros.tasks:Task", time_limit: 0.01}', 'at least one tick, 0.2 s'),
    ('{time_limit: 1.0}', "key 'reward' is missing"),
    ('{reward: "iql_ros.tasks:docked", time_limit: 1.0, rest: 1}', "unknown key 'rest'"),
    ('{reward: ".task:docked", time_limit: 1.0}', "got '.task:docked', which cannot be imported"),
    ('{reward: "iql_ros.tasks:docked", time_limit: .inf}', 'time_limit: got inf; allowed: finite'),
    ('{reward: "iql_ros.tasks:docked", time_limit: 1.0, failure_reward: .nan}',
     'failure_reward: got nan; allowed: finite'),
    ('{reward: {topic: r, type: t}, time_limit: 1.0}', "reward: key 'field' is missing"),
    ('{reward: -1, time_limit: 1.0, success: "iql_ros.tasks:won"}', 'success: got .*tasks:won'),
    ('{reward: -1, time_limit: 1.0, reset: by hand}', "reset: got 'by hand'; allowed: manual"),
    ('{reward: {topic: r, type: t, field: "f(x)"}, time_limit: 1.0}', "'f'"),
    ('{reward: {topic: r, type: t, field: f}, time_limit: 1.0}', "type: got 't'; expected pkg/ms"),
    ('{reward: -1, time_limit: 1.0e+308}', 'time_limit: got 1e+308; allowed: at least one'),
    ('{reward: -1, time_limit: -1.0e+308}', 'time_limit: got -1e+308; allowed: at least one'),
    ('{reward: "os:system", time_limit: 1.0}', "got 'os:system', which is of Python's own"),
])
def test_a_wrong_task_is_refused_by_name(task, message):
    with pytest.raises(InputError, match=message.replace('(', r'\(').replace('+', r'\+')):
        make_task(task)


@pytest.mark.parametrize('name', ['', 'a b', '1a', 'a/', '//a', 'a//b', '~a', 'a-b', 'a.b', 'ä',
                                  "a'", 'a\\nb', 250 * 'a', '~', '/'])
def test_a_name_that_ros_does_not_take_is_refused_when_the_yaml_is_read(name):
    for key in ('reset: {service: "%s"}', 'episode: {topic: "%s"}',
                'terminated: {topic: "%s", type: std_msgs/msg/Bool, field: data}'):
        with pytest.raises(InputError, match='got .*; expected a name like reset_world') as error:
            make_task(f'{{reward: -1, time_limit: 1.0, {key % name}}}')
        assert str(error.value).isprintable()


@pytest.mark.parametrize('name', ['reset_world', '/reset', '~/reset', 'sim/reset', '/a/b/c_1'])
def test_names_that_ros_takes_are_taken(name):
    task = make_task(f'{{reward: -1, time_limit: 1.0, reset: {{service: {name}}}}}')
    assert task.reset.service == name


def test_the_hash_knows_the_task_and_not_the_topics_name():
    first = make_task('{reward: {topic: a, type: t/msg/T, field: data}, time_limit: 1.0}')
    second = make_task('{reward: {topic: b, type: t/msg/T, field: data}, time_limit: 1.0}')
    third = make_task('{reward: {topic: b, type: t/msg/T, field: data}, time_limit: 2.0}')
    assert first.task_hash == second.task_hash != third.task_hash


def test_a_function_that_fails_is_named_on_one_line():
    task = make_task('{reward: "iql_ros.tasks:docking_cost", time_limit: 20.0}')
    with pytest.raises(InputError, match="reward: 'iql_ros.tasks:docking_cost' raised IndexError"):
        task.reward([0.0], [0.0], [0.0])


def test_a_number_is_the_reward_of_every_tick_and_todo_asks_to_be_filled_in():
    assert make_task('{reward: -1, time_limit: 20.0}').reward([0.0], [0.0], [0.0]) == -1.0
    with pytest.raises(InputError, match="reward: got 'TODO'; fill it in: module:function, a num"):
        make_task('{reward: TODO, time_limit: 20.0}')


def test_success_is_asked_of_a_function_and_is_no_part_of_the_hash():
    silent = make_task('{reward: -1, time_limit: 20.0}')
    told = make_task('{reward: -1, time_limit: 20.0, success: "iql_ros.tasks:docked"}')
    assert silent.success([0, 0], None, [0, 0]) is None
    assert told.success([1, 1], None, [0, 0]) is True
    assert told.success([0, 0], None, [1, 1]) is False
    assert told.task_hash == silent.task_hash


def test_a_person_or_a_service_puts_the_robot_back():
    by_hand = make_task('{reward: -1, time_limit: 20.0, reset: manual}')
    assert by_hand.manual_reset and by_hand.reset is None
    service = make_task('{reward: -1, time_limit: 20.0, reset: {service: reset_world}}')
    assert service.reset.service == 'reset_world' and not service.manual_reset
