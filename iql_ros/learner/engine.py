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

"""Which of an agent's two updates is faster on a machine: autograd's, or fast_update.py's."""

import copy
import statistics
import time

from iql_ros.learner.iql import IQLAgent
from iql_ros.learner.replay_buffer import ReplayBuffer

ENGINES = ('auto', 'autograd', 'fast')
_SECONDS = 1.0     # that measuring takes, unless an update takes a good part of that
_ROUNDS = 5
_WORTH = 2000      # updates to come, with fewer nothing is measured


def choose(agent: IQLAgent, buffer: ReplayBuffer, updates: int) -> tuple[str, str]:
    """
    Return the engine for an agent's next updates, and why in words; the agent stays as it is.

    They agree to rounding and not to the bit: who goes on with a run asks for the same again.
    """
    if agent.device.type != 'cpu':
        return 'autograd', f"engine 'autograd', on {agent.device}"
    if updates < _WORTH:
        return 'fast', "engine 'fast': too few updates to measure which is faster"
    rates = measure(agent, buffer)
    engine = max(rates, key=rates.get)
    return engine, (f"engine '{engine}': autograd does {rates['autograd']:.0f} updates/s here, "
                    f"fast {rates['fast']:.0f}")


def measure(agent: IQLAgent, buffer: ReplayBuffer) -> dict[str, float]:
    """Return updates a second of each engine, on copies of an agent: medians of turns."""
    copies = {'autograd': copy.deepcopy(agent), 'fast': copy.deepcopy(agent)}
    copies['fast'].use_fast_update()
    once = max(_time(each, buffer, 1) for each in copies.values())  # and what is made at first
    count = max(1, int(_SECONDS / (2 * _ROUNDS * max(once, 1e-4))))
    times = {name: [] for name in copies}
    for _ in range(_ROUNDS):
        for name, each in copies.items():
            times[name].append(_time(each, buffer, count))
    return {name: count / statistics.median(values) for name, values in times.items()}


def _time(agent: IQLAgent, buffer: ReplayBuffer, count: int) -> float:
    begun = time.perf_counter()
    agent.update_many(buffer, count)
    return time.perf_counter() - begun
