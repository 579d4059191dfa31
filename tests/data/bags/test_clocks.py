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

"""Tests for bags/clocks.py."""

import pytest

from iql_ros.data.bags.clocks import check_clocks, jumped_back, ticks_offset_ns
from iql_ros.data.bags.reader import Bag
from iql_ros.data.bags.robot_streams import find_streams
from iql_ros.data.bags.samples import BagSamples
from iql_ros.data.rosbag import read_episodes
from iql_ros.files import InputError
from iql_ros.robot.task import Task
from tests.data.toy_bags import command, drive, PERIOD, pose, TOY, toy, write_bag

SECOND = 1_000_000_000  # [ns]


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


def test_streams_without_messages_are_no_clocks(tmp_path):
    with Bag(write_bag(tmp_path / 'bag', drive(0, [3.0, 2.0]))) as bag:
        readings = BagSamples(bag, TOY, find_streams(bag, TOY, Task(TOY), None), []).readings
        check_clocks(bag, readings, whole=True)
        for reading, offset_s in zip(readings, (0.0, 2.0)):
            reading.statistics.add(10 ** 10, 10 ** 10 - round(offset_s * 1e9))
        check_clocks(bag, readings, whole=False)
        with pytest.raises(InputError, match='runs 2.0 s ahead of'):
            check_clocks(bag, readings, whole=True)


@pytest.mark.parametrize('offset_s, found_s', [(0.9, 0.0), (1.5, 1.5), (-400.0, -400.0)])
def test_what_a_delay_explains_is_no_other_clock(tmp_path, offset_s, found_s):
    with Bag(write_bag(tmp_path / 'bag', drive(0, [3.0, 2.0]))) as bag:
        readings = BagSamples(bag, TOY, find_streams(bag, TOY, Task(TOY), None), []).readings
        assert ticks_offset_ns(readings) == 0
        readings[0].statistics.add(10 ** 12, 10 ** 12 - round(offset_s * 1e9))
        assert ticks_offset_ns(readings) == found_s * 1e9


def test_a_message_out_of_order_is_no_jump_of_the_clock():
    assert not jumped_back(4 * SECOND, 5 * SECOND) and jumped_back(4 * SECOND, 5 * SECOND + 1)
