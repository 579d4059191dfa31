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

"""The gate between a policy's action and the wire: the only way to a robot's command topics."""

import dataclasses

import numpy as np

from iql_ros.robot.gate_rules import gate_rules
from iql_ros.robot.robot_interface import RobotInterface

_ROUNDING = 1e-9    # of somebody else's command, relative: their rate is computed otherwise


@dataclasses.dataclass(frozen=True)
class GateResult:
    """What may be sent, physical units, shape (action_dim,)."""

    command: np.ndarray
    changed: np.ndarray      # of which values (action_dim,) something here changed the action
    trip: str | None         # why the gate tripped; the command then leads to the stop


class Gate:
    """
    What a robot's YAML allows of what a policy wants; what is not finite trips.

    Knows no clock and no topic: the same state, time and input give the same output. A trip
    latches until `clear_trip`; meanwhile every command leads to the stop. This is not certified
    safety.
    """

    def __init__(self, interface: RobotInterface):
        """Take the gate settings of every action stream."""
        self.interface, self.rules = interface, gate_rules(interface)
        self.period_ns = interface.period_ns
        self.scale = 1.0                    # of limits and rates, for first drives; (0, 1]
        self._indices, self._names = interface.measured, interface.action_names
        self._observed = interface.sensed_names
        self._unknown = np.full(len(self._names), np.nan)
        self._nothing = np.zeros(len(self._names), bool)
        self._watches = bool(np.isfinite(self.rules.max_error).any())
        self._blend_ns: int | None = None   # when blending in began
        self._blends = False
        self.rest()

    def rest(self) -> None:
        """Begin anew with a robot that stands somewhere, as after its stop, and no trip."""
        self.trip_reason: str | None = None
        self.forget()

    def forget(self) -> None:
        """Forget what was sent: nobody has for a while, and the robot may be elsewhere."""
        self.measured = self._unknown       # (action_dim,), NaN where nothing is measured
        self.stood = self._unknown          # where the episode's first command began
        self.last = self.rules.unsent       # what was sent, (action_dim,)
        self.target: np.ndarray | None = None   # where the stop leads to
        self.start()

    def start(self) -> None:
        """Begin an episode: the next command is limited from where the robot then stands."""
        self._begins, self.last_ns = True, None  # when the episode's last command was sent [ns]
        self._off_since = np.full(len(self._names), np.inf)
        self.last = np.where(self.rules.at_once, self.rules.stop, self.last)

    def blend_in(self) -> None:
        """Let what is sent from now on lead from where the robot stands to what is wanted."""
        self._blends, self._blend_ns = bool(np.any(self.rules.blend_in)), None

    def trip(self, reason: str) -> None:
        """Latch a trip; the first reason is kept."""
        self.trip_reason = self.trip_reason or reason

    def clear_trip(self) -> None:
        """Allow commands again."""
        self.trip_reason = None
        self.start()
        self.blend_in()

    def observe(self, observation: np.ndarray, stamp_ns: int) -> None:
        """
        See where the robot is, what is sensed (sensed_dim,) at a time [ns].

        Trips when a value is not finite, or a position has been too far from its command for
        too long.
        """
        if not np.all(np.isfinite(observation)):
            index = int(np.flatnonzero(~np.isfinite(observation))[0])
            self.trip(f"observation '{self._observed[index]}' is {observation[index]}")
            return
        self.measured = self.where(observation)
        self._check_error(stamp_ns)

    def see(self, observation: np.ndarray) -> bool:
        """
        See where the robot is between episodes; say whether something may be commanded.

        Of what is sensed (sensed_dim,), NaN for what is not known. Not while it is unknown
        where a position is, or that is outside its limits.
        """
        self.measured = self.where(observation)
        known = ~np.isnan(np.where(np.isnan(self.measured), self.last, self.measured))
        return bool(known[self.rules.position].all()) and not self.outside(observation)

    def where(self, observation: np.ndarray) -> np.ndarray:
        """Return what of an observation measures an action's values, (action_dim,), else NaN."""
        return np.where(self._indices < 0, np.nan, observation[self._indices])

    def outside(self, observation: np.ndarray) -> list[str]:
        """Return why no episode may begin where the robot stands: positions beyond limits."""
        at, rules = self.where(observation), self.rules
        return [f"'{self._names[index]}' is at {at[index]:g}; allowed (limit): "
                f'{rules.low[index]:g} to {rules.high[index]:g}'
                for index in np.flatnonzero(rules.position & (
                    (at < rules.low) | (at > rules.high)))]

    def _check_error(self, stamp_ns: int) -> None:
        if self.last_ns is None or not self._watches:
            return
        error = np.abs(self.measured - self.last)
        off = self.rules.position & (error > self.rules.max_error)
        self._off_since = np.where(off, np.minimum(self._off_since, stamp_ns), np.inf)
        late = stamp_ns - self._off_since > self.rules.error_time * 1e9
        if late.any():
            index = int(np.flatnonzero(late)[0])
            self.trip(f"'{self._names[index]}' is at {self.measured[index]:g} and should be at "
                      f'{self.last[index]:g}, for more than {self.rules.error_time[index]:g} s; '
                      f'allowed (max_error): {self.rules.max_error[index]:g}')

    def apply(self, action: np.ndarray, stamp_ns: int) -> GateResult:
        """
        Return what may be sent at a time [ns] in place of an action, shape (action_dim,).

        The rate is measured from the last command sent, over the time since, at most one
        period; at an episode's start, of a position, from where it is measured.
        """
        if not np.all(np.isfinite(action)):
            index = int(np.flatnonzero(~np.isfinite(action))[0])
            self.trip(f"action '{self._names[index]}' is {action[index]}")
        if self.trip_reason is None:
            command = self._fit(action, stamp_ns)
        if self.trip_reason is not None:
            return GateResult(self.next_stop(self._since_last(stamp_ns)), self._nothing,
                              self.trip_reason)
        self.follow(command, stamp_ns)
        return GateResult(command, command != action, None)

    def follow(self, command: np.ndarray, stamp_ns: int) -> None:
        """Count a command (action_dim,) of a time [ns] as the last one sent, whoever sent it."""
        self.last, self.last_ns, self.target = command, stamp_ns, None

    def _fit(self, action: np.ndarray, stamp_ns: int) -> np.ndarray:
        begins, self._begins = self._begins, False
        origin = sent = self.last
        if begins:
            known = self.rules.position & ~np.isnan(self.measured)
            self.stood = origin = np.where(known, self.measured, sent)
        wanted = self.rules.scaled(self._blended(action, stamp_ns, origin), self.scale, self.stood)
        elapsed = self.scale * self._since_last(stamp_ns)
        command, empty = self.rules.fit(wanted, origin, self.measured, elapsed)
        if begins:  # near what was sent before too, where that is near where the robot stands
            reach = self.rules.max_rate * elapsed
            nearer = np.clip(command, sent - reach, sent + reach)
            command = np.where(np.abs(nearer - self.stood) <= reach, nearer, command)
        empty |= np.isnan(command)
        if empty.any():
            self.trip(self._why_empty(int(np.flatnonzero(empty)[0]), origin))
        return command

    def _since_last(self, stamp_ns: int) -> float:
        """Return the time [s] since the episode's last command, at most one period."""
        if self.last_ns is None:
            return self.period_ns * 1e-9
        # at least 1 ns: where there is no rate limit, infinity times 0 would be NaN
        return min(max(stamp_ns - self.last_ns, 1), self.period_ns) * 1e-9

    def passes(self, action: np.ndarray, last: np.ndarray, measured: np.ndarray) -> np.ndarray:
        """
        Say which values (action_dim,) of somebody else's action would go out as they are.

        One period after `last` was sent, where the robot is `measured`; nothing is remembered.
        """
        wanted = self.rules.scaled(action, self.scale, self.stood)
        fitting, _ = self.rules.fit(wanted, last, measured, self.scale * self.period_ns * 1e-9)
        return np.abs(fitting - action) <= _ROUNDING * (1 + np.abs(action))

    def _blended(self, action: np.ndarray, stamp_ns: int, origin: np.ndarray) -> np.ndarray:
        if not self._blends:
            return action
        if self._blend_ns is None:
            self._blend_ns, self._blend_from = stamp_ns, origin
        passed = max(stamp_ns - self._blend_ns, 0) * 1e-9
        over = passed >= self.rules.blend_in
        self._blends = not over.all()
        share = passed / np.where(over, 1.0, self.rules.blend_in)
        return np.where(over, action, self._blend_from + share * (action - self._blend_from))

    def _why_empty(self, index: int, origin: np.ndarray) -> str:
        low, high = self.rules.low[index], self.rules.high[index]
        return (f"'{self._names[index]}' was sent {origin[index]:g}, is at "
                f'{self.measured[index]:g}: no command keeps to limit ({low:g} to {high:g}), '
                'max_rate and max_step')

    def next_stop(self, elapsed: float, observation: np.ndarray | None = None) -> np.ndarray:
        """
        Return the next command (action_dim,) towards the stop, NaN for what cannot be held.

        Args:
            elapsed: Since the last command [s], > 0; by a clock that nobody sets.
            observation: What is known now, NaN where nothing is; counts where a stop begins.
                None: the last one.

        """
        if self.target is None or np.isnan(self.target + self.last).any():
            measured = self.rules.credible(
                self.measured if observation is None else self.where(observation))
            self.last = np.where(np.isnan(self.last), measured, self.last)
            self.target = self.rules.stop_target(self.last, measured)
        self.last = self.rules.towards(self.target, self.last, elapsed)
        return self.last

    def stop_from_here(self) -> np.ndarray:
        """Return where a stop leads to that begins now (action_dim,), NaN where nobody knows."""
        return self.rules.stop_target(self.last, self.rules.credible(self.measured))

    @property
    def stopping(self) -> bool:
        """Say whether what was sent leads to the stop and has not reached it."""
        return self.target is not None and bool(
            np.any(~np.isnan(self.last) & (self.last != self.target)))
