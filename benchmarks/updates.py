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
Measure updates a second of this package, of a plain loop and of d3rlpy, side by side.

    python benchmarks/updates.py [--json FILE] [--threads N] [--rounds N] [--updates N]
                                 [--d3rlpy-python PATH]

One thread count, one batch shape, rounds taken in turn; the ratios are medians over the rounds,
since the machine may be busier in one than in another. d3rlpy pins another gymnasium, so it runs
in a virtual environment of its own, which is made once in the user's cache (with the PyTorch of
this one, so that both run on the same build).
"""

import argparse
import json
import os
from pathlib import Path
import statistics
import subprocess
import sys
import time
import venv

import numpy as np
import torch

from iql_ros.files import write_atomic
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.learner.replay_buffer import ReplayBuffer

SETTING = {'observation_dim': 17, 'action_dim': 6, 'batch_size': 256, 'hidden_dims': [256, 256],
           'transitions': 100_000}
D3RLPY = 'd3rlpy==2.8.1'
RATIOS = (('ours', 'plain'), ('ours', 'd3rlpy'), ('ours', 'd3rlpy without its sampling'))


def make_data():
    """Return random transitions in the order of ReplayBuffer's arguments."""
    rng, rows = np.random.default_rng(0), SETTING['transitions']
    observations = rng.normal(size=(rows + 1, SETTING['observation_dim'])).astype(np.float32)
    return (observations[:-1], rng.uniform(-0.99, 0.99, (rows, SETTING['action_dim'])),
            rng.normal(size=rows), rng.random(rows) < 0.01, observations[1:])


class Ours:
    """This package, as `train` calls it."""

    name = 'ours'

    def __init__(self):
        """Build."""
        self._agent = IQLAgent(
            SETTING['observation_dim'], SETTING['action_dim'],
            IQLConfig(expectile=0.7, batch_size=SETTING['batch_size'],
                      hidden_dims=tuple(SETTING['hidden_dims']), normalise_observations=False))
        self._buffer = ReplayBuffer(*make_data())

    def run(self, updates):
        """Return updates a second, by name."""
        return {self.name: rate(lambda: self._agent.update_many(self._buffer, updates), updates)}


class Plain:
    """IQL as one would write it down: V from its old self, Q, target, actor; fused Adam."""

    name = 'plain'

    def __init__(self):
        """Build."""
        torch.manual_seed(0)
        observation_dim, action_dim = SETTING['observation_dim'], SETTING['action_dim']
        self.q1, self.q2, self.target1, self.target2 = (
            network(observation_dim + action_dim, 1) for _ in range(4))
        self.v, self.actor = network(observation_dim, 1), network(observation_dim, action_dim)
        self.log_std = torch.nn.Parameter(torch.zeros(action_dim))
        self.v_adam, self.q_adam, self.actor_adam = (
            torch.optim.Adam(parameters, lr=3e-4, fused=True) for parameters in (
                self.v.parameters(), [*self.q1.parameters(), *self.q2.parameters()],
                [*self.actor.parameters(), self.log_std]))
        self.data = [torch.tensor(np.asarray(array), dtype=torch.float32)
                     for array in make_data()]

    def run(self, updates):
        """Return updates a second, by name."""
        def loop():
            for _ in range(updates):
                self.update()
        return {self.name: rate(loop, updates)}

    def update(self):
        """Do one update."""
        rows = torch.randint(SETTING['transitions'], (SETTING['batch_size'],))
        observations, actions, rewards, terminals, next_observations = (
            array[rows] for array in self.data)
        both = torch.cat([observations, actions], dim=1)
        with torch.no_grad():
            next_v = self.v(next_observations)[:, 0]
            target_q = torch.minimum(self.target1(both), self.target2(both))[:, 0]
        advantage = target_q - self.v(observations)[:, 0]
        loss = ((advantage > 0).float() - 0.3).abs() * advantage**2
        descend(self.v_adam, loss.mean())
        target = rewards + 0.99 * (1 - terminals) * next_v
        descend(self.q_adam, sum(((q(both)[:, 0] - target)**2).mean()
                                 for q in (self.q1, self.q2)) / 2)
        for online, late in ((self.q1, self.target1), (self.q2, self.target2)):
            for new, old in zip(online.parameters(), late.parameters()):
                old.data.copy_(0.995 * old.data + 0.005 * new.data)
        weight = torch.exp(3.0 * advantage.detach()).clamp(max=100.0)
        policy = torch.distributions.Normal(torch.tanh(self.actor(observations)),
                                            self.log_std.clamp(-20, 2).exp())
        descend(self.actor_adam, -(weight * policy.log_prob(actions).sum(-1)).mean())


def network(inputs, outputs):
    """Return a plain MLP."""
    first, second = SETTING['hidden_dims']
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, first), torch.nn.ReLU(), torch.nn.Linear(first, second),
        torch.nn.ReLU(), torch.nn.Linear(second, outputs))


def descend(adam, loss):
    """Take a step."""
    adam.zero_grad()
    loss.backward()
    adam.step()


def rate(work, updates):
    """Return updates a second."""
    start = time.perf_counter()
    work()
    return updates / (time.perf_counter() - start)


class D3rlpy:
    """d3rlpy's IQL in a process of its own that works only while it is asked to."""

    def __init__(self, python, threads):
        """Start the process."""
        worker = Path(__file__).with_name('d3rlpy_worker.py')
        self._process = subprocess.Popen(
            [python, str(worker), json.dumps({**SETTING, 'threads': threads})], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, 'OMP_NUM_THREADS': str(threads)})
        if self._process.stdout.readline().strip() != 'ready':
            self.close()
            raise OSError('it does not start')

    def run(self, updates):
        """Return updates a second, by name."""
        self._process.stdin.write(f'{updates}\n')
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise OSError('it ended')
        return json.loads(answer)

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def find_d3rlpy():
    """Return the Python of a virtual environment with d3rlpy; make it where there is none."""
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'iql_ros'
    folder = cache / f'{D3RLPY.replace("==", "-")}-torch-{torch.__version__}'
    python = folder / 'bin' / 'python'
    if not (folder / 'ready').exists():
        print(f'setting up {D3RLPY} in {folder}', flush=True)
        venv.create(folder, clear=True, with_pip=True)
        packages, = (folder / 'lib').glob('python*/site-packages')
        (packages / 'torch_of_iql_ros.pth').write_text(f'{Path(torch.__file__).parents[1]}\n')
        subprocess.run([python, '-m', 'pip', 'install', '--quiet', D3RLPY], check=True,
                       stderr=subprocess.DEVNULL)
        (folder / 'ready').touch()
    return str(python)


def start_d3rlpy(python, threads):
    """Return the peer, or None with a line that says why."""
    try:
        return D3rlpy(python or find_d3rlpy(), threads)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f'd3rlpy is left out: {error}', flush=True)
        return None


def measure(peers, rounds, updates):
    """Return a mapping of rates for every round; the first, a warm-up, is thrown away."""
    results = []
    for number in range(rounds + 1):
        result = {}
        for peer in peers:
            result.update(peer.run(updates if number else max(updates // 4, 1)))
        if number:
            results.append(result)
            print(f'round {number}: ' + ', '.join(
                f'{name} {value:.0f}/s' for name, value in result.items()), flush=True)
    return results


def summarise(results, threads):
    """Return medians of the rates and of the ratios; null for what did not run."""
    names = dict.fromkeys(name for pair in RATIOS for name in pair)
    return {
        'setting': SETTING, 'threads': threads, 'torch': torch.__version__,
        'updates_per_second': {name: median(result.get(name) for result in results)
                               for name in names},
        'ratios': {f'{one} / {two}': median(
            result.get(one) and result.get(two) and result[one] / result[two]
            for result in results) for one, two in RATIOS},
        'rounds': results}


def median(values):
    """Return the median, None when there is nothing."""
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def main(argv=None):
    """Measure, print, and write the JSON file; return the exit code."""
    parser = argparse.ArgumentParser(description='updates a second, side by side')
    parser.add_argument('--json', metavar='FILE', help='where to write the figures')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--updates', type=int, default=300, help='of each, in every round')
    parser.add_argument('--d3rlpy-python', metavar='PATH', help='a Python that has d3rlpy')
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    d3rlpy = start_d3rlpy(options.d3rlpy_python, options.threads)
    try:
        results = measure([Ours(), Plain()] + ([d3rlpy] if d3rlpy else []), options.rounds,
                          options.updates)
    finally:
        if d3rlpy:
            d3rlpy.close()
    figures = summarise(results, options.threads)
    for name, value in {**figures['updates_per_second'], **figures['ratios']}.items():
        print(f'{name:<42} ' + ('not measured' if value is None else f'{value:8.2f}'))
    if options.json:
        write_atomic(options.json, json.dumps(figures, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
