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

"""A training for tests that takes a moment: its data, its settings, and what it leaves."""

import dataclasses
import itertools

import h5py
import numpy as np
from safetensors.torch import load_file
import torch

from iql_ros.learner.iql import IQLConfig
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.settings import TrainSettings
from tests.robot.test_robot_interface import TEXT

CONFIG = IQLConfig(hidden_dims=(8, 8), batch_size=8, dropout_rate=0.1)
SETTINGS = TrainSettings(dataset='data.hdf5', name='run', updates=60, log_every=20,
                         checkpoint_every=25, device='cpu', evaluation_episodes=2,
                         choice_episodes=2)


def write_data(path, episodes=6, length=10, dims=(3, 1), **changes):
    rng = np.random.default_rng(0)
    steps = episodes * length
    walks = rng.normal(3, 2, size=(episodes, length + 1, dims[0])).astype(np.float32)
    contents = {'observations': walks[:, :-1].reshape(steps, -1),
                'next_observations': walks[:, 1:].reshape(steps, -1),
                'actions': rng.uniform(-1, 1, (steps, dims[1])).astype(np.float32),
                'rewards': -rng.random(steps), 'terminals': np.zeros(steps, bool),
                'timeouts': np.arange(1, steps + 1) % length == 0, **changes}
    with h5py.File(path, 'w') as file:
        for name, values in contents.items():
            file[name] = values


def settings(**changes):
    return dataclasses.replace(SETTINGS, **changes)


def checkpoints(folder):
    return sorted(path.name for path in (folder / 'checkpoints').iterdir())


def rows(folder):
    return [line.split(',') for line in (folder / 'metrics.csv').read_text().splitlines()]


def stop_after(count):
    """Return a should_stop that says so at the given look."""
    looks = itertools.count(1)
    return lambda: next(looks) > count


def assert_same_end(one, two):
    """Compare the newest checkpoints' tensors to the bit, and the metrics as text."""
    ours, theirs = (load_file(RunDirectory(name).latest()) for name in (one, two))
    assert set(ours) == set(theirs)
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
    texts = [(RunDirectory(name).path / 'metrics.csv').read_text() for name in (one, two)]
    assert texts[0] == texts[1]


def pendulum_robot(high=1.0, failure='failure_reward: -1.0e+6, '):
    text = TEXT.replace('fields: [position.x, position.y]', 'fields: [position.x]')
    text = text.replace('joints: [l, r]', 'joints: [l]')
    text = text.replace('fields: [twist.linear.x, twist.angular.z]', 'fields: [twist.linear.x]')
    text = text.replace('low: [-0.3, -1.5]', f'low: [-{high}]')
    text = text.replace('high: [0.3, 1.5]', f'high: [{high}]')
    return text.replace('task: {', f'task: {{{failure}')
