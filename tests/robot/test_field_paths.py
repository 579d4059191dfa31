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

"""Tests for field_paths.py."""

import pytest

from iql_ros.files import InputError
from iql_ros.robot.field_paths import (
    check_constants, check_fields, check_invertible, parse_field)


def parsed(*texts):
    return [parse_field(text) for text in texts]


@pytest.mark.parametrize(('text', 'array', 'names'), [
    ('pose.position.x', 0, ['pose.position.x']),
    ('data[3]', 0, ['data[3]']), ('data[1:3]', 0, ['data[1]', 'data[2]']),
    ('sin(data[1:3])', 5, ['sin(data[1])', 'sin(data[2])']),
    ('data', 2, ['data[0]', 'data[1]']), ('cos(data)', 2, ['cos(data)[0]', 'cos(data)[1]']),
    ('hemisphere(q)', 0, ['hemisphere(q)[0]', 'hemisphere(q)[1]', 'hemisphere(q)[2]',
                          'hemisphere(q)[3]']),
    ('yaw(q)', 2, ['yaw(q)'])])
def test_every_value_of_a_field_has_a_name_that_says_where_it_comes_from(text, array, names):
    field = parse_field(text)
    assert field.width(array) == len(names)
    assert field.names(range(array) if array > 1 else ()) == names


@pytest.mark.parametrize('name', ['data[3]', 'sin(data[1])', 'yaw(q)', 'pose.position.x'])
def test_a_name_of_a_value_can_be_written_as_a_field(name):
    assert parse_field(name).names(()) == [name]


@pytest.mark.parametrize('text', [
    'a..b', 'yaw_cos(q', 'yaw_cos q)', '__import__("os")', 'a b', '', 'data[', 'data[-1]',
    'data[1:]', 'data[0].x', 'sin(cos(x))', 'data[9999999]', 'dätä', 'data[٣]'])
def test_a_field_is_a_path_and_never_code(text):
    with pytest.raises(InputError, match='expected a path like pose.position.x, an element'):
        parse_field(text)


@pytest.mark.parametrize(('text', 'message'), [
    ('tan(q)', "unknown field function 'tan'"),
    ('yaw(q[0])', 'yaw is of an orientation, not of a number'),
    ('data[3:3]', "field 'data[3:3]': the slice is empty")])
def test_a_field_that_makes_no_sense_is_refused_by_name(text, message):
    with pytest.raises(InputError) as error:
        parse_field(text)
    assert message in str(error.value)


@pytest.mark.parametrize(('texts', 'joints', 'beams', 'message'), [
    (('position[0]',), True, False, "with 'joints' the values are found by name"),
    (('yaw(q)',), True, False, "with 'joints' only sin and cos can be taken"),
    (('sin(ranges)',), False, True, 'the sectors of a whole scan are taken'),
    (('x', 'y', 'x'), False, False, "field 'x' is given twice")])
def test_fields_that_do_not_go_together_are_refused(texts, joints, beams, message):
    with pytest.raises(InputError, match=message):
        check_fields(parsed(*texts), joints, beams)


@pytest.mark.parametrize('texts', [
    ('sin(x)', 'cos(x)'), ('sin(x)', 'x'), ('data[0:2]', 'data[2]'), ('yaw(q)', 'roll(q)',
                                                                      'pitch(q)')])
def test_what_is_whole_can_be_turned_back(texts):
    check_invertible(parsed(*texts))


@pytest.mark.parametrize(('texts', 'message'), [
    (('sin(x)', 'cos(y)'), "'sin(x)' cannot be turned back into a message without 'cos(x)'"),
    (('cos(data[2])',), "without 'sin(data[2])'"),
    (('yaw_sin(q)',), "'yaw_sin(q)' cannot be turned back into a message without 'yaw_cos(q)'"),
    (('projected_gravity(q)',), "without 'yaw(q)' or 'yaw_cos(q)' and 'yaw_sin(q)'")])
def test_what_is_half_cannot_be_turned_back_and_the_other_half_is_named(texts, message):
    with pytest.raises(InputError) as error:
        check_invertible(parsed(*texts))
    assert message in str(error.value)


@pytest.mark.parametrize(('constants', 'message'), [
    ({'twist.linear.x': 0.0}, "'twist.linear.x' is one of 'fields'"),
    ({'data[1]': 0.0}, "'data[1]' is one of 'fields'"),
    ({'sin(a)': 0.0}, "'sin(a)': expected a path"), ({3: 0.0}, 'got 3; expected a path'),
    ({'a': {'b': 1}}, "'a': got {'b': 1}; expected a number, a text"),
    ({'a': None}, "'a': got None; expected a number")])
def test_constants_that_cannot_be_are_refused(constants, message):
    with pytest.raises(InputError) as error:
        check_constants(constants, parsed('twist.linear.x', 'data[0:3]'))
    assert message in str(error.value)


def test_constants_beside_the_fields_are_fine():
    check_constants({'data': [0.0] * 4, 'data[3]': 1.0, 'name': 'arm', 'on': True},
                    parsed('data[0:3]'))
