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

"""Tests for urdf_limits.py."""

import math

import pytest

from iql_ros.data.bags.survey.urdf_limits import JointLimits, read_urdf_limits
from iql_ros.files import InputError

INF = math.inf


def read(tmp_path, *joints, root='robot'):
    path = tmp_path / 'robot.urdf'
    path.write_text(f'<?xml version="1.0"?><{root} name="r">{"".join(joints)}</{root}>')
    return read_urdf_limits(path)


def joint(kind, limit='', name='j'):
    return f'<joint name="{name}" type="{kind}"><axis xyz="0 0 1"/>{limit}</joint>'


@pytest.mark.parametrize('kind, limit, expected', [
    ('revolute', '<limit lower="-1.5" upper="2" velocity="3.1" effort="50"/>',
     JointLimits(-1.5, 2.0, 3.1, 50.0)),
    ('prismatic', '<limit upper="0.4" velocity="1" effort="1"/>', JointLimits(0.0, 0.4, 1.0, 1.0)),
    ('continuous', '<limit lower="-1" upper="1" velocity="2" effort="5"/>',
     JointLimits(-INF, INF, 2.0, 5.0)),
    ('revolute', '<limit velocity="0" effort="0"/>', JointLimits(-INF, INF, INF, INF)),
    ('continuous', '', JointLimits(-INF, INF, INF, INF)),
])
def test_what_a_joint_may_do_is_read(tmp_path, kind, limit, expected):
    assert read(tmp_path, joint(kind, limit)) == {'j': expected}


def test_what_cannot_move_and_what_only_names_a_joint_is_left_out(tmp_path):
    transmission = '<transmission name="t"><joint name="a"/></transmission>'
    assert read(tmp_path, joint('fixed', name='f'), transmission) == {}


@pytest.mark.parametrize('joints, root, message', [
    ([joint('revolute', '<limit lower="pi"/>')], 'robot',
     "joint 'j': limit lower is 'pi'; expected a number"),
    ([joint('revolute', '<limit lower="nan"/>')], 'robot', "limit lower is 'nan'"),
    ([], 'sdf', 'begins with <sdf>; expected <robot>'),
    (['<joint'], 'robot', 'expected XML'),
    (['<xacro:arm xmlns:xacro="http://www.ros.org/wiki/xacro"/>'], 'robot',
     'holds xacro; expand it first'),
])
def test_what_is_no_urdf_is_refused_in_a_line(tmp_path, joints, root, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, *joints, root=root)
    assert message in str(error.value) and '\n' not in str(error.value)


def test_entities_that_blow_up_are_refused(tmp_path):
    path, names = tmp_path / 'robot.urdf', 'abcdefgh'
    entities = ['<!ENTITY a "xxxxxxxxxx">', *(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip(names, names[1:]))]
    path.write_text(f'<!DOCTYPE r [{"".join(entities)}]><robot>&h;</robot>')
    with pytest.raises(InputError, match='amplification'):
        read_urdf_limits(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match='--urdf .*nowhere.urdf: No such file'):
        read_urdf_limits(tmp_path / 'nowhere.urdf')
