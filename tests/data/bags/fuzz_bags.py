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
Damages small bags of every kind at random and converts them: each loads right or is refused.

    python -m tests.data.bags.fuzz_bags [--job convert|inspect] [--mutations N] [--commands N]
                                   [--seed N] [--keep FOLDER] [--verbose]

Every mutation is converted in a forked worker that is watched for time and memory; the first
`--commands` of them by the command in a process of its own, too. What went wrong is printed with
the number of the mutation, which makes it again together with the seed.
"""

import argparse
import collections
import itertools
from pathlib import Path
import random
import shutil
import sys
import tempfile

import numpy as np

from tests.data.bags.bag_kinds import KINDS, make_bag
from tests.data.bags.mutations import mutate
from tests.data.bags.oddities import ROBOT
from tests.data.bags.watched_job import by_command, in_worker, Outcome


def clean(folder):
    """Empty a work folder but for robot.yaml."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / 'robot.yaml').write_text(ROBOT)
    return folder


def make_originals(folder):
    """Return the bags {kind: path}, and what each converts to; the same of every kind."""
    originals, expected = {}, {}
    (folder / 'originals').mkdir(parents=True)
    for kind in KINDS:
        originals[kind] = make_bag(folder / 'originals', kind)
        work = clean(folder / 'work')
        outcome, _, _ = in_worker('convert', originals[kind], work, result=work / 'arrays.npz')
        assert outcome.ended == 'loaded', (kind, outcome)
        with np.load(work / 'arrays.npz') as arrays:
            expected[kind] = [arrays[str(index)] for index in range(3)]
        assert all(map(np.array_equal, expected[kind], expected[KINDS[0]])), kind
    return originals, expected


def fuzz(folder, mutations, commands=0, seed=0, keep=None, on_progress=None,
         job='convert'):
    """
    Convert or inspect damaged bags; return {kind: Counter of ends}, faults and extremes.

    Args:
        folder: Where to work.
        mutations: How many bags.
        commands: How many of the first ones go through the command, too.
        seed: Of what is done to them.
        keep: Folder for copies of the bags that made faults.
        on_progress: Called with the number of the mutation and how it ended.
        job: convert or inspect.

    """
    originals, expected = make_originals(folder)
    ends, faults, slowest, largest = {}, [], 0.0, 0
    for number, kind in zip(range(mutations), itertools.cycle(KINDS)):
        rng = random.Random(f'{seed} {number}')
        bag, done = mutate(originals[kind], clean(folder / 'work'), rng)
        outcome, seconds, memory = in_worker(job, bag, folder / 'work', expected[kind])
        slowest, largest = max(slowest, seconds), max(largest, memory)
        outcomes = [outcome]
        if number < commands:
            shutil.rmtree(folder / 'work' / 'datasets', ignore_errors=True)
            (folder / 'work' / 'draft.yaml').unlink(missing_ok=True)
            outcomes.append(by_command(job, bag, folder / 'work'))
            if outcomes[1].ended != outcome.ended:
                outcomes.append(Outcome('the command ends in another way', outcomes[1].ended))
        ends.setdefault(kind, collections.Counter())[outcome.ended] += 1
        wrong = [each for each in outcomes if each.ended not in ('loaded', 'refused')]
        faults += [(number, kind, done, each) for each in wrong]
        if wrong and keep:
            shutil.copytree(folder / 'work', Path(keep) / f'{number}_{kind}')
        if on_progress:
            on_progress(number, kind, done, outcome)
    return ends, faults, slowest, largest


def main(argv=None):
    """Fuzz, print, and return the number of faults."""
    parser = argparse.ArgumentParser(description='convert damaged bags')
    parser.add_argument('--job', choices=('convert', 'inspect'), default='convert')
    parser.add_argument('--mutations', type=int, default=500)
    parser.add_argument('--commands', type=int, default=50, help='through the command, too')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--keep', metavar='FOLDER', help='for bags that make faults')
    parser.add_argument('--verbose', action='store_true')
    options = parser.parse_args(argv)
    show = (lambda *told: print(*told, flush=True)) if options.verbose else None
    with tempfile.TemporaryDirectory() as folder:
        ends, faults, slowest, largest = fuzz(Path(folder), options.mutations, options.commands,
                                              options.seed, options.keep, show, options.job)
    for kind, counts in ends.items():
        print(f'{kind:<16} ' + ', '.join(f'{count} {how}' for how, count in sorted(
            counts.items())))
    print(f'slowest {slowest:.2f} s, most memory {largest / 1e6:.0f} MB, {len(faults)} faults')
    for number, kind, done, outcome in faults:
        print(f'mutation {number} ({kind}, {done}): {outcome.ended}\n{outcome.text}')
    return min(len(faults), 1)


if __name__ == '__main__':
    sys.exit(main())
