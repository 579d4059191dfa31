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

"""Tests for nodes/sentry/repeats.py."""

from iql_ros.files import share_folder
from iql_ros.nodes.sentry.repeats import COMMAND, HEARTBEAT, Repeats
from iql_ros.robot.robot_interface import parse_robot_interface

TEXT = (share_folder() / 'config' / 'robots' / 'diffbot.yaml').read_text()
MS = 1_000_000


def repeats(said):
    return Repeats(parse_robot_interface(
        TEXT.replace('    rule: mean\n', f'    rule: mean\n    {said}\n'), 'text'))


def test_what_nobody_asked_for_is_never_due():
    plain = repeats('measured: []')
    assert plain.due_ns() is None and plain.take(10 ** 12) == []


def test_a_command_is_due_a_period_after_the_last_and_the_rate_is_kept_when_a_look_is_late():
    each = repeats('publish_rate: 100')
    each.sent(0)
    assert each.due_ns() == 10 * MS and each.take(9 * MS) == []
    assert each.take(13 * MS) == [(COMMAND, 0)] and each.due_ns() == 20 * MS
    assert each.take(20 * MS) == [(COMMAND, 0)]


def test_what_was_missed_for_long_is_not_made_up_for():
    each = repeats('publish_rate: 100')
    each.sent(0)
    assert len(each.take(1000 * MS)) == 1
    assert [len(each.take(now * MS)) for now in (1001, 1002, 1003)] == [1, 0, 0]


def test_a_heartbeat_goes_by_itself():
    each = repeats('heartbeat: {topic: alive, type: std_msgs/msg/Bool, rate: 10}')
    each.sent(1000 * MS)
    assert each.take(1000 * MS) == [(HEARTBEAT, 0)]
    each.sent(1050 * MS)
    assert each.take(1060 * MS) == [(HEARTBEAT, 0)] and each.take(1090 * MS) == []
