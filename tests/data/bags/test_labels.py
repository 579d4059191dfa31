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

"""Tests for labels.py."""

import pytest

from iql_ros.data.bags.labels import Label, label_events, read_labels
from iql_ros.files import InputError

SECOND = 1_000_000_000  # [ns]


def write(tmp_path, *lines):
    path = tmp_path / 'labels.csv'
    path.write_text('\n'.join(('bag,start,end,outcome', *lines)) + '\n')
    return path


def test_every_bag_has_its_labels_in_order_of_time(tmp_path):
    path = write(tmp_path, 'b,9,12.5,failure', '', 'b,1,8,success', 'a, 0, 3, end')
    assert read_labels(path, ['a', 'b', 'c']) == {
        'a': [Label(0.0, 3.0, 'end')], 'c': [],
        'b': [Label(1.0, 8.0, 'success'), Label(9.0, 12.5, 'failure')]}


def test_a_label_is_a_start_and_an_outcome_after_the_bags_first_message():
    labels = [Label(1.0, 8.5, 'success'), Label(9.0, 10.0, 'end')]
    assert label_events(labels, 'bag', 5 * SECOND, 15 * SECOND) == [
        (6_000_000_000, 'start'), (13_500_000_000, 'success'),
        (14_000_000_000, 'start'), (15_000_000_000, 'end')]


def test_a_label_ends_with_its_bag_at_the_latest():
    with pytest.raises(InputError, match="bag 'bag' lasts 9.000 s; a label says .* ends at 9.1 s"):
        label_events([Label(1.0, 9.1, 'end')], 'bag', 5 * SECOND, 14 * SECOND)


@pytest.mark.parametrize('lines, message', [
    (['dirve,0,1,end'], r"line 2: unknown bag 'dirve' \(did you mean 'drive'\?\); allowed: drive"),
    (['drive,0,1,won'], "line 2: unknown outcome 'won'; allowed: success, failure, end"),
    (['drive,0,one,end'], "line 2: start and end: got '0' and 'one'; expected seconds"),
    (['drive,2,1,end'], r'line 2: start 2, end 1; allowed: 0 <= start < end'),
    (['drive,0,nan,end'], r'line 2: start 0, end nan; allowed'),
    (['drive,0,1'], 'line 2: got 3 values; expected 4'),
    (['drive,0,5,end', 'drive,4,6,end'], 'the episodes from 0 s and from 4 s overlap'),
])
def test_a_wrong_label_is_refused_with_its_line(tmp_path, lines, message):
    with pytest.raises(InputError, match=message):
        read_labels(write(tmp_path, *lines), ['drive'])


def test_other_columns_are_refused(tmp_path):
    path = tmp_path / 'labels.csv'
    path.write_text('bag,from,to\n')
    with pytest.raises(InputError, match='columns are bag,from,to; expected bag,start,end,'):
        read_labels(path, ['drive'])


def test_two_bags_of_one_name_cannot_be_labelled(tmp_path):
    with pytest.raises(InputError, match="two bags are named 'drive'; convert them one by one"):
        read_labels(write(tmp_path, 'drive,0,1,end'), ['drive', 'other', 'drive'])
