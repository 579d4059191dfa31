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
Measure what many seeds on a CPU gain from a process a core, in one run.

    python benchmarks/seeds.py [--rounds N] [--seconds S] [--json FILE]

Three ways to train many seeds take turns: one after the other on one thread, one after the other
on as many threads as there are cores, and one process a core on one thread each, which is what
`iql-ros train --seeds` does. Updates a second of all together; ratios are medians over rounds.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
import json
import os
import statistics
import sys

from update_peers.peer import Peer
from updates import machine, SETTING

from iql_ros.files import write_atomic
from iql_ros.parallel import cores

SIDE_BY_SIDE = 'a process a core'


def main(argv=None):
    """Measure, print, and write what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(description='many seeds on a CPU')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--seconds', type=float, default=3.0)
    parser.add_argument('--json', metavar='FILE')
    options = parser.parse_args(argv)
    about, count = machine(), cores()
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    every = sorted(os.sched_getaffinity(0))
    setting = {**SETTING, 'cores': every}
    ways = {'one thread': [Peer('fast', {**setting, 'threads': 1})],
            f'{count} threads': [Peer('fast', {**setting, 'threads': count})],
            SIDE_BY_SIDE: [Peer('fast', {**setting, 'threads': 1}) for _ in range(count)]}
    updates, results = dict.fromkeys(ways, 50), []
    with ThreadPoolExecutor(count) as pool:
        for number in range(options.rounds + 1):
            result = {}
            for way, peers in ways.items():
                rates = pool.map(lambda peer: peer.run(updates[way])['fast'], peers)
                result[way] = sum(rates)
                updates[way] = max(20, int(options.seconds * result[way] / len(peers)))
            if number:
                results.append(result)
                print(f'round {number}: ' + ', '.join(
                    f'{way} {rate:.0f}/s' for way, rate in result.items()), flush=True)
    figures = {'machine': about, 'rounds': results, 'ratios': {
        f'{SIDE_BY_SIDE} / {way}': statistics.median(
            result[SIDE_BY_SIDE] / result[way] for result in results)
        for way in ways if way != SIDE_BY_SIDE}}
    for name, ratio in figures['ratios'].items():
        print(f'{name:<40} {ratio:6.2f}')
    for peers in ways.values():
        for peer in peers:
            peer.close()
    if options.json:
        write_atomic(options.json, json.dumps(figures, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
