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

"""Tests for nodes/control/clock_watch.py: literal times."""

import pytest

from iql_ros.nodes.control.clock_watch import ClockWatch

MS = 1_000_000
PERIOD = 20 * MS
HOUR = 3600 * 1000 * MS


def looks(watch, *pairs):
    """Return what is said at each pair (clock, monotonic) in milliseconds."""
    return [watch.look(now * MS, monotonic * MS) for now, monotonic in pairs]


def test_a_clock_that_goes_as_time_does_is_well():
    assert looks(ClockWatch(False, PERIOD), (0, 5), (20, 25), (41, 45), (60, 65)) == [''] * 4


@pytest.mark.parametrize('step, said', [
    (-3600_000, 'the clock jumped by -3600.000 s'), (500, 'the clock jumped by +0.500 s'),
    (99, ''), (-99, '')])
def test_a_step_of_the_system_clock_is_named_once(step, said):
    watch = ClockWatch(False, PERIOD)
    assert looks(watch, (0, 0), (20 + step, 20), (40 + step, 40)) == ['', said, '']


def test_a_slow_control_period_allows_a_step_of_its_length():
    assert looks(ClockWatch(False, 200 * MS), (0, 0), (170, 20)) == ['', '']


def test_a_simulated_clock_may_be_fast_or_slow_but_not_go_back():
    watch = ClockWatch(True, PERIOD)
    assert looks(watch, (0, 0), (200, 20), (201, 40)) == ['', '', '']
    assert looks(watch, (151, 60)) == ['the clock went back by 0.050 s']


def test_a_simulated_clock_that_leaps_is_named_unless_it_was_set_before_an_episode():
    watch = ClockWatch(True, PERIOD)
    assert looks(watch, (0, 0), (20, 20), (40, 40), (5_040, 60), (5_060, 80)) == [
        '', '', '', 'the clock jumped by +5.000 s', '']
    watch.restart()
    assert looks(watch, (9_000, 100), (9_020, 120)) == ['', '']


def test_a_simulated_clock_that_is_fast_all_the_time_does_not_leap():
    watch = ClockWatch(True, PERIOD)
    assert looks(watch, (0, 0), (300, 20), (500, 40), (1_500, 60)) == [''] * 4


def test_a_simulated_clock_that_stands_is_named_until_it_moves():
    watch = ClockWatch(True, PERIOD)
    assert looks(watch, (0, 0), (10, 10), (10, 210), (10, 211), (11, 230)) == [
        '', '', '', '/clock has stood still for 0.201 s', '']
    assert watch.standing(430 * MS) == '' and watch.standing(440 * MS) != ''


def test_a_clock_that_moves_rarely_has_its_own_measure():
    watch = ClockWatch(True, PERIOD)
    looks(watch, *((200 * step, 200 * step) for step in range(5)))
    assert watch.standing(1_199 * MS) == '' and watch.standing(1_201 * MS) != ''


def test_the_system_clock_is_never_said_to_stand():
    assert ClockWatch(False, PERIOD).standing(HOUR) == ''
