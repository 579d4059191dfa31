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
from rosbags.typesys import get_typestore, Stores

from iql_ros.data.bags.writer import BagWriter
from iql_ros.data.rosbag import read_episodes
from iql_ros.files import InputError, share_folder
from iql_ros.robot.robot_interface import load_robot_interface, parse_robot_interface
from tests.robot.test_robot_interface import TEXT

STORE = get_typestore(Stores.ROS2_JAZZY)
PERIOD = 200_000_000  # [ns]
TOY = parse_robot_interface(
    TEXT[:TEXT.index('observation:')] + """
observation:
  - {topic: pose, type: geometry_msgs/msg/PointStamped, max_age: 0.2, fields: [point.x, point.y]}
""" + TEXT[TEXT.index('action:'):TEXT.index('task:')] + """
task: {reward: 'iql_ros.tasks:docking_cost', terminated: 'iql_ros.tasks:docked', time_limit: 2.0,
       success_reward: 7.0, episode: {topic: event}}
""", 'toy.yaml')


def header(stamp_ns):
    time = STORE.types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10 ** 9))
    return STORE.types['std_msgs/msg/Header'](stamp=time, frame_id='')


def pose(stamp_ns, x):
    point = STORE.types['geometry_msgs/msg/Point'](x=x, y=0.0, z=0.0)
    return 'pose', STORE.types['geometry_msgs/msg/PointStamped'](header(stamp_ns), point)


def command(stamp_ns, speed):
    vector = STORE.types['geometry_msgs/msg/Vector3']
    twist = STORE.types['geometry_msgs/msg/Twist'](vector(speed, 0.0, 0.0),
                                                   vector(0.0, 0.0, 0.0))
    return 'cmd_vel', STORE.types['geometry_msgs/msg/TwistStamped'](header(stamp_ns), twist)


def event(stamp_ns, kind):
    message = header(stamp_ns)
    message.frame_id = kind
    return 'event', message


def write_bag(path, messages, namespace='', storage='mcap', interval=3_000_000, first=0):
    """Write (topic, message) pairs in this order, received `interval` ns after each other."""
    with BagWriter(path, storage) as writer:
        for index, (topic, message) in enumerate(messages):
            writer.write(f'{namespace}/{topic}', message.__msgtype__, first + interval * index,
                         bytes(STORE.serialize_cdr(message, message.__msgtype__)))
    return path


def drive(start, positions):
    """Return a pose a tick from tick `start` on, and the command 0.01 * tick after each."""
    messages = []
    for tick, x in enumerate(positions, start=start):
        messages += [pose(tick * PERIOD, x), command(tick * PERIOD, 0.01 * tick)]
    return messages


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


def toy(old, new):
    assert old in TOY.text
    return parse_robot_interface(TOY.text.replace(old, new, 1), 'toy.yaml')


def test_labels_of_a_person_stand_for_what_the_bag_says_itself(tmp_path):
    bag = write_bag(tmp_path / 'bag', [*drive(0, [3.0] * 8), event(0, 'start')],
                    interval=PERIOD // 2)
    labels = tmp_path / 'labels.csv'
    labels.write_text('bag,start,end,outcome\nbag,0.2,0.8,success\nbag,0.8,1.2,end\n')
    episodes, report = read_episodes([bag], TOY, labels=labels)
    assert [len(e.actions) for e in episodes] == [3, 2]
    assert episodes[0].rewards.tolist() == [-1.0, -1.0, 7.0] and episodes[0].terminations[-1]
    assert [end['ended'] for end in report['bags'][0]['episodes']] == ['success', 'end']


def test_a_bag_without_labels_keeps_what_it_says_itself(tmp_path):
    drives = [*drive(0, [3.0] * 8), event(2 * PERIOD, 'start'), event(4 * PERIOD, 'end')]
    for name in ('a', 'b'):
        write_bag(tmp_path / name, drives, interval=PERIOD // 2)
    (tmp_path / 'labels.csv').write_text('bag,start,end,outcome\na,0.2,0.8,success\n')
    episodes, _ = read_episodes([tmp_path], TOY, labels=tmp_path / 'labels.csv')
    assert [(len(e.actions), e.terminations[-1]) for e in episodes] == [(3, True), (2, False)]


def test_a_label_beyond_the_end_of_its_bag_is_refused(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0] * 8))
    labels = tmp_path / 'labels.csv'
    labels.write_text('bag,start,end,outcome\nbag,0,60,success\n')
    with pytest.raises(InputError, match='lasts 0.045 s; a label says .* ends at 60 s'):
        read_episodes([bag], TOY, labels=labels)


def test_labels_are_on_the_clock_of_the_recorder_also_where_headers_have_another(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(1, [3.0] * 8), interval=PERIOD // 2,
                    first=1_000_000 * 10 ** 9)
    labels = tmp_path / 'labels.csv'
    labels.write_text('bag,start,end,outcome\nbag,0.2,0.8,success\n')
    (episode,), _ = read_episodes([bag], TOY, labels=labels)
    assert episode.rewards.tolist() == [-1.0, -1.0, 7.0]


def test_what_was_executed_is_the_action_where_it_was_recorded(tmp_path):
    gated = toy('rule: mean', 'rule: mean\n    executed: cmd_vel_out')
    messages = drive(0, [3.0] * 4)
    twins = [('cmd_vel_out', command(tick * PERIOD, 0.2)[1]) for tick in range(4)]
    (asked,), _ = read_episodes([write_bag(tmp_path / 'a', messages)], gated)
    (sent,), report = read_episodes([write_bag(tmp_path / 'b', messages + twins)], gated)
    assert np.allclose(asked.actions[:, 0], [0.0, 0.01, 0.02])
    assert np.allclose(sent.actions[:, 0], 0.2)
    assert '/cmd_vel_out' in [stream['topic'] for stream in report['bags'][0]['streams']]


def test_a_topic_can_be_seen_and_commanded(tmp_path):
    both = toy('fields: [point.x, point.y]}', """fields: [point.x, point.y]}
  - {topic: cmd_vel, type: geometry_msgs/msg/TwistStamped, max_age: 0.5, fields: [twist.linear.x]}
""")
    (episode,), _ = read_episodes([write_bag(tmp_path / 'bag', drive(0, [3.0] * 4))], both)
    assert np.allclose(episode.observations[:, 2], [0.0, 0.01, 0.02, 0.03])
    assert np.allclose(episode.actions[:, 0], [0.0, 0.01, 0.02])


def test_streams_whose_clocks_disagree_are_refused_by_name(tmp_path):
    messages = [message for tick in range(5)
                for message in (pose(tick * PERIOD, 3.0),
                                command(tick * PERIOD + 500_000 * 10 ** 9, 0.1))]
    bag = write_bag(tmp_path / 'bag', messages, interval=PERIOD // 2)
    with pytest.raises(InputError, match="'/cmd_vel', by its header, runs 499,999.9 s ahead of "
                                         "topic '/pose', by its header; say stamp: receive"):
        read_episodes([bag], TOY)


def test_headers_that_never_change_are_refused_and_receive_time_serves(tmp_path):
    messages = [message for tick in range(5)
                for message in (pose(77, 3.0), command(tick * PERIOD, 0.1))]
    bag = write_bag(tmp_path / 'bag', messages, interval=PERIOD // 2)
    with pytest.raises(InputError, match="'/pose': the header's stamp is the same in every mess"):
        read_episodes([bag], TOY)
    receive = toy('max_age: 0.2,', 'max_age: 0.2, stamp: receive,')
    assert len(read_episodes([bag], receive)[0]) == 1


def test_messages_without_a_stamp_are_refused_or_left_out(tmp_path):
    messages = [*drive(10, [3.0] * 4), pose(0, 3.0)]
    bag = write_bag(tmp_path / 'bag', messages, interval=PERIOD // 2, first=10 * PERIOD)
    with pytest.raises(InputError, match="'/pose' has header stamps of zero; say stamp: receive"):
        read_episodes([bag], TOY)
    (episode,), report = read_episodes([bag], TOY, allow=['unset-stamps'])
    assert len(episode.actions) == 3 and len(report['bags'][0]['notes']) == 1


def test_a_clock_set_back_ends_the_episode(tmp_path):
    messages = drive(100, [3.0] * 4) + drive(0, [2.0] * 4)
    episodes, report = read_episodes([write_bag(tmp_path / 'bag', messages)], TOY)
    assert [e.observations[0, 0] for e in episodes] == [3.0, 2.0]
    assert report['bags'][0]['ended'] == {'clock set back': 1, 'end of bag': 1}


def test_the_report_counts_every_tick_and_the_ages_of_the_streams(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0] * 4) + drive(20, [3.0] * 4))
    _, report = read_episodes([bag], TOY)
    read, = report['bags']
    assert read['ticks'] == read['used'] + len(read['episodes']) + sum(read['dropped'].values())
    stream = read['streams'][0]
    assert (stream['topic'], stream['role'], stream['stamp']) == ('/pose', 'observation', 'header')
    assert stream['messages'] == stream['declared'] == 8
    assert sum(stream['age']['counts']) == 9  # the last of the first drive serves one tick more
    assert report['actions'][0]['maximum'] == pytest.approx(0.22)
    assert report['observations'][1]['constant']


def test_progress_is_told_of_a_bag_and_what_it_declares(tmp_path):
    told = []
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0] * 4))
    read_episodes([bag], TOY, on_progress=lambda bag, *counts: told.append(counts))
    assert told == [(0, 8)]
