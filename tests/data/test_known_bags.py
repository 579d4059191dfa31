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

"""Tests for known_bags.py: a folder of bags that grows, converted again."""

import shutil
import sys

import pytest

from iql_ros.cli import cli
from iql_ros.data import minari_writer
from iql_ros.data.datasets import load_dataset
from iql_ros.data.minari_store import datasets_root
from tests.data.bags.conversions import Workplace
from tests.data.bags.oddities import drive, ROBOT, START, write

SECOND = 1_000_000_000
ID = 'odd/grown-v0'


class Growing(Workplace):
    """A folder of bags that grows."""

    def add(self, *numbers, seconds=3.0):
        (self.folder / 'bags').mkdir(exist_ok=True)
        for number in numbers:
            write(self.folder / 'bags' / f'bag_{number}',
                  drive(seconds, START + number * 1000 * SECOND))

    def convert(self, *options, robot=ROBOT):
        """Convert all bags; return what was said."""
        self._capsys.readouterr()
        assert cli.main([*self.arguments(self.folder / 'bags', robot, dataset=ID), *options]) == 0
        return self._capsys.readouterr().out


@pytest.fixture
def growing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'datasets'))
    return Growing(tmp_path, capsys)


def files():
    """Return the bytes of every file of the dataset."""
    folder = datasets_root() / ID
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob('*') if path.is_file()}


def test_two_steps_are_one_step_byte_for_byte(growing):
    growing.add(0, 1, 3)
    said = growing.convert('--update')
    assert 'all 3 bags are converted: there is no dataset of that id yet' in said
    growing.add(2, 4, seconds=2.0)
    said = growing.convert('--update')
    assert '2 of 5 bags are new or changed; the others are as they were' in said
    grown = files()
    shutil.rmtree(datasets_root() / ID)
    growing.convert()
    assert grown == files()
    assert set(grown) == {'bags.json', 'data/main_data.hdf5', 'data/metadata.json'}


def test_a_bag_that_changed_is_read_again_and_one_that_is_gone_is_left_out(growing):
    growing.add(0, 1, 2)
    growing.convert()
    for number in (0, 1):
        shutil.rmtree(growing.folder / 'bags' / f'bag_{number}')
    growing.add(1, seconds=4.0)
    said = growing.convert('--update')
    assert '1 of 2 bags are new or changed; the others are as they were; 2 that are' in said
    assert load_dataset(ID).episode_lengths.tolist() == [40, 30]


@pytest.mark.parametrize('options, robot, why', [
    ((), ROBOT.replace('10.0', '5.0', 1), 'the robot config is another now'),
    (('--allow', 'counts'), ROBOT, 'what is allowed is another now')])
def test_with_other_settings_all_are_converted_anew_and_it_is_said(growing, options, robot, why):
    growing.add(0, 1)
    growing.convert()
    assert f'all 2 bags are converted: {why}' in growing.convert('--update', *options, robot=robot)


def test_a_dataset_that_was_being_replaced_when_it_was_killed_comes_back(growing, monkeypatch):
    growing.add(0)
    growing.convert()
    before = files()
    rename = minari_writer.os.rename

    def killed(source, target):
        rename(source, target)
        raise KeyboardInterrupt
    growing.add(1)
    with monkeypatch.context() as patched:
        patched.setattr(minari_writer.os, 'rename', killed)
        assert cli.main([*growing.arguments(growing.folder / 'bags', dataset=ID),
                         '--update']) == 130
    assert not (datasets_root() / ID).exists()
    minari_writer.restore(ID)
    assert files() == before


def test_without_update_a_dataset_that_is_there_is_refused(growing):
    growing.add(0)
    growing.convert()
    assert cli.main(growing.arguments(growing.folder / 'bags', dataset=ID)) == 2


def test_another_file_of_the_tasks_function_converts_all_anew(growing, monkeypatch):
    monkeypatch.syspath_prepend(str(growing.folder))
    monkeypatch.delitem(sys.modules, 'growing_task', raising=False)
    task = growing.folder / 'growing_task.py'
    task.write_text('def near(observation, action, following):\n    return -1.0\n')
    robot = ROBOT.replace('tests.data.bags.robot_tasks:near_zero', 'growing_task:near')
    growing.add(0)
    growing.convert(robot=robot)
    assert '0 of 1 bags are new' in growing.convert('--update', robot=robot)
    task.write_text('def near(observation, action, following):\n    return -2.0\n')
    said = growing.convert('--update', robot=robot)
    assert "all 1 bags are converted: the file of a task's function is another now" in said
