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

"""Tests for benchmarks/fault_campaign/judge.py: what must be found is found."""

import importlib.util
import math

from tests.places import ROOT

_SPEC = importlib.util.spec_from_file_location(
    'judge', ROOT / 'benchmarks' / 'fault_campaign' / 'judge.py')
judge = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(judge)

ALLOWED = judge.Allowed(low=(-0.3,), high=(0.3,), max_rate=(1.0,), stop=(0.0,), period=0.1)


def commands(*rows):
    """Return commands of (time [s], value), stamped when they came."""
    return [judge.Command(mono, round(mono * 1e9), (value,)) for mono, value in rows]


def unsafe(*rows):
    return {kind: len(cases)
            for kind, cases in judge.unsafe(commands(*rows), ALLOWED).items() if cases}


def test_commands_within_limits_and_rate_are_safe_and_the_stop_is_at_once():
    assert unsafe((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.0), (0.4, 0.1)) == {}


def test_a_command_that_is_not_finite_is_found():
    assert unsafe((0.0, 0.1), (0.1, math.nan), (0.2, 0.2)) == {'not finite': 1}


def test_a_command_beyond_its_limit_is_found():
    assert unsafe((0.0, 0.25), (0.1, 0.31), (0.2, 0.25)) == {'outside limits': 1}


def test_a_command_that_came_on_too_fast_is_found():
    assert unsafe((0.0, 0.1), (0.1, 0.21)) == {'too fast': 1}


def test_of_commands_that_were_lost_two_are_counted():
    assert unsafe((0.0, 0.0), (0.9, 0.3)) == {}
    assert unsafe((0.0, -0.1), (0.9, 0.3)) == {'too fast': 1}


def test_after_a_silence_the_commands_of_a_new_writer_are_counted():
    before, after = commands((0.0, 0.0), (9.0, 0.2))
    assert not judge.unsafe([before, after._replace(number=2)], ALLOWED)['too fast']
    assert judge.unsafe([before, after], ALLOWED)['too fast']


def test_between_two_ticks_a_whole_period_is_allowed_and_no_more():
    assert unsafe((0.0, 0.1), (0.05, 0.2)) == {}
    assert unsafe((0.0, 0.1), (0.05, 0.21)) == {'too fast': 1}


def test_the_first_stop_and_driving_after_it_are_found():
    heard = commands((0.0, 0.1), (0.1, 0.0), (0.2, 0.1), (0.3, 0.0))
    assert [stop.mono for stop in judge.stops(heard, ALLOWED)] == [0.1, 0.3]
    assert [each.mono for each in judge.driving(heard, ALLOWED, 0.1)] == [0.2]
    assert judge.stops(heard, ALLOWED, 0.15, 0.25) == []


def test_the_longest_gap_counts_the_ends_of_the_window():
    heard = commands((0.0, 0.0), (0.1, 0.0), (0.5, 0.0))
    assert judge.longest_gap(heard, 0.05, 0.55) == (0.1, 0.4)
    assert judge.longest_gap(heard, 0.45, 2.5) == (0.5, 2.0)
    assert judge.longest_gap([], 1.0, 2.0) == (1.0, 1.0)


def test_the_bare_timer_counts_in_the_window_alone():
    ticks = [(1.0, 1.25, 0), (2.0, 2.5, 0), (3.0, 3.0, 1)]
    assert judge.lateness(ticks, 0.9, 1.1) == 0.25
    assert judge.lateness(ticks, 2.4, 2.6) == 0.5     # it was still asleep when it began
    assert judge.lateness(ticks, 2.6, 2.9) == 0.0


def test_how_long_a_core_was_away_is_the_sum_of_its_timer_and_not_of_two():
    ticks = [(1.0, 1.25, 0), (1.5, 2.0, 0), (1.75, 2.25, 0), (1.0, 1.5, 1)]
    assert judge.away(ticks, 0.0, 9.0) == 1.0          # 1 to 1.25 and 1.5 to 2.25
    assert judge.away(ticks, 1.125, 1.625) == 0.375    # of the other: 1.125 to 1.5
    assert judge.away(ticks, 3.0, 4.0) == 0.0


def test_what_goes_through_two_processes_may_wait_for_two_cores():
    ticks = [(1.0, 1.25, 0), (1.5, 2.0, 0), (1.75, 2.25, 0), (1.0, 1.5, 1)]
    assert judge.waited(ticks, 0.0, 9.0) == 1.5
    assert judge.waited(ticks, 1.125, 1.625) == 0.625
    assert judge.waited([], 0.0, 9.0) == 0.0
