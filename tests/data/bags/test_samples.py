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

"""Tests for bags/samples.py."""

import numpy as np
import pytest

from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.labels import Label
from iql_ros.data.bags.reader import Bag
from iql_ros.data.bags.robot_streams import find_streams
from iql_ros.data.bags.samples import BagSamples
from iql_ros.data.rosbag import read_episodes
from iql_ros.files import InputError
from iql_ros.robot.task import Task
from tests.data.bags.oddities import edit
from tests.data.toy_bags import command, drive, event, PERIOD, pose, TOY, toy, write_bag


def read(path, interface=TOY, labels=(), allow=()):
    """Return the samples of a bag."""
    with Bag(path, Allowed(allow)) as bag:
        streams = find_streams(bag, interface, Task(interface), None)
        return list(BagSamples(bag, interface, streams, list(labels)))


def test_samples_come_by_their_stamps_with_the_stream_that_they_are_of(tmp_path):
    messages = [pose(2 * PERIOD, 3.0), command(PERIOD, 0.1), event(PERIOD, 'start')]
    found = read(write_bag(tmp_path / 'bag', messages))
    assert [(sample.stamp_ns, sample.number, sample.received_ns) for sample in found] == [
        (PERIOD, 1, 3_000_000), (PERIOD, 2, 6_000_000), (2 * PERIOD, 0, 0)]
    assert [sample.kind for sample in found] == ['action', 'event', 'observation']
    assert found[0].value.tolist() == [0.1, 0.0] and found[1].value == 'start'


@pytest.mark.parametrize('allow, waiting', [([], 3), (['damaged'], 0), (['partial-joints'], 0)])
def test_an_observation_waits_for_its_tick_unless_it_may_have_to_be_left_out(tmp_path, allow,
                                                                             waiting):
    messages = [pose(0, 3.0), pose(45_000_000, 2.9), pose(50_000_000, 2.8), pose(60_000_000, 2.7),
                command(0, 0.1)]
    found = read(write_bag(tmp_path / 'bag', messages), allow=allow)
    values = [sample.value for sample in found if sample.kind == 'observation']
    assert sum(callable(value) for value in values) == waiting  # not the first
    vectors = [value() if callable(value) else value for value in values]
    assert [vector[0] for vector in vectors] == [3.0, 2.9, 2.8, 2.7]
    assert all(value() is value() for value in values if callable(value))


def test_labels_are_events_at_the_receive_time_that_they_say(tmp_path):
    bag = write_bag(tmp_path / 'bag', [*drive(0, [3.0] * 4), event(0, 'end')],
                    interval=PERIOD // 2)
    events = [(sample.stamp_ns, sample.value)
              for sample in read(bag, labels=[Label(0.2, 0.5, 'success')])
              if sample.kind == 'event']
    assert events == [(200_000_000, 'start'), (500_000_000, 'success')]


@pytest.mark.parametrize('absent', ['pose', 'cmd_vel'])
def test_a_stream_without_messages_is_refused_at_the_end(tmp_path, absent):
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0] * 4), storage='sqlite3')
    edit(bag, 'DELETE FROM messages WHERE topic_id = '
              f"(SELECT id FROM topics WHERE name = '/{absent}')")
    with pytest.raises(InputError, match=f"no message on topic '/{absent}'"):
        read(bag, allow=['counts'])


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


def test_a_topic_can_be_seen_and_commanded(tmp_path):
    both = toy('fields: [point.x, point.y]}', """fields: [point.x, point.y]}
  - {topic: cmd_vel, type: geometry_msgs/msg/TwistStamped, max_age: 0.5, fields: [twist.linear.x]}
""")
    (episode,), _ = read_episodes([write_bag(tmp_path / 'bag', drive(0, [3.0] * 4))], both)
    assert np.allclose(episode.observations[:, 2], [0.0, 0.01, 0.02, 0.03])
    assert np.allclose(episode.actions[:, 0], [0.0, 0.01, 0.02])


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


def test_progress_is_told_of_a_bag_and_what_it_declares(tmp_path):
    told = []
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0] * 4))
    read_episodes([bag], TOY, on_progress=lambda bag, *counts: told.append(counts))
    assert told == [(0, 8)]
