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

"""Damages a bag at random: cuts, flips, noise, swaps, and sizes that cannot be."""

import shutil
import struct

HOSTILE = (0, 1, 7, 0x7FFF, 0xFFFF, 2 ** 24, 2 ** 30, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 40,
           2 ** 62, 2 ** 63 - 1, 2 ** 64 - 1)


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
