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

"""Tests for arm_kinematics.py: it and sim/arm.xml are the same arm."""

import numpy as np
import pytest

from iql_ros.files import share_folder
from iql_ros.sim.arm_kinematics import joint_angles, tool_position

mujoco = pytest.importorskip('mujoco')


def tool(joints):
    """Return where the model has its tool for joints (6,), and where it looks, (3,) each."""
    model = mujoco.MjModel.from_xml_path(str(share_folder() / 'sim' / 'arm.xml'))
    data = mujoco.MjData(model)
    data.qpos[:6] = joints
    mujoco.mj_kinematics(model, data)
    return data.site('tool').xpos.copy(), data.site('tool').xmat.reshape(3, 3)[:, 2]


@pytest.mark.parametrize('seed', range(20))
def test_the_tool_is_where_the_model_has_it_however_the_joints_stand(seed):
    joints = np.random.default_rng(seed).uniform(-2.0, 2.0, 6)
    assert tool_position(joints) == pytest.approx(tool(joints)[0], abs=1e-9)


@pytest.mark.parametrize('position', [(0.3, -0.38, 0.02), (0.62, 0.38, 0.4), (0.45, 0.25, 0.03)])
def test_the_tool_comes_to_a_position_and_looks_down(position):
    joints = joint_angles(position, twist=0.4)
    found, looks = tool(joints)
    assert found == pytest.approx(position, abs=1e-9)
    assert looks == pytest.approx([0.0, 0.0, -1.0], abs=1e-9)
    assert joints[5] == 0.4


def test_what_is_out_of_reach_is_reached_for():
    assert np.linalg.norm(tool_position(joint_angles((2.0, 0.0, 0.2)))[:2]) > 0.7
    assert np.isfinite(joint_angles((0.0, 0.0, 0.0))).all()
