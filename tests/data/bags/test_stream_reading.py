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

"""Tests for stream_reading.py and joint_lists.py, by bags that are converted."""

import math

import numpy as np
import pytest

from iql_ros.data.bags.joint_lists import JointLists
from iql_ros.files import InputError
from tests.data.bags import oddities as odd
from tests.data.bags.make_bag import header, make, SECOND, STORE, STORE1
from tests.data.bags.oddities import drive, Entry, ROBOT, START, write, write_ros1

SCANNER = ROBOT.replace('action:', """  - {topic: scan, type: sensor_msgs/msg/LaserScan, beams: 2,
     max_age: 0.25, fields: [ranges]}
action:""")
PERIOD = SECOND // 10


def scan(stamp_ns, ranges):
    return Entry('/scan', stamp_ns, make(
        'sensor_msgs/msg/LaserScan', header=header(stamp_ns), angle_min=0.0, angle_max=1.0,
        angle_increment=0.1, time_increment=0.0, scan_time=0.1, range_min=0.2, range_max=8.0,
        ranges=np.array(ranges, np.float32), intensities=np.zeros(0, np.float32)))


def with_scans(ranges_of):
    """Return a drive of 3 s and a scan every 0.1 s, whose ranges are a function of its number."""
    entries = drive() + [scan(START + number * PERIOD, ranges_of(number)) for number in range(31)]
    return sorted(entries, key=lambda entry: entry.received_ns)


@pytest.mark.parametrize('ranges, expected', [
    ([1.0, math.nan, 3.0, math.nan], [1.0, 3.0]),          # NaN is no reading
    ([-math.inf, 1.0, math.inf, math.inf], [0.2, 8.0]),    # too close, and nothing in range
    ([0.05, 1.0, 0.0, 2.0], [1.0, 2.0]),                   # nearer than can be measured: none
    ([9.0, 20.0, math.inf, 100.0], [8.0, 8.0])])           # farther than can be measured
def test_a_scan_is_read_as_rep_117_has_it(workplace, ranges, expected):
    bag = write(workplace.folder / 'bag', with_scans(lambda number: ranges))
    observations = workplace.convert(bag, SCANNER).observations[:, 4:]
    assert (observations == np.float32(expected)).all() and len(observations) == 30


@pytest.mark.parametrize('nothing', [math.nan, 0.0])
def test_a_scan_with_a_sector_without_a_reading_is_no_sample(workplace, nothing, capsys):
    blind = [1.0, 2.0, nothing, nothing]
    bag = write(workplace.folder / 'bag', with_scans(
        lambda number: blind if 10 <= number < 16 else [1.0 + number, 2.0, 3.0, 4.0]))
    dataset = workplace.convert(bag, SCANNER)
    # the scan of 0.9 s counts for max_age, to 1.1 s; then none does until 1.6 s
    assert dataset.episode_lengths.tolist() == [11, 14]
    assert dataset.observations[8:11, 4].tolist() == [2.0] * 3
    said = capsys.readouterr().out
    assert "topic '/scan': no sample, as a sector of the scan has no reading" in said
    assert '6 times, first 1.000 s after the start of the bag' in said
    clear = SCANNER.replace('beams: 2', 'beams: 2, unseen: range_max')
    dataset = workplace.convert(bag, clear, dataset='odd/clear-v0')
    assert dataset.observations[10:16, 5].tolist() == [8.0] * 6


def test_a_bag_in_which_nothing_was_seen_is_refused_with_the_reason(workplace):
    bag = write(workplace.folder / 'bag', with_scans(lambda number: [math.nan] * 4))
    assert 'ticks: no scan young enough' in workplace.refusal(bag, SCANNER)


@pytest.mark.parametrize('change, reason', [
    (lambda message: setattr(message, 'position', message.position[:1]),
     "field 'position' has 1 values for 2 joints"),
    (lambda message: setattr(message, 'name', []), 'its list of joints is empty')])
def test_ticks_that_see_an_unfit_message_are_left_out_by_name(workplace, usual, change, reason):
    entries = drive()
    states = [entry for entry in entries if entry.topic == '/joint_states']
    for entry in (states[48], states[50]):  # at 0.96 s, which no tick sees, and at 1 s
        change(entry.message)
    bag = write(workplace.folder / 'bag', entries)
    line = workplace.refusal(bag)
    assert reason in line and ' s after the start of the bag (--allow unfit-messages' in line
    dataset = workplace.convert(bag, allow=['unfit-messages'])
    assert dataset.episode_lengths.tolist() == [9, 19]
    assert np.array_equal(dataset.observations[:9], usual.observations[:9])
    assert np.array_equal(dataset.observations[9:], usual.observations[11:-1])


def test_a_topic_without_any_of_the_joints_is_refused_with_those_it_has(workplace):
    entries = drive()
    for entry in entries:
        if entry.topic == '/joint_states':
            entry.message.name = ['shoulder', 'elbow']
    bag = write(workplace.folder / 'bag', entries)
    line = workplace.refusal(bag)
    assert "unknown joint 'left'" in line and 'shoulder, elbow' in line


def with_second_publisher(value_of):
    """Return a drive with joint states of another order between, a value at each number."""
    entries = drive()
    for number in range(29):
        stamp = START + number * PERIOD + 97_000_000
        entries.append(Entry('/joint_states', stamp, odd.joint_state(
            stamp, value_of(number)[::-1], names=['right', 'left'])))
    return sorted(entries, key=lambda entry: entry.received_ns)


def test_publishers_that_agree_are_noted_and_no_more(workplace, capsys):
    bag = write(workplace.folder / 'bag', with_second_publisher(
        lambda number: [1.0 + 0.05 * number + 0.0485, 2.0]))
    dataset = workplace.convert(bag)
    assert len(dataset.rewards) == 30
    assert 'its list of joints changes; the values agree' in capsys.readouterr().out


def test_publishers_that_disagree_where_no_tick_sees_it_are_none_to_refuse(workplace):
    bag = write(workplace.folder / 'bag', with_second_publisher(lambda number: [0.0, 0.0]))
    assert workplace.convert(bag).observations[:, 0].min() == 1.0


def test_publishers_that_disagree_are_refused_in_ros1_bags_too(workplace):
    entries = with_second_publisher(lambda number: [0.0, 0.0])
    entries = [entry for entry in entries if not (
        entry.topic == '/joint_states' and (entry.received_ns - START) % PERIOD == 0)]
    bag = write_ros1(workplace.folder / 'bag.bag', entries)
    line = workplace.refusal(bag)
    assert "topic '/joint_states': 29 of 29 ticks see messages with another list" in line
    assert '--allow publishers' in line


@pytest.mark.parametrize('store', [STORE, STORE1])
def test_lists_are_told_apart_by_the_bytes_that_begin_a_message(store):
    def data(names):
        message = odd.joint_state(5, [0.0] * len(names), names=names)
        if store is STORE:
            return bytes(store.serialize_cdr(message, message.__msgtype__))
        message.header.seq = 7
        return bytes(store.serialize_ros1(message, message.__msgtype__))
    lists = JointLists(ros1=store is STORE1)
    assert lists.index(data(['a', 'bcd'])) is None
    assert lists.learn(data(['a', 'bcd'])) == 0
    assert lists.learn(data(['bcd', 'a'])) == 1
    assert [lists.index(data(names)) for names in (
        ['a', 'bcd'], ['bcd', 'a'], ['a'], ['a', 'bcd', 'e'])] == [0, 1, None, None]
    with pytest.raises(InputError, match='longer than its message'):
        lists.learn(data(['a', 'bcd'])[:24])
