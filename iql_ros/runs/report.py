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

"""The HTML report of a training run, in one file that opens offline."""

import csv
import json
from pathlib import Path

import numpy as np

from iql_ros.files import InputError, read_yaml, write_atomic
from iql_ros.pages import (
    CLONING, DATA, figure_html, figure_legend, new_figure, page, paragraph, POLICY, section,
    table_html)

EVALUATION, DEVIATION = 'evaluation/return_mean', 'evaluation/return_std'
_DASHES = ('-', ':', '-.')  # of several clonings


def read_metrics(path) -> dict[str, np.ndarray]:
    """Return the columns of a metrics.csv, NaN where a row has no value."""
    with open(path, newline='') as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name] or 'nan') for row in rows])
            for name in (rows[0] if rows else {})}


class Run:
    """What a run directory says about itself."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.name = self.directory.name
        self.config = read_yaml(self.directory / 'config.yaml')
        try:
            self.dataset = json.loads((self.directory / 'dataset.json').read_text())
            self.metrics = read_metrics(self.directory / 'metrics.csv')
        except (OSError, ValueError) as error:
            raise InputError(f'{directory}: not a complete run: {error}') from None

    def curve(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the steps at which a metric was written, and its values."""
        values = self.metrics.get(name, np.empty(0))
        known = np.isfinite(values)
        return self.metrics.get('step', np.empty(0))[known], values[known]


def find_cloning_runs(directory) -> list[Path]:
    """Return the runs beside this one that clone the same data (`algorithm: bc`)."""
    directory = Path(directory)
    fingerprint, found = Run(directory).dataset.get('fingerprint'), []
    for other in sorted(directory.resolve().parent.glob('*/dataset.json')):
        if other.parent == directory.resolve():
            continue
        try:
            run = Run(other.parent)
        except InputError:  # being written, or of a run that never started
            continue
        if run.config.get('algorithm') == 'bc' and run.dataset.get('fingerprint') == fingerprint:
            found.append(other.parent)
    return found


def write_run_report(directory, baselines=None) -> Path:
    """
    Write report.html into a run directory and return its path.

    Args:
        directory: The run; it needs config.yaml, dataset.json and metrics.csv.
        baselines: Directories of runs to compare with; None finds the clonings beside it.

    Raises:
        InputError: for a directory that is no run.

    """
    run = Run(directory)
    others = [Run(path) for path in (find_cloning_runs(directory) if baselines is None
                                     else baselines)]
    sections = [section('Result', *_result(run, others)), *_choosing(run),
                section('Training', *losses(run)),
                section('Data', table_html(data_rows(run.dataset))),
                section('Settings', table_html(sorted(run.config.items())))]
    title = f'{_algorithm(run)} on {run.dataset["name"]}'
    path = run.directory / 'report.html'
    write_atomic(path, page(title, sections, f'Training run {run.name}'))
    return path


def _choosing(run: Run) -> list[str]:
    """Return the section about ways of choosing, none where none were measured."""
    from iql_ros.runs.checkpoint import choice_of, read_header
    latest = run.directory / 'latest'
    header = read_header(latest) if latest.exists() else {}
    measured = header.get('choice', {}).get('measured')
    if not measured:
        return []
    rows = [(kind, f'{figures["return_mean"]:.2f}', '' if kind == 'mean' else
             f'{figures["gain"]:+.2f} ± {figures["gain_error"]:.2f}')
            for kind, figures in measured['ways'].items()]
    return [section('How it chooses', table_html(rows, ('', 'mean return', 'gain')), paragraph(
        f'The newest checkpoint acts by the {choice_of(header)}. {_picked_by(measured)}; a gain '
        'is over the mean action, with its standard error. Another way than the mean is taken '
        'only where its gain is surely more than nothing.'))]


def _picked_by(measured: dict) -> str:
    if 'episodes' in measured:
        return (f'Each way drove {measured["episodes"]} episodes from the same starts, which are '
                'not those of the evaluations above')
    told = measured['told']
    return ('No environment is known: each way drove in networks that learned from the recordings '
            'what follows on what (discounted returns; of held-out ones '
            + ('nothing can be said)' if told is None else
               f'{max(told, 0):.0%} of the variance comes out)'))


def _algorithm(run: Run) -> str:
    if run.config.get('algorithm') != 'bc':
        return 'Implicit Q-Learning'
    share = run.config.get('best_episodes') or 1
    return 'Cloning' + (f' of the best {share:.0%}' if share < 1 else '')


def _result(run: Run, others: list[Run]) -> list[str]:
    steps, returns = run.curve(EVALUATION)
    recorded = np.array(run.dataset['returns'])
    if not len(steps):
        return [paragraph('This policy was not evaluated: no environment is known for the data '
                          '(--env ID names one). The curves below say that training ran, not '
                          'that the policy is good.'), _histogram(recorded, [])]
    rows = [('Recordings', _spread(recorded.mean(), recorded.std()), '', len(recorded))]
    results = []
    for one, colour in [(other, CLONING) for other in others] + [(run, POLICY)]:
        if len(one.curve(EVALUATION)[0]):
            mean, deviation = one.curve(EVALUATION)[1][-1], one.curve(DEVIATION)[1][-1:]
            results.append((_label(one, run), mean, colour))
            success = one.curve('evaluation/success_rate')[1]
            rows.append((_label(one, run), _spread(mean, *deviation),
                         f'{success[-1]:.0%}' if len(success) else '',
                         one.config.get('evaluation_episodes', '')))
    return [table_html(rows, ('', 'return (mean ± standard deviation)', 'success', 'episodes')),
            _evaluation_figure(run, others, recorded), _histogram(recorded, results)]


def _label(one: Run, main: Run) -> str:
    return 'This policy' if one is main else f'{_algorithm(one)} ({one.name})'


def _spread(mean: float, deviation: float | None = None) -> str:
    return f'{mean:,.1f}' + (f' ± {deviation:,.1f}' if deviation is not None else '')


def _evaluation_figure(run: Run, others: list[Run], recorded: np.ndarray) -> str:
    figure, ax = new_figure()
    low, high = np.percentile(recorded, [10, 90])
    ax.axhspan(low, high, color=DATA, alpha=0.18, linewidth=0)
    ax.axhline(recorded.mean(), color=DATA, linestyle='--', linewidth=1.3,
               label='Recordings, mean')
    for number, other in enumerate(others):
        steps, returns = other.curve(EVALUATION)
        ax.plot(steps, returns, color=CLONING, linewidth=1.6, marker='o', markersize=3,
                linestyle=_DASHES[number % 3], label=_label(other, run))
    steps, returns = run.curve(EVALUATION)
    deviation = run.curve(DEVIATION)[1]
    if len(deviation) == len(returns):
        ax.fill_between(steps, returns - deviation, returns + deviation, color=POLICY, alpha=0.12,
                        linewidth=0)
    ax.plot(steps, returns, color=POLICY, linewidth=2, marker='o', markersize=4,
            label='This policy')
    ax.set(xlabel='updates', ylabel='return of an episode')
    figure_legend(figure)
    caption = ('How well the policy did while it was being trained. Each blue point is the mean '
               'return (sum of rewards, higher is better) of evaluation episodes, the blue band '
               'one standard deviation. Grey: the recordings it learned from, their mean '
               '(dashed) and the range that holds 80 % of them.')
    if others:
        caption += ' Orange: cloning, which copies the recordings without asking what paid off.'
    return figure_html(figure, caption)


def _histogram(recorded: np.ndarray, results) -> str:
    figure, ax = new_figure(height=2.6)
    ax.hist(recorded, bins=min(30, max(5, len(recorded) // 4)), color=DATA, alpha=0.55,
            edgecolor='white', linewidth=0.5, label='Recorded episodes')
    for number, (label, mean, colour) in enumerate(results):
        ax.axvline(mean, color=colour, linewidth=2, label=f'{label}, mean',
                   linestyle='-' if colour == POLICY else _DASHES[number % 3])
    ax.set(xlabel='return of an episode', ylabel='episodes')
    ax.yaxis.get_major_locator().set_params(integer=True)
    figure_legend(figure)
    caption = 'Returns of the episodes in the data: what the policy had to learn from.'
    if results:
        caption += (' A line to the right of most of the grey means that it does better than '
                    'most of what it was shown.')
    return figure_html(figure, caption)


def losses(run: Run, over: str = 'updates') -> list[str]:
    """Return the curves of a run's losses; `over` says what its steps are."""
    curves = [(name, *run.curve(name)) for name in run.metrics if name.endswith('/loss')]
    curves = [curve for curve in curves if len(curve[1])]
    if not curves:
        return [paragraph('No losses were written.')]
    figure, axes = new_figure(len(curves), height=2.4)
    for ax, (name, steps, losses) in zip(np.atleast_1d(axes), curves):
        ax.plot(steps, losses, color=POLICY, linewidth=1.2)
        ax.set_title(name.removesuffix('/loss'), fontsize=10, loc='left', color='#1c2733')
        ax.set_xlabel(over, fontsize=9)
        ax.locator_params(axis='x', nbins=4)
    return [figure_html(figure, 'The quantities that training reduces, one for each network. '
                        'They should settle; those of critic and value may rise first while '
                        'they learn the scale of the returns. A curve that keeps growing, or '
                        'jumps without end, means that training has diverged.')]


def data_rows(dataset: dict) -> list[tuple]:
    """Return what a table says of dataset.json."""
    returns = np.array(dataset['returns'])
    rows = [('Dataset', dataset['name']), ('Episodes', f'{len(returns):,}'),
            ('Return, lowest to highest', f'{returns.min():,.1f} to {returns.max():,.1f}')]
    for key, label in (('transitions', 'Transitions'), ('observation_dim', 'Observation values'),
                       ('action_dim', 'Action values')):
        if key in dataset:
            rows.append((label, f'{dataset[key]:,}'))
    if 'clipped' in dataset:
        rows.append(('Action values out of range, clipped', f'{dataset["clipped"]:.2%}'))
    return [*rows, ('Fingerprint', dataset.get('fingerprint', '')[:16])]
