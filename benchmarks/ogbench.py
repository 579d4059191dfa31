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
OGBench's play data without a download: make it, learn from it, drive, and compare.

    python benchmarks/ogbench.py cube-single --task 2 [--transitions 300000] [--updates 200000]
                                 [--seeds 2] [--episodes 100] [--json FILE] [--plot FILE.png]
    python benchmarks/ogbench.py cube-single --task 2 --full      (a machine with a GPU)

Needs `pip install ogbench` (its environments, scripted oracles and reward relabelling). The data
is made anew by these oracles: the same script as that of the published data, another seed. Ours
learns with the published sizes (Park et al. 2025, table 3: four layers of 256, expectile 0.9) and
drives in every way of choosing; beside it stand the published figures of 8 seeds.
"""

import argparse
import dataclasses
import json
import os
from pathlib import Path
import sys
import time

import numpy as np

from iql_ros.data.minari_writer import write_minari
from iql_ros.files import write_atomic
from iql_ros.learner.choice import CHOICES
from iql_ros.parallel import cores, mapping
from iql_ros.robot.transitions import Episode
from iql_ros.runs.run_directory import RunDirectory, runs_folder
from iql_ros.runs.settings import settings_from_mapping
from iql_ros.runs.train import train

_HERE = str(Path(__file__).resolve().parent)
sys.path.insert(0, _HERE)
from choosing import draw, Drive, drive, figures_of, line  # noqa: E402, I100, I202

sys.path[:] = [path for path in sys.path if path != _HERE]  # `ogbench` is not this file

_EPISODE = 1001   # steps of play
_SETTINGS = {'expectile': 0.9, 'discount': 0.99, 'hidden_dims': (256,) * 4, 'choice': 'auto',
             'actor_schedule': 'constant', 'normalise_observations': False}
_FULL = {'transitions': 1_000_000, 'updates': 1_000_000, 'seeds': 8}


@dataclasses.dataclass(frozen=True)
class Family:
    """A scene of OGBench."""

    stack: tuple[float, float]      # cubes are stacked with a probability drawn from here
    inverse_temperature: float      # the published one of AWR
    published: dict                 # method -> success [%] at tasks 1 to 5


FAMILIES = {
    'cube-single': Family((0.0, 0.0), 1.0, {
        'IQL': (88, 85, 91, 73, 78), 'ReBRAC': (89, 92, 93, 92, 87), 'IFQL': (79, 73, 88, 79, 77),
        'FQL': (97, 97, 98, 94, 93)}),
    'cube-double': Family((0.0, 0.25), 0.3, {
        'IQL': (27, 1, 0, 0, 4), 'ReBRAC': (45, 7, 4, 1, 4), 'IFQL': (35, 9, 8, 1, 17),
        'FQL': (61, 36, 22, 5, 19)}),
    'scene': Family((0.5, 0.5), 10.0, {
        'IQL': (94, 12, 32, 0, 0), 'ReBRAC': (95, 50, 55, 3, 0), 'IFQL': (98, 0, 54, 0, 0),
        'FQL': (100, 76, 98, 5, 0)})}


def play(work: tuple[str, int]) -> dict:
    """Return an episode of play, arrays by name; `work` is a family and a seed."""
    import gymnasium
    import ogbench  # noqa: F401 (registers its environments)
    name, seed = work
    env = gymnasium.make(f'{name}-v0', mode='data_collection', terminate_at_goal=False,
                         visualize_info=False, max_episode_steps=_EPISODE)
    np.random.seed(seed)  # the oracles draw from it
    stack = np.random.uniform(*FAMILIES[name].stack)
    oracles = _oracles(env)
    rows = {'observations': [], 'actions': [], 'qpos': [], 'button_states': []}
    observation, info = env.reset(seed=seed)
    oracle, truncated = None, False
    while not truncated:
        if oracle is None or oracle.done:
            at, told = (observation, info) if oracle is None else env.unwrapped.set_new_target(
                p_stack=stack)
            oracle = oracles[told['privileged/target_task']]
            oracle.reset(at, told)
        action = np.clip(oracle.select_action(observation, info), -1.0, 1.0)
        following, _, _, truncated, info = env.step(action)
        rows['observations'].append(observation)
        rows['actions'].append(action)
        rows['qpos'].append(info['prev_qpos'])
        if 'prev_button_states' in info:
            rows['button_states'].append(info['prev_button_states'])
        observation = following
    env.close()
    return {key: np.array(values) for key, values in rows.items() if values}


def _oracles(env) -> dict:
    from ogbench.manipspace.oracles.plan import button_plan, cube_plan, drawer_plan, window_plan
    return {'cube': cube_plan.CubePlanOracle(env=env),
            'button': button_plan.ButtonPlanOracle(env=env),
            'drawer': drawer_plan.DrawerPlanOracle(env=env),
            'window': window_plan.WindowPlanOracle(env=env)}


def raw_data(name: str, transitions: int, jobs: int | None) -> list[dict]:
    """Return episodes of play, made once and kept beside the runs."""
    path = runs_folder() / 'ogbench' / f'{name}_{transitions}.npz'
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        count, began, episodes = -(-transitions // (_EPISODE - 1)), time.monotonic(), []
        with mapping('here', jobs, None) as each:
            for episode in each(play, [(name, seed) for seed in range(count)]):
                episodes.append(episode)
                if len(episodes) % 20 == 0:
                    print(f'{len(episodes)} of {count} episodes of play, '
                          f'{time.monotonic() - began:.0f} s', flush=True)
        np.savez_compressed(path, **{key: np.stack([episode[key] for episode in episodes])
                                     for key in episodes[0]})
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    return [{key: values[index] for key, values in arrays.items()}
            for index in range(len(arrays['actions']))]


def make_dataset(name: str, task: int, transitions: int, jobs: int | None) -> str:
    """Return the id of a Minari dataset of play with the rewards of a task."""
    dataset = f'ogbench/{name}-task{task}-{transitions}-v0'
    from iql_ros.data.minari_store import datasets_root
    if (datasets_root() / dataset).exists():
        return dataset
    import gymnasium
    import ogbench
    env_name = f'{name}-singletask-task{task}-v0'
    env, pieces = gymnasium.make(env_name), []
    for episode in raw_data(name, transitions, jobs):
        ogbench.relabel_utils.relabel_dataset(env_name, env, episode)
        pieces += _cut_at_goals(episode)
    env.close()
    write_minari(dataset, pieces, action_low=[-1.0] * 5, action_high=[1.0] * 5,
                 environment=f'ogbench:{env_name}', settings={'made by': 'benchmarks/ogbench.py'})
    return dataset


def _cut_at_goals(episode: dict) -> list[Episode]:
    """Return the parts of an episode of play: the goal ends one, the robot goes on."""
    ends, count, parts, first = episode['masks'] == 0, len(episode['actions']) - 1, [], 0
    for last in [*np.flatnonzero(ends[:count]), count - 1]:
        if last < first:
            continue
        rows = slice(first, last + 1)
        terminations = ends[rows].copy()
        truncations = np.zeros(len(terminations), bool)
        truncations[-1] = not terminations[-1]
        parts.append(Episode(
            observations=episode['observations'][first:last + 2].astype(np.float64),
            actions=episode['actions'][rows].astype(np.float64),
            rewards=episode['rewards'][rows].astype(np.float64), terminations=terminations,
            truncations=truncations))
        first = last + 1
    return parts


def learn(work: dict) -> str:
    """Train a seed, unless that is done; return its run's folder."""
    run = RunDirectory(work['name'])
    return str(train(*settings_from_mapping(work, 'ogbench.py'), resume=run.begun))


def main() -> None:
    """Make data, learn, drive, and print ours beside what was published."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('family', choices=FAMILIES)
    parser.add_argument('--task', type=int, default=2, choices=range(1, 6))
    parser.add_argument('--transitions', type=int, default=300_000)
    parser.add_argument('--updates', type=int, default=200_000)
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--episodes', type=int, default=100)
    parser.add_argument('--jobs', type=int, help='processes at once (default: one a core)')
    parser.add_argument('--full', action='store_true', help=f'the published protocol: {_FULL}')
    parser.add_argument('--json')
    parser.add_argument('--plot')
    options = parser.parse_args()
    if options.full:
        vars(options).update(_FULL)
    os.environ.setdefault('MUJOCO_GL', 'disabled')
    family = FAMILIES[options.family]
    dataset = make_dataset(options.family, options.task, options.transitions, options.jobs)
    environment = f'ogbench:{options.family}-singletask-task{options.task}-v0'
    work = [{**_SETTINGS, 'inverse_temperature': family.inverse_temperature, 'dataset': dataset,
             'name': f'{dataset.rpartition("/")[2]}_{options.updates}_seed{seed}', 'seed': seed,
             'updates': options.updates, 'environment': environment, 'threads': 1,
             'evaluate_every': 0, 'checkpoint_every': 50_000, 'log_every': 1_000}
            for seed in range(options.seeds)]
    began, table = time.monotonic(), {}
    with mapping('here', options.jobs or min(cores(), options.seeds), None) as each:
        runs = list(each(learn, work))
        seconds = time.monotonic() - began
        driven = each(drive, [Drive(str((Path(run) / 'latest').resolve()), kind, environment,
                                    options.episodes, 10_000) for run in runs for kind in CHOICES])
        for run in runs:
            table[Path(run).name] = figures_of({kind: next(driven) for kind in CHOICES})
            print(line(Path(run).name, table[Path(run).name]), flush=True)
    ours = {kind: [row[kind]['success'] for row in table.values()] for kind in (*CHOICES, 'auto')}
    for kind, rates in ours.items():
        print(f'ours, {kind}: {100 * np.mean(rates):.1f} % (seeds: '
              f'{", ".join(f"{100 * rate:.0f}" for rate in rates)})')
    for method, rates in family.published.items():
        print(f'published, {method}: {rates[options.task - 1]} %')
    print(f'{options.transitions:,} transitions, {options.updates:,} updates, {len(runs)} seeds, '
          f'{options.episodes} episodes each; training {seconds:.0f} s')
    if options.json:
        write_atomic(options.json, json.dumps({'runs': table, 'seconds': seconds,
                                               'options': vars(options)}, indent=1))
    if options.plot:
        draw(options.plot, table)


if __name__ == '__main__':
    sys.exit(main())
