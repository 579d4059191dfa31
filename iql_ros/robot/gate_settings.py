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

POSITION, VELOCITY, EFFORT = KINDS = 'position', 'velocity', 'effort'
_LONGEST_REPEAT = 60.0   # [s]
_LONGEST_BLEND = 60.0    # [s]
_PER_VALUE = ('max_rate', 'max_step', 'stop', 'stop_rate', 'max_error')


@dataclasses.dataclass(frozen=True)
class Limit:
    """Absolute limits of one action stream, physical units, shape (dim,)."""

    low: tuple[float, ...]    # per value; allowed: from the stream's low up
    high: tuple[float, ...]   # per value; allowed: up to the stream's high


@dataclasses.dataclass(frozen=True)
class GateSettings:
    """What the safety gate enforces on one action stream (see safety.py)."""

    # [s] after which the robot stops by itself when no command comes: what it does when this
    # machine dies; set there, told here; allowed: at least two control periods (of
    # publish_rate, where that is set), or none
    downstream_timeout: float | str
    limit: Limit | None = None     # absolute limits; null: low and high of the stream
    # [unit/s] how fast a command may change, per value; allowed: > 0, or none
    max_rate: tuple[float, ...] | str = 'none'
    # [unit] how far a position's command may be from the measured one; allowed: > 0, or none
    max_step: tuple[float, ...] | str = 'none'
    # of the measured position of a joint that is driven by velocity or effort: at its ends
    # nothing drives further out
    range: Limit | None = None
    # what is sent when the gate trips and when an episode ends; allowed: zero (not for a
    # position), hold (for a position: where it is measured then), or values, inside the limits
    stop: tuple[float, ...] | str = 'zero'
    # [unit/s] how fast the stop is approached; default: max_rate for a position, else none: at
    # once; allowed: > 0, or none
    stop_rate: tuple[float, ...] | str | None = None
    # [s] how long the stop is repeated after an episode's end, and when policy_node is killed;
    # of several actions the longest; default: twice downstream_timeout, at most 60, or 1 where
    # that is none; allowed: 0 to 60
    stop_repeat: float | None = None
    # [s] from where the robot stands to what the policy says, on activation and after a trip was
    # cleared; allowed: 0 to 60
    blend_in: float = 0.0
    # [unit] how far the measured position may be from the command, for longer than error_time;
    # allowed: > 0, or none
    max_error: tuple[float, ...] | str = 'none'
    error_time: float = 0.5  # [s] for which max_error may be exceeded; allowed: >= 0

    @property
    def stop_repeat_ns(self) -> int:
        """Return how long the stop is repeated [ns]."""
        seconds = self.stop_repeat
        if seconds is None:
            timed = not isinstance(self.downstream_timeout, str)
            seconds = min(2 * self.downstream_timeout, _LONGEST_REPEAT) if timed else 1.0
        return round(seconds * 1e9)

    def check(self, kinds, low, high, measured: bool, where: str) -> None:
        """
        Refuse what does not fit a stream.

        Args:
            kinds: What every value controls, of KINDS or '' where nobody says.
            low: What -1 of the policy means, per value.
            high: What +1 means.
            measured: Whether the stream says where its values are measured.
            where: Names the stream in errors.

        """
        limit = self.limit or Limit(low, high)
        self._check_forms(len(kinds), where)
        for name, found in (('limit', limit), ('range', self.range)):
            if found is not None:
                for end in ('low', 'high'):
                    check_vector(getattr(found, end), len(kinds), f'{where}: gate.{name}.{end}')
        for index in range(len(kinds)):
            if not low[index] <= limit.low[index] <= limit.high[index] <= high[index]:
                raise InputError(
                    f'{where}: gate.limit[{index}]: got [{limit.low[index]}, '
                    f'{limit.high[index]}]; allowed: inside [{low[index]}, {high[index]}]')
        self._check_stop(kinds, limit, where)
        self._check_measured(kinds, measured, where)
        for key, value, longest in (('stop_repeat', self.stop_repeat, _LONGEST_REPEAT),
                                    ('blend_in', self.blend_in, _LONGEST_BLEND),
                                    ('error_time', self.error_time, np.inf)):
            if value is not None and not 0 <= value <= longest:
                raise InputError(f'{where}: gate.{key}: got {value}; allowed: 0 <= s'
                                 + (f' <= {longest:g}' if np.isfinite(longest) else ''))

    def _check_forms(self, size: int, where: str) -> None:
        """Refuse a word that is none, another number of values, and rates of nothing."""
        for key in _PER_VALUE:
            value = getattr(self, key)
            words = ('zero', 'hold') if key == 'stop' else ('none',)
            if isinstance(value, str) and value not in words:
                raise InputError(f'{where}: gate.{key}: got {value!r}; allowed: '
                                 f'{", ".join(words)} or {size} values')
            if isinstance(value, tuple):
                check_vector(value, size, f'{where}: gate.{key}')
                if key != 'stop' and min(value) <= 0:
                    raise InputError(f'{where}: gate.{key}: got {list(value)}; allowed: > 0')

    def _check_stop(self, kinds, limit: Limit, where: str) -> None:
        if self.stop == 'hold':
            if POSITION not in kinds:
                raise InputError(f"{where}: gate.stop: got 'hold'; allowed for positions: say "
                                 'controls: position, or zero, or values')
            return
        zero = isinstance(self.stop, str)
        if zero and POSITION in kinds:
            raise InputError(f"{where}: gate.stop: got 'zero', which moves a position to 0; "
                             'allowed: hold, or values')
        stop = np.zeros(len(kinds)) if zero else np.array(self.stop)
        inside = np.clip(stop, limit.low, limit.high)
        for index in np.flatnonzero(stop != inside):
            remedy = f'; write values, such as stop: {shown(inside.tolist())}' if zero else ''
            raise InputError(f'{where}: gate.stop[{index}]: got {stop[index]}; allowed: inside '
                             f'[{limit.low[index]}, {limit.high[index]}]{remedy}')

    def _check_measured(self, kinds, measured: bool, where: str) -> None:
        """Refuse what can only be kept where it is known where the robot is."""
        needs = {'stop': self.stop == 'hold', 'max_step': self.max_step != 'none',
                 'max_error': self.max_error != 'none', 'range': self.range is not None}
        for key in (key for key, needed in needs.items() if needed):
            if not measured:
                raise InputError(f"{where}: gate.{key}: key 'measured' beside 'gate' is missing: "
                                 'the names of the observed values that measure the position')
            fits = POSITION in kinds if key != 'range' else {VELOCITY, EFFORT} & set(kinds)
            if not fits:
                allowed = 'a position' if key != 'range' else 'a velocity or an effort'
                controls = ', '.join(filter(None, sorted(set(kinds)))) or 'what nobody says'
                raise InputError(f'{where}: gate.{key}: these control {controls}; allowed for '
                                 f'what controls {allowed} (key controls)')

    def check_timeout(self, rate: float, where: str) -> None:
        """Refuse a downstream timeout shorter than two periods of the commands' rate [Hz]."""
        timeout = self.downstream_timeout
        if isinstance(timeout, str):
            if timeout != 'none':
                raise InputError(f'{where}: gate.downstream_timeout: got {timeout!r}; allowed: '
                                 'none or seconds')
        elif not timeout >= 2 / rate:
            raise InputError(f'{where}: gate.downstream_timeout: got {timeout}; allowed: at '
                             f'least two control periods (of publish_rate, where that is set), '
                             f'{2 / rate:g} s')


def check_vector(values, size: int, where: str) -> None:
    """Refuse anything but `size` finite values."""
    if len(values) != size or not np.all(np.isfinite(values)):
        raise InputError(f'{where}: got {list(values)}; expected {size} finite values')
