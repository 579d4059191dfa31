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
How an agent's updates are computed on a machine: what is faster there, by measurement.

By automatic differentiation or by fast_update.py, and on how many threads of a CPU.
"""

import contextlib
import dataclasses
import statistics
import time

import torch

from iql_ros.files import InputError
from iql_ros.learner.iql import IQLAgent
from iql_ros.learner.replay_buffer import ReplayBuffer

ENGINES = ('auto', 'autograd', 'fast')
PRECISIONS = ('fp32', 'bf16')
_SECONDS = 0.5     # that each of two measurements takes, unless an update takes a good part of it
_ROUNDS = 5
WORTH = 2000       # updates to come: with fewer nothing is measured
_MORE = 1.15       # times as fast, where more threads are taken: the robot needs cores too
_MOST = 8          # threads; networks of this size have no use for more


@dataclasses.dataclass(frozen=True)
class Engine:
    """What computes updates; each gives bits of its own, which agree to rounding."""

    name: str                # autograd | fast
    threads: int             # of a CPU
    precision: str = 'fp32'  # of a CPU's matrix products

    def __str__(self):
        """Return it in words."""
        return f"'{self.name}' on {self.threads} {'thread' if self.threads == 1 else 'threads'}"

    @contextlib.contextmanager
    def at_work(self):
        """Let PyTorch have its threads, and its precision, while this lasts."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with _products_in(self.precision):
                yield
        finally:
            torch.set_num_threads(before)


@contextlib.contextmanager
def _products_in(precision: str):
    """Let a CPU compute its products of float32 matrices in a precision while this lasts."""
    if precision == 'fp32':
        yield
        return
    backend = torch.backends.mkldnn.matmul
    before, backend.fp32_precision = backend.fp32_precision, precision
    try:
        yield
    finally:
        backend.fp32_precision = before


def check_precision(precision: str, device: torch.device) -> str:
    """
    Return what is to be said of a precision on this machine; '' when nothing is.

    Raises:
        InputError: where it cannot be had.

    """
    if precision == 'fp32':
        return ''
    if device.type != 'cpu':
        raise InputError(f"precision: got '{precision}' on {device}; allowed there: fp32")
    if not hasattr(torch.backends.mkldnn, 'matmul'):
        raise InputError(f"precision: got '{precision}', which PyTorch {torch.__version__} has "
                         'not; allowed: fp32')
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return ''
    return f'precision {precision}: this CPU has no such products and computes fp32 instead'


def choose(agent: IQLAgent, buffer: ReplayBuffer, updates: int, name: str = 'auto',
           threads: int = 0, precision: str = 'fp32') -> tuple[Engine, str]:
    """
    Return the engine for an agent's next updates, and why in words; the agent stays as it is.

    Args:
        agent: Whose updates they are.
        buffer: What it learns from.
        updates: How many are to come.
        name: One of ENGINES; auto: the faster one.
        threads: Of a CPU; 0: as many as pay.
        precision: One of PRECISIONS.

    """
    if agent.device.type != 'cpu':
        engine = Engine('autograd' if name == 'auto' else name, 1)
        return engine, f"engine '{engine.name}', on {agent.device}"
    names = ENGINES[1:] if name == 'auto' else (name,)
    if updates < WORTH:
        engine = Engine('fast' if name == 'auto' else name, threads or 1, precision)
        return engine, f'engine {engine}: too few updates to measure what is faster'
    rates = {}
    if len(names) > 1:
        rates = measure(agent, buffer, [Engine(each, threads or 1, precision) for each in names])
    engine = max(rates, key=rates.get, default=Engine(names[0], threads or 1, precision))
    if not threads and len(_thread_counts()) > 1:
        more = measure(agent, buffer, [dataclasses.replace(engine, threads=count)
                                       for count in _thread_counts()])
        rates |= more
        fastest = max(more, key=more.get)
        if more[fastest] >= _MORE * more[engine]:
            engine = fastest
    measured = ', '.join(f'{each} {rate:.0f}' for each, rate in rates.items())
    return engine, f'engine {engine}' + (f'; updates/s here: {measured}' if measured else '')


def _thread_counts() -> list[int]:
    """Return the numbers of threads to try: powers of two of what PyTorch may use."""
    most = min(_MOST, torch.get_num_threads())
    return [2 ** power for power in range(most.bit_length())]


def measure(agent: IQLAgent, buffer: ReplayBuffer, engines) -> dict[Engine, float]:
    """Return updates a second of each engine, by agents like this one: medians of turns."""
    agents = {engine: _agent_like(agent, engine) for engine in engines}
    for engine in engines:  # what is made at the first update takes long
        _time(agents[engine], buffer, 1, engine)
    once = max(_time(agents[engine], buffer, 1, engine) for engine in engines)
    count = max(1, int(_SECONDS / (len(agents) * _ROUNDS * max(once, 1e-4))))
    times = {engine: [] for engine in engines}
    for _ in range(_ROUNDS):
        for engine in engines:
            times[engine].append(_time(agents[engine], buffer, count, engine))
    return {engine: count / statistics.median(values) for engine, values in times.items()}


def _agent_like(agent: IQLAgent, engine: Engine) -> IQLAgent:
    """Return an agent of the same sizes, to be measured in its place."""
    made = IQLAgent(agent.observation_dim, agent.action_dim, agent.config, seed=agent.seed)
    if engine.name == 'fast':
        made.use_fast_update()
    return made


def _time(agent: IQLAgent, buffer: ReplayBuffer, count: int, engine: Engine) -> float:
    with engine.at_work():
        begun = time.perf_counter()
        agent.update_many(buffer, count)
        return time.perf_counter() - begun
