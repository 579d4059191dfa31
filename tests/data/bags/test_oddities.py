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

"""Tests for bags/files.py, bags/reader.py and rosbag.py: bags odd, damaged or misread."""

import math
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from iql_ros.cli import cli
from iql_ros.data.bags.files import ALLOWANCES
from iql_ros.data.bags.reader import Bag
from iql_ros.data.datasets import load_dataset
from iql_ros.data.rosbag import read_episodes
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.data.bags import oddities as odd
from tests.data.bags.oddities import drive, ROBOT, SECOND, START, write
from tests.places import DATA, ROOT

DAMAGED = DATA / 'bags_damaged'
needs_shared = pytest.mark.skipif(not DAMAGED.is_dir(), reason='../shared is absent')
BY_RECEIVE = ROBOT.replace('stamp: header', 'stamp: receive')
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


class Workplace:
    """A test's own folder, its datasets, and the command."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys

    def arguments(self, bag, robot=ROBOT, allow=(), dataset='odd/drive-v0'):
        (self.folder / 'robot.yaml').write_text(robot)
        return ['convert', str(bag), '--robot-config', str(self.folder / 'robot.yaml'),
                '--dataset', dataset, *(word for name in allow for word in ('--allow', name))]

    def convert(self, bag, robot=ROBOT, allow=(), dataset='odd/drive-v0'):
        """Return the converted dataset."""
        code = cli.main(self.arguments(bag, robot, allow, dataset))
        assert code == 0, self._capsys.readouterr().err
        return load_dataset(dataset)

    def refusal(self, bag, robot=ROBOT, allow=()):
        """Return the one line in which a bag is refused; nothing half-written may be left."""
        self._capsys.readouterr()
        assert cli.main(self.arguments(bag, robot, allow)) == 2
        return self.check_refused()

    def check_refused(self, text=None):
        text = self._capsys.readouterr().err if text is None else text
        assert text.count('\n') == 1 and text.startswith('iql-ros') and len(text) < 1000, text
        assert not list((self.folder / 'datasets').rglob('*.hdf5'))
        return text


@pytest.fixture
def workplace(tmp_path, monkeypatch, capsys):
    """Give every test its own folder of datasets."""
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'datasets'))
    return Workplace(tmp_path, capsys)


@pytest.fixture(scope='module')
def usual(tmp_path_factory):
    """Return the observations and actions of an ordinary bag."""
    bag = write(tmp_path_factory.mktemp('usual') / 'bag', drive())
    (episode,), _ = read_episodes([bag], parse_robot_interface(ROBOT, 'robot.yaml'))
    assert episode.observations[:2, :2].tolist() == [[1.0, 2.0], [1.05, 2.0]]
    return episode


def same(dataset, episode):
    """Say whether a dataset holds an episode and nothing else."""
    return (np.array_equal(dataset.observations, episode.observations[:-1].astype(np.float32))
            and np.allclose(dataset.actions, episode.actions, atol=1e-6))


# --- loaded right

def service_event(path):
    return write(path, drive(), extra=[('/add/_service_event',
                                        'example_interfaces/srv/AddTwoInts_Event',
                                        odd.SERVICE_EVENT)])


def folder_called_bag(path):
    return write(path.with_name('something.bag'), drive())


def folder_called_mcap(path):
    return write(path.with_name('something.mcap'), drive(), 'sqlite3')


def unknown_type_beside(path):
    return write(path, drive(), extra=[('/vendor', 'vendor/msg/Blob', 'vendor/Missing[] parts\n')])


def without_metadata(path):
    bag = write(path, drive())
    (bag / 'metadata.yaml').unlink()
    return bag


def bare_file(path):
    return write(path, drive(), 'sqlite3') / 'bag.db3'


def ros1(path):
    return odd.write_ros1(path.with_name('bag.bag'), drive(), 'LZ4')


def far_from_receive_time(path):
    entries = drive()
    for entry in entries:
        entry.received_ns += 500_000 * SECOND
    return write(path, entries)


def another_topic_has_nan(path):
    entries = drive()
    return write(path, entries + [odd.Entry('/other', entries[-1].received_ns,
                                            odd.command(START, math.nan))])


@pytest.mark.parametrize('make', [
    service_event, folder_called_bag, folder_called_mcap, unknown_type_beside, without_metadata,
    bare_file, ros1, another_topic_has_nan, far_from_receive_time, odd.renamed_after_recording,
    odd.split, odd.type_names_without_msg, odd.without_definitions])
def test_a_bag_that_is_only_odd_is_loaded_right(workplace, usual, make):
    assert same(workplace.convert(make(workplace.folder / 'bag')), usual)


def test_a_joint_that_never_moves_is_loaded_and_named(workplace):
    bag = write(workplace.folder / 'bag', drive())
    assert workplace.convert(bag).observations[:, 1].tolist() == 30 * [2.0]
    _, report = read_episodes([bag], parse_robot_interface(ROBOT, 'robot.yaml'))
    constant = [entry['name'] for entry in report['observations'] if entry['constant']]
    assert constant == ['joint_states position[right]', 'joint_states velocity[right]']


@pytest.mark.parametrize('topic, reason, steps', [
    ('/joint_states', 'no joint_states young enough', [22, 20]),  # to 2.2 s, from 4 s on
    ('/cmd_vel', 'no command in force', [23, 20])])
def test_a_topic_that_stops_for_seconds_splits_the_episode_there(workplace, topic, reason, steps):
    entries = [entry for entry in drive(6.0) if entry.topic != topic
               or not START + 2 * SECOND < entry.received_ns < START + 4 * SECOND]
    bag = write(workplace.folder / 'bag', entries)
    episodes, report = read_episodes([bag], parse_robot_interface(ROBOT, 'robot.yaml'))
    assert [len(episode.rewards) for episode in episodes] == steps
    assert report['bags'][0]['ended'] == {reason: 1, 'end of bag': 1}


# --- refused on one line, with what could be allowed or said

def constant_stamps(path):
    return write(path, odd.stamps(drive(), lambda stamp: START))


def zero_stamps(path):
    return write(path, odd.stamps(drive(), lambda stamp: 0))


def other_clock(path):
    return write(path, odd.stamps(drive(), lambda stamp: stamp - 500_000 * SECOND,
                                  ['/joint_states']))


def empty_names(path):
    entries = drive()
    for entry in entries:
        if entry.topic == '/joint_states':
            entry.message.name = []
    return write(path, entries)


def whole_of_nan(path):
    entries = drive()
    for entry in entries:
        if entry.topic == '/joint_states':
            entry.message.position[:] = entry.message.velocity[:] = math.nan
        else:
            entry.message.twist.linear.x = math.nan
    return write(path, entries)


def custom_type(path):
    return odd.without_definitions(path, custom=True)


def empty_file(path):
    path.with_suffix('.mcap').write_bytes(b'')
    return path.with_suffix('.mcap')


def empty_folder(path):
    path.mkdir()
    return path


def damaged_metadata(path):
    bag = write(path, drive())
    (bag / 'metadata.yaml').write_text('rosbag2_bagfile_information: [\n')
    return bag


def metadata_alone(path):
    bag = write(path, drive())
    (bag / 'bag.mcap').unlink()
    return bag


def damaged_definition(path):
    bag = write(path, drive())
    content = (bag / 'bag.mcap').read_bytes()
    (bag / 'bag.mcap').write_bytes(content.replace(b'float64[] position', b'float64[] posit(on'))
    return bag


@pytest.mark.parametrize('make, texts', [
    (constant_stamps, ["topic '/joint_states'", 'the same in every message', 'stamp: receive']),
    (zero_stamps, ["topic '/joint_states'", 'stamps of zero', '--allow unset-stamps']),
    (other_clock, ["'/joint_states'", "'/cmd_vel'", '500,000.0 s', '--allow clocks']),
    (empty_names, ["topic 'joint_states'", "unknown joint 'left'", '--allow partial-joints']),
    (whole_of_nan, ["'joint_states position[left]' is NaN", '--allow non-finite']),
    (custom_type, ["topic '/joint_states'", 'type my_robot/msg/Joints; the robot interface']),
    (odd.without_messages, ["unknown topic '/joint_states'", 'allowed: none']),
    (empty_file, ["bag.mcap' cannot be read", 'empty']),
    (empty_folder, ['holds no bag']),
    (damaged_metadata, ['metadata.yaml: not valid YAML']),
    (metadata_alone, ['has no data file']),
    (damaged_definition, ["topic '/joint_states'", 'definition of sensor_msgs/msg/JointState']),
])
def test_a_bag_that_cannot_be_loaded_right_is_refused(workplace, make, texts):
    line = workplace.refusal(make(workplace.folder / 'bag'))
    assert [text for text in texts if text not in line] == [], line


@pytest.mark.parametrize('make', [constant_stamps, zero_stamps, other_clock])
def test_bags_with_unusable_stamps_load_by_receive_time(workplace, make):
    dataset = workplace.convert(make(workplace.folder / 'bag'), BY_RECEIVE)
    assert len(dataset.rewards) == 30 and dataset.observations[1, 0] == pytest.approx(1.05)


def test_a_custom_type_without_a_definition_that_is_asked_for_is_refused(workplace):
    robot = ROBOT.replace('sensor_msgs/msg/JointState', 'my_robot/msg/Joints')
    line = workplace.refusal(custom_type(workplace.folder / 'bag'), robot)
    assert 'my_robot/msg/Joints, which is not defined in the bag' in line


@pytest.mark.parametrize('effort, text', [
    ([], "field 'effort' has 0 values for 2 joints"),
    ([math.nan, 1.0], "'joint_states effort[left]' is NaN"),
])
def test_effort_that_is_empty_or_nan_is_refused_where_it_is_asked_for(workplace, usual, effort,
                                                                      text):
    entries = drive()
    for entry in entries:
        if entry.topic == '/joint_states':
            entry.message.effort = np.array(effort)
    bag = write(workplace.folder / 'bag', entries)
    assert text in workplace.refusal(bag, ROBOT.replace('velocity]', 'velocity, effort]'))
    assert same(workplace.convert(bag), usual)


@pytest.mark.parametrize('old, new, texts', [
    ('topic: joint_states', 'topic: joint_state', ["unknown topic '/joint_state'",
                                                   "did you mean '/joint_states'?"]),
    ('topic: cmd_vel', 'topic: cmd_val', ["did you mean '/cmd_vel'?"]),
    ('sensor_msgs/msg/JointState', 'nav_msgs/msg/Odometry', [
        "topic '/joint_states' is of type sensor_msgs/msg/JointState",
        'says nav_msgs/msg/Odometry']),
    ('joints: [left, right]', 'joints: [left, rihgt]', ["unknown joint 'rihgt'",
                                                        "did you mean 'right'?"]),
    ('fields: [position', 'fields: [positon', ["field 'positon'", "did you mean 'position'?"]),
    ('twist.linear.x', 'twist.linaer.x', ["field 'twist.linaer.x'", "did you mean 'linear'?"]),
    ('twist.linear.x', 'twist.linear', ["topic 'cmd_vel'", 'of another kind']),
    ('joints: [left, right]', 'size: 3', ["field 'position' has 2 values", 'size: 3']),
])
def test_a_robot_yaml_that_does_not_fit_the_bag_names_what_does(workplace, old, new, texts):
    bag = write(workplace.folder / 'bag', drive())
    line = workplace.refusal(bag, ROBOT.replace(old, new))
    assert [text for text in texts if text not in line] == [], line


# --- what --allow relaxes

def test_a_name_that_cannot_be_allowed_is_refused_with_those_that_can(workplace):
    bag = write(workplace.folder / 'bag', drive())
    with pytest.raises(SystemExit) as ended:
        cli.main(workplace.arguments(bag, allow=['everything']))
    line = workplace.check_refused()
    assert ended.value.code == 2
    assert "'everything'" in line and all(name in line for name in ALLOWANCES)


def test_missing_parts_can_be_allowed(workplace, usual):
    bag = odd.split(workplace.folder / 'bag', missing=1)
    line = workplace.refusal(bag)
    assert '1 of its 3 parts are missing: bag_1.mcap' in line and '--allow missing-parts' in line
    dataset = workplace.convert(bag, allow=['missing-parts'])
    assert len(dataset.episode_lengths) == 2
    assert np.array_equal(dataset.observations[:5], usual.observations[:5].astype(np.float32))


def test_what_lies_before_damage_can_be_allowed(workplace):
    bag = write(workplace.folder / 'bag', drive(200.0))
    odd.flip(bag / 'bag.mcap', 1_500_000, length=9000)  # in the second chunk
    line = workplace.refusal(bag)
    assert "bag' cannot be read: " in line and '--allow damaged' in line
    dataset = workplace.convert(bag, allow=['damaged'])
    assert 500 < len(dataset.rewards) < 1500
    assert np.isfinite(dataset.observations).all()


@pytest.mark.parametrize('size', [0.01, 0.5, 0.99])
def test_a_bag_that_is_cut_is_refused(workplace, size):
    for storage in ('mcap', 'sqlite3', 'ros1'):
        path = workplace.folder / storage
        file = (odd.write_ros1(path.with_suffix('.bag'), drive()) if storage == 'ros1'
                else next(write(path, drive(), storage).glob('sqlite3.db3' if storage == 'sqlite3'
                                                             else 'mcap.mcap')))
        odd.cut(file, round(file.stat().st_size * size))
        assert f"bag '{workplace.folder}" in workplace.refusal(file)


def test_a_message_that_is_damaged_can_be_left_out(workplace, usual):
    entries = drive()
    bag = write(workplace.folder / 'bag', entries, 'sqlite3')
    odd.edit(bag, 'UPDATE messages SET data = substr(data, 1, 30) WHERE id IN (5, 15, 25)')
    assert 'a message cannot be deserialised' in workplace.refusal(bag)
    dataset = workplace.convert(bag, allow=['damaged'])
    assert len(dataset.rewards) == len(usual.rewards)


@pytest.mark.parametrize('change, text', [
    ("timestamp = 'soon'", 'is of another kind'),
    ('data = 7', 'is of another kind'),
    ("data = x'00010000'", 'a message is too short for its header')])
def test_rows_of_a_database_that_hold_something_else_are_refused(workplace, change, text):
    bag = odd.edit(write(workplace.folder / 'bag', drive(), 'sqlite3'),
                   f'UPDATE messages SET {change} WHERE id = 20')
    assert text in workplace.refusal(bag)


def test_fewer_messages_than_declared_can_be_allowed(workplace, usual):
    bag = odd.declare_more(write(workplace.folder / 'bag', drive()), 5)
    line = workplace.refusal(bag)
    assert "topic '/joint_states' declares 156 messages, and 151 were read" in line
    assert same(workplace.convert(bag, allow=['counts']), usual)


def test_clocks_that_disagree_can_be_allowed(workplace):
    entries = odd.stamps(drive(10.0), lambda stamp: stamp + 3 * SECOND, ['/joint_states'])
    bag = write(workplace.folder / 'bag', entries)
    line = workplace.refusal(bag)
    assert '3.0 s ahead' in line and '--allow clocks' in line
    assert len(workplace.convert(bag, allow=['clocks']).rewards) > 50


def test_messages_without_a_stamp_can_be_left_out(workplace, usual):
    entries = drive()
    odd.stamps([entry for entry in entries if entry.topic == '/joint_states'][3:5],
               lambda stamp: 0)
    bag = write(workplace.folder / 'bag', entries)
    assert '--allow unset-stamps' in workplace.refusal(bag)
    assert len(workplace.convert(bag, allow=['unset-stamps']).rewards) == len(usual.rewards)


def test_messages_without_all_joints_can_be_left_out(workplace, usual):
    entries = drive()
    for entry in entries:
        if entry.topic == '/joint_states' and entry.received_ns % (SECOND // 2) == SECOND // 10:
            entry.message = odd.joint_state(entry.received_ns, [9.0], names=['gripper'])
    bag = write(workplace.folder / 'bag', entries)
    line = workplace.refusal(bag)
    assert "unknown joint 'left'; allowed: gripper" in line and '--allow partial-joints' in line
    dataset = workplace.convert(bag, allow=['partial-joints'])
    assert len(dataset.rewards) == len(usual.rewards) and dataset.observations.max() < 3.5


def test_ticks_that_are_not_finite_can_be_left_out(workplace, usual):
    entries = drive()
    for entry in entries[60:70]:
        if entry.topic == '/joint_states':
            entry.message.velocity[1] = math.inf
    bag = write(workplace.folder / 'bag', entries)
    line = workplace.refusal(bag)
    assert "'joint_states velocity[right]' is" in line and '--allow non-finite' in line
    dataset = workplace.convert(bag, allow=['non-finite'])
    assert len(dataset.episode_lengths) == 2 and np.isfinite(dataset.next_observations).all()
    assert len(usual.rewards) - 5 < len(dataset.rewards) < len(usual.rewards)


def test_nothing_that_is_finite_is_refused_also_when_that_is_allowed(workplace):
    line = workplace.refusal(whole_of_nan(workplace.folder / 'bag'), allow=['non-finite'])
    assert 'no transition' in line


# --- whole or not at all

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
