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

"""A robot on a line, what was recorded of it, and policies for it."""

import h5py
import numpy as np
import torch

from iql_ros.data.datasets import load_dataset
from iql_ros.learner.chooser import Chooser
from iql_ros.learner.networks import Actor

STEP, LENGTH = 0.1, 10   # what a full action moves it by, and steps of an episode


def closer(position):
    """Pay for being close to 0."""
    return -abs(position)


def ended(observation, action, next_observation):
    """Say of no tick that it ends the episode."""
    return False


def write_line(path, episodes=48, offset=0.0, actions_up_to=1.0, paid=closer):
    """Write episodes of random actions: the position moves by STEP * action."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(episodes):
        position = rng.uniform(-1, 1)
        for step in range(LENGTH):
            action = rng.uniform(-actions_up_to, actions_up_to)
            following = position + STEP * action
            rows.append((position, action, following, paid(following), step == LENGTH - 1))
            position = following
    position, action, following, reward, last = map(np.array, zip(*rows))
    with h5py.File(path, 'w') as file:
        file['observations'] = position[:, None] + offset
        file['next_observations'] = following[:, None] + offset
        file['actions'] = action[:, None].astype(np.float32)
        file['rewards'] = reward
        file['terminals'] = np.zeros(len(rows), bool)
        file['timeouts'] = last


def line(folder, **changes):
    """Return the dataset of write_line."""
    write_line(folder / 'line.hdf5', **changes)
    return load_dataset(str(folder / 'line.hdf5'), (), [-1.0], [1.0])


def driver(gain):
    """Return a policy that goes to 0 (gain > 0), away from it (< 0), or nowhere."""
    actor = Actor(1, 1, (2,), torch.Generator().manual_seed(0)).requires_grad_(False)
    first, last = actor.mlp.layers
    first.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    last.weight.copy_(torch.tensor([[-gain, gain]]))
    for layer in (first, last):
        layer.bias.zero_()
    return Chooser(actor, None)
