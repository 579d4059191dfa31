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
What the past is worth to a robot that answers late: IQL with and without it, side by side.

    python benchmarks/late_robot.py [--late 2,3] [--seeds 3] [--updates 20000] [--episodes 100]
                                    [--json FILE] [--plot FILE.png]

The drivers of the sample recording drive a Diffbot that acts so many ticks late, in process; the
same drives make two datasets, by config/robots/diffbot.yaml and by that with the pose of two ticks
and the last commands. Each is learned from by config/iql/robot, and drives the same late robot
from other starts, by the actor's mean and by the critic's weighted choice.
"""

import argparse
import json
import sys

import numpy as np

from iql_ros import pages
from iql_ros.data.minari_store import datasets_root
from iql_ros.data.minari_writer import write_minari
from iql_ros.files import read_yaml, share_folder, write_atomic
from iql_ros.online.simulated_robot import SimulatedRobot
from iql_ros.parallel import cores, mapping
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.safety import Gate
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import make_episode
from iql_ros.runs.evaluate import evaluate_policy
from iql_ros.runs.policy import load_policy
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.settings import settings_from_mapping
from iql_ros.runs.train import train
from iql_ros.sim.drivers import RECORDINGS
from iql_ros.sim.envs import DIFFBOT, DiffbotEnv, make_env

_SHARE = share_folder() / 'config'
_STARTS = 10_000    # seed of the first start
WITHOUT, WITH = 'this tick alone', 'with the past'
_WAYS = ('mean', 'weighted')


def robot(which: str, late: int):
    """Return the robot's interface."""
    text = (_SHARE / 'robots' / 'diffbot.yaml').read_text()
    if which == WITH:
        text = text.replace('    fields: [pose', '    history: 2\n    fields: [pose', 1)
        text = text.replace('\naction:\n', f'\n  - {{previous: action, history: {late + 1}}}\n'
                            'action:\n', 1)
    return parse_robot_interface(text, f'diffbot, {which}')


def record(interface, late: int):
    """Return the drivers' episodes with a robot that acts late, physical units."""
    episodes, task = [], Task(interface)
    for index, recording in enumerate(RECORDINGS):
        env = DiffbotEnv(start=recording.start, delay_ticks=late)
        driver = [None]
        robot = SimulatedRobot(env, lambda observation: driver[0](observation), interface, task,
                               seed=1000 * index)
        for number in range(recording.episodes):
            driver[0] = recording.driver(np.random.default_rng([1000 * index, number]))
            steps = [step.transition for step in robot.run_episode()]
            if steps:
                episodes.append(make_episode(steps))
        env.close()
    return episodes


def dataset_of(which: str, late: int) -> str:
    """Return the id of what was recorded, made once."""
    name = f'late/{late}-{"with" if which == WITH else "without"}-v0'
    if not (datasets_root() / name).exists():
        interface = robot(which, late)
        scaling = interface.action_scaling
        write_minari(name, record(interface, late), action_low=scaling.low,
                     action_high=scaling.high, robot_config=interface.text,
                     settings={'made by': 'benchmarks/late_robot.py'})
    return name


def learn_and_drive(work: dict) -> dict:
    """Train a policy, and drive by it in both ways; return the shares of starts that it docked."""
    which, late, seed, name = (work[key] for key in ('which', 'late', 'seed', 'name'))
    settings = {**read_yaml(_SHARE / 'iql' / 'robot.yaml'),
                'dataset': work['dataset'], 'name': name, 'seed': seed, 'threads': 1,
                'updates': work['updates'], 'evaluate_every': 0, 'choice': 'mean',
                'environment': None}
    run = RunDirectory(name)
    train(*settings_from_mapping(settings, 'late_robot.py'), resume=run.begun)
    policy, interface, found = load_policy(run.latest(), 'cpu'), robot(which, late), {}
    for way in _WAYS:
        policy.choice = policy.choice.but(way)
        env = make_env(DIFFBOT, delay_ticks=late)
        results = evaluate_policy(policy, env, work['episodes'], _STARTS,
                                  interface.action_scaling, Gate(interface))
        env.close()
        found[way] = {'success': float(np.mean([bool(one.success) for one in results])),
                      'return': float(np.mean([one.return_ for one in results]))}
    return found


def draw(path, table: dict) -> None:
    """Plot how often each docked, a bar a setting, a dot a seed."""
    figure, ax = pages.new_figure(height=0.4 * len(table) + 1.0)
    for place, (name, seeds) in enumerate(table.items()):
        rates = [100 * one['success'] for one in seeds]
        ax.barh(place, np.mean(rates), color=pages.POLICY if WITH in name else pages.DATA)
        ax.plot(rates, [place] * len(rates), 'o', color='#1c2733', markersize=3)
    ax.set(yticks=range(len(table)), xlabel='docked [% of starts]', xlim=(0, 100))
    ax.set_yticklabels(table, fontsize=8)
    ax.invert_yaxis()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Record, learn, drive, and print both beside each other."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--late', default='2,3')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--updates', type=int, default=20_000)
    parser.add_argument('--episodes', type=int, default=100)
    parser.add_argument('--json')
    parser.add_argument('--plot')
    options = parser.parse_args()
    delays = [int(each) for each in options.late.split(',')]
    work = [{'which': which, 'late': late, 'seed': seed, 'updates': options.updates,
             'episodes': options.episodes, 'dataset': dataset_of(which, late),
             'name': f'late{late}_{"with" if which == WITH else "without"}_seed{seed}'}
            for late in delays for seed in range(options.seeds) for which in (WITHOUT, WITH)]
    table = {}
    with mapping('here', cores(), None) as each:
        for one, found in zip(work, each(learn_and_drive, work)):
            for way in _WAYS:
                table.setdefault(f'{one["late"]} ticks late, {one["which"]}, {way}', []).append(
                    found[way])
            print(f'{one["name"]}: ' + ', '.join(
                f'{way} {found[way]["success"]:.0%}' for way in _WAYS), flush=True)
    for name, seeds in table.items():
        rates = [100 * one['success'] for one in seeds]
        print(f'{name}: {np.mean(rates):.1f} % ({", ".join(f"{rate:.0f}" for rate in rates)}), '
              f'return {np.mean([one["return"] for one in seeds]):.1f}')
    if options.json:
        write_atomic(options.json, json.dumps({'table': table, 'options': vars(options)},
                                              indent=1))
    if options.plot:
        draw(options.plot, table)


if __name__ == '__main__':
    sys.exit(main())
