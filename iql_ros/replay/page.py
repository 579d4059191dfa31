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

"""The HTML page of a replay: what to look at before a policy drives."""

import numpy as np

from iql_ros import pages as html
from iql_ros.replay import figures, over_time
from iql_ros.replay.replay import Replay
from iql_ros.replay.summary import differences, distances, moments
from iql_ros.replay.words import percent, ticks, when, words

_BAGS = 3            # that are drawn over time
_VALUES = 30         # rows of a table
_PAIRS = 3           # actions that are named of a moment
_ACTION_HEADER = ('action', 'commanded', 'would be sent', 'differs by', '19 of 20', 'leans by',
                  'opposite', 'gate')
_MEANING = (
    'differs by: mean size of the difference, in the unit of the action; 19 of 20: it is less at '
    'so many of the ticks; leans by: the mean with its sign.',
    'opposite: share of the ticks at which both were more than a twentieth of the range away from '
    '0, on different sides. Ask of every such stretch who is right.',
    'gate: share of the ticks at which the gate would have changed this value.')
_OUTSIDE_HEADER = ('observation', 'share of ticks', 'trained on', 'seen here',
                   'beyond by [standard deviations]')
LIMITS = (
    'Every tick stands for itself: it says what would have been sent had all gone until then as '
    'it was recorded. From the first other command on the robot would have been elsewhere, and '
    'what comes then no recording tells. Small differences that always lean to one side add up.',
    'A difference is no fault: a policy that has learned more than its driver differs. What must '
    'not be is one that you cannot explain.',
    'The critic learned from recordings too. Where an observation lies outside of them, neither '
    'the policy nor the critic knows what it says.')


def page_text(replay: Replay, summary: dict, policy: str) -> str:
    """
    Return the page, which opens offline.

    Args:
        replay: Of at least one tick.
        summary: Its figures, see summary.summarise.
        policy: Its file, and how it chooses, in words.

    Raises:
        InputError: when matplotlib is missing.

    """
    away = distances(replay)
    drawn = np.argsort(-np.abs(np.nan_to_num(differences(replay))).mean(axis=0), kind='stable')
    sections = [
        html.section('In short', html.list_html(words(summary)),
                     figures.scatter(replay, np.sort(drawn))),
        html.section('Action by action', *_actions(summary)),
        html.section('Where they differ most', *_moments(replay, summary, away, drawn)),
        html.section('Over time', *_timelines(replay, summary, away, drawn)),
        *_trips(summary['trips']), *_outside(summary['outside']), *_critic(replay),
        html.section('How far to trust it', html.list_html(LIMITS)), *_notes(replay)]
    bags = f'{len(replay.bags)} bag{"" if len(replay.bags) == 1 else "s"}'
    return html.page(
        'What the policy would have sent', sections,
        f'{policy}, beside what was commanded to {replay.interface.robot}: {len(replay):,} ticks '
        f"at {replay.interface.control_rate:g} Hz, {summary['episodes']:,} episodes, {bags}")


def _actions(summary: dict) -> list[str]:
    rows = [(action['name'], _range(action['commanded']), _range(action['sent']),
             *(_number(action['difference'][key]) for key in ('mean', 'p95', 'bias')),
             percent(action['opposite']), percent(action['gated']))
            for action in summary['actions']]
    return [html.table_html(rows, _ACTION_HEADER), html.list_html(_MEANING)]


def _range(extremes: dict) -> str:
    return f"{_number(extremes['minimum'])} to {_number(extremes['maximum'])}"


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:.3g}'


def _moments(replay: Replay, summary: dict, away, drawn) -> list[str]:
    found = moments(replay, away)
    if not found:
        return [html.paragraph('Nowhere.')]
    shown = np.sort(drawn[:over_time.ACTIONS])
    rows = [(when(moment), moment['episode'], moment['tick'], percent(moment['distance']),
             _pairs(replay, row)) for row, moment in zip(found, summary['moments'])]
    return [over_time.moments(replay, found[:over_time.MOMENTS], shown),
            html.table_html(rows, ('when', 'episode', 'tick', 'differs by, of the range',
                                   'would be sent (was commanded)')), *_left_out(drawn)]


def _pairs(replay: Replay, row: int) -> str:
    """Return both values of the actions that differ most at a tick, the most different first."""
    names, away = replay.interface.action_names, np.abs(differences(replay)[row])
    most = np.argsort(-np.nan_to_num(away), kind='stable')[:_PAIRS]
    return ', '.join(f'{names[index]} {replay.sent[row, index]:.3g} '
                     f'({replay.commanded[row, index]:.3g})' for index in most)


def _left_out(drawn) -> list[str]:
    more = len(drawn) - over_time.ACTIONS
    return [html.paragraph(f'Drawn are the {over_time.ACTIONS} actions that differ most; {more} '
                           'are not.')] if more > 0 else []


def _timelines(replay: Replay, summary: dict, away, drawn) -> list[str]:
    """Return the bags that differ most, each over time."""
    bags = [(index, bag) for index, bag in enumerate(summary['bags']) if bag['ticks']]
    ranked = sorted(bags, key=lambda pair: -pair[1]['distance'])
    parts = []
    if len(ranked) > _BAGS:
        parts.append(html.paragraph(f'Of {len(ranked)} bags, the {_BAGS} in which they differ '
                                    'most.'))
    for index, bag in sorted(ranked[:_BAGS]):
        parts += [html.paragraph(f"{bag['file']}: {ticks(bag['ticks'])}, episodes: "
                                 f"{bag['episodes']:,}"),
                  *over_time.timeline(replay, np.flatnonzero(replay.bag == index), away,
                                      np.sort(drawn[:over_time.ACTIONS]))]
    if len(bags) > 1:
        parts.append(html.table_html(
            [(bag['file'], f"{bag['ticks']:,}", bag['episodes'], percent(bag['distance']))
             for _, bag in ranked[:_VALUES]],
            ('bag', 'ticks', 'episodes', 'differs by, of the range, in the mean')))
    return [*parts, *_left_out(drawn)]


def _trips(trips: dict) -> list[str]:
    if not trips['ticks']:
        return []
    return [html.section(
        'Where the gate would have tripped',
        html.paragraph(f"At {ticks(trips['ticks'])} it would have stopped the robot, and the "
                       'drive would have been over; the most frequent reasons:'),
        html.table_html([(trip['reason'], f"{trip['ticks']:,}", when(trip))
                         for trip in trips['reasons']], ('reason', 'ticks', 'first')))]


def _outside(outside: dict | None) -> list[str]:
    if not outside or not outside['values']:
        return []
    rows = [(value['name'], percent(value['ticks']), f"{value['low']:.4g} to {value['high']:.4g}",
             f"{value['minimum']:.4g} to {value['maximum']:.4g}", f"{value['farthest']:.2g}")
            for value in outside['values'][:_VALUES]]
    return [html.section('Outside of what it was trained on', figures.outside(outside['values']),
                         html.table_html(rows, _OUTSIDE_HEADER))]


def _critic(replay: Replay) -> list[str]:
    if replay.advantage is None or np.isnan(replay.advantage).all():
        return []
    return [html.section('What its critic says', figures.critic(replay))]


def _notes(replay: Replay) -> list[str]:
    return [html.section('Noted while reading', html.list_html(replay.notes))] \
        if replay.notes else []
