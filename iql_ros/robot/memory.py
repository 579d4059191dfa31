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

"""What the policy sees of the past: values of earlier ticks, and what was sent then."""

import collections

import numpy as np

from iql_ros.robot.gate_rules import gate_rules
from iql_ros.robot.observations import Previous
from iql_ros.robot.robot_interface import RobotInterface


class ObservationMemory:
    """
    Makes observations of what is sensed, tick by tick of an episode; knows no clock.

    The same for a bag, a robot and an environment. At an episode's start nothing is remembered:
    the first values stand for those before, and the stop for what was sent (of a position that
    the stop holds: where it is measured). A goal stays what it was then; one that is seen from a
    pose is seen anew at every tick.
    """

    def __init__(self, interface: RobotInterface):
        """Start outside of any episode."""
        self._interface = interface
        self._parts, self._relative = interface.parts, interface.relative
        ticks = max(part.history for part in self._parts)
        self._sensed, self._sent = (collections.deque(maxlen=ticks) for _ in range(2))
        self._stop = gate_rules(interface).stop
        self._goal = None            # what was sensed at the episode's start

    def begin(self, sensed: np.ndarray) -> np.ndarray:
        """Return the observation (observation_dim,) of an episode's first tick."""
        if self._interface.remembers:
            measured = np.where(self._interface.measured < 0, np.nan,
                                sensed[self._interface.measured])
            self._fill(self._sent, np.where(np.isnan(self._stop), measured, self._stop))
            self._goal = sensed
            self._fill(self._sensed, sensed)
        return self._observation(sensed)

    def observe(self, sensed: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """
        Return the observation (observation_dim,) of the next tick.

        Args:
            sensed: (sensed_dim,) at the tick.
            sent: What was commanded since the one before, (action_dim,), physical units.

        """
        self._sensed.appendleft(sensed)
        self._sent.appendleft(sent)
        return self._observation(sensed)

    @staticmethod
    def _fill(remembered: collections.deque, value: np.ndarray) -> None:
        remembered.extend([value] * remembered.maxlen)

    def _observation(self, sensed: np.ndarray) -> np.ndarray:
        if not self._interface.remembers:
            return sensed
        found, first = [], 0
        for place, part in enumerate(self._parts):
            if isinstance(part, Previous):
                found += list(self._sent)[:part.history]
            elif part.goal:
                goal = self._goal[first:first + part.dim]
                if place in self._relative:
                    seen, pose = self._relative[place]
                    goal = seen(goal, sensed[pose])
                found.append(goal)
                first += part.dim
            else:
                found += [tick[first:first + part.dim]
                          for tick in list(self._sensed)[:part.history]]
                first += part.dim
        return np.concatenate(found)
