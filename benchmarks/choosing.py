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

"""
Drive by checkpoints of several seeds, choosing in every way, from the same starts.

    python benchmarks/choosing.py RUN... --env ID [--episodes 100] [--seed 10000]
                                  [--json FILE] [--plot FILE.png]

For every run: the mean action, the weighted mean of samples, the best of them, and what its
checkpoint picks; returns and successes, and the paired difference to the mean action with its
standard error. Two runs at once on two cores.
"""

import argparse
import dataclasses
import json
import os

import numpy as np

from iql_ros import pages
from iql_ros.cli.data_commands import checkpoint_file
from iql_ros.files import write_atomic
from iql_ros.learner.choice import CHOICES
from iql_ros.parallel import mapping

_COLOURS = {'mean': pages.DATA, 'weighted': pages.POLICY, 'best': pages.CLONING}


@dataclasses.dataclass(frozen=True)
class Drive:
    """A checkpoint that drives in one way."""

    path: str
    kind: str
    environment: str
    episodes: int
    seed: int


def drive(work: Drive) -> dict:
    """Return returns and successes of a Drive, and what its checkpoint would have picked."""
    import torch
    from iql_ros.robot.action_scaling import ActionScaling
    from iql_ros.robot.safety import Gate
    from iql_ros.runs.evaluate import evaluate_policy
    from iql_ros.runs.policy import load_policy
    from iql_ros.sim.envs import import_environment, make_env
    import_environment(work.environment)
    torch.set_num_threads(1)
    policy, env = load_policy(work.path, 'cpu'), make_env(work.environment)
    picked = policy.choice.kind
    policy.choice = policy.choice.but(work.kind)
    data = policy.header['dataset']
    results = evaluate_policy(
        policy, env, work.episodes, work.seed,
        ActionScaling(data['action_low'], data['action_high']),
        policy.interface and Gate(policy.interface), tuple(data['observation_keys']))
    env.close()
    return {'picked': picked, 'returns': [result.return_ for result in results],
            'successes': [result.success for result in results]}


def figures_of(found: dict) -> dict:
    """Return the figures of a run, by way of choosing."""
    mean, figures = np.array(found['mean']['returns']), {}
    for kind, driven in found.items():
        difference = np.array(driven['returns']) - mean
        figures[kind] = {
            'return': float(np.mean(driven['returns'])), 'difference': float(difference.mean()),
            'error': float(difference.std(ddof=1) / np.sqrt(len(difference)))}
        if None not in driven['successes']:
            figures[kind]['success'] = float(np.mean(driven['successes']))
    figures['auto'] = {**figures[found['mean']['picked']], 'picked': found['mean']['picked']}
    return figures


def line(name: str, figures: dict) -> str:
    """Return a run's line."""
    cells = []
    for kind, each in figures.items():
        success = f'{each["success"]:.1%} ' if 'success' in each else ''
        gain = '' if kind == 'mean' else f' ({each["difference"]:+.2f} +- {each["error"]:.2f})'
        cells.append(f'{each.get("picked", kind)} {success}{each["return"]:.2f}{gain}')
    return f'{name}: ' + ' | '.join(cells[:-1]) + f' || picked: {cells[-1]}'


def draw(path, table: dict) -> None:
    """Plot returns by run and way."""
    figure, ax = pages.new_figure(height=3.2)
    for offset, kind in zip((-0.2, 0.0, 0.2), CHOICES):
        ax.bar(np.arange(len(table)) + offset, [row[kind]['return'] for row in table.values()],
               0.2, color=_COLOURS[kind], label=kind)
    ax.set(xticks=range(len(table)), ylabel='mean return')
    ax.set_xticklabels(table, fontsize=8)
    pages.figure_legend(figure)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Drive, print a line a run, and the means over all."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='+', metavar='RUN')
    parser.add_argument('--env', required=True)
    parser.add_argument('--episodes', type=int, default=100)
    parser.add_argument('--seed', type=int, default=10_000)
    parser.add_argument('--jobs', type=int)
    parser.add_argument('--json')
    parser.add_argument('--plot')
    options = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    work = [Drive(str(checkpoint_file(run).resolve()), kind, options.env, options.episodes,
                  options.seed) for run in options.runs for kind in CHOICES]
    table = {}
    with mapping('here', options.jobs, None) as each:
        driven = each(drive, work)
        for run in options.runs:
            table[run] = figures_of({kind: next(driven) for kind in CHOICES})
            print(line(run, table[run]), flush=True)
    known = [name for name in ('return', 'difference', 'success')
             if name in next(iter(table.values()))['mean']]
    over_all = {kind: {name: float(np.mean([row[kind][name] for row in table.values()]))
                       for name in known} for kind in (*CHOICES, 'auto')}
    for kind, means in over_all.items():
        worst = min(row[kind].get('success', row[kind]['return']) for row in table.values())
        print(f'{kind}: ' + ', '.join(f'{name} {value:.4g}' for name, value in means.items())
              + f', worst {worst:.4g}')
    if options.json:
        write_atomic(options.json, json.dumps({'runs': table, 'means': over_all}, indent=1))
    if options.plot:
        draw(options.plot, table)


if __name__ == '__main__':
    main()
