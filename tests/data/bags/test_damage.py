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

"""Tests for bags/damage.py."""

import pytest

from iql_ros.data.bags.damage import about, DamageError, one_line, reason
from iql_ros.files import InputError


def test_what_to_do_about_a_recording_that_was_cut_is_said():
    assert reason(ValueError('File end magic is invalid')).endswith('mcap recover FILE may save '
                                                                    'what is there')
    assert reason(KeyError()) == 'it is damaged (KeyError)'
    assert reason(ValueError('a\n  b' + 1000 * 'c')) == 'a b' + 297 * 'c'


def test_a_bag_is_named_once():
    error = DamageError("bag 'drive': topic '/scan' is damaged")
    assert about('drive', error) == str(error)
    assert about('other', error, 'its index: ') == f"bag 'other': its index: {error}"


@pytest.mark.parametrize('raised, text', [
    (InputError('got 3'), "bag 'drive': it got 3"),
    (OverflowError('too\nlarge'), "bag 'drive' cannot be read: it too large"),
    (ModuleNotFoundError(name='rosbags'), "reading bags needs the module 'rosbags': pip install"),
])
def test_whatever_is_raised_becomes_one_line(raised, text):
    with pytest.raises(InputError) as error:
        with one_line('drive', 'it '):
            raise raised
    assert str(error.value).startswith(text) and '\n' not in str(error.value)
