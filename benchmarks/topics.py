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

"""Steps a second over topics in lockstep, beside the same episodes in process."""

import argparse
import csv
import json
import os
from pathlib import Path
import subprocess
import tempfile
import time

from iql_ros.files import share_folder
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.robot.safety import Gate
from iql_ros.runs.evaluate import evaluate_policy
from iql_ros.runs.policy import load_policy
from iql_ros.sim.envs import make_env
from iql_ros.sim.node_command import node_command, simulation_environment

ROBOTS = share_folder() / 'config' / 'robots'


def in_process(arguments, interface):
    """Return the results and the steps a second of `evaluate`."""
    env = make_env(arguments.env)
    policy = load_policy(arguments.checkpoint, 'cpu')
    started = time.perf_counter()
    results = evaluate_policy(policy, env, arguments.episodes, arguments.seed,
                              interface.action_scaling, Gate(interface))
    elapsed = time.perf_counter() - started
    return results, sum(result.length for result in results) / elapsed


def over_topics(arguments, folder):
    """Return the rows of results.csv and the steps a second from the first episode's end on."""
    results = folder / 'results.csv'
    common = {'robot_config': arguments.robot_config, 'lockstep': True, 'seed': arguments.seed}
    environment = {'ROS_DOMAIN_ID': str(1 + os.getpid() % 100), **simulation_environment()}
    simulator = subprocess.Popen(node_command('sim_node', {**common, 'env_id': arguments.env}),
                                 env=environment)
    policy = subprocess.Popen(
        node_command('policy_node', {**common, 'checkpoint': arguments.checkpoint,
                                     'device': 'cpu', 'episodes': arguments.episodes,
                                     'results': results}), env=environment)
    try:
        while not results.exists() and policy.poll() is None:
            time.sleep(0.01)
        started, first = time.perf_counter(), len(read_rows(results)) if results.exists() else 0
        if policy.wait():
            raise SystemExit('policy_node failed')
        elapsed = time.perf_counter() - started
    finally:
        simulator.terminate()
        simulator.wait()
    rows = read_rows(results)
    return rows, sum(int(row['length']) for row in rows[first:]) / elapsed


def read_rows(path):
    """Return the rows of a results file."""
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def main(argv=None):
    """Print and optionally write both figures and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--checkpoint', type=Path,
                        default=share_folder() / 'share' / 'diffbot.safetensors')
    parser.add_argument('--robot-config', type=Path, default=ROBOTS / 'diffbot.yaml')
    parser.add_argument('--env', default='iql_ros/Diffbot-v0')
    parser.add_argument('--episodes', type=int, default=50)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args(argv)
    results, direct = in_process(arguments, load_robot_interface(arguments.robot_config))
    with tempfile.TemporaryDirectory() as folder:
        rows, topics = over_topics(arguments, Path(folder))
    returns = [result.return_ for result in results]
    equal = [float(row['return']) for row in rows] == returns
    figures = {'in_process_steps_per_s': direct, 'over_topics_steps_per_s': topics,
               'ratio': topics / direct, 'returns_bit_equal': equal}
    print(f'in process {direct:.0f} steps/s, over topics {topics:.0f} steps/s, ratio '
          f'{topics / direct:.2f}; returns {"" if equal else "not "}bit-equal over '
          f'{len(rows)} episodes')
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
