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

"""Tests for describe.py."""

import re

import numpy as np
import pytest

from iql_ros.cli.describe import dataset_facts, dataset_text, histogram, histogram_lines
from iql_ros.data.datasets import read_recording, to_transitions
from iql_ros.data.minari_store import Recording
from iql_ros.robot.transitions import Episode


ROBOT = """
robot: diffbot
control_rate: 5.0
observation:
  - {topic: pose, type: geometry_msgs/msg/Pose, stamp: receive, max_age: 0.2,
     fields: [position.x, position.y]}
action:
  - {topic: cmd_vel, type: geometry_msgs/msg/Twist, stamp: receive, max_age: 0.5,
     fields: [linear.x], low: [-1.0], high: [1.0], rule: mean,
     gate: {limit: {low: [-0.5], high: [0.5]}, downstream_timeout: 0.5}}
task: {reward: 'iql_ros.tasks:docking_cost', terminated: 'iql_ros.tasks:docked', time_limit: 20.0}
"""


def episode(actions):
    steps = len(actions)
    flags = np.zeros(steps, dtype=bool)
    return Episode(np.zeros((steps + 1, 2)), np.array(actions, dtype=float),
                   -np.ones(steps), terminations=flags, truncations=flags)


def described(recording):
    return dataset_text(dataset_facts(recording, to_transitions(recording)))


def test_a_dataset_is_described_with_its_robot_and_what_the_gate_would_change():
    recording = Recording(
        'robot/drive-v0', [episode([[0.1], [0.2], [0.6], [-0.4]]),
                           episode([[0.3]] * 6)],
        np.array([-1.0]), np.array([1.0]), 'iql_ros/Diffbot-v0',
        metadata={'iql_ros': {'robot_config': ROBOT, 'sources': [
            {'file': 'drive_0.mcap', 'sha256': 'abcdef' * 10}]}}, notes=('2 steps left out',))
    lines = described(recording).splitlines()
    facts = dict(re.split(r'  +', line, maxsplit=1) for line in lines if '  ' in line.strip())
    assert facts['transitions'] == '10 in 2 episodes'
    assert facts['action'].startswith('1 values; -1 and +1 mean [-1, 1]')
    assert facts['gate'] == '10.00% of the action values lie outside its limit'
    assert facts['robot'].startswith('diffbot, 5 Hz, contract ')
    assert facts['episodes'] == '4 to 6 steps, median 5; 0 terminated, 2 truncated'
    assert facts['made from'] == 'drive_0.mcap (sha256 abcdefabcdef)'
    assert facts['note'] == '2 steps left out'


def test_a_histogram_is_drawn_in_text_also_of_equal_values():
    lines = histogram_lines(**histogram(np.array([0.0, 0.1, 10.0])))
    assert len(lines) == 10
    assert lines[0] == ' 0 to 1 ' + '#' * 40 + ' 2'
    assert lines[9] == '9 to 10 ' + '#' * 20 + ' ' * 20 + ' 1'
    assert len(histogram_lines(**histogram(np.array([5.0, 5.0])))) == 1


def test_a_flat_file_is_described_too(tmp_path):
    h5py = pytest.importorskip('h5py')
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        for name, values in (('observations', np.zeros((4, 2))), ('actions', np.zeros((4, 1))),
                             ('rewards', np.ones(4)), ('terminals', np.array([0, 1, 0, 1]))):
            file[name] = values
    recording = read_recording(tmp_path / 'a.h5')
    assert '2 terminated, 0 truncated' in described(recording)
