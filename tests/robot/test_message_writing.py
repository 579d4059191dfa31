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

"""Tests for message_writing.py."""

import array
import math
from types import SimpleNamespace

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot import message_writing
from iql_ros.robot.field_paths import parse_field, parts_of
from iql_ros.robot.message_fields import stamp_ns


def message():
    return SimpleNamespace(
        on=False, count=0, speed=0.0, name='', data=array.array('d'), codes=array.array('i'),
        fixed=np.zeros(3, np.float32), flags=[], part=SimpleNamespace(x=0.0),
        header=SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0)))


def test_numbers_are_written_in_the_type_that_stands_there():
    one = message()
    for path, value in (('on', 0.9), ('count', 2.6), ('speed', 2)):
        message_writing.assign(one, path, value)
    assert (one.on, one.count, one.speed) == (True, 3, 2.0) and isinstance(one.speed, float)


def test_a_stamp_survives_its_way_through_a_header():
    one = message()
    message_writing.set_stamp(one, 12_345_678_901)
    assert one.header.stamp.sec == 12 and stamp_ns(one) == 12_345_678_901


@pytest.mark.parametrize(('path', 'unit', 'expected'), [
    ('count', 'us', 1_796_000_000_123_456), ('speed', 's', 1_796_000_000.1234567),
    ('count', 'ns', 1_796_000_000_123_456_789)])
def test_a_time_is_written_in_its_unit_a_whole_number_to_the_last_digit(path, unit, expected):
    one = message()
    message_writing.write_time(one, path, unit, 1_796_000_000_123_456_789)
    assert getattr(one, path) == expected and isinstance(getattr(one, path), type(expected))


@pytest.mark.parametrize(('texts', 'name', 'expected'), [
    (('data[1]', 'data[3:5]'), 'data', [0.0, 1.0, 0.0, 2.0, 3.0]),
    (('codes[0:3]',), 'codes', [1, 2, 3]), (('fixed[2]',), 'fixed', [0.0, 0.0, 1.0])])
def test_elements_are_written_where_they_belong_and_a_short_array_is_made_longer(
        texts, name, expected):
    one, fields = message(), tuple(map(parse_field, texts))
    values, following = [], 1.0
    for field in fields:
        values.append(following + np.arange(field.width(0)))
        following += field.width(0)
    kind = type(getattr(one, name))
    message_writing.write_fields(one, parts_of(fields), values, arrays=False)
    assert list(getattr(one, name)) == expected and isinstance(getattr(one, name), kind)


def test_the_angle_of_sine_and_cosine_is_written():
    one = message()
    fields = tuple(map(parse_field, ('cos(speed)', 'sin(speed)')))
    values = [np.array([math.cos(2.0)]), np.array([math.sin(2.0)])]
    message_writing.write_fields(one, parts_of(fields), values, arrays=False)
    assert one.speed == pytest.approx(2.0)


@pytest.mark.parametrize(('path', 'value', 'expected'), [
    ('name', 'arm', 'arm'), ('count', 3, 3), ('count', 3.0, 3), ('speed', 1, 1.0),
    ('on', True, True), ('on', 1.0, True),
    ('data', [1, 2.5], [1.0, 2.5]), ('fixed', [1, 2, 3], [1.0, 2.0, 3.0]),
    ('data[1]', 4.0, [0.0, 4.0]), ('part.x', 2.0, None)])
def test_constants_are_set_in_the_type_that_stands_there(path, value, expected):
    one = message()
    message_writing.write_constants(one, {path: value})
    found = getattr(one, path.partition('[')[0], None)
    if expected is None:
        assert one.part.x == value
    else:
        assert (list(found) if isinstance(expected, list) else found) == expected


def test_nan_is_a_constant_like_any():
    one = message()
    message_writing.write_constants(one, {'fixed': [math.nan] * 3, 'speed': math.nan})
    assert np.isnan(one.fixed).all() and one.fixed.dtype == np.float32 and math.isnan(one.speed)


@pytest.mark.parametrize(('path', 'value', 'words'), [
    ('name', 3, "'name': got 3; expected what fits its str"), ('count', 2.5, 'its int'),
    ('count', 'three', 'its int'), ('speed', True, 'its float'), ('on', 2, 'its bool'),
    ('fixed', [1.0], 'its ndarray'), ('fixed', 1.0, 'its ndarray'), ('codes', [1.5], 'its array'),
    ('part', 1.0, 'its SimpleNamespace'), ('nme', 'arm', "unknown name 'nme'")])
def test_a_constant_that_does_not_fit_is_refused_by_name(path, value, words):
    with pytest.raises(InputError) as error:
        message_writing.write_constants(message(), {path: value})
    assert words in str(error.value)
