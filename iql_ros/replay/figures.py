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

"""The figures of a replay's page that are not over time."""

import numpy as np

from iql_ros.pages import figure_html, new_figure, POLICY
from iql_ros.replay.over_time import BAD, BETTER, LINE
from iql_ros.replay.replay import Replay

_COLUMNS = 3             # of scattered actions
_SCATTERED = 9
_DOTS = 6_000            # of a scatter
_BINS = 60               # of the critic's preference
_BARS = 12               # observations outside that are drawn


def scatter(replay: Replay, actions) -> str:
    """Return what would have been sent over what was commanded, of some actions' indices."""
    shown = list(actions)[:_SCATTERED]
    rows = -(-len(shown) // _COLUMNS)
    figure, axes = new_figure(_COLUMNS, 2.9 * rows, rows, squeeze=False)
    every = -(-len(replay) // _DOTS)
    for ax, index in zip(axes.ravel(), shown):
        low, high = _limits(replay, index)
        ax.plot([low, high], [low, high], color=LINE, linewidth=0.9, zorder=1)
        ax.plot(replay.commanded[::every, index], replay.sent[::every, index], '.', color=POLICY,
                markersize=3, alpha=0.2, zorder=2)
        ax.set(xlim=(low, high), ylim=(low, high), xlabel='commanded')
        ax.set_title(replay.interface.action_names[index], fontsize=9, loc='left')
        ax.set_box_aspect(1)
    for ax in axes[:, 0]:
        ax.set_ylabel('would be sent')
    for ax in axes.ravel()[len(shown):]:
        ax.set_axis_off()
    return figure_html(figure, 'Every tick: what would have been sent over what was commanded. On '
                       'the line both are the same; in the upper left and the lower right corner '
                       'they are opposite.')


def _limits(replay: Replay, index: int) -> tuple[float, float]:
    scaling = replay.interface.action_scaling
    margin = 0.05 * (scaling.high[index] - scaling.low[index])
    return scaling.low[index] - margin, scaling.high[index] + margin


def outside(values: list[dict]) -> str:
    """Return how often each observation lies outside of the training data; see summary."""
    shown = values[:_BARS]
    figure, ax = new_figure(height=0.7 + 0.3 * len(shown))
    bars = ax.barh(range(len(shown)), [100 * value['ticks'] for value in shown], color=BAD,
                   height=0.6, alpha=0.75)
    ax.bar_label(bars, [f"{value['ticks']:.1%}" for value in shown], padding=4, fontsize=9)
    ax.set_yticks(range(len(shown)), [value['name'] for value in shown], fontsize=8.5)
    ax.set(ylim=(len(shown) - 0.5, -0.5), xlabel='ticks at which it lies outside [%]')
    ax.set_xlim(0, 1.15 * 100 * shown[0]['ticks'])
    ax.grid(axis='y', visible=False)
    more = len(values) - len(shown)
    return figure_html(figure, 'Observations beyond the lowest and the highest value of the '
                       'training data.' + (f' {more} more are not drawn.' if more else ''))


def critic(replay: Replay) -> str:
    """Return how much better, or worse, the critic takes what would have been sent for."""
    known = replay.advantage[~np.isnan(replay.advantage)]
    low, high = np.percentile(known, [0.5, 99.5])
    width = max(high - low, 1e-9) / _BINS
    edges = width * np.arange(min(np.floor(low / width), 0), max(np.ceil(high / width), 1) + 1)
    counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), edges)
    figure, ax = new_figure(height=2.2)
    middle = (edges[:-1] + edges[1:]) / 2
    ax.bar(middle, counts, np.diff(edges), alpha=0.75,
           color=[BETTER if each > 0 else BAD for each in middle])
    ax.axvline(0, color=LINE, linewidth=0.9)
    ax.set(xlabel='return that the critic expects of what would have been sent, more than of what '
                  'was commanded', ylabel='ticks')
    return figure_html(figure, 'Green: it expects more of what would have been sent. The ends '
                       'hold what lies beyond them.')
