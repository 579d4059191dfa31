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

"""Tests for rosbag.py."""

import numpy as np
import pytest

from iql_ros.data.rosbag import read_episodes
from iql_ros.files import InputError, share_folder
from iql_ros.robot.robot_interface import load_robot_interface
from tests.data.toy_bags import command, drive, event, header, PERIOD, pose, TOY, write_bag


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('namespace', ['', '/sim'])
def test_a_bag_becomes_transitions_unshifted(tmp_path, storage, namespace):
    bag = write_bag(tmp_path / 'bag', drive(10, [3.0, 2.0, 1.0, 0.5]), namespace, storage)
    (episode,), report = read_episodes([bag], TOY)
    assert episode.observations[:, 0].tolist() == [3.0, 2.0, 1.0, 0.5]
    assert np.allclose(episode.actions[:, 0], [0.10, 0.11, 0.12])
    assert episode.rewards.tolist() == [-1.0, -1.0, -1.0]
    assert not episode.terminations.any() and episode.truncations.tolist() == [0, 0, 1]
    assert report['bags'][0]['ended'] == {'end of bag': 1}


def test_only_the_task_terminates(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0, 2.0, 0.0]))
    (episode,), report = read_episodes([bag], TOY)
    assert episode.terminations.tolist() == [False, True]
    assert not episode.truncations.any() and episode.rewards.tolist() == [-1.0, 0.0]
    assert report['bags'][0]['ended'] == {'terminated': 1}


def test_a_gap_ends_the_episode_as_truncated_and_nothing_crosses_it(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0, 2.9]) + drive(20, [1.0, 0.9, 0.8]))
    episodes, report = read_episodes([bag], TOY)
    assert [e.observations[:, 0].tolist() for e in episodes] == [[3.0, 2.9, 2.9], [1.0, 0.9, 0.8]]
    assert report['bags'][0]['ended'] == {'no pose young enough': 1, 'end of bag': 1}


def test_the_time_limit_truncates_and_the_drive_goes_on_as_the_next_episode(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0] * 15))
    episodes, _ = read_episodes([bag], TOY)
    assert [len(e.actions) for e in episodes] == [10, 4]


def test_marks_cut_the_episodes_and_say_success(tmp_path):
    messages = drive(0, [3.0, 2.9, 2.8, 2.7, 2.6, 2.5])
    messages += [event(1 * PERIOD, 'start'), event(3 * PERIOD, 'success'),
                 event(4 * PERIOD, 'start'), event(5 * PERIOD, 'end')]
    episodes, report = read_episodes([write_bag(tmp_path / 'bag', messages)], TOY)
    assert [e.observations[:, 0].tolist() for e in episodes] == [[2.9, 2.8, 2.7], [2.6, 2.5]]
    assert episodes[0].rewards.tolist() == [-1.0, 7.0] and episodes[0].terminations[-1]
    assert episodes[1].truncations[-1]


def test_every_bag_of_a_folder_is_read_and_its_end_truncates(tmp_path):
    for name in ('b', 'a'):
        write_bag(tmp_path / name, drive(0, [3.0, 2.0]))
    episodes, report = read_episodes([tmp_path], TOY)
    assert len(episodes) == 2 and [bag['file'] for bag in report['bags']] == ['a', 'b']


@pytest.mark.parametrize('messages, text', [
    ([pose(0, 1.0), pose(PERIOD, 1.0)], "unknown topic '/cmd_vel'"),
    ([('pose', header(0)), command(0, 0.0)], "'/pose' is of type std_msgs/msg/Header; the robot"),
])
def test_a_bag_without_the_robots_streams_is_refused(tmp_path, messages, text):
    with pytest.raises(InputError, match=text):
        read_episodes([write_bag(tmp_path / 'bag', messages)], TOY)


def test_two_robots_in_one_bag_need_a_namespace(tmp_path):
    messages = [(f'{robot}/{topic}', message) for robot in ('r1', 'r2')
                for topic, message in drive(0, [3.0, 2.0])]
    bag = write_bag(tmp_path / 'bag', messages)
    with pytest.raises(InputError, match='--namespace: /r1, /r2'):
        read_episodes([bag], TOY)
    assert len(read_episodes([bag], TOY, 'r2')[0]) == 1


def test_a_cut_and_a_missing_bag_are_refused_on_one_line(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0] * 50))
    data = next(bag.glob('*.mcap'))
    data.write_bytes(data.read_bytes()[:1000])
    for source in (bag, tmp_path / 'absent', tmp_path):
        if source == tmp_path:
            source = tmp_path / 'empty'
            source.mkdir()
        with pytest.raises(InputError) as error:
            read_episodes([source], TOY)
        assert '\n' not in str(error.value)


@pytest.mark.parametrize('storage, suffix', [('mcap', 'mcap'), ('sqlite3', 'db3')])
def test_a_bag_with_damaged_bytes_is_refused_on_one_line(tmp_path, storage, suffix):
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0] * 200), storage=storage)
    data, = bag.glob(f'*.{suffix}')
    content = bytearray(data.read_bytes())
    middle = len(content) // 2 if storage == 'sqlite3' else 400  # inside pages, inside a chunk
    content[middle:middle + 1000] = 1000 * b'x'
    data.write_bytes(content)
    with pytest.raises(InputError, match="bag '.*' cannot be read: ") as error:
        read_episodes([bag], TOY)
    assert '\n' not in str(error.value)


def test_the_sample_recording_converts_whole():
    robot = load_robot_interface(share_folder() / 'config' / 'robots' / 'diffbot.yaml')
    episodes, report = read_episodes([share_folder() / 'share' / 'diffbot_recording'], robot)
    assert len(episodes) == 210
    assert {bag['file']: bag['ended'] for bag in report['bags']}['dock_good'] == {'terminated': 30}
    for episode in episodes:
        assert len(episode.observations) == len(episode.actions) + 1 <= 101
        assert np.all(np.abs(np.hypot(*episode.observations[:, 2:4].T) - 1) < 1e-9)
