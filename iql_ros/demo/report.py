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
from iql_ros.files import write_atomic
from iql_ros.runs import report

_DOCK, _ARENA = 0.10, 1.5            # [m] the plate's radius, half the arena
_DRAWN = 24                          # paths a panel
_COLOURS = {'approach': '#1f5fa8', 'dock': '#2c8a4b', 'wander': '#b8860b', 'blind': '#8b929c'}


def write_demo_report(path: Path, outcomes, dataset, recording: dict, deployed,
                      practice) -> Path:
    """Write the page for a list of Outcome, IQL first, and a Practice; return its path."""
    sections = [
        pages.section('What was asked', *_task()),
        pages.section('Result', *_result(outcomes, dataset, deployed)),
        pages.section('How they drive', _paths(outcomes, dataset, recording)),
        pages.section('It gets better by itself'
                      if practice.after.share > practice.before.share else
                      'It goes on learning by itself', *_practice(practice)),
        pages.section('Training', _curves(outcomes)),
        pages.section('What to look at next', *_next(outcomes, practice))]
    text = pages.page('A robot learns to dock from recordings of which none shows it how',
                      sections, 'iql-ros demo: recording, training, evaluation, deployment, '
                      'fine-tuning')
    write_atomic(path, text)
    return path


def _task() -> list[str]:
    return [pages.paragraph(
        'A two-wheeled robot is to drive onto a charging plate, within 10 cm of its centre, from '
        'anywhere in an arena of 3 x 3 m, in 20 s. Every tick of 0.2 s until then costs 1. It '
        'sees its pose in the frame of the dock and the speed of its wheels, and commands its '
        'velocity on cmd_vel.'), pages.paragraph(
        'It has recordings to learn from: people who drive well from afar but never dock, people '
        'who dock but start beside the plate (well, hesitantly, or driving past it first), people '
        'who wander, and one who does not look. Whoever copies them copies their mixture; the '
        'way from anywhere onto the plate has to be put together from pieces, by what paid off. '
        'That is what Implicit Q-Learning does.')]


def _result(outcomes, dataset, deployed) -> list[str]:
    returns, ends = dataset.returns(), dataset.episode_starts[1:] - 1
    recorded = dataset.terminations[ends]
    rows = [('Recordings', f'{recorded.mean():.0%} of {len(recorded)}',
             f'{returns.mean():.1f}', '')]
    for outcome in outcomes:
        success = np.array([result.success for result in outcome.results])
        mean = np.mean([result.return_ for result in outcome.results])
        rows.append((outcome.title, f'{success.mean():.0%} of {len(success)}', f'{mean:.1f}',
                     _ticks(outcome.results)))
    choice = outcomes[0].choice
    words = '' if choice.kind == 'mean' else (
        f'IQL acts by the {choice}: at every tick its critic weighs what the recordings taught. '
        'Which way of choosing drives best was measured at the end of its training, from other '
        'start poses. ')
    note = (f'{words}Then it drove over ROS topics, simulator and policy in two processes: docked '
            f'in {sum(deployed)} of {len(deployed)} episodes.')
    return [pages.table_html(rows, ('', 'docked', 'mean return', 'seconds when docked')),
            _bars(outcomes, recorded.mean()), pages.paragraph(note)]


def _ticks(results) -> str:
    lengths = [result.length for result in results if result.success]
    return f'{np.mean(lengths) / 5:.1f}' if lengths else ''


def _bars(outcomes, recorded: float) -> str:
    rows = [('Recordings', recorded, pages.DATA)]
    for outcome in outcomes:
        rows.append((outcome.title, outcome.share,
                     pages.POLICY if outcome.run == outcomes[0].run else pages.CLONING))
    return pages.figure_html(_bar_figure(rows), f'{len(outcomes[0].results)} start poses all '
                             'over the arena, the same for every policy; the episodes of the '
                             'recordings start where their drivers were asked to.')


def _bar_figure(rows):
    """Return a figure with a bar for every (name, share, colour), the first on top."""
    figure, ax = pages.new_figure(height=0.6 + 0.42 * len(rows))
    names, shares, colours = zip(*rows[::-1])
    bars = ax.barh(names, np.array(shares) * 100, color=colours, height=0.62)
    ax.bar_label(bars, fmt='%.0f %%', padding=4, fontsize=9)
    ax.set(xlim=(0, 109), xlabel='episodes that end docked [%]')
    ax.grid(axis='y', visible=False)
    return figure


def _paths(outcomes, dataset, recording: dict) -> str:
    panels = [('Recorded drivers', _recorded(dataset, recording))]
    cloning = next(outcome for outcome in outcomes if outcome.run != outcomes[0].run)
    panels += [_driven(cloning), _driven(outcomes[0])]
    return pages.figure_html(
        _paths_figure(panels), 'Paths seen from above; the green disc is the plate, a dot is '
        'where a drive began. Left: the recordings, driving from afar (blue), docking (green), '
        'wandering (ochre), blind (grey). Middle and right: cloning and IQL from the same start '
        'poses, blue when they docked, red when they did not.')


def _driven(outcome) -> tuple[str, list]:
    return outcome.title, [
        (np.array(path), pages.POLICY if result.success else '#c0392b')
        for path, result in zip(outcome.paths[:_DRAWN], outcome.results)]


def _paths_figure(panels):
    figure, axes = pages.new_figure(len(panels), height=0.5 + 8.1 / len(panels))
    for ax, (title, paths) in zip(axes, panels):
        _draw(ax, title, paths)
    return figure


def _recorded(dataset, recording: dict) -> list:
    paths, first = [], 0
    for bag in recording['bags']:
        colour = _COLOURS[bag['file'].split('_')[0]]
        for episode in range(first, first + min(len(bag['episodes']), _DRAWN // 4)):
            rows = slice(*dataset.episode_starts[episode:episode + 2])
            paths.append((dataset.observations[rows, :2], colour))
        first += len(bag['episodes'])
    return paths


def _draw(ax, title: str, paths) -> None:
    from matplotlib.patches import Circle, Rectangle
    ax.add_patch(Rectangle((-_ARENA, -_ARENA), 2 * _ARENA, 2 * _ARENA, fill=False,
                           edgecolor='#c4ccd4', linewidth=1))
    for path, colour in paths:
        ax.plot(path[:, 0], path[:, 1], color=colour, linewidth=0.9, alpha=0.75)
        ax.plot(*path[0], color=colour, marker='o', markersize=2.5)
    ax.add_patch(Circle((0, 0), _DOCK, color='#2c8a4b', zorder=3))
    ax.set_title(title, fontsize=10, loc='left', color='#1c2733')
    ax.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), aspect='equal', xticks=[-1, 0, 1],
           yticks=[-1, 0, 1], xlabel='x [m]')
    ax.grid(visible=False)


def _practice(practice) -> list[str]:
    before, after = practice.before, practice.after
    steps = report.read_metrics(practice.run / 'metrics.csv')['step'][-1]
    return [pages.paragraph(
        'Then the policy met another robot, as it meets a real one after a simulation: one that '
        'drives and turns slower than commanded, pulls to one side and acts a tick late. No '
        'recording is of this robot, and nobody told the policy. It went on driving over ROS '
        'topics, trying a little around what it would do, and a learner beside it learned from '
        f'{steps:,.0f} of its steps ({steps / 5 / 60:.2g} minutes of a real robot) and from the '
        'recordings together. After every drive it sent its weights.'), pages.figure_html(
        _bar_figure([('Before', before.share, pages.DATA), ('After', after.share,
                                                            pages.POLICY)]),
        f'The other robot, {len(before.results)} start poses, the same before and after '
        'practising; none of them was practised from.'), pages.figure_html(
        _paths_figure([_driven(before), _driven(after)]), 'Its paths before and after, blue when '
        'it docked, red when it did not.'), pages.figure_html(
        _practice_figure(practice), 'On the way: evaluations of a few episodes each from other '
        'start poses, so that they jump by some points. Dashed: the first of them. What drives '
        'the robot is an average of what has been learned, which moves more steadily than the '
        'newest of it.')]


def _practice_figure(practice):
    metrics = report.read_metrics(practice.run / 'metrics.csv')
    rates = 100 * metrics['evaluation/success_rate']
    known = np.isfinite(rates)
    figure, ax = pages.new_figure(height=2.8)
    ax.axhline(rates[known][0], color=pages.DATA, linestyle='--', linewidth=1.3, label='Start')
    ax.plot(metrics['step'][known], rates[known], marker='o', markersize=4, linewidth=2,
            color=pages.POLICY, label='Evaluations')
    ax.set(xlabel='steps of practice', ylabel='docked [%]', ylim=(-3, 103))
    pages.figure_legend(figure)
    return figure


def _curves(outcomes) -> str:
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
    ax.set(xlabel='updates', ylabel='docked [%]', ylim=(-3, 103))
    pages.figure_legend(figure)
    return pages.figure_html(figure, 'Evaluations on the way, a few episodes each, so that they '
                             'jump by some points; all three did the same number of updates.')


def _next(outcomes, practice) -> list[str]:
    run = outcomes[0].run
    return [pages.paragraph(
        f'Each run has its own report beside this one: {run.name}/report.html has the curves of '
        f'all losses and the settings, {practice.run.name}/report.html every episode of the '
        'practice. To try it on your own robot, let iql-ros inspect BAG --write-robot robot.yaml '
        'begin its description, convert its bags (iql-ros convert), train (iql-ros train) and '
        'deploy (policy_node): docs/how-to/own-robot.md; then let it practise: '
        'docs/tutorials/sim-to-real.md. Success here is success in this simulation: the gate '
        'clips and stops, but is not certified safety.')]
