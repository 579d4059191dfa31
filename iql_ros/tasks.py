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

"""
Task functions that come with the package, by the names that robot YAMLs give them.

They are called with (observation, action, next_observation) of one tick, in the units of the
robot's interface. A name here (`iql_ros.tasks:docked`) stands in people's YAMLs, datasets and
checkpoints, and is part of the task's hash: it never moves and never changes its meaning.
"""

import math

# What these functions were called before they had this home. Recordings, checkpoints and YAMLs
# of that time are read as if they said the new name, and the hash of a task goes on being made
# of the first name, so that none of them is of another task now.
FIRST_NAMES = {'iql_ros.tasks:docked': 'iql_ros.task:docked',
               'iql_ros.tasks:docking_cost': 'iql_ros.task:docking_cost'}

_DOCK_RADIUS = 0.10  # [m]
_TRAY_RADIUS = 0.05  # [m] of the block's middle
_LYING = 0.025       # [m] above the tray, of the middle of a block of 4 cm that lies on it
_LET_GO = 0.025      # [m] of each finger from the middle: more than half of the block


def with_new_names(text: str | None) -> str | None:
    """Return the text of a robot's YAML with the names of today for the first ones."""
    for name, first in FIRST_NAMES.items():
        text = text and text.replace(first, name)
    return text


def docked(observation, action, next_observation) -> bool:
    """Say whether the robot stands on the plate; x and y [m] in the dock's frame come first."""
    return math.hypot(next_observation[0], next_observation[1]) <= _DOCK_RADIUS


def docking_cost(observation, action, next_observation) -> float:
    """Return -1 a tick until the robot is docked."""
    return 0.0 if docked(observation, action, next_observation) else -1.0


def placed(observation, action, next_observation) -> bool:
    """
    Say whether the block lies on the tray and is let go.

    x, y, z [m] of the block's middle in the tray's frame come first, and how far each finger is
    from the middle [m] last.
    """
    x, y, z = next_observation[:3]
    return bool(math.hypot(x, y) <= _TRAY_RADIUS and z <= _LYING
                and next_observation[-1] >= _LET_GO)


def placing_cost(observation, action, next_observation) -> float:
    """Return -1 a tick until the block is placed."""
    return 0.0 if placed(observation, action, next_observation) else -1.0
