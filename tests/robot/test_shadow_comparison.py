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

"""Tests for shadow_comparison.py."""

import numpy as np

from iql_ros.robot.shadow_comparison import ShadowComparison

NAN = float('nan')
ROWS = (  # what would be sent, what was commanded, what of it the gate would let through
    ([0.1, 0.0], [0.3, 0.5], [True, False]),
    ([0.2, 0.0], [0.2, NAN], [True, True]),
    ([0.2, 0.0], [NAN, NAN], [True, True]))


def compared():
    comparison = ShadowComparison(['speed', 'turn'], [-0.5, -1.0], [0.5, 1.0])
    for row in ROWS:
        comparison.add(*map(np.array, row))
    return comparison


def test_only_what_somebody_commanded_is_compared():
    comparison = compared()
    assert (comparison.ticks, comparison.compared) == (3, 1)
    assert comparison.figures() == {'speed': (np.mean([0.3 - 0.1, 0.0]), 0.3 - 0.1, 1.0),
                                    'turn': (0.5, 0.5, 0.0)}


def test_the_words_tell_difference_and_share_of_every_value():
    assert compared().describe() == {
        'ticks compared': '1 of 3',
        'difference speed': 'mean 0.1 (10.0% of its range), at most 0.2',
        'commanded within the gate speed': '100.0%',
        'difference turn': 'mean 0.5 (25.0% of its range), at most 0.5',
        'commanded within the gate turn': '0.0%'}


def test_what_nobody_commands_has_no_figures():
    comparison = compared()
    comparison.clear()
    assert comparison.figures() == {} and comparison.describe() == {'ticks compared': '0 of 0'}
