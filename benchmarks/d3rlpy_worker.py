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

"""d3rlpy's side of updates.py: reads a number of updates a line, answers with its rates."""

import json
import sys
import time

import d3rlpy
import numpy as np
import torch

EPISODE = 1000  # [steps]


def make_algorithm(setting):
    """Return d3rlpy's IQL with its own defaults, but for the batch size."""
    algorithm = d3rlpy.algos.IQLConfig(batch_size=setting['batch_size']).create(device='cpu:0')
    algorithm.create_impl((setting['observation_dim'],), setting['action_dim'])
    return algorithm


def make_buffer(setting):
    """Return random episodes."""
    rng, rows = np.random.default_rng(0), setting['transitions']
    ends = np.arange(1, rows + 1) % EPISODE == 0
    return d3rlpy.dataset.MDPDataset(
        rng.normal(size=(rows, setting['observation_dim'])).astype(np.float32),
        rng.uniform(-0.99, 0.99, (rows, setting['action_dim'])).astype(np.float32),
        rng.normal(size=rows).astype(np.float32), np.zeros(rows), ends)


def rate(work, updates):
    """Return updates a second."""
    start = time.perf_counter()
    for _ in range(updates):
        work()
    return updates / (time.perf_counter() - start)


def main():
    """Answer until the input ends."""
    setting = json.loads(sys.argv[1])
    torch.set_num_threads(setting['threads'])
    answers, sys.stdout = sys.stdout, sys.stderr  # its logger prints
    algorithm, buffer = make_algorithm(setting), make_buffer(setting)
    batch = buffer.sample_transition_batch(setting['batch_size'])
    print('ready', file=answers, flush=True)
    for line in sys.stdin:
        updates = int(line)
        rates = {
            'd3rlpy': rate(lambda: algorithm.update(
                buffer.sample_transition_batch(setting['batch_size'])), updates),
            'd3rlpy without its sampling': rate(lambda: algorithm.update(batch), updates)}
        print(json.dumps(rates), file=answers, flush=True)


if __name__ == '__main__':
    main()
