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

"""A small bag of every kind that there is: ROS 1, sqlite3 and MCAP, packed or not."""

import collections
import struct
import zlib

import lz4.frame

from tests.data.bags.oddities import drive, STORE, write, write_ros1

KINDS = ('ros1', 'ros1_lz4', 'ros1_bz2', 'sqlite3', 'sqlite3_alone', 'mcap', 'mcap_alone',
         'mcap_lz4', 'mcap_lz4_alone', 'mcap_zstd', 'mcap_zstd_alone')
CHUNK = 4096                  # [bytes] so that a small bag has several


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
