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

"""Tests for page.py, figures.py and over_time.py: the page says what is known, and draws it."""

import re

import numpy as np
import pytest

from iql_ros.replay.page import page_text
from iql_ros.replay.summary import summarise
from tests.replay.small_replay import judged_replay, small_replay

pytest.importorskip('matplotlib')


def written(replay, policy='a.safetensors, acting by the mean'):
    """Return the text of a page without its pictures, and how many of these there are."""
    text = page_text(replay, summarise(replay), policy)
    return re.subn('src="data:image/png;base64,[^"]+"', '', text)


def long_replay(count=900):
    """Return a drive whose policy differs for a while, in two episodes."""
    commanded = np.full((count, 2), 0.1)
    sent = commanded + np.where((np.arange(count) > 600)[:, None], 0.1, 0.0)
    return small_replay(
        bag=np.zeros(count, int), episode=np.repeat([0, 1], count // 2), bags=('one',),
        tick=np.tile(np.arange(count // 2), 2), seconds=np.arange(count) / 5,
        stamp_ns=np.arange(count), observations=np.zeros((count, 2)), commanded=commanded,
        wanted=sent, sent=sent, gated=np.zeros((count, 2), bool), trip=np.full(count, ''),
        operated=np.zeros(count, bool))


def test_a_page_has_a_section_for_all_that_is_known():
    text, pictures = written(judged_replay())
    assert re.findall('<h2>(.+?)</h2>', text) == [
        'In short', 'Action by action', 'Where they differ most', 'Over time',
        'Where the gate would have tripped', 'Outside of what it was trained on',
        'What its critic says', 'How far to trust it', 'Noted while reading']
    assert pictures == 6   # the scatter, the moments, two bags, outside, the critic
    assert 'commanded to toy: 4 ticks at 5 Hz, 2 episodes, 2 bags' in text and 'too far' in text
    cell = text.replace('<wbr>', '')
    assert 'cmd_vel twist.angular.z -1.5 (1.5), cmd_vel twist.linear.x 0.3 (0.3)</td>' in cell


def test_what_is_not_known_is_left_out():
    text, pictures = written(small_replay())
    assert 'What its critic says' not in text and 'Outside of' not in text
    assert 'tripped' not in text and pictures == 4


def test_a_policy_that_would_have_done_the_same_differs_nowhere():
    text, _ = written(small_replay(sent=small_replay().commanded))
    assert '<p>Nowhere.</p>' in text


def test_of_a_long_bag_the_whole_is_drawn_and_the_part_that_differs_most():
    text, pictures = written(long_replay())
    assert 'The 250 ticks (shaded above) in which they differ most.' in text and pictures == 4


def test_of_many_bags_those_that_differ_most_are_drawn():
    replay = small_replay(bags=('a', 'b', 'c', 'd'), bag=np.arange(4), tick=np.zeros(4, int))
    text, pictures = written(replay)
    assert 'Of 4 bags, the 3 in which they differ most.' in text and pictures == 5
    assert '<p>a: 1 tick,' not in text and '<p>b: 1 tick,' in text
