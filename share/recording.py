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

"""Scripted drivers at the controls of a simulated robot, over its topics, in lockstep."""

import argparse
import json
from pathlib import Path
import subprocess
from typing import NamedTuple

import numpy as np
from rclpy.serialization import serialize_message

from iql_ros.data.bags.writer import BagWriter
from iql_ros.nodes.control.recorder import type_name
from iql_ros.nodes.hosting import process
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.sim.node_command import node_command, simulation_environment


class Robot(NamedTuple):
    """Whose topics are recorded."""

    config: Path             # its YAML file
    environment: str         # Gymnasium id


class Recorder:
    """One driver an episode at the controls, and everything that passes until the last ends."""

    def __init__(self, recording, seed):
        self._recording, self._seed = recording, seed
        self._driver, self._started, self._ended = None, 0, 0
        self._messages = []

    def make_act(self, interface):
        """Return what drives in place of a policy."""
        return lambda observation: self._driver(observation)

    def tap(self, topic, message, stamp_ns):
        """Keep a message; a new episode has a new driver."""
        if self._ended == self._recording.episodes:
            return
        kind = getattr(message, 'frame_id', None)
        if kind == 'start':
            self._driver = self._recording.driver(
                np.random.default_rng([self._seed, self._started]))
            self._started += 1
        self._ended += kind == 'end'
        self._messages.append((stamp_ns, topic, type_name(message), serialize_message(message)))

    def write(self, folder):
        """Write the bag, in order of time and not of arrival: the same run, the same bytes."""
        with BagWriter(folder) as writer:
            for stamp_ns, topic, kind, cdr in sorted(
                    self._messages, key=lambda message: message[:2]):
                writer.write(topic, kind, stamp_ns, cdr)


def record(robot, recording, seed, folder):
    """Record one driver's episodes into one bag; return the exit code."""
    simulator = subprocess.Popen(
        node_command('sim_node', {
            'robot_config': robot.config, 'env_id': robot.environment, 'lockstep': True,
            'seed': seed,
            'env_kwargs': json.dumps({'start': recording.start})}),
        env=simulation_environment())
    try:
        recorder = Recorder(recording, seed)
        arguments = node_command('policy_node', {
            'robot_config': robot.config, 'lockstep': True, 'episodes': recording.episodes})[1:]
        code = process.run('policy_node', lambda done: PolicyNode(
            done, make_act=recorder.make_act, tap=recorder.tap), arguments)
        if code == 0:
            recorder.write(folder / recording.name)
        return code
    finally:
        simulator.terminate()
        simulator.wait()


def options(description, name):
    """Return the parser of a recording's command line; `name` is the robot's."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--output', type=Path, default=Path(f'{name}_recording'))
    parser.add_argument('--seed', type=int, default=0)
    return parser


def record_all(robot, recordings, output, seed):
    """Record every driver of a robot into a folder; return the exit code."""
    output.mkdir(parents=True)
    for index, recording in enumerate(recordings):
        print(f'{recording.name}: {recording.episodes} episodes', flush=True)
        if record(robot, recording, seed + 1000 * index, output) != 0:
            return 1
    return 0
