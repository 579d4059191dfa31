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

"""Stamped observations, commands and rewards in, transitions out: for bags and for live."""

import dataclasses

import numpy as np

from iql_ros.robot.memory import ObservationMemory
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.task import Task


@dataclasses.dataclass(frozen=True)
class Transition:
    """One step; the action is in physical units and is the one that was executed."""

    tick_ns: int
    observation: np.ndarray          # (observation_dim,) at tick k
    action: np.ndarray               # (action_dim,) over [t_k, t_k+1)
    reward: float
    next_observation: np.ndarray     # (observation_dim,) at tick k + 1
    terminated: bool
    truncated: bool
    intervention: bool = False       # an operator had control


@dataclasses.dataclass(frozen=True)
class Episode:
    """The transitions of one episode, physical units; the last row says how it ended."""

    observations: np.ndarray         # (T + 1, observation_dim) float64
    actions: np.ndarray              # (T, action_dim) float64
    rewards: np.ndarray              # (T,) float64
    terminations: np.ndarray         # (T,) bool
    truncations: np.ndarray          # (T,) bool
    interventions: np.ndarray | None = None  # (T,) bool: an operator had control; None: never


def make_episode(transitions: list[Transition]) -> Episode:
    """Put consecutive transitions into arrays; an end that nobody marked is a truncation."""
    terminations = np.array([step.terminated for step in transitions])
    truncations = np.array([step.truncated for step in transitions])
    truncations[-1] = not terminations[-1]
    interventions = np.array([step.intervention for step in transitions])
    return Episode(
        observations=np.array([transitions[0].observation]
                              + [step.next_observation for step in transitions]),
        actions=np.array([step.action for step in transitions]),
        rewards=np.array([step.reward for step in transitions], dtype=np.float64),
        terminations=terminations, truncations=truncations,
        interventions=interventions if interventions.any() else None)


def reduce_commands(rule: str, segments: list[tuple[int, int, np.ndarray]]) -> np.ndarray:
    """
    Reduce the commands of one tick, (start_ns, end_ns, vector) each, to one action.

    A single command comes out unchanged, to the bit. `mean` weighs by time; `longest` takes
    what was in force for most of it, equal neighbours merged, the later of two equals.
    """
    if len(segments) == 1 or rule == 'last':
        return segments[-1][2]
    if rule == 'mean':
        total, first = segments[-1][1] - segments[0][0], segments[0][2]
        # from the first on, so that equal commands come out unchanged too
        return first + sum((vector - first) * ((end - start) / total)
                           for start, end, vector in segments[1:])
    merged = [segments[0]]
    for start, end, vector in segments[1:]:
        if np.array_equal(vector, merged[-1][2]):
            merged[-1] = (merged[-1][0], end, vector)
        else:
            merged.append((start, end, vector))
    return max(reversed(merged), key=lambda segment: segment[1] - segment[0])[2]


class _Commands:
    """The commands of one action stream and what was in force when."""

    def __init__(self, stream):
        self._stream = stream
        self._stamped = []  # (stamp_ns, vector, or None that ends the one before), in order

    def add(self, stamp_ns: int, vector: np.ndarray | None) -> None:
        self._stamped.append((stamp_ns, vector))
        if len(self._stamped) > 1 and stamp_ns < self._stamped[-2][0]:
            self._stamped.sort(key=lambda command: command[0])

    def action(self, start_ns: int, end_ns: int) -> np.ndarray | None:
        """Reduce what was in force over [start, end); None where nothing was for a while."""
        before = [command for command in self._stamped if command[0] <= start_ns]
        within = [command for command in self._stamped if start_ns < command[0] < end_ns]
        self._stamped = before[-1:] + [command for command in self._stamped
                                       if command[0] > start_ns]
        commands = before[-1:] + within
        if not before or any(vector is None for _, vector in commands):
            return None
        starts = [start_ns] + [stamp for stamp, _ in within]
        ends = starts[1:] + [end_ns]
        for (stamp, _), end in zip(commands, ends):
            if end - stamp > self._stream.max_age_ns:
                return None
        segments = [(start, end, vector)
                    for start, end, (_, vector) in zip(starts, ends, commands)]
        return reduce_commands(self._stream.rule, segments)


class TransitionBuilder:
    """Builds the transitions of one robot's episodes, tick by tick; knows no clock."""

    def __init__(self, interface: RobotInterface, task: Task):
        """Start outside of any episode."""
        self._interface, self._task = interface, task
        self._memory = ObservationMemory(interface)
        self.clear()

    def clear(self) -> None:
        """Forget everything, as after a reset of the clock."""
        self._commands = [_Commands(stream) for stream in self._interface.action]
        self._rewards, self._terminations = [], []
        self._control, self._operated = [], False  # marks not yet used; who had control then
        self.end_episode()

    def end_episode(self) -> None:
        """Leave the episode; the next tick starts another."""
        self._pending = None  # (tick_ns, observation) without its successor
        self.observation: np.ndarray | None = None   # of the last tick, (observation_dim,)
        self.steps = 0

    @property
    def waiting(self) -> bool:
        """Say whether the last tick waits for its successor."""
        return self._pending is not None

    def add_command(self, index: int, stamp_ns: int, vector: np.ndarray | None) -> None:
        """
        Take a command (dim,) of action stream `index`, in force from its stamp on.

        None ends the command before: none is in force until the next.
        """
        self._commands[index].add(stamp_ns, vector)

    def forget_commands(self) -> None:
        """Forget the commands so far: between episodes only the last one matters."""
        self._commands = [_Commands(stream) for stream in self._interface.action]

    def commanded(self, tick_ns: int) -> np.ndarray:
        """Return what was in force from the last tick to this one (action_dim,), NaN: nothing."""
        parts = self._parts(self._pending[0], tick_ns)
        return np.concatenate([np.full(stream.dim, np.nan) if part is None else part
                               for stream, part in zip(self._interface.action, parts)])

    def _parts(self, start_ns: int, end_ns: int) -> list[np.ndarray | None]:
        return [commands.action(start_ns, end_ns) for commands in self._commands]

    def add_control(self, stamp_ns: int, operated: bool) -> None:
        """Take that an operator took control, or gave it back."""
        self._control.append((stamp_ns, operated))

    def add_reward(self, stamp_ns: int, reward: float) -> None:
        """Take a reward that arrived on the task's topic."""
        self._rewards.append((stamp_ns, reward))

    def add_terminated(self, stamp_ns: int, terminated: bool) -> None:
        """Take a termination flag that arrived on the task's topic."""
        self._terminations.append((stamp_ns, terminated))

    def tick(self, tick_ns: int, sensed: np.ndarray,
             outcome: float | None = None,
             otherwise: np.ndarray | None = None) -> Transition | None:
        """
        Take what is sensed (sensed_dim,) at a tick; return the transition that it completes.

        None for the first tick of an episode, and when no command was in force since the last
        tick: the episode is then over and starts anew here, unless `otherwise` (action_dim,) says
        what counts instead. `outcome` is the reward of a person who says success or failure,
        which terminates the episode. The transition is flagged when an operator had control at
        any time of [t_k, t_k+1).
        """
        pending = self._pending
        if pending is None:
            self._wait(tick_ns, self._memory.begin(sensed))
            self._take(self._rewards, tick_ns), self._take(self._terminations, tick_ns)
            self._take_control(tick_ns, tick_ns)
            return None
        start_ns, start_observation = pending
        intervention = self._take_control(start_ns, tick_ns)
        parts = self._parts(start_ns, tick_ns)
        if otherwise is not None:
            parts = [own if part is None else part
                     for part, own in zip(parts, self._interface.split_action(otherwise))]
        rewards = self._take(self._rewards, tick_ns)
        flags = self._take(self._terminations, tick_ns)
        if any(part is None for part in parts):
            self._wait(tick_ns, self._memory.begin(sensed))
            self.steps = 0
            return None
        action = np.concatenate(parts)
        observation = self._memory.observe(sensed, action)
        self._wait(tick_ns, observation)
        reward = sum(rewards, 0.0) + self._task.reward(start_observation, action, observation)
        terminated = any(flags) or self._task.terminated(start_observation, action, observation)
        if outcome is not None:
            reward, terminated = outcome, True
        self.steps += 1
        truncated = not terminated and self.steps >= self._task.time_limit_ticks
        return Transition(start_ns, start_observation, action, reward, observation,
                          bool(terminated), truncated, intervention)

    def _wait(self, tick_ns: int, observation: np.ndarray) -> None:
        self._pending, self.observation = (tick_ns, observation), observation

    def _take_control(self, start_ns: int, until_ns: int) -> bool:
        """Say whether an operator had control at any time of [start, until)."""
        marks, self._control = sorted(self._control, key=lambda mark: mark[0]), []
        at_start, within = self._operated, False
        for stamp_ns, operated in marks:
            if stamp_ns > until_ns:
                self._control.append((stamp_ns, operated))
                continue
            self._operated = operated
            if stamp_ns <= start_ns:
                at_start = operated
            elif stamp_ns < until_ns:
                within = within or operated
        return at_start or within

    @staticmethod
    def _take(stamped: list, until_ns: int) -> list:
        taken = [value for stamp, value in stamped if stamp <= until_ns]
        stamped[:] = [(stamp, value) for stamp, value in stamped if stamp > until_ns]
        return taken
