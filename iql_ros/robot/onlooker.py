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

"""A policy that looks on while another commands: what it would have sent, tick by tick."""

import dataclasses

import numpy as np

from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.safety import Gate


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What would have been sent at a tick, physical units, shape (action_dim,)."""

    action: np.ndarray       # what the policy wanted
    command: np.ndarray      # what the gate would have let out; after a trip a step to the stop
    changed: np.ndarray      # of which values the gate changed the action
    trip: str                # why the gate would have tripped; empty: it would not have


class Onlooker:
    """
    Asks a policy and its gate at every tick, as an EpisodeRunner does, and commands nothing.

    The gate's last command is the one that was really in force since the tick before, so that
    every tick says what would have been sent had all gone until then as it went. Knows no clock
    and no topic: the same for a recording and for a robot that another drives.
    """

    def __init__(self, act, interface: RobotInterface, scale: float = 1.0):
        """
        Take who would act.

        Args:
            act: Observation (observation_dim,) -> action (action_dim,), physical units.
            interface: Of the robot.
            scale: Of the gate's limits and rates, for first drives; (0, 1].

        """
        self._act, self._gate = act, Gate(interface)
        self._gate.scale = scale

    def enter(self) -> None:
        """Begin anew, as a policy that is activated, or whose trip is cleared, would."""
        self._gate.rest()
        self._gate.blend_in()

    def start(self) -> None:
        """Begin an episode: the next command would be limited from where the robot stands."""
        self._gate.start()

    def tick(self, tick_ns: int, sensed: np.ndarray, observation: np.ndarray) -> Proposal:
        """
        Return what would have been sent at a tick.

        Args:
            tick_ns: Its time [ns].
            sensed: What was sensed then, (sensed_dim,).
            observation: What the policy makes of it and of the past, (observation_dim,).

        """
        self._gate.observe(sensed, tick_ns)
        action = self._act(observation)
        result = self._gate.apply(action, tick_ns)
        trip, self._gate.trip_reason = self._gate.trip_reason, None  # what was driven went on
        return Proposal(action, result.command, result.changed, trip or '')

    def commanded(self, tick_ns: int, action: np.ndarray) -> None:
        """Take what was really commanded from a tick [ns] to the next, (action_dim,)."""
        self._gate.follow(action, tick_ns)
