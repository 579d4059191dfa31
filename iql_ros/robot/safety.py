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

from iql_ros.robot.robot_interface import RobotInterface


@dataclasses.dataclass(frozen=True)
class GateResult:
    """What may be sent, physical units, shape (action_dim,)."""

    command: np.ndarray
    clipped: bool            # a limit or a rate changed the action
    trip: str | None         # why the gate tripped; the command is then the stop


class Gate:
    """
    Absolute limits, then rate limits; a non-finite number trips and the stop goes out.

    Knows no clock and no topic: the same state, time and input give the same output. A trip
    latches until `clear_trip`. This is not certified safety.
    """

    def __init__(self, interface: RobotInterface):
        """Take the gate settings of every action stream."""
        streams = interface.action
        limits = [stream.gate.limit or stream for stream in streams]
        self.limit_low = np.concatenate([limit.low for limit in limits])
        self.limit_high = np.concatenate([limit.high for limit in limits])
        self.stop = np.concatenate([_stop(stream) for stream in streams])
        self.max_rate = np.concatenate([_max_rate(stream) for stream in streams])
        self.period_ns = interface.period_ns
        self.trip_reason: str | None = None
        self.start()

    def start(self) -> None:
        """Begin an episode: the robot stands, as after its stop."""
        self.last, self.last_ns = self.stop, None  # what was sent, and when [ns]

    def trip(self, reason: str) -> None:
        """Latch a trip; the first reason is kept."""
        self.trip_reason = self.trip_reason or reason

    def clear_trip(self) -> None:
        """Allow commands again."""
        self.trip_reason = None
        self.start()

    def check_observation(self, observation: np.ndarray) -> None:
        """Trip when a value of the observation is not finite."""
        if not np.all(np.isfinite(observation)):
            index = int(np.flatnonzero(~np.isfinite(observation))[0])
            self.trip(f'observation[{index}] is {observation[index]}')

    def apply(self, action: np.ndarray, stamp_ns: int) -> GateResult:
        """
        Return what may be sent at a time in place of an action, shape (action_dim,).

        The rate is measured from the last command sent, over the time since, at most one
        period. Absolute limits win over rates.
        """
        if not np.all(np.isfinite(action)):
            index = int(np.flatnonzero(~np.isfinite(action))[0])
            self.trip(f'action[{index}] is {action[index]}')
        if self.trip_reason is not None:
            return self._sent(self.stop, stamp_ns, clipped=False)
        elapsed_ns = self.period_ns
        if self.last_ns is not None:
            # at least 1 ns: where there is no rate limit, infinity times 0 would be NaN
            elapsed_ns = min(max(stamp_ns - self.last_ns, 1), self.period_ns)
        reach = self.max_rate * (elapsed_ns * 1e-9)
        command = np.clip(action, self.last - reach, self.last + reach)
        command = np.clip(command, self.limit_low, self.limit_high)
        return self._sent(command, stamp_ns, clipped=not np.array_equal(command, action))

    def _sent(self, command: np.ndarray, stamp_ns: int, clipped: bool) -> GateResult:
        self.last, self.last_ns = command, stamp_ns
        return GateResult(command, clipped, self.trip_reason)


def _stop(stream) -> np.ndarray:
    return np.zeros(stream.dim) if stream.gate.stop == 'zero' else np.array(stream.gate.stop)


def _max_rate(stream) -> np.ndarray:
    rate = stream.gate.max_rate
    return np.full(stream.dim, np.inf) if rate == 'none' else np.array(rate)
