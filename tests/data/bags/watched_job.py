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

"""Converts or inspects a bag in a process that is watched, and judges how it ended."""

import contextlib
import dataclasses
import io
import os
from pathlib import Path
import resource
import signal
import subprocess
import sys
import time
import traceback

import minari  # noqa: F401 (once, not in every worker)
import numpy as np

from iql_ros.cli import cli
from iql_ros.data.datasets import load_dataset
from tests.places import ROOT

SECONDS, MEMORY = 30, 10 ** 9     # that a conversion may take [s], [bytes]
GUARD = 4 * 2 ** 30               # [bytes] more than it has that a worker can ever ask for
DATASET = 'odd/drive-v0'


@dataclasses.dataclass
class Outcome:
    """How one conversion ended."""

    ended: str               # loaded, refused, or what is wrong
    text: str = ''


def arguments_for(job, bag, folder):
    """Return the arguments of the command."""
    if job == 'inspect':
        return ['inspect', str(bag), '--write-robot', str(folder / 'draft.yaml')]
    return ['convert', str(bag), '--robot-config', str(folder / 'robot.yaml'), '--dataset',
            DATASET]


def run_here(job, bag, folder, original):
    """Convert or inspect in this process; return the Outcome."""
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(io.StringIO()):
        code = cli.main(arguments_for(job, bag, folder))
    text = printed.getvalue()
    if code == 2:
        return check_refusal(text, folder)
    if code:
        return Outcome(f'code {code}', text)
    if job == 'inspect':
        return Outcome('loaded')
    return check_loaded(load_dataset(DATASET), original, bag)


def check_refusal(text, folder):
    """Return `refused` for one line and nothing left behind."""
    if text.count('\n') != 1 or not text.startswith('iql-ros: error: ') or len(text) > 2000:
        return Outcome('not one line', text)
    left = [str(path) for path in (*(folder / 'datasets').rglob('*'), folder / 'draft.yaml')
            if path.is_file()]
    return Outcome('left behind', ', '.join(left)) if left else Outcome('refused', text.strip())


def check_loaded(dataset, original, bag):
    """Return `loaded` for arrays that can be what was recorded."""
    arrays = dataset.observations, dataset.actions, dataset.next_observations
    shapes = [array.shape[1:] for array in arrays]
    if shapes != [(4,), (1,), (4,)] or not all(np.isfinite(array).all() for array in arrays):
        return Outcome('wrong arrays', str(shapes))
    if original is not None and bag.name.startswith('mcap'):  # a checksum in every chunk
        if not all(map(np.array_equal, arrays, original)):
            return Outcome('other values', f'{len(arrays[0])} of {len(original[0])} rows')
    return Outcome('loaded', f'{len(arrays[0])} rows')


def in_worker(job, bag, folder, original=None, result=None):
    """Do a job in a forked process; return its Outcome, seconds and bytes at most."""
    reading, writing = os.pipe()
    start = time.monotonic()
    worker = os.fork()
    if worker == 0:
        os.close(reading)
        signal.alarm(SECONDS)  # ends it
        _work(job, bag, folder, original, result, writing)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    _, status, usage = os.wait4(worker, 0)
    seconds, memory = time.monotonic() - start, 1024 * usage.ru_maxrss
    ended, _, text = text.partition('\n')
    if status:
        ended = f'ended by signal {status}' if status < 256 else f'code {status >> 8}'
    elif memory > MEMORY:
        ended = f'{memory / 1e9:.2f} GB'
    return Outcome(ended, text), seconds, memory


def _work(job, bag, folder, original, result, writing):
    """Do a job, answer and end the process, whatever happens."""
    try:
        os.environ['MINARI_DATASETS_PATH'] = str(folder / 'datasets')
        pages = int(Path('/proc/self/statm').read_text().split()[0])
        limit = pages * resource.getpagesize() + GUARD
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        outcome = run_here(job, bag, folder, original)
        if result is not None:
            np.savez(result, **{str(index): array for index, array in enumerate(arrays_of())})
    except BaseException:
        outcome = Outcome('raised', traceback.format_exc())
    os.write(writing, f'{outcome.ended}\n{outcome.text}'.encode()[:60_000])
    os._exit(0)


def arrays_of():
    """Return the arrays of the dataset that was just converted."""
    dataset = load_dataset(DATASET)
    return dataset.observations, dataset.actions, dataset.next_observations


def by_command(job, bag, folder):
    """Do a job by the command; return the Outcome."""
    environment = {**os.environ, 'MINARI_DATASETS_PATH': str(folder / 'datasets')}
    try:
        ended = subprocess.run([sys.executable, '-m', 'iql_ros.cli',
                                *arguments_for(job, bag, folder)],
                               capture_output=True, text=True, timeout=SECONDS, env=environment,
                               cwd=ROOT)
    except subprocess.TimeoutExpired:
        return Outcome('hangs')
    if ended.returncode == 2:
        return check_refusal(ended.stderr, folder)
    return Outcome('loaded') if ended.returncode == 0 else Outcome(f'code {ended.returncode}',
                                                                   ended.stderr)
