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

"""What a robot's YAML says the safety gate enforces on one action stream."""

import dataclasses

import numpy as np

from iql_ros.files import InputError, shown

_LONGEST_REPEAT = 60.0   # [s]


@dataclasses.dataclass(frozen=True)
class Limit:
    """Absolute limits of one action stream, physical units, shape (dim,)."""

    low: tuple[float, ...]    # per value; allowed: from the stream's low up
    high: tuple[float, ...]   # per value; allowed: up to the stream's high


@dataclasses.dataclass(frozen=True)
class GateSettings:
    """What the safety gate enforces on one action stream (see safety.py)."""

    # [s] after which the robot stops by itself when no command comes: what it does when this
    # machine dies; set there, told here; allowed: at least two control periods, or none
    downstream_timeout: float | str
    limit: Limit | None = None     # absolute limits; null: low and high of the stream
    # [unit/s] how fast a command may change, per value; allowed: > 0, or none
    max_rate: tuple[float, ...] | str = 'none'
    # what is sent when the gate trips and when an episode ends; allowed: zero, or values, inside
    # the limits
    stop: tuple[float, ...] | str = 'zero'
    # [s] how long the stop is repeated after an episode's end, and when policy_node is killed;
    # of several actions the longest; default: twice downstream_timeout, at most 60, or 1 where
    # that is none; allowed: 0 to 60
    stop_repeat: float | None = None

    @property
    def stop_repeat_ns(self) -> int:
        """Return how long the stop is repeated [ns]."""
        seconds = self.stop_repeat
        if seconds is None:
            timed = not isinstance(self.downstream_timeout, str)
            seconds = min(2 * self.downstream_timeout, _LONGEST_REPEAT) if timed else 1.0
        return round(seconds * 1e9)

    def check(self, size: int, low, high, where: str) -> None:
        """Refuse what does not fit a stream of `size` values between low and high."""
        if isinstance(self.stop, str) and self.stop != 'zero':
            raise InputError(f'{where}: gate.stop: got {self.stop!r}; allowed: zero or {size} '
                             'values')
        if isinstance(self.max_rate, str) and self.max_rate != 'none':
            raise InputError(f'{where}: gate.max_rate: got {self.max_rate!r}; allowed: none or '
                             f'{size} values')
        limit = self.limit or Limit(low, high)
        for name, values in (('limit.low', limit.low), ('limit.high', limit.high),
                             ('max_rate', self.max_rate), ('stop', self.stop)):
            if not isinstance(values, str):
                check_vector(values, size, f'{where}: gate.{name}')
        if not isinstance(self.max_rate, str) and min(self.max_rate) <= 0:
            raise InputError(f'{where}: gate.max_rate: got {list(self.max_rate)}; allowed: > 0')
        for index in range(size):
            if not low[index] <= limit.low[index] <= limit.high[index] <= high[index]:
                raise InputError(
                    f'{where}: gate.limit[{index}]: got [{limit.low[index]}, '
                    f'{limit.high[index]}]; allowed: inside [{low[index]}, {high[index]}]')
        self._check_stop(limit, where)
        if self.stop_repeat is not None and not 0 <= self.stop_repeat <= _LONGEST_REPEAT:
            raise InputError(f'{where}: gate.stop_repeat: got {self.stop_repeat}; allowed: '
                             f'0 <= s <= {_LONGEST_REPEAT:g}')

    def _check_stop(self, limit: Limit, where: str) -> None:
        zero = isinstance(self.stop, str)
        stop = np.zeros(len(limit.low)) if zero else np.array(self.stop)
        inside = np.clip(stop, limit.low, limit.high)
        for index in np.flatnonzero(stop != inside):
            remedy = f'; write values, such as stop: {shown(inside.tolist())}' if zero else ''
            raise InputError(f'{where}: gate.stop[{index}]: got {stop[index]}; allowed: inside '
                             f'[{limit.low[index]}, {limit.high[index]}]{remedy}')

    def check_timeout(self, control_rate: float, where: str) -> None:
        """Refuse a downstream timeout shorter than two control periods."""
        timeout = self.downstream_timeout
        if isinstance(timeout, str):
            if timeout != 'none':
                raise InputError(f'{where}: gate.downstream_timeout: got {timeout!r}; allowed: '
                                 'none or seconds')
        elif not timeout >= 2 / control_rate:
            raise InputError(f'{where}: gate.downstream_timeout: got {timeout}; allowed: at '
                             f'least two control periods, {2 / control_rate:g} s')


def check_vector(values, size: int, where: str) -> None:
    """Refuse anything but `size` finite values."""
    if len(values) != size or not np.all(np.isfinite(values)):
        raise InputError(f'{where}: got {list(values)}; expected {size} finite values')
