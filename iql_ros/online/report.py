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

"""The HTML report of a fine-tuning run, at any time: does it get better, and what came in."""

import dataclasses
from pathlib import Path

import numpy as np

from iql_ros import pages
from iql_ros.files import write_atomic
from iql_ros.online.experience_log import read_experience
from iql_ros.runs import report

_ROBOTS = (pages.POLICY, '#2c8a4b', '#b8860b', '#7a4fa3', '#1a8a8a', '#8b5a2b')
_HELPED = '#c0392b'
_WINDOW = 20  # episodes of the moving mean


@dataclasses.dataclass(frozen=True)
class Episodes:
    """Finished episodes of a log (E,), in the order of their ends."""

    ends: np.ndarray            # place of the last step among all that came
    returns: np.ndarray
    helped: np.ndarray          # in how many steps a person had control
    evaluations: np.ndarray     # bool
    successes: np.ndarray       # 0 or 1, NaN: not known
    robots: np.ndarray

    def chosen(self, which) -> 'Episodes':
        """Return those of a mask or of indices."""
        return Episodes(*(values[which] for values in vars(self).values()))


def write_finetune_report(directory) -> Path:
    """
    Write report.html into the directory of a fine-tuning run, which may go on meanwhile.

    Raises:
        InputError: for a directory that is no run.

    """
    run = report.Run(directory)
    records = read_experience(run.directory / 'experience.log')
    episodes = finished_episodes(records)
    sections = [
        pages.section('Result', *_result(run)),
        pages.section('What came in', *_came_in(run, records, episodes)),
        pages.section('Training', *report.losses(run, 'steps')),
        pages.section('Offline data', pages.table_html(report.data_rows(run.dataset))),
        pages.section('Settings', pages.table_html(sorted(run.config.items())))]
    if _evaluations(run):
        sections.insert(1, pages.section('The curve', _curve(run, episodes)))
    path = run.directory / 'report.html'
    write_atomic(path, pages.page(
        'Implicit Q-Learning, fine-tuned', sections,
        f'Fine-tuning run {run.name}, begun with {run.config.get("checkpoint")}'))
    return path


def finished_episodes(records: np.ndarray) -> Episodes:
    """Return the finished episodes of a log, in which those of several robots come mixed."""
    names, robots = np.unique(records['robot'], return_inverse=True)
    order = np.lexsort((records['step'], records['episode'], records['session'], robots))
    rows = records[order]
    keys = np.stack([robots[order].astype(np.uint64), rows['session'], rows['episode']])
    new = np.ones(len(rows), bool)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(rows))[:len(first)] - 1
    sums = [np.add.reduceat(rows[name].astype(float), first) if len(first) else np.empty(0)
            for name in ('reward', 'intervention')]
    successes = np.where(rows['success'] < 0, np.nan, rows['success'])[last]
    ends = order[last] + 1
    found = Episodes(ends, *sums, rows['evaluation'][last], successes,
                     names[robots[order][last]])
    finished = (rows['terminated'] | rows['truncated'])[last]
    return found.chosen(np.flatnonzero(finished)[np.argsort(ends[finished])])


@dataclasses.dataclass(frozen=True)
class _Evaluation:
    step: int
    return_: float
    deviation: float
    success: float | None

    @property
    def score(self) -> float:
        return self.return_ if self.success is None else self.success

    def words(self) -> str:
        return f'{self.return_:,.1f}' if self.success is None else f'{self.success:.0%}'


def _evaluations(run: report.Run) -> list[_Evaluation]:
    steps, returns = run.curve(report.EVALUATION)
    deviations = dict(zip(*run.curve(report.DEVIATION)))
    successes = dict(zip(*run.curve('evaluation/success_rate')))
    return [_Evaluation(int(step), float(return_), float(deviations.get(step, 0)),
                        successes.get(step)) for step, return_ in zip(steps, returns)]


def _last(run: report.Run, name: str, default=0):
    values = run.curve(name)[1]
    return values[-1] if len(values) else default


def _result(run: report.Run) -> list[str]:
    evaluations, steps = _evaluations(run), int(_last(run, 'step'))
    if not evaluations:
        return [pages.paragraph(_not_evaluated(run, steps))]
    start, now = evaluations[0], evaluations[-1]
    best = max(evaluations, key=lambda one: one.score)
    what = 'return' if now.success is None else 'success'
    text = (f'At the start, {what} was {start.words()}; nothing has been judged since.'
            if now is start else
            f'At the start, {what} was {start.words()}; after {now.step:,} steps of practice it '
            f'is {now.words()}. The best evaluation so far was {best.words()}, at step '
            f'{best.step:,}.')
    rows = [(name, f'{one.step:,}', '' if one.success is None else f'{one.success:.0%}',
             f'{one.return_:,.1f} ± {one.deviation:,.1f}')
            for name, one in (('Start', start), ('Now', now), ('Best', best))]
    count = run.config.get('evaluation_episodes')
    return [pages.paragraph(text),
            pages.table_html(rows, ('', 'step', 'success',
                                    'return (mean ± standard deviation)')),
            pages.paragraph(
                f'Every evaluation is {count} episodes in which the policy tries nothing out. '
                'With so few, a single one jumps; look at several in a row.')]


def _not_evaluated(run: report.Run, steps: int) -> str:
    if run.config.get('environment'):
        return 'Nothing has been judged yet: the first evaluation is still to come.'
    return (f'How good the policy is now, nobody has judged: {steps:,} steps were learned from, '
            'but no round of evaluation episodes is complete. A robot drives them when '
            "policy_node's parameter evaluate_every says after how many steps. The episodes "
            'below are practice, in which the policy tries things out and a person may help.')


def _curve(run: report.Run, episodes: Episodes) -> str:
    evaluations = _evaluations(run)
    known = evaluations[-1].success is not None
    factor = 100 if known else 1
    steps = [one.step for one in evaluations]
    scores = factor * np.array([one.score for one in evaluations])
    practice = episodes.chosen(~episodes.evaluations)
    values = practice.successes if known else practice.returns
    figure, ax = pages.new_figure()
    ax.axhline(scores[0], color=pages.DATA, linestyle='--', linewidth=1.3, label='Start')
    ends, means = _moving_mean(practice.ends, factor * values)
    if len(ends):
        ax.plot(ends, means, color=pages.POLICY, alpha=0.3, linewidth=1.2,
                label=f'Practice, mean of {_WINDOW} episodes')
    ax.plot(steps, scores, color=pages.POLICY, linewidth=2, marker='o', markersize=4,
            label='Evaluations')
    ax.set(xlabel='steps', ylabel='success [%]' if known else 'return of an episode')
    if known:
        ax.set_ylim(-3, 103)
    pages.figure_legend(figure)
    caption = ('Points: evaluations of the policy as it is sent to the robot. Dashed: where it '
               'began; a line that stays above it means that practice pays.')
    if len(ends):
        caption += (' Faint: the episodes it learned from, in which it tries other actions '
                    'out.')
    return pages.figure_html(figure, caption)


def _moving_mean(ends: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where windows of known values end, and their means."""
    known = np.isfinite(values)
    ends, values = ends[known], values[known]
    if len(values) < _WINDOW:
        return np.empty(0), np.empty(0)
    return ends[_WINDOW - 1:], np.convolve(values, np.full(_WINDOW, 1 / _WINDOW), 'valid')


def _came_in(run: report.Run, records: np.ndarray, episodes: Episodes) -> list[str]:
    if not len(records):
        return [pages.paragraph('No experience has arrived yet.')]
    learned = int(_last(run, 'step'))
    sent, used = int(_last(run, 'learner/weights_version')), records['weights_version'].max()
    rows = [('Steps on disk', f'{len(records):,}'),
            ('Steps learned from', f'{min(learned, len(records)):,}'),
            ('Updates', f'{int(_last(run, "updates")):,}'),
            ('Episodes', f'{len(episodes.ends):,} finished, {episodes.evaluations.sum():,} of '
                         'them to judge the policy'),
            ('A person had control', _control(records))]
    if used or sent:
        rows.append(('Weights', f'{max(sent, used):,} versions sent, {used:,} the newest that '
                                'drove'))
    parts = [pages.table_html(rows)]
    names = np.unique(records['robot'])
    if len(names) > 1:
        parts.append(pages.table_html(
            [_robot_row(name, records, episodes) for name in names],
            ('robot', 'steps', 'episodes', 'sessions', 'person in control')))
    if len(episodes.ends):
        parts.append(_returns(episodes, names))
    return parts


def _control(records: np.ndarray) -> str:
    helped = records[records['intervention']]
    if not len(helped):
        return 'never'
    episodes = np.unique(helped[['robot', 'session', 'episode']])
    return (f'in {len(helped) / len(records):.1%} of the steps, in {len(episodes):,} '
            f'episode{"s" if len(episodes) > 1 else ""}')


def _robot_row(name: bytes, records: np.ndarray, episodes: Episodes) -> tuple:
    own = records[records['robot'] == name]
    return (_label(name), f'{len(own):,}', f'{(episodes.robots == name).sum():,}',
            len(np.unique(own['session'])), f'{own["intervention"].mean():.1%}')


def _label(name: bytes) -> str:
    return name.decode(errors='replace').strip('/') or 'robot without a namespace'


def _returns(episodes: Episodes, names) -> str:
    figure, ax = pages.new_figure()
    for number, name in enumerate(names):
        colour = _ROBOTS[number % len(_ROBOTS)]
        own = episodes.chosen(episodes.robots == name)
        label = _label(name) if len(names) > 1 else 'Practice'
        for judged in (False, True):
            some = own.chosen(own.evaluations == judged)
            if len(some.ends):
                ax.scatter(some.ends, some.returns, s=14, linewidth=0.9, edgecolors=colour,
                           alpha=0.55, facecolors='none' if judged else colour,
                           label=f'{label}, judged' if len(names) > 1 and judged else
                           'Judged' if judged else label)
    helped = episodes.chosen(episodes.helped > 0)
    if len(helped.ends):
        ax.scatter(helped.ends, helped.returns, s=42, marker='s', facecolors='none',
                   edgecolors=_HELPED, linewidth=0.9, label='A person helped')
    ax.set(xlabel='steps', ylabel='return of an episode')
    pages.figure_legend(figure)
    caption = ('Every dot is an episode, at the step with which it ended; higher is better.')
    if len(names) > 1:
        caption += ' A colour for every robot.'
    if episodes.evaluations.any():
        caption += ' Hollow: driven to judge the policy, without trying anything out.'
    if len(helped.ends):
        caption += ' Red squares: a person took over for a part of the episode.'
    return pages.figure_html(figure, caption)
