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
What a GPU gives: parity, a million updates, seeds together, and an actor's latency; 8 minutes.

    python benchmarks/gpu.py [--json FILE] [--plot FILE.png] [--updates N]

From a plain checkout, with PyTorch, NumPy, PyYAML and safetensors; no ROS, no MuJoCo. Beside this
package's engines runs the authors' algorithm in one jitted scan, where JAX is installed.
"""

import argparse
import json
from pathlib import Path
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np  # noqa: E402
import torch  # noqa: E402

from iql_ros.files import write_atomic  # noqa: E402
from iql_ros.learner.graph_update import GraphUpdate  # noqa: E402
from iql_ros.learner.iql import IQLAgent, IQLConfig  # noqa: E402
from iql_ros.learner.replay_buffer import ReplayBuffer  # noqa: E402

SETTING = {'observation_dim': 17, 'action_dim': 6, 'batch_size': 256, 'hidden_dims': [256, 256],
           'transitions': 100_000, 'block': 1000, 'threads': 1, 'peer': 'xla'}
SEEDS = (1, 16)
ALLOWED = {1: 1e-5, 10: 2e-4}   # largest difference of parameters from the CPU's, by updates
ALLOWED_TOGETHER = 1e-4         # of a seed among others from itself alone, after PARITY updates
PARITY = 1000


def make_buffer(device):
    """Return random transitions on a device."""
    rng, rows = np.random.default_rng(0), SETTING['transitions']
    observations = rng.normal(size=(rows + 1, SETTING['observation_dim']))
    return ReplayBuffer(observations[:-1], rng.uniform(-0.99, 0.99, (rows, SETTING['action_dim'])),
                        rng.normal(size=rows), rng.random(rows) < 0.01, observations[1:],
                        device=device)


def make_agent(device, seed=0):
    """Return an agent of the setting's sizes."""
    return IQLAgent(SETTING['observation_dim'], SETTING['action_dim'],
                    IQLConfig(expectile=0.7, hidden_dims=tuple(SETTING['hidden_dims']),
                              normalise_observations=False), seed=seed, device=device)


def wait():
    """Wait for the GPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def rate(work, updates):
    """Return updates a second, once what is made at first is made."""
    work(100)
    wait()
    begun = time.perf_counter()
    work(updates)
    wait()
    return updates / (time.perf_counter() - begun)


def parity(device, buffer):
    """Return the largest difference of parameters from the CPU's autograd, after 1, 10, 100..."""
    host, agents = make_buffer('cpu'), {
        'cpu': make_agent('cpu'), 'autograd': make_agent(device), 'graph': make_agent(device)}
    graph, found = GraphUpdate([agents['graph']], buffer), {}
    for count in (1, 10, 100, PARITY):
        for name, agent in agents.items():
            more = count - agent.step
            if name == 'graph':
                graph.run(more)
            else:
                agent.update_many(host if name == 'cpu' else buffer, more)
        found[count] = {name: distance(agents['cpu'], agents[name])
                        for name in ('autograd', 'graph')}
        found[count]['graph from autograd'] = distance(agents['autograd'], agents['graph'])
        print(f'parity after {count}: {found[count]}', flush=True)
    return found


def distance(one, other):
    """Return the largest difference of two agents' parameters."""
    theirs = other.state(optimisers=False)
    return max((tensor.cpu() - theirs[name].cpu()).abs().max().item()
               for name, tensor in one.state(optimisers=False).items())


def seeds_equal(device, buffer):
    """Return the largest difference of 16 seeds together from two of them alone."""
    together = [make_agent(device, seed) for seed in range(max(SEEDS))]
    GraphUpdate(together, buffer).run(PARITY)
    differences = []
    for seed in (0, max(SEEDS) - 1):
        alone = make_agent(device, seed)
        GraphUpdate([alone], buffer).run(PARITY)
        differences.append(distance(alone, together[seed]))
    return max(differences)


def rates(device, buffer, updates):
    """Return updates a second of each engine."""
    found = {}
    eager = make_agent(device)
    found['autograd'] = rate(lambda count: eager.update_many(buffer, count), updates // 100)
    for seeds in SEEDS:
        graph = GraphUpdate([make_agent(device, seed) for seed in range(seeds)], buffer)
        many = updates if seeds == 1 else updates // 10
        found[f'graph, {seeds} seeds'] = rate(graph.run, many)
    for name, value in found.items():
        print(f'{name}: {value:.0f} updates/s', flush=True)
    return found


def xla_rate(updates):
    """Return that of the authors' algorithm, None where JAX is not installed."""
    script = Path(__file__).with_name('update_peers') / 'xla.py'
    done = subprocess.run([sys.executable, script, json.dumps(SETTING)], text=True,
                          input=f'{max(1000, updates // 10)}\n', capture_output=True)
    lines = done.stdout.splitlines()
    if len(lines) < 2:
        print(f'XLA scan is left out: {done.stderr.strip().splitlines()[-1:]}', flush=True)
        return None
    value = json.loads(lines[1])['XLA scan']
    print(f'XLA scan: {value:.0f} updates/s', flush=True)
    return value


def latency(device):
    """Return microseconds of one action, median and 99th percentile."""
    actor, times = make_agent(device).actor, []
    observation = np.zeros(SETTING['observation_dim'])
    for _ in range(2000):
        begun = time.perf_counter()
        actor.act(observation)
        times.append(1e6 * (time.perf_counter() - begun))
    times = sorted(times[200:])
    return {'median': statistics.median(times), 'p99': times[int(0.99 * len(times))]}


def plot(path, figures):
    """Draw the rates."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(8, 3.2), layout='constrained')
    ax = figure.subplots()
    rates = dict(figures['updates_per_second'])
    ax.barh(list(rates)[::-1], list(rates.values())[::-1], color='#1f5fa8')
    ax.set(xlabel='updates a second (of each seed)', title=figures['device'])
    figure.savefig(path, dpi=130)


def main(argv=None):
    """Measure, print, and write what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(description='what a GPU gives')
    parser.add_argument('--updates', type=int, default=1_000_000)
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--plot', metavar='FILE')
    options = parser.parse_args(argv)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    name = torch.cuda.get_device_name() if device.type == 'cuda' else 'CPU, there is no GPU here'
    print(f'{name}, PyTorch {torch.__version__}', flush=True)
    buffer = make_buffer(device)
    figures = {'device': name, 'torch': torch.__version__, 'parity': parity(device, buffer),
               'seeds together': seeds_equal(device, buffer)}
    print(f'{max(SEEDS)} seeds together, from alone: {figures["seeds together"]:.1e}', flush=True)
    found = rates(device, buffer, options.updates)
    scan = xla_rate(options.updates)
    figures['updates_per_second'] = found if scan is None else {**found, 'XLA scan': scan}
    one = found[f'graph, {SEEDS[0]} seeds']
    figures['seconds for a million'] = 1e6 / one
    figures['16 seeds in times of one'] = one / found[f'graph, {SEEDS[1]} seeds']
    figures['latency [us]'] = {where: latency(where) for where in dict.fromkeys(
        ('cpu', device.type))}
    figures['ok'] = figures['seeds together'] <= ALLOWED_TOGETHER and all(
        figures['parity'][count][name] <= allowed
        for count, allowed in ALLOWED.items() for name in ('autograd', 'graph'))
    print(json.dumps(figures, indent=1))
    if options.json:
        write_atomic(options.json, json.dumps(figures, indent=1) + '\n')
    if options.plot:
        plot(options.plot, figures)
    return 0 if figures['ok'] else 1


if __name__ == '__main__':
    sys.exit(main())
