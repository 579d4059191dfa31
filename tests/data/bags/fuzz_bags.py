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
import contextlib
import dataclasses
import io
import itertools
import os
from pathlib import Path
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zlib

import lz4.frame
import minari  # noqa: F401 (once, not in every worker)
import numpy as np

from iql_ros.cli import cli
from iql_ros.data.datasets import load_dataset
from tests.data.bags.oddities import drive, ROBOT, STORE, write, write_ros1
from tests.places import ROOT

KINDS = ('ros1', 'ros1_lz4', 'ros1_bz2', 'sqlite3', 'sqlite3_alone', 'mcap', 'mcap_alone',
         'mcap_lz4', 'mcap_lz4_alone', 'mcap_zstd', 'mcap_zstd_alone')
CHUNK = 4096                  # [bytes] so that a small bag has several
HOSTILE = (0, 1, 7, 0x7FFF, 0xFFFF, 2 ** 24, 2 ** 30, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 40,
           2 ** 62, 2 ** 63 - 1, 2 ** 64 - 1)
SECONDS, MEMORY = 30, 10 ** 9     # that a conversion may take [s], [bytes]
GUARD = 4 * 2 ** 30               # [bytes] more than it has that a worker can ever ask for
DATASET = 'odd/drive-v0'


# --- small bags of every kind

def write_mcap(path, entries, compression):
    """Write an MCAP file with checksums: chunks of CHUNK bytes, an index of them, a summary."""
    topics = sorted({entry.topic: entry.message.__msgtype__ for entry in entries}.items())
    described = b''.join(_schema(number, type_name) + _channel(number, topic)
                         for number, (topic, type_name) in enumerate(topics, 1))
    numbers = {topic: number for number, (topic, _) in enumerate(topics, 1)}
    data = bytearray(b'\x89MCAP0\r\n' + _record(1, _text('ros2') + _text('')) + described)
    index, chunk, times = b'', b'', []
    for number, entry in enumerate(entries):
        content = STORE.serialize_cdr(entry.message, entry.message.__msgtype__)
        chunk += _record(5, struct.pack('<HIQQ', numbers[entry.topic], number, entry.received_ns,
                                        entry.received_ns) + bytes(content))
        times.append((entry.received_ns, numbers[entry.topic]))
        if len(chunk) > CHUNK or number == len(entries) - 1:
            index += _add_chunk(data, chunk, times, compression)
            chunk, times = b'', []
    counts = collections.Counter(numbers[entry.topic] for entry in entries)
    statistics = struct.pack('<QHIIIIQQI', len(entries), len(topics), len(topics), 0, 0,
                             len(index), entries[0].received_ns, entries[-1].received_ns,
                             10 * len(topics))
    statistics += b''.join(struct.pack('<HQ', *item) for item in sorted(counts.items()))
    data += _record(15, struct.pack('<I', 0))
    start = len(data)
    data += described + index + _record(11, statistics)
    data += _record(2, struct.pack('<QQI', start, 0, 0)) + b'\x89MCAP0\r\n'
    path.write_bytes(data)


def _add_chunk(data, chunk, times, compression):
    """Append a chunk and the index of its messages; return its entry in the chunk index."""
    from rosbags.rosbag2 import storage_mcap
    packed = {'': bytes, 'lz4': lz4.frame.compress,
              'zstd': storage_mcap.zstd.compress}[compression](chunk)
    first, last = min(times)[0], max(times)[0]
    sizes = _text(compression) + struct.pack('<Q', len(packed))
    start = len(data)
    data += _record(6, struct.pack('<QQQI', first, last, len(chunk), zlib.crc32(chunk)) + sizes
                    + packed)
    end, offsets = len(data), b''
    for channel in sorted({channel for _, channel in times}):
        offsets += struct.pack('<HQ', channel, len(data))
        found = b''.join(struct.pack('<QQ', stamp, 0) for stamp, other in times
                         if other == channel)
        data += _record(7, struct.pack('<HI', channel, len(found)) + found)
    return _record(8, struct.pack('<QQQQI', first, last, start, end - start, len(offsets))
                   + offsets + struct.pack('<Q', len(data) - end) + sizes
                   + struct.pack('<Q', len(chunk)))


def _record(kind, content):
    return struct.pack('<BQ', kind, len(content)) + content


def _text(text):
    return struct.pack('<I', len(text.encode())) + text.encode()


def _schema(number, type_name):
    definition, _ = STORE.generate_msgdef(type_name, ros_version=2)
    return _record(3, struct.pack('<H', number) + _text(type_name) + _text('ros2msg')
                   + _text(definition))


def _channel(number, topic):
    return _record(4, struct.pack('<HH', number, number) + _text(topic) + _text('cdr')
                   + struct.pack('<I', 0))


def make_bag(folder, kind):
    """Write the bag of a kind; return its path."""
    storage, _, how = kind.partition('_')
    if storage == 'ros1':
        return write_ros1(folder / f'{kind}.bag', drive(), how.upper() or None, CHUNK)
    bag = write(folder / kind, drive(), storage)
    if storage == 'mcap':
        write_mcap(bag / f'{kind}.mcap', drive(), how.removesuffix('alone').strip('_'))
    if how.endswith('alone'):
        (bag / 'metadata.yaml').unlink()
    return bag


# --- mutations

def cut(content, rng, fields):
    """Lose the end."""
    del content[rng.randrange(len(content)):]


def flip(content, rng, fields):
    """Flip some bits anywhere."""
    for _ in range(rng.choice((1, 1, 2, 8))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def overwrite(content, rng, fields):
    """Write noise over a block."""
    size = min(rng.choice((4, 64, 4096)), len(content))
    start = rng.randrange(len(content) - size + 1)
    content[start:start + size] = rng.randbytes(size)


def swap(content, rng, fields):
    """Exchange two blocks of the same size: pages, or what lies between two length fields."""
    size = min(rng.choice((16, 512, 4096)), len(content) // 2)
    blocks = range(0, len(content) - size + 1, size)
    one, other = (rng.choice(blocks) for _ in range(2))
    content[one:one + size], content[other:other + size] = (
        content[other:other + size], content[one:one + size])


def swap_records(content, rng, fields):
    """Exchange two records, lengths and all: chunks, messages, entries of the index."""
    starts = [start for start, _ in fields] + [len(content)]
    if len(starts) < 5:
        return swap(content, rng, fields)
    one, other = sorted(rng.sample(range(len(starts) - 1), 2))
    a, b, c, d = starts[one], starts[one + 1], starts[other], starts[other + 1]
    content[a:d] = content[c:d] + content[b:c] + content[a:b]


def hostile(content, rng, fields):
    """Write a size that cannot be, or is another, into a field that gives one."""
    position, size = rng.randrange(len(content) - 8), rng.choice((4, 8))
    if fields and rng.random() < 0.7:
        position, size = rng.choice(fields)
    value = rng.choice(HOSTILE) % 2 ** (8 * size)
    content[position:position + size] = value.to_bytes(size, 'little')


MUTATIONS = (cut, flip, flip, overwrite, swap, swap_records, hostile, hostile)


def length_fields(file):
    """Return (position, size) of the fields of a data file that say how long something is."""
    content = file.read_bytes()
    if file.suffix == '.mcap':
        return _mcap_fields(content, 8, len(content) - 8)
    if file.suffix == '.bag':
        return _ros1_fields(content, 13)
    if file.suffix == '.db3':  # page size, pages, and the head of every page
        return [(16, 2), (28, 4)] + [(page + offset, 2) for page in range(0, len(content), 4096)
                                     for offset in (3, 5, 8, 10, 12)]
    return []


def _mcap_fields(content, position, end):
    fields = []
    while position + 9 <= end:
        kind, size = struct.unpack_from('<BQ', content, position)
        fields.append((position + 1, 8))
        if kind == 6:     # a chunk: sizes of its content, unpacked and packed, and within
            length, = struct.unpack_from('<I', content, position + 37)
            fields += [(position + 25, 8), (position + 37, 4), (position + 41 + length, 8)]
            if not length:
                fields += _mcap_fields(content, position + 49, position + 9 + size)
        elif kind == 8:   # an entry of the index
            fields += [(position + 25, 8), (position + 33, 8), (position + 41, 4)]
        elif kind in (3, 4, 7):
            fields.append((position + 11, 4))
        position += 9 + size
    return fields


def _ros1_fields(content, position):
    fields = []
    while position + 4 <= len(content):
        size, = struct.unpack_from('<I', content, position)
        fields += [(position, 4), (position + 4, 4)]
        position += 4 + size
        size, = struct.unpack_from('<I', content, position)
        fields.append((position, 4))
        position += 4 + size
    return fields


def mutate(original, folder, rng):
    """Copy a bag, damaged; return the copy and what was done to it."""
    copy = folder / original.name
    if original.is_dir():
        shutil.copytree(original, copy)
    else:
        shutil.copy(original, copy)
    files = sorted(copy.iterdir()) if copy.is_dir() else [copy]
    data = [file for file in files if file.name != 'metadata.yaml']
    file = rng.choice(4 * data + [file for file in files if file not in data])
    mutation, content = rng.choice(MUTATIONS), bytearray(file.read_bytes())
    fields = length_fields(file)
    mutation(content, rng, fields)
    file.write_bytes(content)
    return copy, f'{mutation.__name__} {file.name}'


# --- what becomes of them

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
