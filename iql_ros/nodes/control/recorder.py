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

"""Records what passes through a node as bags, in a thread of its own: control never waits."""

import contextlib
import datetime
from pathlib import Path
import queue
import re
import threading
import time

from rclpy.serialization import serialize_message

from iql_ros.data.bags.writer import BagWriter, clean, standard_types
from iql_ros.nodes.hosting.message_classes import message_class
from iql_ros.robot import message_fields

_QUEUE_SIZE = 10_000     # messages that may wait for the disk
_CLOSING = 30.0          # [s] the last messages may take
_END_OF_EPISODE, _LAST = 'end of episode', 'last'
_MSG_NAMES = {'double': 'float64', 'float': 'float32', 'boolean': 'bool', 'octet': 'byte'}
_SEQUENCE = re.compile(r'sequence<(.+?)(?:, (\d+))?>')
_ARRAY = re.compile(r'(.+)\[(\d+)\]')


def start(node, settings, robot: str, types, kept_topics=()):
    """Return the Recorder that a node's parameters ask for, None when they ask for none."""
    if not settings.record:
        return None
    return Recorder(settings.record_folder, f'{robot}-{node.get_name()}', types,
                    node.get_logger(), wait=settings.lockstep, kept_topics=kept_topics)


class Recorder:
    """
    The recording of one node: MCAP bags, one after the other.

    A bag that has lasted `bag_duration` ends with the episode and the next one, NAME-002, begins;
    the folder that holds them is converted whole. kill -9, a full disk, whatever else stops the
    writing costs the bag that was being written, never one before it, and never disturbs the
    robot: the log says so, and what comes after is not recorded.
    """

    def __init__(self, folder, name: str, types, logger, wait: bool = False,
                 bag_duration: float = 600.0, kept_topics=()):
        """
        Begin to record.

        Args:
            folder: Where the bags go; the first is called `name`-YYYYmmdd-HHMMSS.
            types: The types (pkg/msg/Name) that will be recorded, known before control begins.
            logger: The node's.
            wait: Let `add` wait while the disk is behind, as in lockstep one may.
            bag_duration: [s] after which a bag ends with its episode.
            kept_topics: Full names of those whose last message stays in force, as a goal's does,
                and is sent once: every bag begins with it.

        Raises:
            InputError: when the bag exists or cannot be made, for a type that is not installed.

        """
        self._path = Path(folder) / _name(name)
        self._logger, self._wait, self._bag_duration = logger, wait, bag_duration
        self._typestore = _typestore(types)
        self._kept_topics, self._kept = frozenset(kept_topics), {}
        self._writer = BagWriter(self._path, typestore=self._typestore)
        self._begun = None   # the writer that has the kept messages
        self._queue, self._open, self._more = queue.Queue(_QUEUE_SIZE), True, True
        self.trouble = ''    # why there is no recording any more
        self._thread = threading.Thread(target=self._run, name='recorder', daemon=True)
        self._thread.start()

    def add(self, topic: str, message, stamp_ns: int, now_ns: int | None = None) -> None:
        """
        Take a message from any thread.

        Args:
            topic: Its full name.
            message: Not changed any more.
            stamp_ns: The time [ns] that counts for it: what a bag must say of one without header.
            now_ns: When a message passed that carries that time itself; None for simulated time,
                which stands still while messages are on their way.

        """
        self._put((topic, message, stamp_ns, now_ns))

    def end_episode(self) -> None:
        """Say that here one bag may end and the next begin."""
        self._put(_END_OF_EPISODE)

    def close(self) -> None:
        """Write what waits and close the bag."""
        self._open, end = False, time.monotonic() + _CLOSING
        with contextlib.suppress(queue.Full):
            self._queue.put(_LAST, timeout=_CLOSING)
        self._thread.join(max(0.0, end - time.monotonic()))
        if self._thread.is_alive():
            self._logger.warning(f"bag '{self._writer.path}' is not whole: the disk has not taken "
                                 f'it in {_CLOSING} s')

    def _put(self, item) -> None:
        if not self._open:
            return
        try:
            self._queue.put(item, self._wait, _CLOSING)  # leaving must not wait for ever either
        except queue.Full:
            self._end(f'recording ends: {_QUEUE_SIZE} messages wait for the disk')

    def _end(self, why: str) -> None:
        self._open, self.trouble = False, why
        self._logger.warning(why)

    def _run(self) -> None:
        try:
            self._write_bag()
            number = 2
            while self._more:
                self._writer = BagWriter(f'{self._path}-{number:03}', typestore=self._typestore)
                self._write_bag()
                number += 1
        except Exception as error:  # whatever it is, the robot goes on
            path, reason = self._writer.path, ' '.join(str(error).split()) or repr(error)
            lost = '' if path.exists() else f", bag '{path}' is lost"
            self._end(f'recording ends{lost}: {reason}')
            while self._more:  # nobody waits for a queue that is full
                self._next()

    def _next(self):
        item = self._queue.get()
        self._more = item is not _LAST
        return item

    def _write_bag(self) -> None:
        full_at = time.monotonic() + self._bag_duration
        with self._writer as writer:
            while (item := self._next()) is not _LAST:
                if item is not _END_OF_EPISODE:
                    topic, message, stamp_ns, now_ns = item
                    if now_ns is not None and _carries(message, stamp_ns):
                        stamp_ns = now_ns
                    self._write_kept(writer, stamp_ns)
                    writer.write(topic, type_name(message), stamp_ns, serialize_message(message))
                    if topic in self._kept_topics:
                        self._kept[topic, _frames(message)] = message
                elif time.monotonic() >= full_at:
                    break
        if self._writer.path.exists():
            self._logger.info(f"recorded '{self._writer.path}'")

    def _write_kept(self, writer, stamp_ns: int) -> None:
        """Begin a bag, with its first message, by what stays in force from the bag before."""
        if self._begun is not writer:
            self._begun = writer
            for (topic, _), message in self._kept.items():
                writer.write(topic, type_name(message), stamp_ns, serialize_message(message))


def _frames(message) -> tuple[str, ...]:
    """Return what frames a message of /tf_static is about: each publisher sends its own."""
    return tuple(each.child_frame_id for each in getattr(message, 'transforms', ()))


def _name(name: str) -> str:
    return f'{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}'


def _carries(message, stamp_ns: int) -> bool:
    return hasattr(message, 'header') and message_fields.stamp_ns(message) == stamp_ns


def type_name(message) -> str:
    """Return pkg/msg/Name of a message."""
    return f'{type(message).__module__.split(".")[0]}/msg/{type(message).__name__}'


def _typestore(types):
    """Return a rosbags store that knows the types, its code for them made now and not later."""
    store = standard_types()
    from rosbags.typesys import get_types_from_msg
    for name in types:
        if name not in store.fielddefs:
            for inner, text in definitions(name).items():
                if inner not in store.fielddefs:
                    store.register(get_types_from_msg(text, inner))
        clean(store, name, serialize_message(message_class(name)()))
    return store


def definitions(name: str) -> dict[str, str]:
    """Return the .msg text of a type and of all inside it, made from their Python classes."""
    lines, found = [], {}
    for field, idl in message_class(name).get_fields_and_field_types().items():
        kind = _msg_type(idl)
        lines.append(f'{kind} {field}')
        if '/' in kind:
            package, _, inner = kind.partition('[')[0].partition('/')
            found.update(definitions(f'{package}/msg/{inner}'))
    return {name: '\n'.join(lines), **found}


def _msg_type(idl: str) -> str:
    sequence, fixed = _SEQUENCE.fullmatch(idl), _ARRAY.fullmatch(idl)
    if sequence:
        bound = f'<={sequence[2]}' if sequence[2] else ''
        return f'{_msg_type(sequence[1])}[{bound}]'
    if fixed:
        return f'{_msg_type(fixed[1])}[{fixed[2]}]'
    return _MSG_NAMES.get(idl, idl.replace('<', '<=').rstrip('>'))
