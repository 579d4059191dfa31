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

"""What the demo does over ROS topics: drive by a checkpoint, and practise on another robot."""

import csv
import dataclasses
import os
from pathlib import Path
import subprocess
import time

import yaml

from iql_ros.demo.evaluation import judge, Outcome, STARTS_SEED
from iql_ros.demo.scene import Scene
from iql_ros.files import InputError, read_yaml, share_folder, write_atomic
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.sim.node_command import node_command, simulation_environment

_PRACTICE_SEED = 20_000      # of its start poses, which are not those that it is judged by


@dataclasses.dataclass(frozen=True)
class Practice:
    """What fine-tuning brought."""

    run: Path
    before: Outcome
    after: Outcome


def deploy(checkpoint: Path, scene: Scene, episodes: int, results: Path,
           time_limit: float) -> list[bool]:
    """
    Drive by a checkpoint over topics, two processes in lockstep.

    Returns whether each episode succeeded.

    Raises:
        InputError: when a node fails or does not end in time.

    """
    common = {'robot_config': scene.config, 'lockstep': True, 'seed': STARTS_SEED}
    _run_nodes({
        'sim_node': {**common, 'env_id': scene.environment},
        'policy_node': {**common, 'checkpoint': checkpoint, 'device': 'cpu',
                        'episodes': episodes, 'results': results}}, time_limit)
    with open(results, newline='') as file:
        return [row['terminated'] == '1' for row in csv.DictReader(file)]


def practise(policy: Outcome, interface, scene: Scene, settings: dict, starts: int,
             seed: int, time_limit: float) -> Practice:
    """
    Judge a policy on the real robot's stand-in, fine-tune it there over topics, judge it again.

    Args:
        policy: To begin with.
        interface: Of the robot.
        scene: What the robot does, and on which other one it practises.
        settings: Over config/finetune/robot.yaml.
        starts: Start poses of the evaluations before and after.
        seed: Of exploration, batches and start poses.
        time_limit: [s]

    Raises:
        InputError: when a node fails or the learner does not end in time.

    """
    before = judge('Before', policy.run, scene.other, starts, interface, 'real.csv')
    print(f'it {scene.does} from {before.share:.0%}; now it practises for '
          f'{settings["steps"]:,} steps: sim_node, policy_node, finetune_node', flush=True)
    config, run = policy.run.parent / 'finetune.yaml', policy.run.parent / 'finetuned'
    shipped = read_yaml(share_folder() / 'config' / 'finetune' / 'robot.yaml')
    write_atomic(config, yaml.safe_dump({**shipped, **settings}))
    common = {'robot_config': scene.config, 'lockstep': True, 'seed': _PRACTICE_SEED + seed}
    begun_with = {'checkpoint': RunDirectory(policy.run.name).latest(), 'device': 'cpu'}
    _run_nodes({
        'sim_node': {**common, 'env_id': scene.other},
        'policy_node': {**common, **begun_with, 'learner': 'finetune_node',
                        'evaluate_every': 0, 'exploration_scale': scene.exploration},
        'finetune_node': {**begun_with, 'robot_config': scene.config, 'config': config,
                          'run': run.name, 'environment': scene.other, 'seed': seed}}, time_limit)
    return Practice(run, before, judge('After', run, scene.other, starts, interface))


def _run_nodes(nodes: dict[str, dict], time_limit: float) -> None:
    """Run nodes, by name with their parameters, until the last one ends by itself."""
    environment = {'ROS_DOMAIN_ID': str(1 + os.getpid() % 100), **simulation_environment()}
    commands = {name: node_command(name, parameters) for name, parameters in nodes.items()}
    last, running = list(nodes)[-1], {}
    try:
        for name, command in commands.items():
            running[name] = subprocess.Popen(command, env=environment)
        _wait(last, running, time.monotonic() + time_limit)
    except TimeoutError:
        raise InputError(f'{last} did not finish in {time_limit:.0f} s') from None
    finally:
        for process in reversed(running.values()):  # the simulator answers until the end
            process.terminate()
            process.wait()


def _wait(last: str, running: dict[str, subprocess.Popen], until: float) -> None:
    """Wait for a node; no other may end before it."""
    while running[last].poll() is None:
        ended = [name for name, process in running.items() if process.poll() is not None]
        if ended and ended != [last]:
            raise InputError(f'{ended[0]} ended with exit code {running[ended[0]].returncode}')
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.1)
    if running[last].returncode:
        raise InputError(f'{last} ended with exit code {running[last].returncode}')
