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

"""Tests for rows.py: a row a tick, every number to the bit."""

import csv
import io

import numpy as np

from iql_ros.replay.rows import csv_text, header
from tests.replay.small_replay import judged_replay, small_replay


def rows(replay):
    return list(csv.DictReader(io.StringIO(csv_text(replay))))


def test_a_row_has_all_that_is_known_of_a_tick():
    assert rows(judged_replay())[2] == {
        'bag': 'one', 'episode': '0', 'tick': '2', 'stamp': '400000000', 'seconds': '0.4',
        'cmd_vel twist.linear.x commanded': '0.3', 'cmd_vel twist.linear.x wanted': '0.3',
        'cmd_vel twist.linear.x sent': '0.3', 'cmd_vel twist.angular.z commanded': '1.5',
        'cmd_vel twist.angular.z wanted': '-1.5', 'cmd_vel twist.angular.z sent': '-1.5',
        'gated': '', 'trip': 'too far', 'operator': '0', 'outside': 'pose point.x',
        'advantage': '-1.0'}


def test_what_is_not_known_is_empty_and_what_the_gate_changed_is_named():
    sent = small_replay().sent
    sent[1, 0] = np.nan
    second = rows(small_replay(sent=sent))[1]
    assert second['gated'] == 'cmd_vel twist.linear.x'
    assert [second[name] for name in ('cmd_vel twist.linear.x sent', 'outside', 'advantage')] == [
        '', '', '']


def test_a_number_is_read_back_to_the_bit():
    sent = np.full((4, 2), 0.1) * [[1.0, 3.0]]
    name = header(small_replay())[10]
    assert name == 'cmd_vel twist.angular.z sent'
    assert [float(row[name]) for row in rows(small_replay(sent=sent))] == sent[:, 1].tolist()
