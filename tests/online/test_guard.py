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

"""Tests for guard.py."""

import json

import pytest

from iql_ros.online.guard import Guard


def judge(guard, *scores):
    return [guard.add({'return_mean': -50.0, 'success_rate': score}) for score in scores]


def test_the_first_evaluation_and_every_better_one_is_the_best():
    guard = Guard(3, 0.1)
    assert judge(guard, 0.5, 0.4, 0.5, 0.6) == ['best', None, None, 'best']
    assert (guard.start, guard.best) == (0.5, 0.6)


def test_it_drops_when_the_mean_of_the_last_few_lies_too_far_below_the_start():
    assert judge(Guard(3, 0.1), 0.5, 0.4, 0.35, 0.39) == ['best', None, None, 'drop']
    assert judge(Guard(3, 0.1), 0.5, 0.41, 0.41, 0.41) == ['best', None, None, None]


def test_one_bad_evaluation_alone_is_no_fall():
    assert judge(Guard(3, 0.1), 0.5, 0.5, 0.3, 0.5, 0.5) == ['best'] + 4 * [None]


def test_nothing_is_judged_before_there_are_enough_evaluations():
    assert judge(Guard(3, 0.1), 0.5, 0.0) == ['best', None]


def test_after_a_drop_it_counts_anew():
    guard = Guard(2, 0.1)
    assert judge(guard, 0.5, 0.2, 0.2, 0.2, 0.2) == ['best', 'drop', None, 'drop', None]


@pytest.mark.parametrize('start, last, verdict', [
    (-50.0, -54.9, None), (-50.0, -55.1, 'drop'), (1000.0, 901.0, None), (1000.0, 899.0, 'drop'),
    (0.0, -0.1, 'drop')])
def test_where_nobody_says_what_success_is_a_share_of_the_return_counts(start, last, verdict):
    guard = Guard(1, 0.1)
    assert guard.add({'return_mean': start}) == 'best'
    assert guard.add({'return_mean': last}) == verdict


def test_it_goes_on_from_its_state_as_if_it_had_never_stopped():
    one, two = Guard(3, 0.1), Guard(3, 0.1)
    judge(one, 0.5, 0.4, 0.35)
    two.restore(json.loads(json.dumps(one.state())))
    assert judge(one, 0.39, 0.6, 0.2) == judge(two, 0.39, 0.6, 0.2) == ['drop', 'best', None]
    assert one.state() == two.state()
