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

"""Tests for rotations.py."""

import math

import numpy as np
import pytest

from iql_ros.robot import rotations

SQUARE = math.sqrt(0.5)
TURNED_LEFT = (0.0, 0.0, SQUARE, SQUARE)       # a quarter about z
NOSE_DOWN = (0.0, SQUARE, 0.0, SQUARE)         # a quarter about y
ON_ITS_RIGHT = (SQUARE, 0.0, 0.0, SQUARE)      # a quarter about x


@pytest.mark.parametrize(('function', 'quaternion', 'expected'), [
    ('yaw', TURNED_LEFT, (math.pi / 2,)), ('yaw_cos', TURNED_LEFT, (0.0,)),
    ('yaw_sin', TURNED_LEFT, (1.0,)), ('roll', ON_ITS_RIGHT, (math.pi / 2,)),
    ('pitch', (0.0, math.sin(0.2), 0.0, math.cos(0.2)), (0.4,)),
    ('projected_gravity', (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, -1.0)),
    ('projected_gravity', NOSE_DOWN, (1.0, 0.0, 0.0)),
    ('projected_gravity', ON_ITS_RIGHT, (0.0, -1.0, 0.0)),
    ('rotation_6d', TURNED_LEFT, (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)),
    ('hemisphere', (0.0, 0.0, -SQUARE, -SQUARE), TURNED_LEFT),
    ('hemisphere', (0.0, -1.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0))])
def test_what_is_said_of_an_orientation_is_what_one_sees(function, quaternion, expected):
    found = rotations.read(function, *quaternion)
    assert len(found) == rotations.WIDTHS[function]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize('functions', [
    ('rotation_6d',), ('hemisphere',), ('roll', 'pitch', 'yaw'),
    ('roll', 'pitch', 'yaw_cos', 'yaw_sin'), ('projected_gravity', 'yaw')])
def test_what_says_all_of_an_orientation_gives_it_back(functions):
    for quaternion in np.random.default_rng(0).normal(size=(50, 4)):
        quaternion /= np.linalg.norm(quaternion)
        back = rotations.write({each: rotations.read(each, *quaternion) for each in functions})
        assert rotations.missing(functions) == [] and np.linalg.norm(back) == pytest.approx(1.0)
        assert abs(quaternion @ back) == pytest.approx(1.0, abs=1e-9)  # or its negative


def test_a_heading_alone_is_that_of_a_body_that_stands_upright():
    for parts in ({'yaw': (0.4,)}, {'yaw_cos': (math.cos(0.4),), 'yaw_sin': (math.sin(0.4),)}):
        assert rotations.missing(parts) == []
        np.testing.assert_allclose(
            rotations.write(parts), (0.0, 0.0, math.sin(0.2), math.cos(0.2)), atol=1e-15)


@pytest.mark.parametrize(('functions', 'expected'), [
    (('yaw_cos',), [('yaw_sin',)]), (('roll', 'yaw'), [('pitch',)]),
    (('projected_gravity',), [('yaw',), ('yaw_cos', 'yaw_sin')])])
def test_what_is_missing_of_an_orientation_is_said(functions, expected):
    assert rotations.missing(functions) == expected


@pytest.mark.parametrize('six', [(0, 0, 0, 0, 0, 0), (2, 0, 0, 5, 0, 0), (1, 0.1, 0, -0.2, 3, 1),
                                 (0, 0, 1, 0, 0, 1)])
def test_six_numbers_that_are_no_rotation_give_one(six):
    assert np.linalg.norm(rotations.write({'rotation_6d': six})) == pytest.approx(1.0)
    assert np.linalg.norm(rotations.write({'hemisphere': six[:4]})) == pytest.approx(1.0)


def test_an_orientation_that_is_not_finite_is_not_a_number():
    for function, width in rotations.WIDTHS.items():
        found = rotations.read(function, *(math.nan,) * 4)
        assert len(found) == width and np.isnan(found).any()


def test_straight_up_there_is_no_heading():
    for function in ('yaw', 'yaw_cos', 'yaw_sin'):
        assert math.isnan(rotations.read(function, 0.5, 0.5, 0.5, -0.5)[0])
