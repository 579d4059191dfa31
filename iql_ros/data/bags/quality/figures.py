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

"""The figures of the page about bags."""

import numpy as np

from iql_ros.data.bags.quality.tables import OTHER_CLOCK, seconds
from iql_ros.pages import CLONING, DATA, figure_html, new_figure, POLICY

GOOD, BAD = '#2c8a4b', '#c0392b'
_ENDS = {'terminated': GOOD, 'success': GOOD, 'failure': BAD, 'time limit': POLICY,
         'end': POLICY, 'next start': POLICY, 'end of bag': POLICY}  # others: cut by a gap
_MEANINGS = {GOOD: 'terminated', BAD: 'failed', POLICY: 'ran out of time or bag',
             CLONING: 'cut short'}
_ROWS = 30               # of a timeline
_THINNEST = 0.003        # of the axis, or a single message is not seen
_LABEL = 34              # characters of a topic
_COLUMNS = 3             # histograms side by side


def end_colour(reason: str) -> str:
    """Return the colour of an episode that ended for that reason."""
    return _ENDS.get(reason, CLONING)


def timeline(name: str, start: float, end: float, streams, episodes=(),
             explained: bool = True) -> str:
    """
    Return the activity of the streams of one bag over time, above its episodes.

    Args:
        name: Of the bag.
        start: [s] on the clock of the streams, as `end`.
        end: [s].
        streams: (label, summary of StreamStatistics) pairs.
        episodes: Dicts of start [s], duration [s], ended.
        explained: Whether the colours are; once a page is enough.

    """
    shown = streams[:_ROWS]
    rows = len(shown) + bool(episodes)
    figure, ax = new_figure(height=0.85 + 0.27 * rows)
    for row, (_, stream) in enumerate(shown):
        ax.broken_barh([(first - start, max(length, _THINNEST * (end - start)))
                        for first, length in _runs(stream)],
                       (row - 0.3, 0.6), color=DATA, alpha=0.6, linewidth=0)
        gaps = [(first - start, length) for first, length in stream['gaps']]
        ax.broken_barh(gaps, (row - 0.3, 0.6), color=BAD, linewidth=0)
        if gaps:
            first, length = max(gaps, key=lambda gap: gap[1])
            ax.annotate(seconds(length), (first + length / 2, row - 0.32), ha='center',
                        va='bottom', fontsize=7.5, color=BAD, annotation_clip=True)
    for episode in episodes:
        ax.broken_barh([(episode['start'] - start, episode['duration'])],
                       (len(shown) - 0.34, 0.68), color=end_colour(episode['ended']),
                       edgecolor='white', linewidth=0.6)
    labels = [_short(label) for label, _ in shown] + (['episodes'] if episodes else [])
    ax.set(ylim=(rows - 0.4, -0.75), xlim=(0, max(end - start, 1e-3)),
           xlabel='seconds since the beginning of the bag')
    ax.set_yticks(range(rows), labels, fontsize=8.5)
    ax.tick_params(axis='y', length=0)
    ax.grid(axis='y', visible=False)
    ax.set_title(name, fontsize=10, loc='left', color='#1c2733')
    hidden = len(streams) - len(shown)
    return figure_html(figure, (_timeline_caption(bool(episodes)) if explained else
                                f"The same for {name.partition(':')[0]}.")
                       + (f' {hidden} topics more are not drawn.' if hidden else ''))


def _timeline_caption(episodes: bool) -> str:
    text = ('When messages came (grey), and the longest gaps of each topic (red, with the length '
            'of the longest).')
    names = {GOOD: 'green', BAD: 'red', POLICY: 'blue', CLONING: 'orange'}
    return text if not episodes else (
        text + ' Episodes by how they ended: '
        + ', '.join(f'{names[colour]} {meaning}' for colour, meaning in _MEANINGS.items())
        + '. Where no episode is, nothing was used.')


def _runs(stream: dict) -> list[tuple[float, float]]:
    """Return when a stream was active: (start, length) without its gaps."""
    width, bins = stream['activity']['width'], stream['activity']['bins']
    near = max(1.5 * width, 2.5 * stream['period'])
    gaps, runs = [start for start, _ in stream['gaps']], []
    for start, _ in bins:
        apart = runs and any(runs[-1][0] <= gap <= start for gap in gaps)
        if runs and not apart and start - runs[-1][1] <= near:
            runs[-1][1] = start + width
        else:
            runs.append([start, start + width])
    return [(start, end - start) for start, end in runs]


def _short(label: str) -> str:
    return label if len(label) <= _LABEL else '…' + label[1 - _LABEL:]


def age_histograms(streams) -> list[str]:
    """Return how old each (topic, [summaries]) was at the ticks, against its max_age."""
    streams = [(topic, found) for topic, found in streams if any(one['age'] for one in found)]
    figures = []
    for first in range(0, len(streams), _COLUMNS):
        part = streams[first:first + _COLUMNS]
        figure, axes = new_figure(len(part), height=2.1)
        for ax, (topic, found) in zip(np.atleast_1d(axes), part):
            limit = found[0]['max_age'] * 1000
            edges = np.linspace(0, 1.1 * limit, 45)
            ax.bar(edges[:-1], _rebinned(found, edges), np.diff(edges), align='edge',
                   color=DATA, alpha=0.7)
            ax.axvline(limit, color=BAD, linestyle='--', linewidth=1.3)
            ax.set(xlabel='age [ms]', xlim=(0, 1.1 * limit), yticks=[])
            ax.spines['left'].set_visible(False)
            ax.set_title(_short(topic), fontsize=9, loc='left', color='#1c2733')
        figures.append(figure_html(
            figure, 'How old the latest message was when a tick took it, over all ticks. Red: '
            'max_age, beyond which it is not used. Counts that come close to the red line are '
            'episodes about to be cut.'))
    return figures


def _rebinned(streams, edges: np.ndarray) -> np.ndarray:
    """Return the ages of some streams [ms] in common bins."""
    total = np.zeros(len(edges) - 1)
    for age in (stream['age'] for stream in streams if stream['age']):
        total += np.diff(np.interp(edges, 1000 * np.array(age['edges']),
                                   np.cumsum([0, *age['counts']])))
    return total


def lateness_figure(streams, settle: float | None) -> str | None:
    """Return receive minus header time of the (topic, [summaries]) whose clocks agree."""
    shown = []
    for topic, found in streams:
        offsets = [one['offset'] for one in found
                   if one['offset'] and abs(one['offset']['median']) < OTHER_CLOCK]
        if offsets:
            shown.append((topic, [1000 * pick(one[key] for one in offsets) for pick, key in (
                (min, 'p01'), (_middle, 'median'), (max, 'p99'))]))
    if not shown:
        return None
    figure, ax = new_figure(height=0.75 + 0.3 * len(shown))
    for row, (_, (low, middle, high)) in enumerate(shown):
        late = settle is not None and high > 1000 * settle
        colour = BAD if late else DATA
        ax.plot([low, high], [row, row], color=colour, linewidth=5, alpha=0.55,
                solid_capstyle='round')
        ax.plot(middle, row, color=colour, marker='o', markersize=6)
    if settle is not None:
        ax.axvline(1000 * settle, color=POLICY, linestyle='--', linewidth=1.3)
    ax.set(ylim=(len(shown) - 0.5, -0.5), xlabel='received after its header stamp by [ms]')
    ax.set_xlim(left=min(0.0, ax.get_xlim()[0]))
    ax.set_yticks(range(len(shown)), [_short(topic) for topic, _ in shown], fontsize=8.5)
    ax.grid(axis='y', visible=False)
    ax.grid(axis='x', color='#e8ecf0', linewidth=0.8)
    caption = ('How long after the time in its header each message was received: median (dot) '
               'and where 98 % lie (bar).')
    if settle is not None:
        caption += (f' The blue line is `settle` ({seconds(settle)}), how long after a tick the '
                    'policy acts: what lies beyond it (red) it would not have yet.')
    return figure_html(figure, caption)


def _middle(values) -> float:
    return float(np.median(list(values)))


def ticks_figure(ticks: int, used: int, dropped) -> str:
    """Return what became of all ticks; `dropped` are (reason, ticks)."""
    rows = [('used', used, POLICY), *((reason, count, CLONING) for reason, count in dropped)]
    ends = ticks - sum(count for _, count, _ in rows)
    if ends > 0:
        rows.append(("an episode's end", ends, DATA))
    names, counts, colours = zip(*rows)
    figure, ax = new_figure(height=0.6 + 0.32 * len(rows))
    bars = ax.barh(range(len(rows)), counts, color=colours, height=0.62)
    ax.bar_label(bars, [f'{count:,} ({count / max(ticks, 1):.1%})' for count in counts], padding=4,
                 fontsize=9)
    ax.set_yticks(range(len(rows)), names, fontsize=9)
    ax.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, 1.18 * max(counts)), xlabel='ticks')
    ax.grid(axis='y', visible=False)
    return figure_html(figure, 'What became of the ticks of the recording. A tick is used when '
                       'every stream was young enough and a command was in force until the '
                       "next; an episode's end is only seen, nothing is done at it.")


def episodes_figure(episodes) -> str:
    """Return length and return of every episode, by how it ended."""
    figure, ax = new_figure(height=2.8)
    for colour, meaning in _MEANINGS.items():
        found = [episode for episode in episodes if end_colour(episode['ended']) == colour]
        if found:
            ax.plot([episode['steps'] for episode in found],
                    [episode['return'] for episode in found], color=colour, marker='o',
                    linestyle='', markersize=5, alpha=0.75, label=meaning)
    ax.set(xlabel='steps', ylabel='return')
    ax.set_xlim(left=0)
    figure.legend(loc='outside upper left', ncols=4, frameon=False, fontsize=9)
    return figure_html(figure, 'Every episode by its length and its return (sum of rewards, '
                       'higher is better).')


def actions_figure(actions) -> str:
    """Return how much of low to high each action used, and how often it lay at an end."""
    figure, ax = new_figure(height=0.75 + 0.36 * len(actions))
    for row, action in enumerate(actions):
        middle, half = (action['high'] + action['low']) / 2, (action['high'] - action['low']) / 2
        low, high = ((action[key] - middle) / half for key in ('minimum', 'maximum'))
        ax.barh(row, 2, left=-1, height=0.62, color='#e8ecf0')
        ax.barh(row, high - low, left=low, height=0.34, color=POLICY)
        ax.text(1.06, row, f"{action['saturated']:.0%} at an end", va='center', fontsize=9,
                color='#4a5562', bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 1})
    ax.set(ylim=(len(actions) - 0.5, -0.5), xlabel='share of low (-1) to high (+1)')
    ax.set_xlim(min(-1.05, ax.get_xlim()[0]), max(1.45, ax.get_xlim()[1]))
    ax.set_xticks([-1, -0.5, 0, 0.5, 1])
    ax.set_yticks(range(len(actions)), [_short(action['name']) for action in actions],
                  fontsize=8.5)
    ax.grid(axis='y', visible=False)
    return figure_html(figure, 'The range that low and high leave each action (light), and what '
                       'of it was driven (blue). What was never driven cannot be learned.')


def delay_figure(pair: dict) -> str:
    """Return the correlation of an action and an observation over the lag between them."""
    curve = pair['curve']
    lags = curve['first'] + curve['step'] * np.arange(len(curve['values']))
    figure, ax = new_figure(height=2.5)
    ax.axvspan(lags[0], 0, color=DATA, alpha=0.25, linewidth=0)
    ax.plot(1000 * lags, curve['values'], color=POLICY, linewidth=1.8)
    ax.axvline(1000 * pair['delay'], color=BAD, linestyle='--', linewidth=1.2)
    ax.annotate(seconds(pair['delay']), (1000 * pair['delay'], 1), xytext=(5, -2),
                xycoords=('data', 'axes fraction'), textcoords='offset points', va='top',
                fontsize=9, color=BAD)
    ax.set(xlabel='the observation follows the action after [ms]', ylabel='correlation',
           xlim=(1000 * lags[0], 1000 * lags[-1]))
    return figure_html(figure, f"{pair['action']} and {pair['observation']}: the peak is where "
                       'the action shows. Left of 0 the observation would lead.')
