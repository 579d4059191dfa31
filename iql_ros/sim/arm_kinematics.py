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

"""Where the arm of sim/arm.xml has its tool, and how it stands for the tool to be somewhere."""

import math

import numpy as np

# Of sim/arm.xml, [m]; its tests hold the two together.
_SHOULDER, _UPPER_ARM, _FOREARM = 0.1625, 0.425, 0.392
_SIDE = 0.138 - 0.131 + 0.127    # the wrist lies so far left of the shoulder
_OUT = 0.1                       # from the wrist's first joint to its last
_TOOL = 0.0996 + 0.135           # from the last joint to between the fingers


def joint_angles(position, twist: float = 0.0) -> np.ndarray:
    """
    Return the joints (6,) [rad] of the arm with its tool at a position, looking down.

    Args:
        position: Of the point between the fingers, (3,) [m], in the base's frame; the nearest
            that can be reached counts.
        twist: Of the last joint [rad].

    """
    x, y, z = position
    ahead = math.sqrt(max(x * x + y * y - _SIDE ** 2, 0.0))
    pan = math.atan2(y, x) - math.atan2(_SIDE, ahead)
    out, up = ahead - _OUT, z + _TOOL - _SHOULDER
    cosine = (out * out + up * up - _UPPER_ARM ** 2 - _FOREARM ** 2) / (2 * _UPPER_ARM * _FOREARM)
    elbow = math.acos(min(max(cosine, -1.0), 1.0))
    lift = math.atan2(out, up) - math.atan2(_FOREARM * math.sin(elbow),
                                            _UPPER_ARM + _FOREARM * math.cos(elbow))
    return np.array([pan, lift, elbow, math.pi / 2 - lift - elbow, -math.pi / 2, twist])


def tool_position(joints) -> np.ndarray:
    """Return where the point between the fingers is, (3,) [m], for joints (6,) [rad]."""
    pan, lift, elbow, wrist, turn, _ = joints
    bend = lift + elbow
    # in the plane of the arm: ahead, to the left, up; tilt 0: the tool would look ahead
    tilt = bend + wrist
    ahead = _UPPER_ARM * math.sin(lift) + _FOREARM * math.sin(bend) + _OUT * math.sin(tilt)
    up = _SHOULDER + _UPPER_ARM * math.cos(lift) + _FOREARM * math.cos(bend)
    up += _OUT * math.cos(tilt)
    ahead -= _TOOL * math.sin(turn) * math.cos(tilt)
    up += _TOOL * math.sin(turn) * math.sin(tilt)
    left = _SIDE + _TOOL * math.cos(turn)
    return np.array([math.cos(pan) * ahead - math.sin(pan) * left,
                     math.sin(pan) * ahead + math.cos(pan) * left, up])
