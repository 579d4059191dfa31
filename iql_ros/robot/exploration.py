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

"""Actions that try something: the actor's mean and its own spread, inside limits."""

import numpy as np

from iql_ros.robot.gate_settings import Limit
from iql_ros.robot.robot_interface import RobotInterface

_STREAM = 2  # of the seed's random numbers; batches and dropout take 0 and 1


class Explorer:
    """Samples an actor's Gaussian; the draws are a function of the seed and their number."""

    def __init__(self, actor, interface: RobotInterface, scale: float = 1.0,
                 limit: Limit | None = None, seed: int = 0, draws: int = 0):
        """
        Begin to explore.

        Args:
            actor: Has act(observation) and std (action_dim,), both in [-1, 1].
            interface: Of the robot, for physical units.
            scale: Factor of the standard deviation; 0 takes the mean.
            limit: What exploration may use, physical units; None: the robot's low and high.
            seed: Of the draws.
            draws: How many there were before.

        """
        self._actor, self._scaling = actor, interface.action_scaling
        self._seed, self._draws = seed, draws
        self.bound(scale, limit)

    def bound(self, scale: float, limit: Limit | None) -> None:
        """Explore that far, as in __init__, from the next action on; from any thread."""
        within = limit or self._scaling
        self._bounds = scale, np.array(within.low), np.array(within.high)  # at one go

    def act(self, observation) -> np.ndarray:
        """Return an action (action_dim,) in physical units for a raw observation."""
        action = self._actor.act(observation)
        scale, low, high = self._bounds
        if scale == 0:
            return self._scaling.to_physical(action)
        generator = np.random.Generator(np.random.Philox(
            key=np.array([self._seed, _STREAM], np.uint64),
            counter=np.array([0, self._draws, 0, 0], np.uint64)))
        self._draws += 1
        spread = scale * self._actor.std * generator.standard_normal(len(action))
        physical = self._scaling.to_physical(np.clip(action + spread, -1.0, 1.0))
        return np.clip(physical, low, high)
