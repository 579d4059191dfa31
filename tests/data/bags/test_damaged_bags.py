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

"""Tests for bags/damage.py, bags/reader.py and convert.py: whole or not at all."""

import signal
import subprocess
import sys

import h5py
import pytest

from iql_ros.cli import cli
from iql_ros.data.bags.reader import Bag
from iql_ros.data.datasets import load_dataset
from tests.data.bags import oddities as odd
from tests.data.bags.oddities import drive, ROBOT, write
from tests.places import DATA, ROOT

DAMAGED = DATA / 'bags_damaged'
needs_shared = pytest.mark.skipif(not DAMAGED.is_dir(), reason='../shared is absent')
TWIST_ROBOT = ROBOT[:ROBOT.index('observation:')] + """
observation:
  - {topic: cmd_vel, type: geometry_msgs/msg/Twist, stamp: receive, max_age: 0.3,
     fields: [angular.z]}
action:
  - {topic: cmd_vel, type: geometry_msgs/msg/Twist, stamp: receive, max_age: 0.3,
     fields: [linear.x], low: [-1.0], high: [1.0], rule: mean, gate: {downstream_timeout: 0.5}}
""" + ROBOT[ROBOT.index('task:'):]
STRING_ROBOT = TWIST_ROBOT.replace('geometry_msgs/msg/Twist', 'std_msgs/msg/String').replace(
    'angular.z', 'data').replace('linear.x', 'data')


@pytest.mark.parametrize('size', [0.01, 0.5, 0.99])
def test_a_bag_that_is_cut_is_refused(workplace, size):
    for storage in ('mcap', 'sqlite3', 'ros1'):
        path = workplace.folder / storage
        file = (odd.write_ros1(path.with_suffix('.bag'), drive()) if storage == 'ros1'
                else next(write(path, drive(), storage).glob('sqlite3.db3' if storage == 'sqlite3'
                                                             else 'mcap.mcap')))
        odd.cut(file, round(file.stat().st_size * size))
        assert f"bag '{workplace.folder}" in workplace.refusal(file)


@pytest.mark.parametrize('change, text', [
    ("timestamp = 'soon'", 'is of another kind'),
    ('data = 7', 'is of another kind'),
    ("data = x'00010000'", 'a message is too short for its header')])
def test_rows_of_a_database_that_hold_something_else_are_refused(workplace, change, text):
    bag = odd.edit(write(workplace.folder / 'bag', drive(), 'sqlite3'),
                   f'UPDATE messages SET {change} WHERE id = 20')
    assert text in workplace.refusal(bag)


@needs_shared
@pytest.mark.parametrize('name, robot, text', [
    ('turtlebot3_cut800k.bag', TWIST_ROBOT, 'rosbag reindex FILE'),
    ('selfdriving_cut', TWIST_ROBOT, 'is malformed; sqlite3 FILE .recover'),
    ('split_missing', STRING_ROBOT, '1 of its 5 parts are missing: wbag_2.mcap'),
    ('lfs_pointer.mcap', TWIST_ROBOT, 'is a Git LFS pointer'),
    ('door_human_cut2M.hdf5', None, 'door_human_cut2M.hdf5'),
    ('qos_mismatch_mcap', TWIST_ROBOT, "unknown topic '/cmd_vel'"),
    ('qos_mismatch_sqlite3', TWIST_ROBOT, "unknown topic '/cmd_vel'"),
])
def test_each_damaged_bag_is_refused(workplace, name, robot, text):
    if robot is not None:
        assert text in workplace.refusal(DAMAGED / name, robot)
        return
    assert cli.main(['convert', str(DAMAGED / name), '--dataset', 'odd/drive-v0']) == 2
    assert text in workplace.check_refused()


@needs_shared
def test_a_bag_without_metadata_is_read(workplace):
    dataset = workplace.convert(DAMAGED / 'no_metadata', TWIST_ROBOT)
    assert len(dataset.rewards) > 300


@needs_shared
@pytest.mark.parametrize('name', ['qos_mismatch_mcap', 'qos_mismatch_sqlite3'])
def test_a_bag_whose_qos_is_told_in_two_ways_is_read_whole(workplace, name):
    with Bag(DAMAGED / name) as bag:
        read = [message.topic for message in bag.messages(bag.topics)]
    assert read.count('/topic') == read.count('/rosout') == 10
    robot = STRING_ROBOT.replace('topic: cmd_vel', 'topic: topic')
    assert "topic 'topic' (std_msgs/msg/String): fields ['data']" in workplace.refusal(
        DAMAGED / name, robot)  # text is no number


def test_the_command_itself_refuses_with_code_2(workplace):
    bag = write(workplace.folder / 'bag', drive())
    odd.cut(bag / 'bag.mcap', 2000)
    ended = subprocess.run([sys.executable, '-m', 'iql_ros.cli', *workplace.arguments(bag)],
                           capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ended.returncode == 2
    assert "bag' cannot be read" in workplace.check_refused(ended.stderr)


def test_a_conversion_that_is_killed_leaves_nothing_behind(workplace):
    robot = ROBOT.replace('control_rate: 10.0', 'control_rate: 50.0').replace(
        'time_limit: 100.0', 'time_limit: 0.04')  # thousands of episodes, each written by itself
    arguments = workplace.arguments(write(workplace.folder / 'bag', drive(20.0)), robot)
    process = subprocess.Popen([sys.executable, '-m', 'iql_ros.cli', *arguments], cwd=ROOT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    partial = workplace.folder / 'datasets' / '.iql_ros' / 'odd~drive-v0' / 'data'
    while not (partial / 'main_data.hdf5').exists():
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert partial.exists() and not (workplace.folder / 'datasets' / 'odd').exists()
    assert cli.main(arguments) == 0
    assert not partial.exists() and len(load_dataset('odd/drive-v0').episode_lengths) > 300


def test_the_same_bag_gives_the_same_bytes_twice(workplace):
    bag = write(workplace.folder / 'bag', drive())
    contents = []
    for dataset in ('odd/drive-v0', 'odd/drive-v1'):
        workplace.convert(bag, dataset=dataset)
        data = workplace.folder / 'datasets' / dataset / 'data' / 'main_data.hdf5'
        with h5py.File(data) as file:
            found = {}
            file.visititems(lambda name, item: found.update(
                {name: item[()].tobytes()} if isinstance(item, h5py.Dataset) else {}))
        contents.append(found)
    assert contents[0] == contents[1] and 'episode_0/actions' in contents[0]
