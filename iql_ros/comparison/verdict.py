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

"""What to take, in words: the recommendation, how sure it is, and what is left out of it."""

import dataclasses
import math

import numpy as np

from iql_ros.comparison.recordings import Judged

SURE = 3.0           # standard errors by which a difference must be larger than nothing
LEAST_TOLD = 0.5     # share of held-out returns' variance that must come out when replayed
MOST_STRANGE = 0.05  # share of a policy's ticks of which recordings may tell little
_NAMED = 5           # in a sentence


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What follows from all that was judged."""

    taken: Judged | None   # None: nothing can be told
    lines: list[str]       # sentences


def verdict(judged: list[Judged], told: float | None) -> Verdict:
    """
    Recommend one of the candidates, or say that nothing can be told.

    Another way of choosing than the mean is taken only where it surely beats the same checkpoint's
    mean, and nothing of which too much lies outside of the recordings.

    Args:
        judged: At least one.
        told: See Recordings.

    """
    if told is None or not told >= LEAST_TOLD:  # nor where it is NaN
        return Verdict(None, [_untold(told)])
    lines, stays = [], []
    for each in judged:
        if each.claim.strange > MOST_STRANGE:
            lines.append(f'{each.candidate} claims more than the data can support: of '
                         f'{each.claim.strange:.0%} of its ticks the recordings tell little.')
        elif each.candidate.choice.kind == 'mean' or beats_its_mean(each, judged) is not False:
            stays.append(each)
    if not stays:
        return Verdict(None, ['Which to take cannot be told.', *lines])
    taken = max(stays, key=lambda each: each.claim.values.mean())
    alike = [each for each in stays if each is not taken and not is_better(taken, each)]
    said = [f'Take {taken.candidate}: it comes to {value_text(taken)}.']
    if alike:
        said.append(f'It cannot be told apart from {_names(alike)}.')
    elif len(stays) > 1:
        said.append(f'It is better than all others by more than {SURE:g} standard errors.')
    return Verdict(taken, [*said, *_ways(judged, stays), *lines])


def _untold(told: float | None) -> str:
    if told is None:
        return ('Which to take cannot be told: too few recorded episodes were kept apart, or all '
                'came to the same, so that nothing says whether the recordings tell the dynamics.')
    return ('Which to take cannot be told: of the differences between recorded episodes '
            f'{max(told, 0):.0%} come out when their actions are replayed in what was learned '
            f'of the dynamics; it takes {LEAST_TOLD:.0%}. Act by the mean, or drive both: '
            'iql-ros evaluate A B --sequential.')


def _ways(judged: list[Judged], stays: list[Judged]) -> list[str]:
    """Say which other ways than the mean were not surely better."""
    others = [each for each in judged if each.candidate.choice.kind != 'mean'
              and each not in stays and each.claim.strange <= MOST_STRANGE]
    if not others:
        return []
    return [f'Not surely better than the mean of the same checkpoint: {_names(others)}.']


def _names(judged: list[Judged]) -> str:
    """Return the first few names, the best in front, and how many more there are."""
    ranked = sorted(judged, key=lambda each: -each.claim.values.mean())
    more = len(ranked) - _NAMED
    return (', '.join(str(each.candidate) for each in ranked[:_NAMED])
            + (f' and {more} more' if more > 0 else ''))


def beats_its_mean(one: Judged, judged: list[Judged]) -> bool | None:
    """Say whether a way surely beats the same checkpoint's mean; None: that is not there."""
    means = [each for each in judged if each.candidate.name == one.candidate.name
             and each.candidate.choice.kind == 'mean']
    return is_better(one, means[0]) if means else None


def difference(one: Judged, other: Judged) -> tuple[float, float]:
    """
    Return mean and standard error of how much more one comes to than the other.

    Both drove from the same starts in the same members; the error holds that other starts and
    other members might have been drawn.
    """
    away = one.claim.values - other.claim.values
    return float(away.mean()), _error(away, one.claim.starts)


def standard_error(judged: Judged) -> float:
    """Return the standard error of what a candidate comes to."""
    return _error(judged.claim.values, judged.claim.starts)


def _error(values: np.ndarray, starts: int) -> float:
    members = values.mean(axis=1)
    return math.sqrt(members.var(ddof=1) / len(members) + values.var() / starts)


def is_better(one: Judged, other: Judged) -> bool:
    """Say whether one surely comes to more than the other."""
    mean, error = difference(one, other)
    return mean > SURE * error


def value_text(judged: Judged) -> str:
    """Return what a candidate comes to, with its standard error."""
    return f'{judged.claim.values.mean():.2f} +- {standard_error(judged):.2f}'
