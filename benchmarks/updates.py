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
Measure updates a second of this package beside its peers, in one run.

    python benchmarks/updates.py [--threads N] [--json FILE] [--plot FILE.png]
                                 [--peers NAME,NAME] [--vary width=64,128,256]

Every side is a process of its own that works only while it is asked to; all take turns, round by
round, and the ratios are medians over the rounds, since a machine may be busier in one than in
another. Peers: fast and autograd (this package's two engines), bf16 (fast, with precision bf16, on
a CPU that has such products), plain (CORL's loop), compiled (that by torch.compile), xla (the
authors' algorithm in one jitted scan), d3rlpy, torchrl, and products, the matrix products alone:
what any engine needs at least. Those that need packages of their own run in virtual environments
that are made once, in the user's cache.
"""

import argparse
import json
import os
from pathlib import Path
import statistics
import subprocess
import sys

import torch
from update_peers.peer import Peer, PEERS

from iql_ros.files import write_atomic

SETTING = {'observation_dim': 17, 'action_dim': 6, 'batch_size': 256, 'hidden_dims': [256, 256],
           'transitions': 100_000, 'block': 50}
VARIED = {'width': lambda value: {'hidden_dims': [value, value]},
          'batch': lambda value: {'batch_size': value},
          'observation': lambda value: {'observation_dim': value}}
OURS = 'fast'


def machine():
    """Return what the figures are of."""
    model = next((line.partition(':')[2].strip() for line in open('/proc/cpuinfo')
                  if line.startswith('model name')), '')
    return {'cpu': model, 'cores': len(os.sched_getaffinity(0)), 'torch': torch.__version__,
            'load before': os.getloadavg()[0]}


def start(names, setting):
    """Return the peers that start; a line says why another does not."""
    peers = {}
    for name in names:
        try:
            peers[name] = Peer(name, setting)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f'{name} is left out: {error}', flush=True)
    return peers


def measure(peers, rounds, seconds):
    """Return a mapping of rates for every round; a first one, a warm-up, is thrown away."""
    counts = {name: 20 for name in peers}
    results = []
    for number in range(rounds + 1):
        result = {}
        for name, peer in peers.items():
            rates = peer.run(counts[name])
            counts[name] = max(10, int(seconds * min(rates.values())))
            result.update(rates)
        if number:
            results.append(result)
            print(f'round {number}: ' + ', '.join(
                f'{name} {value:.0f}/s' for name, value in result.items()), flush=True)
    return results


def summarise(results):
    """Return medians of the rates and of ours over each of them."""
    names = list(dict.fromkeys(name for result in results for name in result))
    return {
        'updates_per_second': {
            name: statistics.median(result[name] for result in results) for name in names},
        'ratios': {f'{OURS} / {name}': statistics.median(
            result[OURS] / result[name] for result in results)
            for name in names if name != OURS and OURS in names},
        'rounds': results}


def run(setting, options):
    """Measure one setting; return its figures."""
    peers = start(options.peers, setting)
    try:
        return {'setting': setting, **summarise(measure(peers, options.rounds, options.seconds))}
    finally:
        for peer in peers.values():
            peer.close()


def show(figures):
    """Print rates and ratios."""
    for name, value in {**figures['updates_per_second'], **figures['ratios']}.items():
        print(f'{name:<40} {value:10.2f}')


def plot(path, key, several):
    """Draw rates over what is varied, or bars of one setting."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(8, 4), layout='constrained')
    ax = figure.subplots()
    if key is None:
        rates = several[0]['updates_per_second']
        ax.barh(list(rates)[::-1], list(rates.values())[::-1], color=[
            '#1f5fa8' if name in ('fast', 'autograd') else '#8b929c' for name in rates][::-1])
        ax.set(xlabel='updates a second')
    else:
        for name in several[0]['updates_per_second']:
            ax.plot([each['value'] for each in several],
                    [each['updates_per_second'].get(name) for each in several], marker='o',
                    label=name, linewidth=2 if name == OURS else 1,
                    linestyle='--' if name.startswith('products') else '-')
        ax.set(xlabel=key, ylabel='updates a second', xscale='log', yscale='log')
        values = [each['value'] for each in several]
        ax.set_xticks(values, [str(value) for value in values])
        ax.minorticks_off()
        figure.legend(loc='outside right upper', frameon=False)
    figure.savefig(path, dpi=130)


def vary(text):
    """Return the key and values of KEY=VALUE,VALUE, for argparse."""
    key, _, values = text.partition('=')
    if key not in VARIED or not all(value.isdecimal() for value in values.split(',')):
        raise argparse.ArgumentTypeError(
            f'got {text}; expected {" or ".join(VARIED)}=NUMBER,NUMBER')
    return key, [int(value) for value in values.split(',')]


def names(text):
    """Return names of peers, for argparse."""
    found = text.split(',')
    if unknown := [name for name in found if name not in PEERS]:
        raise argparse.ArgumentTypeError(f'got {unknown[0]}; allowed: {", ".join(PEERS)}')
    return found


def main(argv=None):
    """Measure, print, and write what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(description='updates a second, side by side')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=2.0, help='of each, in every round')
    parser.add_argument('--peers', type=names, default=list(PEERS), metavar='NAME,NAME')
    parser.add_argument('--vary', type=vary, metavar='KEY=VALUE,VALUE',
                        help=f'{", ".join(VARIED)}: a table for each value')
    parser.add_argument('--json', metavar='FILE', help='where to write the figures')
    parser.add_argument('--plot', metavar='FILE', help='where to draw them (.png)')
    options = parser.parse_args(argv)
    own = sorted(os.sched_getaffinity(0))
    setting = {**SETTING, 'threads': options.threads, 'cores': own[-options.threads:]}
    about = machine()
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    key, values = options.vary or (None, [None])
    several = []
    for value in values:
        if key:
            print(f'{key} {value}')
        several.append({'value': value, **run(
            {**setting, **(VARIED[key](value) if key else {})}, options)})
        show(several[-1])
    if options.json:
        write_atomic(options.json, json.dumps({'machine': about, 'varied': key,
                                               'figures': several}, indent=1) + '\n')
    if options.plot:
        plot(Path(options.plot), key, several)
    return 0


if __name__ == '__main__':
    sys.exit(main())
