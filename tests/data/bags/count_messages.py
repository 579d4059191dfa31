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
Counts the messages of a bag by walking its bytes: nothing of iql_ros or rosbags is used.

Example: python tests/data/bags/count_messages.py recording.mcap
"""

import bz2
import collections
from pathlib import Path
import sqlite3
import struct
import sys


def count_messages(path) -> dict:
    """Return topic -> messages of a data file, or of all data files in a folder."""
    path, counts = Path(path), collections.Counter()
    files = [path] if path.is_file() else sorted(path.iterdir())
    for file in files:
        counter = {'.db3': _count_sqlite3, '.mcap': _count_mcap, '.bag': _count_ros1}.get(
            file.suffix)
        if counter:
            for topic, count in counter(file).items():
                counts[topic if topic.startswith('/') else f'/{topic}'] += count
    return dict(counts)


def _count_sqlite3(file: Path) -> dict:
    database = sqlite3.connect(f'file:{file}?mode=ro&immutable=1', uri=True)
    try:
        return dict(database.execute(
            'SELECT name, (SELECT COUNT(*) FROM messages WHERE topic_id = topics.id) '
            'FROM topics'))
    finally:
        database.close()


def _count_mcap(file: Path) -> dict:
    topics, counts = {}, collections.Counter()
    pending = [file.read_bytes()[8:]]  # after the magic
    while pending:
        data, position = pending.pop(), 0
        while position + 9 <= len(data):
            kind, length = struct.unpack_from('<BQ', data, position)
            content = data[position + 9:position + 9 + length]
            position += 9 + length
            if kind == 4:      # channel
                number, size = struct.unpack_from('<H2xI', content)
                topics[number] = content[8:8 + size].decode()
            elif kind == 5:    # message
                counts[struct.unpack_from('<H', content)[0]] += 1
            elif kind == 6:    # chunk: its records come first, so that no channel is missed
                pending += [data[position:], _mcap_chunk(content)]
                break
    return {topic: counts[number] for number, topic in topics.items()}


def _mcap_chunk(content: bytes) -> bytes:
    size, = struct.unpack_from('<I', content, 28)
    name = content[32:32 + size].decode()
    records = content[40 + size:]
    if name == 'zstd':
        from backports import zstd
        return zstd.decompress(records)
    if name == 'lz4':
        import lz4.frame
        return lz4.frame.decompress(records)
    return records


def _count_ros1(file: Path) -> dict:
    topics, counts = {}, collections.Counter()
    data = file.read_bytes()
    for header, content in _ros1_records(data[data.index(b'\n') + 1:]):
        if header[b'op'] == b'\x05':    # chunk
            for inner, _ in _ros1_records(_ros1_chunk(header[b'compression'], content)):
                if inner[b'op'] == b'\x07':
                    topics[inner[b'conn']] = inner[b'topic'].decode()
                elif inner[b'op'] == b'\x02':
                    counts[inner[b'conn']] += 1
    totals = collections.Counter()
    for number, topic in topics.items():
        totals[topic] += counts[number]
    return dict(totals)


def _ros1_records(data: bytes):
    """Yield (header fields, content) of every record."""
    position = 0
    while position < len(data):
        size, = struct.unpack_from('<I', data, position)
        fields, inner = {}, position + 4
        position = inner + size
        while inner < position:
            length, = struct.unpack_from('<I', data, inner)
            name, _, value = data[inner + 4:inner + 4 + length].partition(b'=')
            fields[name] = value
            inner += 4 + length
        size, = struct.unpack_from('<I', data, position)
        yield fields, data[position + 4:position + 4 + size]
        position += 4 + size


def _ros1_chunk(compression: bytes, content: bytes) -> bytes:
    if compression == b'bz2':
        return bz2.decompress(content)
    if compression == b'lz4':
        import lz4.frame
        return lz4.frame.decompress(content)
    return content


if __name__ == '__main__':
    for name, number in sorted(count_messages(sys.argv[1]).items()):
        print(f'{number:8} {name}')
