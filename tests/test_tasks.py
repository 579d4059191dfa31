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

"""Tests for tasks.py, and for what was made when its functions had other names."""

import pytest

from iql_ros.data.datasets import load_dataset
from iql_ros.robot import task as task_module
from iql_ros.robot.robot_interface import load_robot_interface, parse_robot_interface
from iql_ros.robot.task import hash_of_task, Task
from iql_ros.runs.checkpoint import load_agent, read_header
from iql_ros.tasks import docked, docking_cost, FIRST_NAMES, placed, placing_cost
from tests.places import FILES

# A bag of five ticks, its dataset and a checkpoint of five updates, all made under the old names.
MADE_BEFORE = FILES / 'first_names'
HASH_BEFORE = '7abb5e43cc4d46e1494721875a98d5bee018519fdc2711af49ecfb0eee2a9f6b'


@pytest.mark.parametrize('x, cost', [(0.0, 0.0), (0.1, 0.0), (0.11, -1.0)])
def test_docking_costs_one_a_tick_until_the_robot_is_within_ten_centimetres(x, cost):
    assert docking_cost(None, None, [x, 0.0]) == cost
    assert docked(None, None, [0.0, x]) is (cost == 0.0)


def test_a_yaml_with_old_names_is_the_same_task_to_the_digit(capsys):
    task_module._is_renamed.cache_clear()
    old = load_robot_interface(MADE_BEFORE / 'toy.yaml')
    new = parse_robot_interface(old.text.replace('iql_ros.task:', 'iql_ros.tasks:'), 'new')
    assert 'iql_ros.task:docking_cost' in old.text != new.text
    assert Task(old).task_hash == Task(new).task_hash == hash_of_task(old) == HASH_BEFORE
    assert Task(old).reward(None, None, [3.0, 0.0]) == -1.0
    assert Task(old).terminated(None, None, [0.0, 0.0])
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2  # each function once, however often the task is read
    assert said[0] == ("note: the task function 'iql_ros.task:docking_cost' is called "
                       "'iql_ros.tasks:docking_cost' now; it is the same task")


def test_a_dataset_and_a_checkpoint_with_old_names_load_and_belong_to_the_task_of_today():
    dataset = load_dataset(MADE_BEFORE / 'drive-v0')
    header = read_header(MADE_BEFORE / 'policy.safetensors')
    assert dataset.rewards.tolist() == [-1.0, -1.0, -1.0, 0.0, -1.0, 0.0]
    assert load_agent(MADE_BEFORE / 'policy.safetensors', 'cpu').step == 5
    for text in (dataset.robot_config, header['robot_config']):
        assert 'iql_ros.task:docked' in text
        assert hash_of_task(parse_robot_interface(text, 'before')) == HASH_BEFORE


def test_every_first_name_leads_to_a_function_and_none_is_given_twice():
    assert len(set(FIRST_NAMES.values())) == len(FIRST_NAMES)
    assert not set(FIRST_NAMES) & set(FIRST_NAMES.values())
    for name in FIRST_NAMES:
        task = parse_robot_interface((MADE_BEFORE / 'toy.yaml').read_text().replace(
            'iql_ros.task:docking_cost', name), name)
        assert isinstance(Task(task).reward(None, None, [1.0, 0.0]), float)


@pytest.mark.parametrize('block, fingers, done', [
    ([0.0, 0.0, 0.02], 0.03, True), ([0.04, 0.02, 0.02], 0.04, True),
    ([0.04, 0.04, 0.02], 0.04, False),          # beside the tray
    ([0.0, 0.0, 0.05], 0.04, False),            # in the air
    ([0.0, 0.0, 0.02], 0.02, False)])           # still held
def test_placing_costs_one_a_tick_until_the_block_lies_on_the_tray_and_is_let_go(
        block, fingers, done):
    observation = [*block, *[0.5] * 6, fingers]
    assert placed(None, None, observation) is done
    assert placing_cost(None, None, observation) == (0.0 if done else -1.0)
