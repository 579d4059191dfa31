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

"""Tests for words.py."""

import numpy as np
import pytest

from iql_ros.replay.summary import summarise
from iql_ros.replay.words import percent, words
from tests.replay.small_replay import judged_replay, small_replay


def test_all_that_is_known_is_said():
    assert words(summarise(judged_replay())) == [
        'At half of the ticks it would have sent what was commanded to within 55% of the range, '
        'at 19 of 20 to within 100% (the same, to the bit, at 25%).',
        'It differs most in one at 0.4 s: cmd_vel twist.angular.z -1.5 in place of 1.5.',
        'The gate would have changed its command at 25% of the ticks.',
        'It would have tripped at 1 tick, first in one at 0.4 s: too far.',
        "25% of the observations lie outside the range of its training data, most often by 'pose "
        "point.x' (25%).",
        'Its critic takes what it would have sent for better at 50% of the ticks, for worse at '
        '25%.',
        'An operator had control at 25% of the ticks.']


def test_a_policy_that_would_have_done_the_same_is_said_to():
    replay = small_replay(sent=small_replay().commanded, gated=np.zeros((4, 2), bool),
                          outside=np.zeros((4, 2), bool), trained_on=(0, 0, 0))
    assert words(summarise(replay)) == [
        'It would have sent what was commanded, to the bit, at every tick.',
        'The gate would have left all of its commands as they are.',
        'Every observation lies within the range of its training data.',
        'The checkpoint has no critic, which would say whether it takes that for better.']


def test_a_checkpoint_that_does_not_tell_its_range_is_said_to():
    assert any('does not tell the range' in text for text in words(summarise(small_replay())))


@pytest.mark.parametrize('share, text', [
    (0.0, '0%'), (0.0004, 'less than 0.1%'), (0.034, '3.4%'), (0.256, '26%'), (0.996, '99.6%'),
    (0.9996, 'more than 99.9%'), (1.0, '100%')])
def test_only_nothing_is_none_and_only_all_is_all(share, text):
    assert percent(share) == text
