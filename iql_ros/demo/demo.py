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

"""The whole loop on the sample recording: convert, train, deploy, fine-tune, report."""

import dataclasses
import importlib.util
import os
from pathlib import Path
import shutil
import time

from iql_ros.data.convert import convert_bags
from iql_ros.demo.arm import ARM
from iql_ros.demo.diffbot import DIFFBOT
from iql_ros.demo.evaluation import judge, Outcome
from iql_ros.demo.film import films
from iql_ros.demo.report import write_demo_report
from iql_ros.demo.scene import Scene
from iql_ros.demo.topics import deploy, Practice, practise
from iql_ros.files import InputError, read_yaml, share_folder
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.runs.report import write_run_report
from iql_ros.runs.run_directory import RunDirectory, runs_folder
from iql_ros.runs.settings import settings_from_mapping
from iql_ros.runs.train import train

SCENES = {scene.name: scene for scene in (DIFFBOT, ARM)}
_MODULES = {'minari': 'data', 'rosbags': 'data', 'mujoco': 'sim', 'matplotlib': 'report'}
_LEARNERS = {                # run name -> (title, settings over config/iql/robot.yaml)
    'iql': ('IQL', {}),
    'cloning': ('Cloning', {'algorithm': 'bc'}),
    'cloning-best': ('Cloning of the best 20 %', {'algorithm': 'bc', 'best_episodes': 0.2})}


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of everything the demo does."""

    updates: int | None      # None: what the settings say
    starts: int              # start poses of the evaluation
    episodes: int            # over topics
    time_limit: float        # [s] of the deployment
    practice: dict           # settings over config/finetune/robot.yaml, and over the scene's steps
    practice_limit: float    # [s] of the fine-tuning


FULL = Size(updates=None, starts=100, episodes=20, time_limit=300.0,
            practice={'evaluation_episodes': 50}, practice_limit=900.0)
SMOKE = Size(updates=300, starts=5, episodes=2, time_limit=60.0,
             practice={'steps': 150, 'log_every': 50, 'evaluate_every': 50,
                       'evaluation_episodes': 2}, practice_limit=120.0)


def run_demo(scene: Scene, size: Size, seed: int = 0) -> Path:
    """
    Do everything and return the report's path; prints what it does as it goes.

    Raises:
        InputError: when ROS or the simulation is not installed, or a node fails.

    """
    _check_installed()
    started, folder = time.monotonic(), runs_folder().resolve() / 'demo'
    if (folder / 'config.yaml').exists():
        raise InputError(f'{folder} is a training run of yours; rename it: the demo writes there')
    shutil.rmtree(folder, ignore_errors=True)  # of the last demo
    folder.mkdir(parents=True)
    os.environ['IQL_RUNS'] = str(folder)
    os.environ['MINARI_DATASETS_PATH'] = str(folder / 'datasets')

    steps = 7 if scene.other else 5

    def say(step: int, text: str):
        print(f'\n[{time.monotonic() - started:4.0f} s] {step}/{steps} {text}', flush=True)

    interface = load_robot_interface(scene.config)
    say(1, 'Converting the recording of the simulated robot (bags) to a dataset')
    dataset, report = convert_bags([scene.recording], scene.dataset, interface,
                                   environment=scene.environment)
    print(f'{report["transitions"]:,} transitions in {len(dataset.returns())} episodes')
    outcomes = []
    for number, (name, (title, changes)) in enumerate(_LEARNERS.items(), start=1):
        say(2, f'Training {title} ({number} of {len(_LEARNERS)})')
        outcomes.append(_learn(scene, name, title, changes, size, seed, interface))
    iql = outcomes[0]
    if iql.choice.kind != 'mean':
        outcomes.insert(1, judge('IQL, its mean action', iql.run, scene.environment, size.starts,
                                 interface, 'evaluation_mean.csv', 'mean'))
    say(3, f'From {size.starts} {scene.starts}:')
    for outcome in outcomes:
        print(f'{outcome.title:<26} {scene.does} from {outcome.share:.0%}')
    say(4, f'IQL drives over ROS topics: sim_node and policy_node, {size.episodes} episodes')
    deployed = deploy(RunDirectory('iql').latest(), scene, size.episodes,
                      folder / 'deployment.csv', size.time_limit)
    print(f'{scene.done} in {sum(deployed)} of {len(deployed)} episodes')
    practice = _practise(scene, iql, interface, size, seed, say) if scene.other else None
    say(steps, 'Writing the reports')
    for outcome in outcomes:
        write_run_report(outcome.run)
    path = write_demo_report(folder / 'report.html', scene, outcomes, dataset, report, deployed,
                             practice, films(scene, outcomes, folder) if scene.films else ())
    print(f'\n[{time.monotonic() - started:4.0f} s] Done. Open {path}', flush=True)
    return path


def _practise(scene: Scene, iql: Outcome, interface, size: Size, seed: int, say) -> Practice:
    say(5, f'IQL meets another robot, which {scene.other_is}: from the same starts')
    settings = {'steps': scene.practice, **size.practice}
    practice = practise(iql, interface, scene, settings, size.starts, seed, size.practice_limit)
    say(6, f'After {settings["steps"]:,} steps of practice there: {scene.does} from '
        f'{practice.after.share:.0%}, before {practice.before.share:.0%}')
    return practice


def _check_installed() -> None:
    if importlib.util.find_spec('rclpy') is None:
        raise InputError("the demo drives over ROS topics, and module 'rclpy' is not installed; "
                         "source ROS 2 Jazzy's setup.bash, or pip install 'iql_ros[wheels]'")
    for module, extra in _MODULES.items():
        if importlib.util.find_spec(module) is None:
            raise InputError(f"the demo needs module '{module}': pip install 'iql_ros[{extra}]'")


def _learn(scene: Scene, name: str, title: str, changes: dict, size: Size, seed: int,
           interface) -> Outcome:
    mapping = {**read_yaml(share_folder() / 'config' / 'iql' / 'robot.yaml'), **changes,
               'dataset': scene.dataset, 'name': name, 'seed': seed}
    if size.updates is not None:
        mapping.update(updates=size.updates, log_every=100, evaluation_episodes=2,
                       choice_episodes=2)
    run = train(*settings_from_mapping(mapping, 'demo'))
    return judge(title, run, scene.environment, size.starts, interface)
