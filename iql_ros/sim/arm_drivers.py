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

"""The scripted drivers of the arm: each shows a piece of placing the block, none all of it."""

import numpy as np

from iql_ros.sim.arm import HIGH, LOW, TRAY
from iql_ros.sim.arm_kinematics import joint_angles, tool_position
from iql_ros.sim.drivers import Recording

MAX_SPEED = 0.25                        # [m/s] of the tool
CLOSED, OPEN = 0.01, 0.04               # [m] of each finger
_LEAD = 0.25                            # [s] by which a command is ahead of the arm
_HAND = np.array([0.01] * 6 + [0.0005])    # how far a hand is off what it means [rad; m]
_ABOVE = np.array([0.0, 0.0, 0.13])     # [m] in the tray's frame: where placing begins
_DOWN = np.array([0.0, 0.0, 0.018])     # [m] where the block is let go
# Places to go to, in the tray's frame [m].
_LOW_PLACE = np.array([0.32, -0.36, 0.06]) - TRAY
_HIGH_PLACE = np.array([0.6, 0.36, 0.38]) - TRAY
_CLEARANCE = 0.2                        # [m] who does not mean to place keeps off the tray


class ArmDriver:
    """
    One person at the controls for one episode: `driver(observation)` is the next command.

    Observation and action are those of iql_ros/Arm-v0: (10,) and (7,). All that is random comes
    from the generator given, so that a seed gives the same episode again.
    """

    def __init__(self, rng: np.random.Generator):
        self._rng = rng
        self._speed = MAX_SPEED * rng.uniform(0.8, 1.0)
        self._twist = None               # [rad] of the last joint, which nobody turns

    def __call__(self, observation) -> np.ndarray:
        """Return what the hand does (7,): what the driver means, and a little off it."""
        joints = observation[3:9]
        if self._twist is None:
            self._twist = joints[5]
        tool = tool_position(joints) - TRAY
        velocity, opening = self._mean(tool)
        meant = np.append(joint_angles(tool + _LEAD * velocity + TRAY, self._twist), opening)
        return np.clip(meant + self._rng.normal(0.0, _HAND), LOW, HIGH)

    def _mean(self, tool) -> tuple[np.ndarray, float]:
        """Return the velocity (3,) [m/s] of a tool at (3,) in the tray's frame, and an opening."""
        raise NotImplementedError

    def _towards(self, tool, place) -> np.ndarray:
        """Return the velocity (3,) that leads to a place, slower when nearly there."""
        way = np.asarray(place) - tool
        distance = np.linalg.norm(way)
        return way / max(distance, 1e-9) * min(self._speed, 3.0 * distance)

    def _somewhere(self) -> np.ndarray:
        return self._rng.uniform(_LOW_PLACE, _HIGH_PLACE)


class Carry(ArmDriver):
    """Carries the block well to above the tray, then off again; never down, never open."""

    def __init__(self, rng):
        super().__init__(rng)
        self._place = _ABOVE

    def _mean(self, tool):
        if np.linalg.norm(tool - self._place) <= 0.04:
            self._place = self._away()
        return self._towards(tool, self._place), CLOSED

    def _away(self):
        while True:
            place = self._somewhere()
            if np.hypot(*place[:2]) > _CLEARANCE and place[2] >= _ABOVE[2]:
                return place


class GoodPlacing(ArmDriver):
    """Goes to above the tray, straight down, and lets go."""

    def _mean(self, tool):
        beside = np.hypot(*tool[:2])
        if tool[2] <= 0.03 and beside <= 0.03:
            return self._towards(tool, _DOWN), OPEN
        place = _DOWN if beside <= 0.02 else [0.0, 0.0, max(tool[2], 0.06)]
        return self._towards(tool, place), CLOSED


class HesitantPlacing(GoodPlacing):
    """The same, but stops to look, and goes up again now and then."""

    def __init__(self, rng):
        super().__init__(rng)
        self._ticks_left, self._throttle = 0, 0.0

    def _mean(self, tool):
        if self._ticks_left == 0:
            self._ticks_left = self._rng.integers(3, 12)
            self._throttle = self._rng.choice([0.7, 0.4, 0.0, -0.5], p=[0.3, 0.3, 0.2, 0.2])
        self._ticks_left -= 1
        velocity, opening = super()._mean(tool)
        if self._throttle < 0:
            return self._towards(tool, [*tool[:2], 0.2]) * -self._throttle, CLOSED
        return self._throttle * velocity, opening


class CarelessPlacing(GoodPlacing):
    """Lets go too early: too high, or beside the tray."""

    def __init__(self, rng):
        super().__init__(rng)
        self._place = np.append(rng.uniform(-0.1, 0.1, 2), rng.uniform(0.03, 0.12))
        self._opening = CLOSED

    def _mean(self, tool):
        if np.linalg.norm(tool - self._place) <= 0.02:
            self._opening = OPEN
        return self._towards(tool, self._place), self._opening


class Wandering(ArmDriver):
    """Carries the block from one random place to the next."""

    def __init__(self, rng):
        super().__init__(rng)
        self._place = self._somewhere()

    def _mean(self, tool):
        if np.linalg.norm(tool - self._place) <= 0.05:
            self._place = self._somewhere()
        return self._towards(tool, self._place), CLOSED


class Blind(ArmDriver):
    """Moves the stick without looking: noise that is correlated over about two seconds."""

    def __init__(self, rng):
        super().__init__(rng)
        self._stick = rng.normal(size=3)
        self._opens_after = rng.integers(20, 200)      # [ticks]

    def _mean(self, tool):
        memory = 0.95
        self._stick = (memory * self._stick
                       + np.sqrt(1 - memory ** 2) * self._rng.normal(size=3))
        self._opens_after -= 1
        velocity = 0.6 * MAX_SPEED * self._stick
        back = np.clip(tool, _LOW_PLACE, _HIGH_PLACE) - tool   # a hand that stays at the table
        return velocity + 2.0 * back, CLOSED if self._opens_after > 0 else OPEN


_ABOVE_TRAY = {'x': [0.35, 0.55], 'y': [0.15, 0.35], 'z': [0.12, 0.22]}

# Who carries from afar does not put down, and who puts down starts above the tray: the way from
# anywhere onto the tray has to be put together from pieces.
RECORDINGS = (
    Recording('carry', Carry, {}, 60),
    Recording('place_good', GoodPlacing, _ABOVE_TRAY, 30),
    Recording('place_hesitant', HesitantPlacing, _ABOVE_TRAY, 30),
    Recording('place_careless', CarelessPlacing, _ABOVE_TRAY, 30),
    Recording('wander', Wandering, {}, 30),
    Recording('blind', Blind, {}, 30),
)
