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

"""What is odd about numbers over time: values far outside of the others, jumps, wrapped angles."""

import dataclasses
import math
import re

import numpy as np

_USUAL = (0.01, 0.99)    # quantiles between which the usual values lie
FAR = 20.0               # of that span outside of it: said; in a draft left out of its ranges
ABSURD = 900.0           # of that span: a bag is refused until somebody says what to do
_LEAST_SPAN = 1e-3       # that counts, relative to the values' size, 1 at least: so 0 in place of
#                          a position on the globe is absurd, an obstacle that is seldom is not
_STILL = 1e3             # spans as large, of what never changes but now and then: a button
_USUAL_STEP = 0.99       # quantile of the changes from one to the next
_JUMP = 50.0             # usual changes at once are a jump
_RULED = 3.0             # times the standard deviation without the values far outside
_BLIP = 10.0             # usual changes away from both neighbours, which are that much closer
_BLIPS = 4, 0.01         # of these, and of all values, that somebody else may have sent,
_ALIKE = 0.1             # whose own values change by this share of how far away they are
_FEW = 100               # values; of fewer nothing is said
_QUATERNION = re.compile(r'(.+)\.x')
_TURNS = (2 * math.pi, 360.0)  # of an angle that wraps
_NEARLY = 0.1            # of a turn, by which a change may miss it
KINDS = ('outside', 'blips', 'jumps', 'wraps')   # of what is odd, by the counts' names


@dataclasses.dataclass(frozen=True)
class Oddity:
    """What is odd about one value; times are those of the first."""

    count: int                           # values that were looked at
    low: float                           # of those that are not far outside
    high: float
    outside: int = 0                     # values far outside
    outside_at: float = 0.0              # [s]
    farthest: float = 0.0                # value
    jumps: int = 0
    jump_at: float = 0.0                 # [s] of the largest
    jump_by: float = 0.0                 # the largest
    usual_step: float = 0.0              # 99 % of the changes are smaller
    blips: int = 0                       # values that leave the course of both neighbours
    blip_at: float = 0.0                 # [s]
    wraps: int = 0                       # times that an angle goes once around at once

    @property
    def is_any(self) -> bool:
        """Say whether anything is odd."""
        return any(getattr(self, key) for key in KINDS)


def distances(values: np.ndarray) -> np.ndarray:
    """
    Return how far outside of the usual values each of (N, C) lies, in spans of these; 0: inside.

    NaN and infinity are 0: they are looked for elsewhere.
    """
    if len(values) < _FEW:
        return np.zeros(values.shape)
    finite = np.where(np.isfinite(values), values, np.nan)
    none = np.isnan(finite).all(axis=0)
    finite = np.where(none, 0.0, finite)
    low, middle, high = np.nanquantile(finite, (_USUAL[0], 0.5, _USUAL[1]), axis=0)
    size = np.maximum(np.abs(middle), 1.0)
    span = np.maximum(high - low, _LEAST_SPAN * size * np.where(high == low, _STILL, 1.0))
    beyond = np.maximum(low - finite, finite - high) / span
    return np.where(np.isnan(beyond), 0.0, np.maximum(beyond, 0.0))


def look(values: np.ndarray, seconds: np.ndarray, starts=(0,)) -> list[Oddity | None]:
    """
    Return what is odd about each column; None for one without a finite value.

    Args:
        values: (N, C) in order of time.
        seconds: (N,) when each row was.
        starts: Rows that do not follow the one before.

    """
    follows = np.ones(len(values), bool)
    follows[list(starts)] = False
    return [_oddity(column, distances(column[:, None])[:, 0], seconds, follows)
            for column in values.T]


def _oddity(values, far, seconds, follows) -> Oddity | None:
    finite = np.isfinite(values)
    if not finite.any():
        return None
    outside = far > FAR
    inside = values[finite & ~outside]
    odd = {}
    if outside.any():
        farthest = int(np.argmax(far))
        odd = {'outside': int(outside.sum()), 'outside_at': float(seconds[np.argmax(outside)]),
               'farthest': float(values[farthest])}
    follows = follows & finite & np.roll(finite, 1) & ~outside & ~np.roll(outside, 1)
    follows[0] = False
    return Oddity(int(finite.sum()), float(inside.min()), float(inside.max()), **odd,
                  **_steps(values, seconds, follows, inside))


def _steps(values, seconds, follows, inside) -> dict:
    """Return wraps, blips or jumps, where what is far outside comes and goes not counted."""
    rows = np.flatnonzero(follows)
    steps = np.abs(values[rows] - values[rows - 1])
    if len(steps) < _FEW:
        return {}
    usual, span = float(np.quantile(steps, _USUAL_STEP)), np.ptp(inside)
    for turn in _TURNS:
        around = np.abs(steps - turn) < _NEARLY * turn
        if around.any() and abs(span - turn) < _NEARLY * turn:
            calm = steps[~around]
            if len(calm) and np.quantile(calm, _USUAL_STEP) < turn / 8:
                return {'wraps': int(around.sum())}
    blips = _blips(values, follows, float(np.median(steps)))
    if len(blips):
        return {'blips': len(blips), 'blip_at': float(seconds[blips[0]]), 'usual_step': usual}
    jumps = steps > _JUMP * usual
    if usual == 0 or not jumps.any():
        return {'usual_step': usual}
    largest = int(np.argmax(steps))
    return {'jumps': int(jumps.sum()), 'jump_at': float(seconds[rows[largest]]),
            'jump_by': float(steps[largest]), 'usual_step': usual}


def _blips(values: np.ndarray, follows: np.ndarray, step: float) -> np.ndarray:
    """Return the rows that lie far from both neighbours, which agree; of what moves otherwise."""
    rows = np.flatnonzero(follows[:-1] & follows[1:])
    if step == 0 or not len(rows):
        return rows[:0]
    before, after = values[rows] - values[rows - 1], values[rows + 1] - values[rows]
    away, apart = np.minimum(np.abs(before), np.abs(after)), np.abs(before + after)
    found = (before * after < 0) & (away > _BLIP * np.maximum(apart, step))
    rows, away = rows[found], away[found]
    if len(rows) < max(_BLIPS[0], _BLIPS[1] * len(values)):
        return rows[:0]
    alike = np.abs(np.diff(values[rows])) < _ALIKE * away[1:]   # noise goes either way
    return rows if alike.mean() > 1 - _ALIKE else rows[:0]


def flips(names: list[str], values: np.ndarray, starts=(0,)) -> dict[str, int]:
    """
    Return how often each quaternion changes its sign, which hardly turns the orientation.

    Args:
        names: Of the columns; those of a quaternion end in .x, .y, .z and .w.
        values: (N, C) in order of time.
        starts: Rows that do not follow the one before.

    """
    found = {}
    for match in filter(None, map(_QUATERNION.fullmatch, names)):
        parts = [f'{match[1]}.{axis}' for axis in 'xyzw']
        if set(parts) <= set(names):
            columns = [names.index(part) for part in parts]
            found[match[1]] = _flips(values[:, columns], starts)
    return {name: count for name, count in found.items() if count}


def _flips(quaternions: np.ndarray, starts) -> int:
    if len(quaternions) < 2:
        return 0
    follows = np.ones(len(quaternions), bool)
    follows[list(starts)] = False
    before, after = quaternions[:-1], quaternions[1:]
    size = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    with np.errstate(all='ignore'):
        cosine = (before * after).sum(axis=1) / size
    return int(np.count_nonzero((cosine < -0.9) & follows[1:]))


def flips_in_words(name: str, count: int) -> str:
    """Return what is odd about a quaternion that changes its sign."""
    return (f'{name} changes the sign of its quaternion {count:,} times: the same orientation, '
            'far apart as numbers; learn from its yaw, as yaw_cos and yaw_sin, or from '
            'rotation_6d')


def ruled(values: np.ndarray, names: list[str]) -> list[str]:
    """Return, in words, the columns of (N, C) whose standard deviation a few values make."""
    texts = []
    for name, column in zip(names, values.T):
        far = distances(column[:, None])[:, 0] > FAR
        inside = column[~far]
        if far.any() and np.std(column, dtype=np.float64) > _RULED * np.std(inside) > 0:
            low, high = range_text(inside.min(), inside.max())
            texts.append(
                f'{name}: {np.count_nonzero(far):,} of {len(column):,} values lie far outside of '
                f'{low} to {high}, as far as {column[far][np.argmax(np.abs(column[far]))]:.4g}, '
                f'and make its standard deviation {np.std(column, dtype=np.float64):.4g} in '
                f'place of {np.std(inside):.4g}: all others are learned from as if they were one')
    return texts


def range_text(low: float, high: float) -> tuple[str, str]:
    """Return both ends of a range, with as many digits as it takes to tell them apart."""
    largest, span = max(abs(low), abs(high)), high - low
    digits = 4
    if 0 < span < largest < math.inf:
        digits = min(max(4, 3 + math.ceil(math.log10(largest / span))), 17)
    return f'{low:.{digits}g}', f'{high:.{digits}g}'


def in_words(name: str, odd: Oddity, unit: str) -> list[str]:
    """Return what is odd about a value of a name, as sentences without a full stop."""
    texts = []
    if odd.outside:
        low, high = range_text(odd.low, odd.high)
        texts.append(f'{name} lies far outside of all other values ({low} to {high}) in '
                     f'{odd.outside:,} of {odd.count:,} {unit}, as far as {odd.farthest:.4g}, '
                     f'first at {odd.outside_at:.3f} s')
    if odd.wraps:
        texts.append(f'{name} is an angle that wraps: {odd.wraps:,} times it leaps by a whole '
                     'turn; learn from its sine and cosine')
    if odd.blips:
        texts.append(f'{name} leaves its course and comes back at once, {odd.blips:,} times, '
                     f'first at {odd.blip_at:.3f} s: several publishers, or corrupt messages?')
    if odd.jumps:
        number = 'jumps' if odd.jumps == 1 else f'jumps {odd.jumps:,} times, most'
        texts.append(f'{name} {number} by {odd.jump_by:.4g} at {odd.jump_at:.3f} s (99 % of its '
                     f'changes are under {odd.usual_step:.4g})')
    return texts
