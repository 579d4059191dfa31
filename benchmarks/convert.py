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
Measure what converting a bag costs beside reading it, its memory, and how soon data is loaded.

    python benchmarks/convert.py [--json FILE] [--size GB] [--rounds N] [--transitions N]
                                 [--bag BAG --robot-config YAML]

A bag of six streams is made in a temporary folder: five that the robot's YAML names, and a
camera that it does not. The peer is `rosbags`, which reads and deserialises the messages of the
same five and throws them away. Each side is a process of its own, the two take turns, with the
file in the system's cache; ratios are medians over the rounds. On a machine that is busy with
other things the ratio of CPU times says more than that of the times on the clock.
"""

import argparse
import json
import os
from pathlib import Path
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from robot_bag import make_bag, ROBOT
from rosbags.highlevel import AnyReader
from rosbags.typesys import get_typestore, Stores

from iql_ros.data.datasets import load_dataset
from iql_ros.data.minari_writer import write_minari
from iql_ros.files import write_atomic
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.robot.transitions import Episode

GIGABYTE = 10 ** 9
BARS = {'ratio': 1.5, 'memory': GIGABYTE, 'load': 5.0}  # [], [bytes], [s]


def check_disk(folder, size):
    """Stop where the disk is too small."""
    free = shutil.disk_usage(folder).free
    if free < size + 2 * GIGABYTE:
        raise SystemExit(f'{folder} has {free / GIGABYTE:.1f} GB free; needed: '
                         f'{size / GIGABYTE + 2:.1f} GB')


def deserialise(bag, robot_config):
    """Read and deserialise what a robot's YAML names, as the peer; return messages, seconds."""
    robot = load_robot_interface(robot_config)
    names = tuple('/' + stream.topic for stream in (*robot.observation, *robot.action))
    start, count = time.perf_counter(), 0
    store = get_typestore(Stores.ROS2_JAZZY)
    with AnyReader([Path(bag)], default_typestore=store) as reader:
        connections = [connection for connection in reader.connections
                       if connection.topic.endswith(names)]
        for connection, _, raw in reader.messages(connections):
            reader.deserialize(raw, connection.msgtype)
            count += 1
    return {'messages': count, 'seconds': time.perf_counter() - start}


def convert(bag, robot_config, folder, number):
    """Run `iql-ros convert`; return its seconds and peak memory [bytes]."""
    return run_process([sys.executable, '-m', 'iql_ros.cli', 'convert', str(bag),
                        '--robot-config', str(robot_config), '--dataset',
                        f'benchmark/convert-v{number}'], folder)


def run_process(arguments, folder):
    """Run a process to its end; return its output, seconds, CPU seconds, peak memory [bytes]."""
    start = time.perf_counter()
    process = subprocess.Popen(
        arguments, text=True, stdout=subprocess.PIPE,
        env={**os.environ, 'MINARI_DATASETS_PATH': str(folder / 'datasets')})
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)  # of this process alone
    if status:
        raise SystemExit(f'{" ".join(arguments)} ended with {os.waitstatus_to_exitcode(status)}')
    return {'output': output, 'seconds': time.perf_counter() - start,
            'cpu': usage.ru_utime + usage.ru_stime, 'memory': 1024 * usage.ru_maxrss}


def measure(bag, robot_config, folder, rounds):
    """Return what both sides take, a mapping a round."""
    files = list(Path(bag).rglob('*')) if Path(bag).is_dir() else [Path(bag)]
    for file in files:  # into the system's cache
        with open(file, 'rb') as content:
            while content.read(2 ** 24):
                pass
    results = []
    for number in range(rounds):
        theirs = run_process([sys.executable, __file__, '--deserialise', str(bag),
                              '--robot-config', str(robot_config)], folder)
        ours = convert(bag, robot_config, folder, number)
        shutil.rmtree(folder / 'datasets')
        inner = json.loads(theirs['output'])
        results.append({
            'messages': inner['messages'], 'deserialise': theirs['seconds'],
            'deserialise_alone': inner['seconds'], 'convert': ours['seconds'],
            'memory': ours['memory'], 'ratio': ours['seconds'] / theirs['seconds'],
            'cpu_ratio': ours['cpu'] / theirs['cpu'],
            'ratio_to_alone': ours['seconds'] / inner['seconds']})
        print(f'{Path(bag).name}, round {number + 1}: deserialised in {theirs["seconds"]:.2f} s '
              f'({inner["seconds"]:.2f} s without starting Python), converted in '
              f'{ours["seconds"]:.2f} s', flush=True)
    return results


def measure_load(folder, transitions, rounds):
    """Return the seconds in which a dataset of so many transitions is loaded, a round each."""
    os.environ['MINARI_DATASETS_PATH'] = str(folder / 'datasets')
    rng, steps = np.random.default_rng(0), 1000
    episodes = []
    for _ in range(max(transitions // steps, 1)):
        ends = np.arange(steps) == steps - 1
        episodes.append(Episode(rng.normal(size=(steps + 1, 17)), rng.uniform(-1, 1, (steps, 6)),
                                rng.normal(size=steps), np.zeros(steps, bool), ends))
    write_minari('benchmark/load-v0', episodes, action_low=-np.ones(6), action_high=np.ones(6))
    del episodes
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        dataset = load_dataset('benchmark/load-v0')
        seconds.append(time.perf_counter() - start)
        print(f'{len(dataset.rewards):,} transitions loaded in {seconds[-1]:.2f} s', flush=True)
    return seconds


def summarise(results, load, options):
    """Return the medians, and the rounds that they are of."""
    figures = {'size': options.size, 'transitions': options.transitions, 'bars': BARS,
               'load': load and statistics.median(load), 'load_rounds': load, 'bags': {}}
    for name, rounds in results.items():
        figures['bags'][name] = {
            **{key: statistics.median(result[key] for result in rounds) for key in rounds[0]},
            'memory': max(result['memory'] for result in rounds), 'rounds': rounds}
    return figures


def show(figures):
    """Print the table."""
    print(f'\n{"bag":<24}{"messages":>10}{"deserialise":>13}{"convert":>10}{"ratio":>8}'
          f'{"of CPU":>8}{"memory":>10}')
    for name, bag in figures['bags'].items():
        print(f'{name:<24}{round(bag["messages"]):>10,}{bag["deserialise"]:>11.2f} s'
              f'{bag["convert"]:>8.2f} s{bag["ratio"]:>8.2f}{bag["cpu_ratio"]:>8.2f}'
              f'{bag["memory"] / 1e6:>7.0f} MB')
    print(f'bars: ratio <= {BARS["ratio"]}, memory < {BARS["memory"] / 1e6:.0f} MB')
    if figures['load'] is not None:
        print(f'{figures["transitions"]:,} transitions from Minari: {figures["load"]:.2f} s; '
              f'bar: {BARS["load"]:.0f} s')


def main(argv=None):
    """Measure, print, and write the JSON file; return the exit code."""
    parser = argparse.ArgumentParser(description='what converting costs')
    parser.add_argument('--json', metavar='FILE', help='where to write the figures')
    parser.add_argument('--size', type=float, default=2.0, metavar='GB',
                        help='of the bag that is made; 0: none')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--transitions', type=int, default=1_000_000, help='to load; 0: none')
    parser.add_argument('--bag', help='another bag to convert')
    parser.add_argument('--robot-config', metavar='YAML', help='of --bag')
    parser.add_argument('--deserialise', metavar='BAG', help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.deserialise:
        print(json.dumps(deserialise(options.deserialise, options.robot_config)))
        return 0
    results, load = {}, None
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if options.size:
            check_disk(folder, options.size * GIGABYTE)
            (folder / 'robot.yaml').write_text(ROBOT)
            start = time.perf_counter()
            make_bag(folder / 'generated', options.size * GIGABYTE)
            print(f'bag of {options.size} GB made in {time.perf_counter() - start:.1f} s')
            results['generated'] = measure(folder / 'generated', folder / 'robot.yaml', folder,
                                           options.rounds)
            shutil.rmtree(folder / 'generated')
        if options.bag:
            results[Path(options.bag).name] = measure(options.bag, options.robot_config, folder,
                                                      options.rounds)
        if options.transitions:
            load = measure_load(folder, options.transitions, options.rounds)
    figures = summarise(results, load, options)
    show(figures)
    if options.json:
        write_atomic(options.json, json.dumps(figures, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
