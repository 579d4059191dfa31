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

"""The gate's arithmetic, value by value: what may be sent next, and how a stop is approached."""

import dataclasses
import functools

import numpy as np

from iql_ros.robot.gate_settings import POSITION
from iql_ros.robot.robot_interface import RobotInterface


@dataclasses.dataclass(frozen=True)
class GateRules:
    """
    What the gate enforces, physical units, a value an action's value: shape (action_dim,).

    Every method takes arrays (..., action_dim) and treats each value for itself; NaN where
    nothing is measured.
    """

    position: np.ndarray      # whether the value is a position, which may not leap
    low: np.ndarray           # absolute
    high: np.ndarray
    max_rate: np.ndarray      # [unit/s]; infinity: none
    max_step: np.ndarray      # from the measured value; infinity: none
    range_low: np.ndarray     # of the measured position of what is driven by velocity or effort
    range_high: np.ndarray
    stop: np.ndarray          # NaN: hold
    stop_rate: np.ndarray     # [unit/s]; infinity: at once
    blend_in: np.ndarray      # [s]
    max_error: np.ndarray     # of a position; infinity: none
    error_time: np.ndarray    # [s] that the error may last
    unsent: np.ndarray        # what counts as sent before anything was; NaN: where it stands

    @functools.cached_property
    def ranged(self) -> np.ndarray:
        """Return which values have a range: at its ends they are 0 at once, whatever max_rate."""
        return np.isfinite(self.range_low) | np.isfinite(self.range_high)

    @functools.cached_property
    def _ranged(self) -> bool:
        return bool(self.ranged.any())

    @functools.cached_property
    def _stepped(self) -> bool:
        return bool(np.isfinite(self.max_step).any())

    @functools.cached_property
    def at_once(self) -> np.ndarray:
        """Return which values are at their stop as soon as it is sent."""
        return np.isinf(self.stop_rate) & ~np.isnan(self.stop)

    def fit(self, action, last, measured, elapsed) -> tuple[np.ndarray, np.ndarray]:
        """
        Return what may be sent in place of an action, and where nothing may.

        A position has to keep to absolute limits, to max_rate from `last` and to max_step from
        `measured`, all at once; where that cannot be, nothing may be sent. A velocity or an
        effort keeps to its absolute limits, which are 0 on the side where its joint is at the
        end of its range, and only then to max_rate.

        Args:
            action: What is wanted, finite.
            last: What was sent last; of a position at the beginning: measured.
            measured: Of a position, and of the joints that have a range.
            elapsed: Since `last` [s], > 0.

        """
        low, high = self.low, self.high
        if self._ranged:
            low = np.where(measured <= self.range_low, np.maximum(low, 0.0), low)
            high = np.where(measured >= self.range_high, np.minimum(high, 0.0), high)
        reach = self.max_rate * elapsed
        below, above = last - reach, last + reach
        if self._stepped:
            step = np.where(self.position & ~np.isnan(measured), self.max_step, np.inf)
            around = np.where(np.isnan(measured), 0.0, measured)
            below, above = np.maximum(below, around - step), np.minimum(above, around + step)
        command = np.minimum(np.maximum(np.minimum(np.maximum(action, below), above), low), high)
        apart = np.maximum(below, low) > np.minimum(above, high)
        return command, (low > high) | (self.position & apart)

    def credible(self, measured) -> np.ndarray:
        """Return what is measured, NaN for a position beyond its limits: nothing led it there."""
        beyond = (measured < self.low) | (measured > self.high)
        return np.where(self.position & beyond, np.nan, measured)

    def stop_target(self, last, measured) -> np.ndarray:
        """Return where a stop leads to: `measured` where it is known, else `last`, to hold."""
        hold = np.where(np.isnan(measured), last, measured)
        return np.clip(np.where(np.isnan(self.stop), hold, self.stop), self.low, self.high)

    def towards(self, target, last, elapsed) -> np.ndarray:
        """Return the next command on the way from `last` to a stop, `elapsed` [s] > 0 later."""
        reach = self.stop_rate * elapsed
        return np.clip(np.clip(target, last - reach, last + reach), self.low, self.high)

    def scaled(self, action, scale: float, around) -> np.ndarray:
        """
        Return an action inside narrower limits, for first drives.

        Args:
            action: What is wanted.
            scale: Of what low and high leave; 1: all.
            around: Where a position stood; the limits of the others narrow towards 0.

        """
        if scale == 1.0:
            return action
        half = scale * (self.high - self.low) / 2
        low = np.where(self.position, around - half, scale * self.low)
        high = np.where(self.position, around + half, scale * self.high)
        return np.clip(action, low, high)


def gate_rules(interface: RobotInterface) -> GateRules:
    """Return the rules of a robot's action streams."""
    streams = interface.action

    def joined(values) -> np.ndarray:
        return np.concatenate([np.broadcast_to(np.asarray(value, np.float64), stream.dim)
                               for stream, value in zip(streams, values)])

    def numbers(key: str, none: float = np.inf) -> np.ndarray:
        values = [getattr(stream.gate, key) for stream in streams]
        return joined([none if isinstance(value, str) else value for value in values])
    position = np.array([kind == POSITION for stream in streams for kind in stream.kinds])
    limits = [stream.gate.limit or stream for stream in streams]
    ranges = [stream.gate.range for stream in streams]
    max_rate = numbers('max_rate')
    said = [stream.gate.stop_rate is not None for stream in streams]
    stop_rate = joined([np.inf if isinstance(stream.gate.stop_rate, str)
                        else stream.gate.stop_rate or np.inf for stream in streams])
    stop = _stop(streams, position)
    return GateRules(
        position, joined([limit.low for limit in limits]),
        joined([limit.high for limit in limits]), max_rate, numbers('max_step'),
        joined([each.low if each else -np.inf for each in ranges]),
        joined([each.high if each else np.inf for each in ranges]),
        stop, np.where(joined(said) == 0, np.where(
            position, max_rate, np.inf), stop_rate),
        numbers('blend_in'), numbers('max_error'), numbers('error_time'),
        # of a position that is measured nobody need guess where it stands
        np.where(position & (interface.measured >= 0), np.nan, stop))


def _stop(streams, position) -> np.ndarray:
    found = []
    for stream in streams:
        stop = 0.0 if isinstance(stream.gate.stop, str) else stream.gate.stop
        found.append(np.broadcast_to(np.asarray(stop, np.float64), stream.dim))
    holds = np.array([stream.gate.stop == 'hold' for stream in streams
                      for _ in range(stream.dim)])
    return np.where(holds & position, np.nan, np.concatenate(found))
