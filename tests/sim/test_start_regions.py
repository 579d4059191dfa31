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

"""Tests for start_regions.py."""

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.sim.start_regions import drawn, finite_number, start_region

DEFAULT = {'x': (0.0, 1.0), 'z': (0.2, 0.4)}


def test_what_nobody_says_is_the_default():
    assert start_region(None, DEFAULT, DEFAULT) == DEFAULT
    assert start_region({'x': [0.5, 0.5]}, DEFAULT, DEFAULT) == {'x': (0.5, 0.5), 'z': (0.2, 0.4)}


@pytest.mark.parametrize('start, message', [
    ({'y': [0, 1]}, "'y'"), ({'x': 0.5}, 'start: x: got 0.5; expected [low, high]'),
    ({'x': [0.0, 2.0]}, 'start: x: got [0.0, 2.0]; allowed: [low, high] inside [0, 1]'),
    ({'x': [0.5, float('nan')]}, 'start: x: got nan; expected a finite number')])
def test_what_cannot_be_is_refused_in_one_line(start, message):
    with pytest.raises(InputError) as error:
        start_region(start, DEFAULT, DEFAULT)
    assert message in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('value', [True, '1', float('inf'), None])
def test_only_a_finite_number_is_a_number(value):
    with pytest.raises(InputError, match='payload: got .*; expected a finite number'):
        finite_number('payload', value)


def test_starts_are_drawn_from_the_whole_region():
    rng = np.random.default_rng(0)
    starts = np.array([drawn(DEFAULT, rng) for _ in range(200)])
    assert (starts.min(axis=0) >= [0.0, 0.2]).all() and (starts.max(axis=0) <= [1.0, 0.4]).all()
    assert (np.ptp(starts, axis=0) > [0.9, 0.18]).all()
