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

"""One bag of any kind, as a stream: its topics, and its messages in order of receive time."""

import collections
import contextlib
import dataclasses
import functools
import heapq
from pathlib import Path
import shutil
import struct
import sys
import tempfile
import typing

from iql_ros.data.bags.damage import DamageError, one_line, reason
from iql_ros.data.bags.files import Allowed, locate
from iql_ros.data.bags.message_types import deserialize_cdr, MessageTypes
from iql_ros.files import InputError
from iql_ros.robot.message_fields import NAME_LISTS

_HEADER = 'std_msgs/msg/Header'
_SECOND = 1_000_000_000  # [ns]
_LATEST = 2 ** 62        # [ns] in the year 2116
_MCAP_MAGIC = 8          # [bytes] at the start and at the end


class BagMessage(typing.NamedTuple):
    """A message as it lies in the bag."""

    topic: str
    received_ns: int         # [ns] when the recorder got it
    data: bytes              # serialised


@dataclasses.dataclass
class BagTopic:
    """A topic of a bag, and how many messages the bag says it has."""

    name: str                # with its leading /
    type: str                # pkg/msg/Name
    declared: int
    definition: object       # rosbags' MessageDefinition; its data is empty where none is inside
    digest: str
    ros1: bool
    types: list[str]         # every one under this name; more than one cannot be read


class Bag:
    """
    An open bag: ROS 1, sqlite3 or MCAP; a file or a folder, split and compressed or not.

    The data files are read by themselves: what metadata.yaml says is only compared with them.
    """

    def __init__(self, path, allowed: Allowed | None = None, type_folders=()):
        """Take a path of find_bags, and folders for MessageTypes; `with` opens the bag."""
        self.path, self.allowed = Path(path), allowed or Allowed()
        self.topics: dict[str, BagTopic] = {}
        self.read = collections.Counter()    # messages of a topic, so far
        self._stack = contextlib.ExitStack()
        self._files = []                     # (rosbags reader, {connection id: topic name})
        self._stores, self._types = {}, MessageTypes(type_folders)

    def __enter__(self):
        self._located = locate(self.path, self.allowed)
        with self._stack as stack, one_line(self.path):
            for file in self._located.paths:
                self._open(file, stack)
            self._stack = stack.pop_all()
        for name, count in (self._located.declared or {}).items():
            if _rooted(name) in self.topics:
                topic = self.topics[_rooted(name)]
                topic.declared = max(topic.declared, count)
        return self

    def __exit__(self, *exception):
        with contextlib.suppress(Exception):  # of a damaged file: said already
            self._stack.close()

    def _open(self, file: Path, stack) -> None:
        from rosbags import rosbag1, rosbag2
        if file.suffix == '.zstd':
            file = _decompressed(file, stack)
        ros1 = file.suffix == '.bag'
        reader = (rosbag1 if ros1 else rosbag2).Reader(file)
        reader.open()
        stack.callback(_close, reader)
        if file.suffix == '.mcap':
            _check_records(file, reader)
        names = {}
        for connection in reader.connections:
            names[connection.id] = self._add(connection, ros1)
        self._files.append((reader, names))

    def _add(self, connection, ros1: bool) -> str:
        name, type_name = _rooted(connection.topic), _full_type(connection.msgtype)
        topic = self.topics.setdefault(name, BagTopic(
            name, type_name, 0, connection.msgdef, connection.digest, ros1, [type_name]))
        if type_name not in topic.types:
            topic.types.append(type_name)
        topic.declared += connection.msgcount
        return name

    @property
    def start_ns(self) -> int:
        """Return when the first message of any topic was received [ns]."""
        return min(reader.start_time for reader, _ in self._files)

    @property
    def end_ns(self) -> int:
        """Return when the last message of any topic was received, and 1 ns more [ns]."""
        return max(reader.end_time for reader, _ in self._files)

    def messages(self, topics) -> typing.Iterator[BagMessage]:
        """
        Yield the messages of the named topics in order of receive time; memory stays bounded.

        Raises:
            InputError: for damage, and at the end for fewer messages than were declared,
                unless that is allowed.

        """
        wanted = frozenset(topics)
        streams = [self._of_file(reader, names, wanted) for reader, names in self._files]
        yield from streams[0] if len(streams) == 1 else heapq.merge(
            *streams, key=lambda message: message.received_ns)
        for name in sorted(wanted & set(self.topics)):
            declared, read = self.topics[name].declared, self.read[name]
            if read < declared and 'damaged' not in self.allowed:
                self.allowed.refuse('counts', f"bag '{self.path}': topic '{name}' declares "
                                              f'{declared} messages, and {read} were read')

    def _of_file(self, reader, names: dict, wanted):
        connections = [connection for connection in reader.connections
                       if names[connection.id] in wanted]
        if not connections:
            return
        uncompress = _zstd().decompress if self._located.compressed_messages else None
        read = self.read
        try:
            with one_line(self.path):
                for connection, received_ns, data in reader.messages(connections):
                    if not (isinstance(received_ns, int) and isinstance(data, bytes)
                            and 0 <= received_ns < _LATEST):  # SQLite allows any
                        raise InputError('a message or its time is of another kind')
                    name = names[connection.id]
                    read[name] += 1
                    yield BagMessage(name, received_ns, uncompress(data) if uncompress else data)
        except InputError as error:
            self.allowed.refuse('damaged', str(error))

    def store(self, topic: str):
        """
        Return the rosbags type store that knows a topic's type.

        Definitions in the bag come first, else the standard ones of ROS 2 Jazzy.

        Raises:
            InputError: for a type that neither knows, or a definition that is damaged.

        """
        entry = self.topics[topic]
        if len(entry.types) > 1:
            raise InputError(f"bag '{self.path}': topic '{topic}' is of {len(entry.types)} types: "
                             f'{", ".join(entry.types)}')
        if entry.type not in self._stores:
            with one_line(self.path, f"topic '{topic}': the definition of {entry.type} "):
                self._stores[entry.type] = self._types.store(entry.type, entry.definition,
                                                             entry.digest, entry.ros1)
        if entry.type not in self._stores[entry.type].fielddefs:
            raise InputError(f"bag '{self.path}': topic '{topic}' is of type {entry.type}, which "
                             'is not defined in the bag and is not a standard one (--types '
                             'FOLDER: where its .msg file is)')
        return self._stores[entry.type]

    def deserializer(self, topic: str) -> typing.Callable:
        """Return data -> message for a topic; a message that is damaged is an InputError."""
        store, type_name = self.store(topic), self.topics[topic].type
        decode = store.deserialize_ros1 if self.topics[topic].ros1 else functools.partial(
            deserialize_cdr, store)

        def deserialize(data):
            try:
                return decode(data, type_name)
            except Exception as error:  # whatever damaged bytes make of rosbags' code
                raise DamageError(f"bag '{self.path}': topic '{topic}': a message cannot be "
                                  f'deserialised: {reason(error)}') from None
        return deserialize

    def names_follow_header(self, topic: str) -> bool:
        """Say whether a topic's messages begin with a header and a list of names."""
        fields = self.store(topic).fielddefs[self.topics[topic].type][1]
        return (len(fields) > 1 and fields[0][1][1] == _HEADER and fields[1][0] in NAME_LISTS
                and fields[1][1][0].name == 'SEQUENCE')

    def header_stamp(self, topic: str) -> typing.Callable | None:
        """Return data -> header stamp [ns], read without deserialising; None without header."""
        store, entry = self.store(topic), self.topics[topic]
        fields = store.fielddefs[entry.type][1]
        if entry.type != _HEADER and (not fields or fields[0][1][1] != _HEADER):
            return None
        ros1 = entry.ros1

        def stamp(data):
            try:
                seconds, nanoseconds = (_ROS1_TIME if ros1 else _CDR_TIME[data[1] & 1])(data)
                return seconds * _SECOND + nanoseconds
            except (struct.error, IndexError):
                raise DamageError(f"bag '{self.path}': topic '{topic}': a message is too short "
                                  'for its header') from None
        return stamp


_ROS1_TIME = struct.Struct('<4xII').unpack_from      # seq, sec, nanosec
_CDR_TIME = {0: struct.Struct('>4xiI').unpack_from,  # encapsulation, sec, nanosec
             1: struct.Struct('<4xiI').unpack_from}


def _rooted(topic: str) -> str:
    return topic if topic.startswith('/') else f'/{topic}'


def _full_type(name: str) -> str:
    package, _, short = name.partition('/')
    return name if '/' in short or not short else f'{package}/msg/{short}'


def _zstd():
    """Return the module that rosbags itself stands on."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _decompressed(file: Path, stack) -> Path:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    with open(file, 'rb') as packed, _zstd().open(packed, 'rb') as content, \
            open(folder / file.stem, 'wb') as unpacked:
        shutil.copyfileobj(content, unpacked)
    return folder / file.stem


def _close(reader) -> None:
    with contextlib.suppress(Exception):  # a reader whose opening failed closed itself
        reader.close()


def _check_records(file: Path, reader) -> None:
    """
    Refuse an MCAP without an index of chunks whose records do not lead to its end.

    rosbags reads such a file record by record, and takes a record that is longer than the file
    for its end: what follows would be lost in silence.
    """
    if getattr(reader.storage, 'chunks', True):
        return
    position, end = _MCAP_MAGIC, file.stat().st_size - _MCAP_MAGIC
    with open(file, 'rb') as content:
        while position < end:
            content.seek(position)
            position += 9 + int.from_bytes(content.read(9)[1:], 'little')  # kind, length
    if position != end:
        raise InputError('its records do not follow each other to its end')
