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

"""What happens at a tick of a robot that somebody else commands, while a policy looks on."""

import numpy as np

from iql_ros.robot.episode_runner import EpisodeRunner
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.shadow_comparison import ShadowComparison
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import Transition


class ShadowRunner(EpisodeRunner):
    """
    Decides as if it drove, and goes by what was really commanded.

    That is what was in force over [t_k, t_k+1), reduced by the stream's `rule`, as a recording has
    it: it is in the transitions, `previous: action` sees it, at tick k + 1 it is the gate's last
    command, and what would have been sent at tick k is compared with it. Where nobody has
    commanded, or not since max_age, the policy's own command counts.
    """

    def __init__(self, act, interface: RobotInterface, task: Task, heard, check=None):
        """
        Take who acts and what is heard.

        Args:
            act: Observation (observation_dim,) -> action (action_dim,), physical units.
            interface: Of the robot.
            task: Its task.
            heard: () -> what was commanded since it was asked last: (index of the action stream,
                stamp [ns], vector (dim,), or None that ends the command before).
            check: Observation -> why it must trip, '' where it need not.

        """
        super().__init__(act, interface, task, check)
        scaling = interface.action_scaling
        self._heard = heard
        self.comparison = ShadowComparison(interface.action_names, scaling.low, scaling.high)
        self._decided = None     # of the last tick: what would be sent, from what, where it was

    def start(self) -> None:
        """Begin an episode at the next tick."""
        super().start()
        self.builder.forget_commands()
        self._decided = None

    def tick(self, tick_ns: int, sensed: np.ndarray, operator: np.ndarray | None = None):
        """Complete the last transition and decide, as if it drove; see EpisodeRunner."""
        for index, stamp_ns, vector in self._heard():
            self.builder.add_command(index, stamp_ns, vector)
        if self.builder.waiting:
            self._commanded = self.builder.commanded(tick_ns)
            self.gate.last = np.where(np.isnan(self._commanded), self.gate.last, self._commanded)
        self._origin = self.gate.last
        return super().tick(tick_ns, sensed, operator)

    def _complete(self, tick_ns: int, sensed, outcome: float | None) -> Transition | None:
        if self._decided is None or not self.builder.waiting:
            return super()._complete(tick_ns, sensed, outcome)
        own, last, measured = self._decided
        self.comparison.add(own, self._commanded,
                            self.gate.passes(self._commanded, last, measured))
        return self.builder.tick(tick_ns, sensed, outcome, otherwise=own)

    def _add_command(self, stamp_ns: int, command: np.ndarray) -> None:
        self._decided = command, self._origin, self.gate.measured
