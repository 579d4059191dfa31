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

"""d3rlpy's IQL, with its own sampling and without."""

import d3rlpy
import numpy as np
import torch
from worker import answer, make_data, read_setting

EPISODE = 1000  # [steps]


def make_algorithm(setting):
    """Return d3rlpy's IQL with its own defaults, but for the sizes."""
    encoder = d3rlpy.models.encoders.VectorEncoderFactory(hidden_units=setting['hidden_dims'])
    algorithm = d3rlpy.algos.IQLConfig(
        batch_size=setting['batch_size'], actor_encoder_factory=encoder,
        critic_encoder_factory=encoder, value_encoder_factory=encoder).create(device='cpu:0')
    algorithm.create_impl((setting['observation_dim'],), setting['action_dim'])
    return algorithm


def make_buffer(setting):
    """Return random episodes."""
    observations, actions, rewards, _, _ = make_data(setting)
    rows = len(rewards)
    ends = np.arange(1, rows + 1) % EPISODE == 0
    return d3rlpy.dataset.MDPDataset(observations, actions.astype(np.float32),
                                     rewards.astype(np.float32), np.zeros(rows), ends)


def main():
    """Answer until the input ends."""
    setting = read_setting()
    torch.set_num_threads(setting['threads'])
    algorithm, buffer = make_algorithm(setting), make_buffer(setting)
    size = setting['batch_size']
    batch = buffer.sample_transition_batch(size)

    def sampling(updates):
        for _ in range(updates):
            algorithm.update(buffer.sample_transition_batch(size))

    def without(updates):
        for _ in range(updates):
            algorithm.update(batch)

    answer(d3rlpy=sampling, d3rlpy_without_its_sampling=without)


if __name__ == '__main__':
    main()
