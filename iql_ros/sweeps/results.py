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

"""What came out of a sweep, from its run folders alone: a row for each setting, over its seeds."""

import dataclasses
import math

import numpy as np

from iql_ros.files import InputError
from iql_ros.runs.report import EVALUATION, Run
from iql_ros.sweeps.trials import Trial

_SUCCESS = 'evaluation/success_rate'
_RESAMPLES = 5_000
_LEVEL = 95        # [%] of the intervals


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How far a trial has come, and how good its policy was at its last evaluation."""

    trial: Trial
    step: int                  # updates done
    return_mean: float         # of an episode; NaN where nothing was evaluated
    success: float             # share of episodes; NaN where no task says
    curve: tuple[np.ndarray, np.ndarray]   # updates, mean returns


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting, over its seeds."""

    varied: dict
    outcomes: list[Outcome]    # of the trials that were evaluated
    trials: int                # of this setting, in all
    mean: float                # interquartile mean of their returns; NaN without any
    low: float                 # of its interval; NaN with fewer than two seeds
    high: float
    success: float             # interquartile mean

    @property
    def words(self) -> str:
        """Return the setting in words."""
        return ', '.join(f'{key} {value}' for key, value in self.varied.items()) or 'all seeds'


def read_outcome(trial: Trial) -> Outcome:
    """Return what a trial's folder says, which may be none yet."""
    try:
        run = Run(trial.run.path)
    except InputError:
        return Outcome(trial, 0, math.nan, math.nan, (np.empty(0), np.empty(0)))
    steps = run.metrics.get('step', np.empty(0))
    curve, success = run.curve(EVALUATION), run.curve(_SUCCESS)[1]
    return Outcome(trial, int(steps[-1]) if len(steps) else 0,
                   float(curve[1][-1]) if len(curve[1]) else math.nan,
                   float(success[-1]) if len(success) else math.nan, curve)


def rows_of(outcomes: list[Outcome]) -> list[Row]:
    """Return a row for each setting, in the order of the trials."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(repr(outcome.trial.varied), []).append(outcome)
    return [_row(group) for group in groups.values()]


def _row(group: list[Outcome]) -> Row:
    done = [outcome for outcome in group
            if outcome.trial.done and math.isfinite(outcome.return_mean)]
    returns = np.array([outcome.return_mean for outcome in done])
    successes = np.array([outcome.success for outcome in done])
    low, high = interval(returns)
    return Row(group[0].trial.varied, done, len(group), interquartile_mean(returns), low, high,
               interquartile_mean(successes))


def best_of(rows: list[Row]) -> Row | None:
    """Return the setting of the highest mean; None where nothing was evaluated."""
    evaluated = [row for row in rows if math.isfinite(row.mean)]
    return max(evaluated, key=lambda row: row.mean, default=None)


def not_told_apart(rows: list[Row], best: Row) -> list[Row]:
    """Return the settings whose intervals reach into that of the best."""
    return [row for row in rows if row is not best and math.isfinite(row.mean) and not (
        row.high < best.low)]


def interquartile_mean(values) -> float:
    """
    Return the mean of the middle half (n,), NaN of none.

    Robust to one lucky seed, and steadier than the median of few (Agarwal et al. 2021, 'Deep
    Reinforcement Learning at the Edge of the Statistical Precipice').
    """
    return float(_means(np.asarray(values, float)[None])[0]) if len(values) else math.nan


def interval(values) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the interquartile mean, NaN of fewer than two."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return math.nan, math.nan
    rows = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.percentile(_means(values[rows]), [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
    return float(low), float(high)


def _means(values) -> np.ndarray:
    """Return the interquartile mean of each row (m, n)."""
    cut = values.shape[1] // 4
    return np.sort(values, axis=1)[:, cut:values.shape[1] - cut].mean(axis=1)
