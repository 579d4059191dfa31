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

"""The scripted drivers of the sample recording: each shows a piece of docking, none all of it."""

import math
from typing import Callable, NamedTuple

import numpy as np

MAX_SPEED = 0.3                         # [m/s]
MAX_TURN = 1.5                          # [rad/s]
_MAX_ACTION = np.array([MAX_SPEED, MAX_TURN])
_HAND = np.array([0.03, 0.15])          # how far a hand is off what it means [m/s, rad/s]
_BEFORE_PLATE = (-0.6, 0.0)             # [m] where docking begins, the plate lying at the origin
_BEFORE_PLATE_RADIUS = 0.15             # [m]
_PLATE_CLEARANCE = 0.35                 # [m] who does not mean to dock keeps off the plate
_ARENA = 1.4                            # [m] places to go to: the arena less a robot's width


class Driver:
    """
    One person at the controls for one episode: `driver(observation)` is the next command.

    Observation and action are those of iql_ros/Diffbot-v0: (6,) and (2,) [m/s, rad/s]. All
    that is random comes from the generator given, so that a seed gives the same episode again.
    """

    def __init__(self, rng: np.random.Generator):
        self._rng = rng
        self._speed = MAX_SPEED * rng.uniform(0.85, 1.0)
        self._gain = rng.uniform(1.5, 2.5)      # [rad/s] turned per radian off course

    def __call__(self, observation) -> np.ndarray:
        """Return what the hand does (2,): what the driver means, and a little off it."""
        x, y, cosine, sine = observation[:4]
        meant = self._mean(x, y, math.atan2(sine, cosine))
        return np.clip(meant + self._rng.normal(0.0, _HAND), -_MAX_ACTION, _MAX_ACTION)

    def _mean(self, x: float, y: float, heading: float) -> np.ndarray:
        raise NotImplementedError

    def _towards(self, pose, place) -> np.ndarray:
        """Return the command that turns to a place and drives there, faster when facing it."""
        x, y, heading = pose
        course = math.atan2(place[1] - y, place[0] - x) - heading
        course = math.remainder(course, 2 * math.pi)
        return np.array([self._speed * max(0.0, math.cos(course)), self._gain * course])

    def _somewhere(self):
        return self._rng.uniform(-_ARENA, _ARENA, 2)


class Approach(Driver):
    """Drives well to the place before the plate, then off again, always round the plate."""

    def __init__(self, rng):
        super().__init__(rng)
        self._place, self._radius = _BEFORE_PLATE, _BEFORE_PLATE_RADIUS

    def _mean(self, x, y, heading):
        if math.dist((x, y), self._place) <= self._radius:
            self._place, self._radius = self._somewhere(), 0.3
            while math.hypot(*self._place) < 2 * _PLATE_CLEARANCE:
                self._place = self._somewhere()
        return self._towards((x, y, heading), _round_plate((x, y), self._place))


def _round_plate(position, place):
    """Return where to head for a place: beside the plate when it lies on the straight way."""
    position, place = np.asarray(position), np.asarray(place)
    way = place - position
    along = np.clip(-position @ way / (way @ way), 0.0, 1.0)
    nearest = position + along * way
    gap = np.hypot(*nearest)
    if gap >= _PLATE_CLEARANCE:
        return place
    side = nearest / gap if gap > 1e-6 else np.array([-way[1], way[0]]) / np.hypot(*way)
    return 1.5 * _PLATE_CLEARANCE * side


class GoodDocking(Driver):
    """Drives straight onto the plate."""

    def _mean(self, x, y, heading):
        return self._towards((x, y, heading), (0.0, 0.0))


class HesitantDocking(Driver):
    """Creeps towards the plate, stops to look, and backs off now and then."""

    def __init__(self, rng):
        super().__init__(rng)
        self._ticks_left, self._throttle = 0, 0.0

    def _mean(self, x, y, heading):
        if self._ticks_left == 0:
            self._ticks_left = self._rng.integers(2, 8)
            self._throttle = self._rng.choice([0.7, 0.4, 0.0, -0.4], p=[0.3, 0.3, 0.25, 0.15])
        self._ticks_left -= 1
        speed, turn = self._towards((x, y, heading), (0.0, 0.0))
        if self._throttle < 0:
            return np.array([self._throttle * self._speed, 0.0])
        return self._throttle * np.array([speed, turn])


class OvershootingDocking(Driver):
    """Drives past the plate, once or twice, before it turns round and gets there."""

    def __init__(self, rng):
        super().__init__(rng)
        self._misses_left = rng.integers(1, 3)
        self._place = None

    def _mean(self, x, y, heading):
        if self._place is None:
            self._place = self._beyond(x, y)
        elif self._misses_left and math.dist((x, y), self._place) < 0.1:
            self._misses_left -= 1
            self._place = self._beyond(x, y) if self._misses_left else (0.0, 0.0)
        return self._towards((x, y, heading), self._place)

    def _beyond(self, x, y):
        """Return a place on the plate's far side, off the straight way over it."""
        distance = math.hypot(x, y)
        ahead = np.array([-x, -y]) / distance
        side = math.copysign(1.0, y) * np.array([ahead[1], -ahead[0]])
        return self._rng.uniform(0.2, 0.35) * ahead + self._rng.uniform(0.25, 0.4) * side


class Wandering(Driver):
    """Drives from one random place to the next."""

    def __init__(self, rng):
        super().__init__(rng)
        self._place = self._somewhere()

    def _mean(self, x, y, heading):
        if math.dist((x, y), self._place) <= 0.2:
            self._place = self._somewhere()
        return self._towards((x, y, heading), self._place)


class Blind(Driver):
    """Moves the stick without looking: noise that is correlated over about two seconds."""

    def __init__(self, rng):
        super().__init__(rng)
        self._stick = rng.normal(size=2)

    def _mean(self, x, y, heading):
        memory = 0.9
        self._stick = (memory * self._stick
                       + math.sqrt(1 - memory ** 2) * self._rng.normal(size=2))
        return 0.6 * _MAX_ACTION * self._stick


class Recording(NamedTuple):
    """Some episodes of one driver: the start region is the environment's `start`."""

    name: str
    driver: Callable[[np.random.Generator], Driver]
    start: dict
    episodes: int


_NEAR_PLATE = {'x': [-0.9, -0.4], 'y': [-0.3, 0.3], 'heading': [-0.8, 0.8]}

# Who drives from afar does not dock, and who docks starts beside the plate: the way from
# anywhere onto the plate has to be put together from pieces.
RECORDINGS = (
    Recording('approach', Approach, {'distance': [0.6, 3.0]}, 60),
    Recording('dock_good', GoodDocking, _NEAR_PLATE, 30),
    Recording('dock_hesitant', HesitantDocking, _NEAR_PLATE, 30),
    Recording('dock_overshooting', OvershootingDocking, _NEAR_PLATE, 30),
    Recording('wander', Wandering, {}, 30),
    Recording('blind', Blind, {}, 30),
)
