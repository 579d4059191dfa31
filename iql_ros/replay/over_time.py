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

"""A replay over time: of every action both and the difference, whole bags and moments."""

import numpy as np

from iql_ros.pages import CLONING, DATA, figure_html, new_figure, POLICY
from iql_ros.replay.replay import Replay

ACTIONS = 6              # that are drawn, those that differ most
MOMENTS = 3              # that are drawn
BETTER, BAD, LINE = '#2c8a4b', '#c0392b', '#4a5562'
_AROUND = 15             # [ticks] shown on either side of a moment, and
_SECONDS = 3.0           # [s] at least
_LONG, _STRETCH = 400, 250   # [ticks] of a bag from which a part of it is drawn in detail
_INCHES = 0.55           # height of the lowest row


def timeline(replay: Replay, rows: np.ndarray, away: np.ndarray, actions) -> list[str]:
    """
    Return figures of a bag over time; of a long one the whole, and a part of it in detail.

    Args:
        replay: The whole.
        rows: Those of the bag.
        away: The distance of every tick (N,), see summary.
        actions: Indices of those that are drawn.

    """
    if len(rows) <= _LONG:
        return [_detail(replay, rows, actions, '')]
    sums = np.convolve(away[rows], np.ones(_STRETCH), 'valid')
    first = int(np.argmax(sums))
    part = rows[first:first + _STRETCH]
    return [_overview(replay, rows, away, part), _detail(replay, part, actions, (
        f'The {_STRETCH} ticks (shaded above) in which they differ most. '))]


def _overview(replay: Replay, rows, away, part) -> str:
    """Return how far apart both are over a whole bag, with a part of it shaded."""
    rest = _rest(replay, rows)
    ratios = [2, *(1 if draw is _draw_critic else 0.5 for draw in rest)]
    figure, axes = new_figure(1, _INCHES * sum(ratios) + 0.7, len(ratios), sharex=True,
                              height_ratios=ratios, squeeze=False)
    axes = axes[:, 0]
    axes[0].plot(_times(replay, rows), 100 * _apart(replay, rows, away),
                 color=POLICY, linewidth=0.7)
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel('differs by [%]', fontsize=8)
    for ax, draw in zip(axes[1:], rest):
        draw(ax, replay, rows)
    for ax in axes:
        ax.axvspan(replay.seconds[part[0]], replay.seconds[part[-1]], color=DATA, alpha=0.3,
                   linewidth=0)
    _close(figure, axes, replay, rows)
    return figure_html(figure, 'How far what would have been sent lies from what was commanded: '
                       'of all actions the largest difference, as a share of its range.'
                       + _rest_caption(rest))


def _rest(replay: Replay, rows) -> list:
    """Return what draws the figure's rows below the actions, where there is something."""
    outside = replay.outside is not None and replay.outside[rows].any()
    return [draw for draw, known in ((_draw_outside, outside),
                                     (_draw_critic, replay.advantage is not None)) if known]


def _close(figure, axes, replay: Replay, rows) -> None:
    seconds = replay.seconds[rows]
    axes[0].set_xlim(seconds.min(), seconds.max() + 1 / replay.interface.control_rate)
    axes[-1].set_xlabel('seconds since the beginning of the bag', fontsize=9)
    figure.align_ylabels(axes)


def _detail(replay: Replay, rows: np.ndarray, actions, said: str) -> str:
    """Return some rows over time: of each action both and their difference, then the rest."""
    rest = _rest(replay, rows)
    ratios = [2, 1] * len(actions)
    ratios += [1 if draw is _draw_critic else 0.5 for draw in rest]
    figure, axes = new_figure(1, _INCHES * sum(ratios) + 1.0, len(ratios), sharex=True,
                              height_ratios=ratios, squeeze=False)
    axes = axes[:, 0]
    for number, index in enumerate(actions):
        _draw_both(axes[2 * number], replay, rows, index)
        _draw_difference(axes[2 * number + 1], replay, rows, index)
    for ax, draw in zip(axes[2 * len(actions):], rest):
        draw(ax, replay, rows)
    _close(figure, axes, replay, rows)
    _legend(figure, axes)
    return figure_html(figure, said + (
        'Of every action: what was commanded (grey) and what would have been sent (blue); below '
        'it the difference, and in orange by how much the gate changed what the policy wanted, '
        'where it did (shaded).') + _rest_caption(rest))


def _rest_caption(rest) -> str:
    text = ''
    if _draw_outside in rest:
        text += ' Red marks: an observation lies outside of what the policy was trained on.'
    if _draw_critic in rest:
        text += (' Last row: by how much the critic takes what would have been sent for better '
                 '(above 0) than what was commanded.')
    return text


def _legend(figure, axes) -> None:
    """Name every colour once."""
    seen = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            seen.setdefault(label, handle)
    figure.legend(seen.values(), seen, loc='outside upper left', ncols=len(seen), frameon=False,
                  fontsize=8.5)


def _draw_both(ax, replay: Replay, rows, index: int) -> None:
    times = _times(replay, rows)
    _shade(ax, replay, rows, replay.gated[rows, index], CLONING, 0.22)
    for values, colour, label in ((replay.commanded, DATA, 'commanded'),
                                  (replay.sent, POLICY, 'would be sent')):
        ax.plot(times, _apart(replay, rows, values[:, index]), color=colour, linewidth=1.0,
                drawstyle='steps-post', label=label)
    ax.set_title(replay.interface.action_names[index], fontsize=9, loc='left', pad=3)


def _draw_difference(ax, replay: Replay, rows, index: int) -> None:
    times = _times(replay, rows)
    away = _apart(replay, rows, (replay.sent - replay.commanded)[:, index])
    ax.fill_between(times, 0, away, color=POLICY, alpha=0.35, step='post', linewidth=0,
                    label='difference')
    if replay.gated[rows, index].any():
        ax.plot(times, _apart(replay, rows, (replay.sent - replay.wanted)[:, index]),
                color=CLONING, linewidth=0.9, drawstyle='steps-post', label='changed by the gate')
    ax.axhline(0, color=LINE, linewidth=0.6)
    ax.set_ylabel('difference', fontsize=8)


def _draw_outside(ax, replay: Replay, rows) -> None:
    _shade(ax, replay, rows, replay.outside[rows].any(axis=1), BAD, 1.0)
    ax.set(ylim=(0, 1), yticks=[])
    ax.set_ylabel('outside', fontsize=8, rotation=0, ha='right', va='center')


def _draw_critic(ax, replay: Replay, rows) -> None:
    ax.axhline(0, color=LINE, linewidth=0.6)
    ax.plot(_times(replay, rows), _apart(replay, rows, replay.advantage),
            color=BETTER, linewidth=0.9, drawstyle='steps-post')
    ax.set_ylabel('critic', fontsize=8)


def _times(replay: Replay, rows) -> np.ndarray:
    """Return the times [s] of some rows, as `_apart` returns their values."""
    return _apart(replay, rows, replay.seconds, 1 / replay.interface.control_rate)


def _apart(replay: Replay, rows, values, more: float = 0.0) -> np.ndarray:
    """
    Return the values of some rows for a line that does not join episodes.

    The last of an episode comes once more, with `more` added to it, so that it lasts a tick; then
    NaN.
    """
    ends = np.append(np.flatnonzero(replay.tick[rows][1:] == 0) + 1, len(rows))
    found = values[rows].astype(np.float64)
    again = np.stack([found[ends - 1] + more, np.full(len(ends), np.nan)], axis=1)
    return np.insert(found, np.repeat(ends, 2), again.ravel())


def _shade(ax, replay: Replay, rows, mask, colour: str, alpha: float) -> None:
    """Shade the ticks of a mask (as many as rows)."""
    seconds, period = replay.seconds[rows], 1 / replay.interface.control_rate
    if mask.any():
        ax.broken_barh([(start, period) for start in seconds[mask]], (0, 1), color=colour,
                       alpha=alpha, linewidth=0, transform=ax.get_xaxis_transform())


def moments(replay: Replay, rows: list[int], actions) -> str:
    """Return what happened around some rows, side by side, of some actions' indices."""
    figure, axes = new_figure(len(rows), 0.9 + 1.35 * len(actions), len(actions), sharex='col',
                              sharey='row', squeeze=False)
    for column, row in enumerate(rows):
        around = _around(replay, row)
        for ax, index in zip(axes[:, column], actions):
            _draw_both(ax, replay, around, index)
            if replay.gated[around, index].any():
                ax.plot(_times(replay, around), _apart(replay, around, replay.wanted[:, index]),
                        ':', color=CLONING, linewidth=1.2, drawstyle='steps-post',
                        label='wanted, before the gate')
            ax.axvline(replay.seconds[row], color=BAD, linewidth=0.9, linestyle='--')
            if column:
                ax.set_title('', loc='left')
        axes[-1, column].set_xlabel(f'{replay.bags[replay.bag[row]]} [s]', fontsize=8.5)
    _legend(figure, axes.ravel())
    return figure_html(figure, f'The {len(rows)} moments (dashed) at which what would have been '
                       'sent differs most from what was commanded, and what was before and after.')


def _around(replay: Replay, row: int) -> np.ndarray:
    """Return the rows of the same bag near a row in time."""
    near = max(_SECONDS, _AROUND / replay.interface.control_rate)
    return np.flatnonzero((replay.bag == replay.bag[row])
                          & (np.abs(replay.seconds - replay.seconds[row]) <= near))
