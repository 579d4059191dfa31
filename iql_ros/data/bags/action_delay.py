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

"""How long after an action each observation moves, from what was recorded of both."""

import math

import numpy as np

from iql_ros.data.oddities import ABSURD, distances
from iql_ros.robot.robot_interface import RobotInterface

_SECOND = 1_000_000_000          # [ns]
_GRID_NS = _SECOND // 50         # both signals are sampled this often
# Of samples that are kept. Commands are read anyway; every observation costs a deserialisation.
_SPACING_NS = {'action': 15_000_000, 'observation': 45_000_000}
_LONGEST_NS = 120 * _SECOND      # of a bag is looked at, from the first change of an action on
_VALUES = 64                     # of a stream are looked at, which bounds memory
_SPAN, _SPAN_MAX = 0.25, 1.0     # [s] over which changes are taken; more for slow streams
_LAGS = np.arange(round(-0.5 * _SECOND / _GRID_NS), round(2.5 * _SECOND / _GRID_NS) + 1)
_DELAYS = (0.0, 2.0)             # [s] where the peak must lie: before it, the observation leads
_CORRELATION = 0.3               # below, the action explains less than a tenth of the change
_FLANK = 0.8                     # of the peak: where both ends are not lower, its place is unsure
_BLOCK = 4                       # spans that count as one independent look at a pair
_AGREEMENT = 4.0                 # by chance at one lag in 16,000; hundreds are looked at


class DelayTrace:
    """
    Keeps enough of one bag to find how long after an action each observation moves.

    Signals are held from message to message, as the policy sees them, and compared by how much
    they changed over a short span, so that two ramps have nothing in common. A delay is believed
    when the correlation at its peak is 0.3 or more, the peak lies between 0 and 2 s and stands out
    from -0.5 and 2.5 s, and blocks of the recording agree: the sum of their products is 4 times
    what random signs would give, which a few large coincidences do not reach.
    """

    def __init__(self, interface: RobotInterface):
        """Start before the first message."""
        self._tick = 1 / interface.control_rate
        self._streams = {'observation': interface.observation, 'action': interface.action}
        self._kept = {kind: [_Kept() for _ in streams] for kind, streams in self._streams.items()}
        # Scans are slow to read and follow an action the least: only where nothing else does.
        self._blind = not all(stream.beams for stream in interface.observation)
        self._began = False
        self._until_ns = {'observation': -math.inf, 'action': math.inf}

    def due(self, kind: str, index: int, stamp_ns: int) -> bool:
        """Return whether `add` wants the stream's message of that time [ns]."""
        return (self._kept[kind][index].next_ns <= stamp_ns < self._until_ns[kind]
                and not (self._blind and self._streams[kind][index].beams))

    def add(self, kind: str, index: int, stamp_ns: int, vector) -> None:
        """Keep the vector of a stream ('observation' or 'action', its index) at a time [ns]."""
        kept, row = self._kept[kind][index], np.array(vector[:_VALUES], dtype=float)
        if not self._began and kind == 'action' and kept.rows:
            if np.array_equal(row, kept.rows[-1]):
                kept.stamps.clear(), kept.rows.clear()  # the robot still stands
            else:
                self._began = True
                self._until_ns = dict.fromkeys(self._until_ns, stamp_ns + _LONGEST_NS)
        kept.stamps.append(stamp_ns)
        kept.rows.append(row)
        kept.next_ns = stamp_ns + _SPACING_NS[kind]

    def delays(self) -> list[dict]:
        """
        Return the pairs whose action demonstrably moves the observation, the strongest first.

        Keys: action and observation (value names), rate_of_change (whether it is the
        observation's rate of change that follows, as a position's does a velocity), delay [s],
        correlation, tick_change (root mean square of what the observation changes in one tick,
        over its standard deviation); the strongest also has its curve over the lags:
        {first [s], step [s], values}.
        """
        grid = self._grid()
        if len(grid) * _GRID_NS > 2 * _LONGEST_NS:  # on clocks that differ nothing is compared
            return []
        actions, observations = (
            [_Signal(stream, kept, np.array(grid), self._tick, held=kind == 'action')
             for stream, kept in zip(self._streams[kind], self._kept[kind])]
            for kind in ('action', 'observation'))
        found = [pair for action in actions for observation in observations
                 for pair in _compare(action, observation)]
        found.sort(key=lambda pair: -abs(pair['correlation']))
        for pair in found[1:]:
            del pair['curve']
        return found

    def _grid(self) -> range:
        stamps = [kept.stamps for streams in self._kept.values() for kept in streams
                  if kept.stamps]
        return range(min((each[0] for each in stamps), default=0),
                     max((each[-1] for each in stamps), default=0), _GRID_NS)


class _Kept:
    """What is kept of a stream."""

    def __init__(self):
        self.stamps, self.rows, self.next_ns = [], [], -math.inf


class _Signal:
    """
    The values of a stream that vary, on the grid for as long as they are young enough.

    A command holds until the next one; what was observed went on between two messages.
    """

    def __init__(self, stream, kept: _Kept, grid: np.ndarray, tick: float, held: bool):
        self.names, self.period = [], 0.0
        if len(kept.stamps) < 2:
            return
        stamps, rows = np.array(kept.stamps), _without_absurd(np.array(kept.rows))
        self.period = float(np.median(np.diff(stamps))) / _SECOND
        varies = np.isfinite(rows).all(axis=0)
        varies[varies] = np.ptp(rows[:, varies], axis=0) > 0
        self.names = [name for name, use in zip(stream.value_names, varies) if use]
        latest = np.searchsorted(stamps, grid, 'right') - 1
        # a simulator in lockstep is seen at its stamps alone, however little max_age allows
        age = max(stream.max_age_ns, 1.5 * self.period * _SECOND)
        self.valid = (latest >= 0) & (grid - stamps[latest] <= age)
        self.values = rows[latest][:, varies]
        if not held and self.names:
            self.values = np.stack([np.interp(grid, stamps, row)
                                    for row in rows[:, varies].T], axis=1)
        self.tick_changes = self._tick_changes(tick)

    def _tick_changes(self, tick: float) -> np.ndarray:
        """Return how much each value changes in a tick [s], as a share of how much it varies."""
        places = max(1, round(tick * _SECOND / _GRID_NS))
        changes, whole = _changes(self.values, self.valid, places)
        varied = np.std(self.values[self.valid], axis=0)
        changed = np.sqrt((changes ** 2).sum(axis=0) / max(whole.sum(), 1))
        return changed / np.maximum(varied, 1e-300) * tick / (places * _GRID_NS / _SECOND)


def _without_absurd(rows: np.ndarray) -> np.ndarray:
    """Return rows (N, d) with the median in place of what lies absurdly far from it."""
    return np.where(distances(rows) > ABSURD, np.median(rows, axis=0), rows)


def _compare(action: _Signal, observation: _Signal) -> list[dict]:
    """Return the pairs of two streams that stand clear of chance, each with its curve."""
    seconds = max(_SPAN, min(max(action.period, observation.period), _SPAN_MAX))
    half = round(seconds / 2 * _SECOND / _GRID_NS)
    span = 2 * half
    if not (action.names and observation.names and len(action.valid) > 2 * span + _LAGS[-1]):
        return []
    command, command_valid = _changes(action.values, action.valid, span)
    change, valid = _changes(observation.values, observation.valid, span)
    slope = np.roll(change, -half, axis=0), np.roll(valid, -half)  # centred, so it is not late
    forms = [(change, valid), _changes(*slope, span)]
    curves = np.array([_correlations(command, command_valid, *form) for form in forms])
    found = []
    for pair in np.ndindex(curves.shape[2:]):
        curve = curves[:, :, pair[0], pair[1]]
        form, place = np.unravel_index(np.argmax(np.abs(curve)), curve.shape)
        peak, lag = curve[form, place], _LAGS[place] * _GRID_NS / _SECOND
        unsure = np.abs(curve[form, [0, -1]]).max() > _FLANK * abs(peak)
        if abs(peak) < _CORRELATION or unsure or not _DELAYS[0] <= lag <= _DELAYS[1]:
            continue
        products = _overlap(command[:, pair[0]], forms[form][0][:, pair[1]], _LAGS[place])
        if _agreement(products, _BLOCK * span) < _AGREEMENT:
            continue
        lag += _vertex(np.abs(curve[form, place - 1:place + 2])) * _GRID_NS / _SECOND
        found.append({'action': action.names[pair[0]], 'observation': observation.names[pair[1]],
                      'rate_of_change': bool(form), 'delay': round(max(float(lag), 0.0), 4),
                      'correlation': round(float(peak), 3),
                      'tick_change': round(float(observation.tick_changes[pair[1]]), 4),
                      'curve': {'first': float(_LAGS[0] * _GRID_NS / _SECOND),
                                'step': _GRID_NS / _SECOND,
                                'values': curve[form].round(3).tolist()}})
    return found


def _changes(values: np.ndarray, valid: np.ndarray, span: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the change (n, d) over the last `span` places less its mean; 0 where not valid."""
    gaps = np.concatenate([[0], np.cumsum(~valid)])
    whole = np.zeros_like(valid)
    whole[span:] = gaps[span + 1:] == gaps[:-span - 1]
    changes = np.zeros_like(values)
    changes[span:] = values[span:] - values[:-span]
    changes -= changes[whole].sum(axis=0) / max(whole.sum(), 1)
    return changes * whole[:, None], whole


def _correlations(command, command_valid, change, valid) -> np.ndarray:
    """Return the correlation (lags, actions, observations), of what is valid in both."""
    size = 1 << (len(valid) + len(_LAGS)).bit_length()

    def spectra(values):
        return np.fft.rfft(values, size, axis=0)

    def sums(earlier, later):
        return np.fft.irfft(np.conj(earlier) * later, size, axis=0)[_LAGS]

    changes, squares = spectra(change), spectra(change ** 2)
    present = spectra(valid[:, None].astype(float))
    power = sums(spectra(command_valid[:, None].astype(float)), squares)
    found = []
    for values in command.T[:, :, None]:
        both = power * sums(spectra(values ** 2), present)
        known = both > 1e-12 * both.max(initial=0.0)  # beyond what rounding leaves of nothing
        found.append(np.where(known, sums(spectra(values), changes)
                              / np.sqrt(np.where(known, both, 1.0)), 0.0))
    return np.stack(found, axis=1)


def _overlap(earlier: np.ndarray, later: np.ndarray, lag: int) -> np.ndarray:
    """Return the products of two signals of which the second is `lag` >= 0 places late."""
    return earlier[:len(earlier) - lag] * later[lag:]


def _agreement(products: np.ndarray, block: int) -> float:
    """Return the self-normalised sum of blocks of products, about normal by chance."""
    sums = np.add.reduceat(products, np.arange(0, len(products), block))
    return abs(sums.sum()) / max(math.sqrt((sums ** 2).sum()), 1e-300)


def _vertex(heights) -> float:
    """Return where between three neighbours the parabola through them peaks, in places."""
    left, middle, right = heights
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0
