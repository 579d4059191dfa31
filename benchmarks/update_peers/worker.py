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

"""What every side shares: its setting, random transitions, and how it is asked."""

import json
import sys
import time

import numpy as np


def read_setting():
    """Return the setting that updates.py gives."""
    return json.loads(sys.argv[1])


def make_data(setting):
    """Return random transitions: observations, actions, rewards, terminations, next ones."""
    rng, rows = np.random.default_rng(0), setting['transitions']
    observations = rng.normal(size=(rows + 1, setting['observation_dim'])).astype(np.float32)
    return (observations[:-1], rng.uniform(-0.99, 0.99, (rows, setting['action_dim'])),
            rng.normal(size=rows), rng.random(rows) < 0.01, observations[1:])


def answer(**works):
    """
    Answer every line of input, a number of updates, with updates a second.

    Args:
        works: Name (_ for blanks) -> what does that many updates, and may return how many it did.

    """
    answers, sys.stdout = sys.stdout, sys.stderr  # of what a library prints
    for work in works.values():
        work(2)
    print('ready', file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps({name.replace('_', ' '): rate(work, int(line))
                          for name, work in works.items()}), file=answers, flush=True)


def rate(work, updates):
    """Return updates a second."""
    begun = time.perf_counter()
    done = work(updates) or updates
    return done / (time.perf_counter() - begun)
