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

"""The page of a sweep: what was best, each setting's effect, every trial."""

import math
from pathlib import Path

import numpy as np

from iql_ros.files import write_atomic
from iql_ros.pages import (
    DATA, figure_html, figure_legend, list_html, new_figure, page, paragraph, POLICY, section,
    table_html)
from iql_ros.sweeps.results import (
    best_of, interquartile_mean, interval, not_told_apart, Outcome, Row, rows_of)
from iql_ros.sweeps.trials import Sweep

_LINES = 10   # of a figure, as many as there are colours
_HEADER = ('', 'return (IQM)', '95 % interval', 'success', 'seeds')


def write_sweep_page(sweep: Sweep, outcomes: list[Outcome], failed: dict[str, str]) -> Path:
    """
    Write report.html into a sweep's folder and return its path.

    Args:
        sweep: Which one.
        outcomes: Of all its trials.
        failed: Name of a trial -> what went wrong.

    """
    rows = rows_of(outcomes)
    sections = [section('Result', *_result(rows)),
                *([section('Settings', *figures)] if (figures := _setting_figures(
                    sweep, outcomes)) else []),
                section('Training', *_curves(rows)),
                section('Trials', _trials(outcomes)),
                section('What all share', table_html(
                    [('config', sweep.config), ('robot_config', sweep.robot_config or ''),
                     *sweep.settings.items()]))]
    if failed:
        sections.insert(1, section('Trials that failed', list_html(
            f'{name}: {words}' for name, words in failed.items())))
    path = sweep.folder / 'report.html'
    data = sweep.settings.get('dataset', '')
    write_atomic(path, page(f'Sweep {sweep.name}', sections,
                            f'{len(outcomes)} trials on {data}'))
    return path


def verdict(rows: list[Row]) -> list[str]:
    """Return in sentences which setting was best, or why none can be called so."""
    best = best_of(rows)
    if best is None:
        return ['Which is best cannot be told: nothing was evaluated. It takes an environment '
                '(--env ID), or the robot.']
    top = max(best.outcomes, key=lambda outcome: outcome.return_mean)
    lines = []
    if len(rows) > 1:
        lines.append(f'Best by its last evaluations: {best.words}: return {_figure(best.mean)} '
                     f'({_seeds(best)}).')
        others = not_told_apart(rows, best) if len(best.outcomes) > 1 else []
        if len(best.outcomes) < 2:
            lines.append('With one seed it may be luck: --seeds 5 tells more.')
        elif others:
            lines.append('These seeds do not tell it apart from: '
                         + '; '.join(row.words for row in others) + '.')
    lines.append(f'Best single run: {top.trial.run.path} (return {_figure(top.return_mean)}).')
    return lines


def table(rows: list[Row]) -> list[tuple[str, ...]]:
    """Return the cells of the table, its header first."""
    return [_HEADER, *((row.words, _figure(row.mean), _interval(row), _share(row.success),
                        _seeds(row)) for row in rows)]


def _seeds(row: Row) -> str:
    done = len(row.outcomes)
    count = f'{done}' if done == row.trials else f'{done} of {row.trials}'
    return f'{count} seed' if count == '1' else f'{count} seeds'


def _figure(value: float) -> str:
    return f'{value:,.1f}' if math.isfinite(value) else ''


def _interval(row: Row) -> str:
    return f'{_figure(row.low)} to {_figure(row.high)}' if math.isfinite(row.low) else ''


def _share(value: float) -> str:
    return f'{value:.0%}' if math.isfinite(value) else ''


def _result(rows: list[Row]) -> list[str]:
    header, *cells = table(rows)
    return [*(paragraph(line) for line in verdict(rows)), table_html(cells, header),
            paragraph('IQM: the interquartile mean over seeds, of the last evaluation of each '
                      'run. Intervals are of a bootstrap over seeds.')]


def _setting_figures(sweep: Sweep, outcomes: list[Outcome]) -> list[str]:
    """Return a figure for each setting that takes several values."""
    figures = []
    for key, values in sweep.vary.items():
        groups = [[each for each in outcomes if each.trial.varied[key] == value
                   and each.trial.done and math.isfinite(each.return_mean)] for value in values]
        if len(values) < 2 or not all(groups):
            continue
        figure, ax = new_figure(height=2.8)
        for place, group in enumerate(groups):
            _column(ax, place, np.array([each.return_mean for each in group]))
        ax.set(xticks=range(len(values)), xticklabels=[str(value) for value in values],
               xlabel=key, ylabel='return of an episode', xlim=(-0.5, len(values) - 0.5))
        figure_legend(figure)
        figures.append(figure_html(figure, f'{key}: grey, the last evaluation of each run; blue, '
                                   'the interquartile mean of all runs with that value and its '
                                   '95 % interval. Other settings vary within a column.'))
    return figures


def _column(ax, place: int, returns) -> None:
    """Draw the runs of one value: their returns, the mean and its interval."""
    spread = np.linspace(-0.12, 0.12, len(returns)) if len(returns) > 1 else np.zeros(1)
    first = place == 0
    ax.plot(place + spread, returns, 'o', color=DATA, markersize=4, alpha=0.8,
            label='A run' if first else None)
    mean, (low, high) = interquartile_mean(returns), interval(returns)
    if math.isfinite(low):
        ax.plot([place + 0.25] * 2, [low, high], color=POLICY, linewidth=1.6)
    ax.plot(place + 0.25, mean, 'o', color=POLICY, markersize=6,
            label='Interquartile mean, 95 % interval' if first else None)


def _curves(rows: list[Row]) -> list[str]:
    """Return the figure of returns while training, one line for each setting."""
    drawn = [(row, _mean_curve(row)) for row in rows]
    drawn = [(row, curve) for row, curve in drawn if curve is not None][:_LINES]
    if not drawn:
        return [paragraph('Nothing was evaluated while training went on.')]
    figure, ax = new_figure()
    for number, (row, (steps, returns)) in enumerate(drawn):
        colour = POLICY if len(drawn) == 1 else f'C{number}'
        if len(drawn) == 1:
            for outcome in row.outcomes:
                ax.plot(*outcome.curve, color=DATA, linewidth=0.9, alpha=0.7)
        ax.plot(steps, returns, color=colour, linewidth=2, marker='o', markersize=3,
                label=row.words)
    ax.set(xlabel='updates', ylabel='return of an episode')
    figure_legend(figure)
    text = 'Interquartile mean over seeds of the evaluations while training went on.'
    if len(drawn) == 1:
        text += ' Grey: each seed.'
    elif len(drawn) < len(rows):
        text += f' The first {_LINES} settings of {len(rows)}.'
    return [figure_html(figure, text)]


def _mean_curve(row: Row) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the mean over seeds at the updates that all have evaluated at."""
    if not row.outcomes:
        return None
    steps = sorted(set.intersection(*(set(outcome.curve[0]) for outcome in row.outcomes)))
    if not steps:
        return None
    values = [np.array(outcome.curve[1])[np.isin(outcome.curve[0], steps)]
              for outcome in row.outcomes]
    return np.array(steps), np.array([interquartile_mean(column) for column in np.array(values).T])


def _trials(outcomes: list[Outcome]) -> str:
    return table_html([(outcome.trial.short_name, f'{outcome.step:,}',
                        _figure(outcome.return_mean), _share(outcome.success))
                       for outcome in outcomes], ('', 'updates', 'return', 'success'))
