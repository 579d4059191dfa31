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

"""What a comparison is shown as: a table, and a page with plots."""

import numpy as np

from iql_ros.comparison.recordings import Judged
from iql_ros.comparison.verdict import LEAST_TOLD, MOST_STRANGE, SURE, value_text, Verdict
from iql_ros.files import write_atomic
from iql_ros.pages import (
    CLONING, DATA, figure_html, list_html, new_figure, page, paragraph, POLICY, section,
    table_html)

HEADER = ('', 'comes to', 'ends', 'unknown', 'gate', 'off good', 'off bad')
_DRAWN = 40   # policies, the best
_COLOURS = {'mean': DATA, 'weighted': POLICY, 'best': CLONING}
_MEANING = (
    'comes to: discounted return, with its standard error, as the policy drives from recorded '
    'starts in networks that learned from the recordings what follows on what.',
    'ends: share of these drives that the task ended.',
    'unknown: share of its ticks of which recordings tell little: the networks, which learned '
    'from other episodes each, differ by more than at 99 % of recorded ticks. A policy above '
    f'{MOST_STRANGE:.0%} is not recommended.',
    'gate: share of recorded ticks of which the gate changes its action.',
    'off good, off bad: how far its actions lie from the recorded ones, in their standard '
    'deviations, at the tenth of ticks where the critics liked most what was done, and least.')
# What it did where the truth is known: benchmarks/comparing.py, docs/explanation.
LIMITS = (
    'Docking, 136 policies of which the truth was driven (100 starts each): rank correlation of '
    'what they come to with success 0.96; the one that it likes best docks from 97 % (the best: '
    '100 %). Of 24 ways of choosing that it recommended none was worse than the mean.',
    'Hopper and pen (D4RL), a cube to grasp (OGBench): the recordings do not tell the dynamics '
    'well enough, and nothing is recommended.',
    'Recordings say nothing about what nobody did, and starts are those that were recorded. Drive '
    'in simulation if you can, and with narrow limits at first.')


def table(judged: list[Judged]) -> list[tuple[str, ...]]:
    """Return the cells of the table, its header first, the best in front."""
    return [HEADER, *(
        (str(each.candidate), value_text(each), _share(each.claim.ended),
         f'{each.claim.strange:.1%}', _share(each.gated), _number(each.good), _number(each.bad))
        for each in sorted(judged, key=lambda each: -each.claim.values.mean()))]


def write_page(path, judged: list[Judged], found: Verdict, told: float | None, data: str) -> None:
    """Write the page of a comparison; `told`: see Recordings, `data`: name of the dataset."""
    header, *rows = table(judged)
    write_atomic(path, page('Which policy to take', [
        section('Recommendation', *map(paragraph, found.lines)),
        section('Policies', _values(judged), table_html(rows, header), list_html(_MEANING)),
        section('How far to trust it', paragraph(_told_words(told)), list_html(LIMITS))],
        f'{len(judged)} policies, judged by {data} without driving them'))


def _told_words(told: float | None) -> str:
    if told is None:
        return 'Nothing tells how well the dynamics were learned.'
    return ('Episodes that were kept apart, replayed in what was learned: '
            f'{max(told, 0):.0%} of the variance of their returns come out. Below '
            f'{LEAST_TOLD:.0%} nothing is recommended. A difference counts from {SURE:g} standard '
            'errors on.')


def _values(judged: list[Judged]) -> str:
    ranked = sorted(judged, key=lambda each: each.claim.values.mean())[-_DRAWN:]
    figure, ax = new_figure(height=1.2 + 0.24 * len(ranked))
    for place, each in enumerate(ranked):
        members = each.claim.values.mean(axis=1)
        colour = _COLOURS[each.candidate.choice.kind]
        ax.plot(members, np.full(len(members), place), '|', color=colour, markersize=9, alpha=0.6)
        ax.plot(members.mean(), place, 'o', color=colour, markersize=5)
    ax.set_yticks(range(len(ranked)), [str(each.candidate) for each in ranked], fontsize=8)
    ax.set_ylim(-0.7, len(ranked) - 0.3)
    ax.set_xlabel('discounted return, as learned from the recordings', fontsize=9)
    ax.grid(axis='x', color='#e8ecf0', linewidth=0.8)
    more = len(judged) - len(ranked)
    return figure_html(figure, 'What each policy comes to: a line for each of the networks that '
                       'learned the dynamics, a dot for their mean. Grey acts by the mean, blue '
                       'by the weighted mean of samples, orange by the best of them.'
                       + (f' The lower {more} are left out.' if more else ''))


def _share(value: float | None) -> str:
    return '' if value is None else f'{value:.0%}'


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:.2f}'
