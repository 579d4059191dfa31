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

"""Small datasets of a few steps: of ours, of others, and flat files."""

from gymnasium import spaces
import h5py
import minari
from minari.data_collector import EpisodeBuffer
import numpy as np
import pytest

from iql_ros.data.minari_writer import write_minari
from iql_ros.robot.transitions import Episode

BOX = spaces.Box(-np.inf, np.inf, (1,), np.float64)


def counting_episode(index, steps, ends='truncated', scale=1.0):
    """Return observation = 100 * episode + t and the action the same, times scale."""
    numbers = 100.0 * index + np.arange(steps + 1)
    last = np.arange(steps) == steps - 1
    return Episode(numbers[:, None], scale * numbers[:steps, None], numbers[:steps],
                   terminations=last & (ends == 'terminated'),
                   truncations=last & (ends == 'truncated'))


def write_foreign(dataset_id, buffers, observation_space=BOX,
                  action_space=spaces.Box(-1000.0, 1000.0, (1,), np.float64)):
    """Write a dataset as others do, through Minari's own function."""
    with pytest.warns(UserWarning):
        minari.create_dataset_from_buffers(dataset_id, buffers, action_space=action_space,
                                           observation_space=observation_space)


def buffer(observations, steps, **changes):
    last = np.arange(steps) == steps - 1
    return EpisodeBuffer(**{
        'observations': observations, 'actions': np.arange(steps, dtype=float)[:, None],
        'rewards': np.arange(steps, dtype=float), 'terminations': np.zeros(steps, bool),
        'truncations': last, **changes})


def write_one():
    return write_minari('test/one-v0', [counting_episode(0, 2)], action_low=[-9],
                        action_high=[9])


def flat_file(path, steps=20, **arrays):
    contents = {'observations': np.arange(steps, dtype=np.float32)[:, None],
                'actions': np.linspace(-2, 2, steps, dtype=np.float32)[:, None],
                'rewards': np.ones(steps), 'terminals': np.zeros(steps, bool),
                'timeouts': np.arange(1, steps + 1) % 5 == 0, **arrays}
    with h5py.File(path, 'w') as file:
        for name, values in contents.items():
            file[name] = values
    return path
