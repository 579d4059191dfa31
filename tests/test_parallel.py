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

"""Tests for parallel.py."""

import functools
import importlib.util
import os
import signal

import pytest

from iql_ros.files import InputError
from iql_ros.parallel import mapping


def square(number):
    """Return it, and who worked it out."""
    return number * number, os.getpid()


def refuse(number):
    """Refuse three."""
    if number == 3:
        raise InputError('three: expected another')
    return number


def end(number):
    """Be killed at three."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize('jobs', [1, 2])
def test_results_come_in_order_and_of_other_processes(jobs):
    with mapping(jobs=jobs) as each:
        results = list(each(square, range(20)))
    assert [value for value, _ in results] == [number * number for number in range(20)]
    assert (os.getpid() in {who for _, who in results}) == (jobs == 1)


def test_what_a_function_refuses_is_refused_with_its_words():
    with pytest.raises(InputError, match='^three: expected another$'), mapping(jobs=2) as each:
        list(each(refuse, range(5)))


def test_a_process_that_is_killed_is_said():
    with pytest.raises(InputError, match='was killed, perhaps for want of memory'), \
            mapping(jobs=2) as each:
        list(each(end, range(5)))


def test_ray_gives_the_same_results_and_refuses_with_the_same_words():
    if not importlib.util.find_spec('ray'):
        pytest.skip('Ray is not installed')
    with mapping('ray') as each:
        assert [value for value, _ in each(square, range(4))] == [0, 1, 4, 9]
        with pytest.raises(InputError, match='^three: expected another$'):
            list(each(functools.partial(refuse), range(5)))
