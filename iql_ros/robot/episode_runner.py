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

"""What happens at one control tick, without ROS: policy, gate, transition, end of an episode."""

import dataclasses

import numpy as np

from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.safety import Gate
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import Transition, TransitionBuilder


@dataclasses.dataclass(frozen=True)
class TickResult:
    """The outcome of a tick."""

    command: np.ndarray | None       # (action_dim,) to send; None: the stop, the episode ended
    transition: Transition | None    # the one that this tick completed
    ended: str | None                # terminated | truncated | end | success | failure | trip
    stamp_ns: int                    # of the command
    success: bool | None = None      # of an episode that ended; None: nobody knows
    changed: np.ndarray | None = None  # which values (action_dim,) of the action the gate changed
    observation: np.ndarray | None = None  # what was decided on, (observation_dim,)
    action: np.ndarray | None = None   # what was wanted, before the gate, (action_dim,)


@dataclasses.dataclass
class EpisodeSummary:
    """The running totals of an episode."""

    return_: float = 0.0
    length: int = 0
    terminated: bool = False
    truncated: bool = False
    interventions: int = 0           # ticks in which an operator had control
    success: bool | None = None


class EpisodeRunner:
    """Runs episodes tick by tick; the caller owns the clock and the topics."""

    def __init__(self, act, interface: RobotInterface, task: Task, check=None):
        """
        Take who acts and who looks on.

        Args:
            act: Observation (observation_dim,) -> action (action_dim,), physical units.
            interface: Of the robot.
            task: Its task.
            check: Observation -> why it must trip, '' where it need not.

        """
        self._act, self._interface, self._task = act, interface, task
        self._check = check or (lambda observation: '')
        self.gate = Gate(interface)
        self.builder = TransitionBuilder(interface, task)
        self.running = False
        self.operated = False        # an operator has control
        self.summary = EpisodeSummary()
        self._request: str | None = None

    def start(self) -> None:
        """Begin an episode at the next tick."""
        self.builder.end_episode()
        self.summary = EpisodeSummary()
        self._request, self.running = None, True

    def request(self, kind: str) -> None:
        """End the episode at the next tick: end (truncated), success, failure (terminated)."""
        self._request = kind

    def tick(self, tick_ns: int, sensed: np.ndarray,
             operator: np.ndarray | None = None) -> TickResult:
        """
        Complete the last transition and decide on the next command.

        `sensed` is (sensed_dim,), of the tick. Nothing that is not finite enters a transition: a
        trip leaves the last one out. `operator` is an operator's action (action_dim,), NaN where
        the policy keeps its say.
        """
        self.gate.observe(sensed, tick_ns)
        if self.gate.trip_reason is not None:
            return TickResult(None, None, self._over('trip'), tick_ns)
        request, self._request = self._request, None
        transition = self._complete(tick_ns, sensed, self._outcome(request))
        observation = self.builder.observation
        reason = self._check(observation)
        if reason:
            self.gate.trip(reason)
            return TickResult(None, None, self._over('trip'), tick_ns, observation=observation)
        ended = self._end_of(transition, request)
        # what an operator sent after the tick's time, before it was sampled, is the newer one
        command = changed = action = None
        stamp_ns = max(tick_ns, self.gate.last_ns or tick_ns)
        if ended is None:
            action = self._action(observation, operator)
            result = self.gate.apply(action, stamp_ns)
            command, changed = result.command, result.changed
            ended = 'trip' if self.gate.trip_reason is not None else None
        if transition is not None:
            transition = dataclasses.replace(
                transition, truncated=ended is not None and not transition.terminated)
            self._count(transition)
        if ended:
            success = self._success(transition, request)
            return TickResult(None, transition, self._over(ended, success), stamp_ns, success,
                              None, observation, action)
        self._set_operated(stamp_ns, operator is not None)
        self._add_command(stamp_ns, command)
        return TickResult(command, transition, None, stamp_ns, None, changed, observation, action)

    def operate(self, stamp_ns: int, operator: np.ndarray) -> np.ndarray:
        """
        Give an operator control between ticks, or between episodes; return what to send.

        Where `operator` is NaN, the last command stays.
        """
        command = self.gate.apply(np.where(np.isnan(operator), self.gate.last, operator),
                                  stamp_ns).command
        if not self.running:
            self.builder.forget_commands()
        self._set_operated(stamp_ns, True)
        self._add_command(stamp_ns, command)
        return command

    def release(self, stamp_ns: int) -> None:
        """Take control from an operator who is not in an episode; the stop is to be sent."""
        self._set_operated(stamp_ns, False)
        self.gate.start()

    def abandon(self) -> None:
        """Forget a running episode: the robot has been stopped, and nobody looks on."""
        if self.running:
            self._over('end')

    def _action(self, observation, operator) -> np.ndarray:
        if operator is None:
            return self._act(observation)
        silent = np.isnan(operator)
        return np.where(silent, self._act(observation), operator) if silent.any() else operator

    def _set_operated(self, stamp_ns: int, operated: bool) -> None:
        if operated != self.operated:
            self.operated = operated
            self.builder.add_control(stamp_ns, operated)

    def _complete(self, tick_ns: int, sensed, outcome: float | None) -> Transition | None:
        """Return the transition that a tick completes."""
        return self.builder.tick(tick_ns, sensed, outcome)

    def _add_command(self, stamp_ns: int, command: np.ndarray) -> None:
        for index, part in enumerate(self._interface.split_action(command)):
            self.builder.add_command(index, stamp_ns, part)

    def abort(self, reason: str) -> None:
        """Trip between ticks; a running episode is over and truncated."""
        self.gate.trip(reason)
        if self.running:
            self._over('trip')

    def _outcome(self, request: str | None) -> float | None:
        return {'success': self._task.success_reward,
                'failure': self._task.failure_reward}.get(request)

    def _success(self, transition: Transition | None, request: str | None) -> bool | None:
        if transition is None:
            return None
        if request in ('success', 'failure'):
            return request == 'success'
        return self._task.success(transition.observation, transition.action,
                                  transition.next_observation)

    @staticmethod
    def _end_of(transition: Transition | None, request: str | None) -> str | None:
        if request == 'end' or (request and transition is not None):
            return request
        if transition is not None and transition.terminated:
            return 'terminated'
        return 'truncated' if transition is not None and transition.truncated else None

    def _count(self, transition: Transition) -> None:
        self.summary.return_ += transition.reward
        self.summary.length += 1
        self.summary.interventions += transition.intervention
        self.summary.terminated = transition.terminated

    def _over(self, ended: str, success: bool | None = None) -> str:
        self.running = False
        self.summary.truncated = not self.summary.terminated
        self.summary.success = success
        self.builder.end_episode()
        self.gate.start()  # the stop follows
        return ended
