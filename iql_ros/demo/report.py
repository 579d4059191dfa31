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

"""The demo's report: what was recorded, what was learned from it, and how each policy drives."""

from pathlib import Path

import numpy as np

from iql_ros import pages
from iql_ros.demo.scene import Scene
from iql_ros.files import write_atomic
from iql_ros.runs import report

_DRAWN = 24                          # paths a panel


def write_demo_report(path: Path, scene: Scene, outcomes, dataset, recording: dict, deployed,
                      practice=None, films=()) -> Path:
    """
    Write the page; return its path.

    Args:
        path: Of the file.
        scene: What the robot does.
        outcomes: A list of Outcome, IQL first.
        dataset: What was learned from.
        recording: The report of its conversion.
        deployed: Whether each episode over topics succeeded.
        practice: A Practice, or None.
        films: (title, pictures in order of time), a row each.

    """
    sections = [
        pages.section('What was asked', *map(pages.paragraph, scene.asked)),
        pages.section('Result', *_result(scene, outcomes, dataset, deployed)),
        pages.section('How they move', *_films(scene, films),
                      _paths(scene, outcomes, dataset, recording))]
    if practice is not None:
        sections.append(pages.section('It gets better by itself'
                                      if practice.after.share > practice.before.share else
                                      'It goes on learning by itself',
                                      *_practice(scene, practice)))
    sections += [pages.section('Training', _curves(scene, outcomes)),
                 pages.section('What to look at next', *_next(outcomes, practice))]
    text = pages.page(scene.title, sections, 'iql-ros demo: recording, training, evaluation, '
                      'deployment' + (', fine-tuning' if practice is not None else ''))
    write_atomic(path, text)
    return path


def _result(scene, outcomes, dataset, deployed) -> list[str]:
    returns, ends = dataset.returns(), dataset.episode_starts[1:] - 1
    recorded = dataset.terminations[ends]
    rows = [('Recordings', f'{recorded.mean():.0%} of {len(recorded)}',
             f'{returns.mean():.1f}', '')]
    for outcome in outcomes:
        success = np.array([result.success for result in outcome.results])
        mean = np.mean([result.return_ for result in outcome.results])
        rows.append((outcome.title, f'{success.mean():.0%} of {len(success)}', f'{mean:.1f}',
                     _seconds(outcome.results, scene.rate)))
    choice = outcomes[0].choice
    words = '' if choice.kind == 'mean' else (
        f'IQL acts by the {choice}: at every tick its critic weighs what the recordings taught. '
        'Which way of choosing drives best was measured at the end of its training, from other '
        'start poses. ')
    note = (f'{words}Then it drove over ROS topics, simulator and policy in two processes: '
            f'{scene.done} in {sum(deployed)} of {len(deployed)} episodes.')
    return [pages.table_html(rows, ('', scene.done, 'mean return',
                                    f'seconds when {scene.done}')),
            _bars(scene, outcomes, recorded.mean()), pages.paragraph(note)]


def _seconds(results, rate: float) -> str:
    lengths = [result.length for result in results if result.success]
    return f'{np.mean(lengths) / rate:.1f}' if lengths else ''


def _bars(scene, outcomes, recorded: float) -> str:
    rows = [('Recordings', recorded, pages.DATA)]
    for outcome in outcomes:
        rows.append((outcome.title, outcome.share,
                     pages.POLICY if outcome.run == outcomes[0].run else pages.CLONING))
    return pages.figure_html(_bar_figure(scene, rows), f'{len(outcomes[0].results)} '
                             f'{scene.starts}, the same for every policy; the episodes of the '
                             'recordings start where their drivers were asked to.')


def _bar_figure(scene, rows):
    """Return a figure with a bar for every (name, share, colour), the first on top."""
    figure, ax = pages.new_figure(height=0.6 + 0.42 * len(rows))
    names, shares, colours = zip(*rows[::-1])
    bars = ax.barh(names, np.array(shares) * 100, color=colours, height=0.62)
    ax.bar_label(bars, fmt='%.0f %%', padding=4, fontsize=9)
    ax.set(xlim=(0, 109), xlabel=f'episodes that end {scene.done} [%]')
    ax.grid(axis='y', visible=False)
    return figure


def _films(scene, films) -> list[str]:
    if not films:
        return []
    figure, axes = pages.new_figure(len(films[0][1]), height=0.35 + 1.35 * len(films),
                                    rows=len(films))
    for row, (title, pictures) in zip(np.atleast_2d(axes), films):
        for ax, picture in zip(row, pictures):
            ax.imshow(picture)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        row[0].set_title(title, fontsize=10, loc='left', color='#1c2733')
    return [pages.figure_html(figure, 'From one start, the same for both, from left to right as '
                              'time goes by.')]


def _paths(scene, outcomes, dataset, recording: dict) -> str:
    panels = [('Recorded drivers', _recorded(scene, dataset, recording))]
    cloning = next(outcome for outcome in outcomes if outcome.run != outcomes[0].run)
    panels += [_driven(scene, cloning), _driven(scene, outcomes[0])]
    return pages.figure_html(
        _paths_figure(scene, panels), f'{scene.paths_show} Middle and right: cloning and IQL from '
        f'the same starts, blue when they {scene.done}, red when they did not.')


def _driven(scene, outcome) -> tuple[str, list]:
    return outcome.title, [
        (scene.where(np.array(path)), pages.POLICY if result.success else '#c0392b')
        for path, result in zip(outcome.paths[:_DRAWN], outcome.results)]


def _paths_figure(scene, panels):
    figure, axes = pages.new_figure(len(panels), height=0.5 + 8.1 * scene.aspect / len(panels))
    for ax, (title, paths) in zip(axes, panels):
        for path, colour in paths:
            ax.plot(path[:, 0], path[:, 1], color=colour, linewidth=0.9, alpha=0.75)
            ax.plot(*path[0], color=colour, marker='o', markersize=2.5)
        scene.draw(ax)
        ax.set_title(title, fontsize=10, loc='left', color='#1c2733')
        ax.grid(visible=False)
    return figure


def _recorded(scene, dataset, recording: dict) -> list:
    paths, first = [], 0
    for bag in recording['bags']:
        colour = scene.colours[bag['file'].split('_')[0]]
        for episode in range(first, first + min(len(bag['episodes']), _DRAWN // 4)):
            rows = slice(*dataset.episode_starts[episode:episode + 2])
            paths.append((scene.where(dataset.observations[rows]), colour))
        first += len(bag['episodes'])
    return paths


def _practice(scene, practice) -> list[str]:
    before, after = practice.before, practice.after
    steps = report.read_metrics(practice.run / 'metrics.csv')['step'][-1]
    return [pages.paragraph(
        'Then the policy met another robot, as it meets a real one after a simulation: one that '
        f'{scene.other_is}. No recording is of this robot, and nobody told the policy. It went on '
        'driving over ROS topics, trying a little around what it would do, and a learner beside '
        f'it learned from {steps:,.0f} of its steps ({steps / scene.rate / 60:.2g} minutes of a '
        'real robot) and from the recordings together. After every drive it sent its weights.'),
        pages.figure_html(_bar_figure(scene, [
            ('Before', before.share, pages.DATA), ('After', after.share, pages.POLICY)]),
        f'The other robot, {len(before.results)} start poses, the same before and after '
        'practising; none of them was practised from.'), pages.figure_html(
        _paths_figure(scene, [_driven(scene, before), _driven(scene, after)]), 'Its paths before '
        f'and after, blue when it {scene.done}, red when it did not.'), pages.figure_html(
        _practice_figure(scene, practice), 'On the way: evaluations of a few episodes each from '
        'other start poses, so that they jump by some points. Dashed: the first of them. What '
        'drives the robot is an average of what has been learned, which moves more steadily than '
        'the newest of it.')]


def _practice_figure(scene, practice):
    metrics = report.read_metrics(practice.run / 'metrics.csv')
    rates = 100 * metrics['evaluation/success_rate']
    known = np.isfinite(rates)
    figure, ax = pages.new_figure(height=2.8)
    ax.axhline(rates[known][0], color=pages.DATA, linestyle='--', linewidth=1.3, label='Start')
    ax.plot(metrics['step'][known], rates[known], marker='o', markersize=4, linewidth=2,
            color=pages.POLICY, label='Evaluations')
    ax.set(xlabel='steps of practice', ylabel=f'{scene.done} [%]', ylim=(-3, 103))
    pages.figure_legend(figure)
    return figure


def _curves(scene, outcomes) -> str:
    figure, ax = pages.new_figure(height=2.8)
    dashes = iter(('-', ':'))
    for outcome in {outcome.run: outcome for outcome in outcomes[::-1]}.values():
        metrics = report.read_metrics(outcome.run / 'metrics.csv')
        rates = metrics.get('evaluation/success_rate', np.empty(0))
        known = np.isfinite(rates)
        iql = outcome.run == outcomes[0].run
        ax.plot(metrics['step'][known], 100 * rates[known], marker='o', markersize=4,
                color=pages.POLICY if iql else pages.CLONING, linewidth=2 if iql else 1.6,
                linestyle='-' if iql else next(dashes), label=outcome.title)
    ax.set(xlabel='updates', ylabel=f'{scene.done} [%]', ylim=(-3, 103))
    pages.figure_legend(figure)
    return pages.figure_html(figure, 'Evaluations on the way, a few episodes each, so that they '
                             'jump by some points; all three did the same number of updates.')


def _next(outcomes, practice) -> list[str]:
    practised = '' if practice is None else (
        f', {practice.run.name}/report.html every episode of the practice')
    return [pages.paragraph(
        f'Each run has its own report beside this one: {outcomes[0].run.name}/report.html has the '
        f'curves of all losses and the settings{practised}. To try it on your own robot, let '
        'iql-ros inspect BAG --write-robot robot.yaml begin its description, convert its bags '
        '(iql-ros convert), train (iql-ros train) and deploy (policy_node): '
        'docs/how-to/own-robot.md; then let it practise: docs/tutorials/sim-to-real.md. Success '
        'here is success in this simulation: the gate clips and stops, but is not certified '
        'safety.')]
