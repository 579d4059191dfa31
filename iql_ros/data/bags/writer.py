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

"""Writes a new bag, whole or not at all."""

import contextlib
import os
from pathlib import Path
import shutil

from iql_ros.files import InputError


class BagWriter:
    """
    Writes a new bag; until it is closed it lies hidden beside its name, as `.NAME.partial`.

    An exception while it is open removes it, and without a message there is no bag. kill -9
    leaves the hidden folder: of its messages, all but the last megabyte at most are in there,
    for tools that mend such files.
    """

    def __init__(self, path, storage: str = 'mcap', typestore=None):
        """
        Begin a bag folder.

        Args:
            path: The folder, which appears when the bag is whole; folders above it are made.
            storage: mcap (chunks compressed) or sqlite3.
            typestore: rosbags' store with the types of all messages; None: the standard ones.

        Raises:
            InputError: when the folder exists, hidden or not, or cannot be made.

        """
        with _rosbags_needed():
            from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
        self.path = Path(path)
        self._partial = self.path.with_name(f'.{self.path.name}.partial')
        self._make_partial()
        self._writer = Writer(self._partial / self.path.name, version=9,
                              storage_plugin=StoragePlugin[storage.upper()])
        if storage == 'mcap':
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._typestore = typestore or standard_types()
        self._connections = {}

    def _make_partial(self) -> None:
        if self.path.exists():
            raise InputError(f"bag '{self.path}' exists; remove it or choose another name")
        try:
            self._partial.mkdir(parents=True)
        except FileExistsError:
            raise InputError(
                f"bag '{self.path}' is being written, or was when its writer died; remove "
                f"'{self._partial}' or choose another name") from None
        except OSError as error:
            raise InputError(f"bag '{self.path}' cannot be written: {error.strerror}") from None

    def __enter__(self):
        try:
            self._writer.open()
        except BaseException:
            shutil.rmtree(self._partial, ignore_errors=True)
            raise
        return self

    def write(self, topic: str, type_name: str, stamp_ns: int, cdr: bytes) -> None:
        """Append a serialised message."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, type_name, typestore=self._typestore)
        self._writer.write(self._connections[topic], stamp_ns,
                           clean(self._typestore, type_name, cdr))

    def __exit__(self, exception_type, exception, traceback):
        try:
            if exception_type is None and self._connections:
                self._writer.close()
                self._publish()
        finally:
            with contextlib.suppress(Exception):  # of a full disk: the first one counts
                self._writer.abort()
            shutil.rmtree(self._partial, ignore_errors=True)

    def _publish(self) -> None:
        for file in self._writer.path.iterdir():
            with open(file, 'rb') as written:
                os.fsync(written.fileno())
        self._writer.path.rename(self.path)


@contextlib.contextmanager
def _rosbags_needed():
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(f"writing bags needs the module '{error.name}': pip install "
                         "'iql_ros[data]'") from None


def standard_types():
    """Return a rosbags store of the message types of ROS 2 Jazzy."""
    with _rosbags_needed():
        from rosbags.typesys import get_typestore, Stores
    return get_typestore(Stores.ROS2_JAZZY)


def clean(typestore, type_name: str, cdr: bytes):
    """
    Return the bytes of a message of this machine made anew.

    Padding holds what was in memory, and what rclpy serialises is longer than the message by a
    few bytes for every empty array, which rosbags' own check of the length does not bear.
    """
    definition = typestore.get_msgdef(type_name)
    read = definition.deserialize_cdr_le if cdr[1] & 1 else definition.deserialize_cdr_be
    message, _ = read(memoryview(cdr)[4:], 0, definition.cls, typestore)
    return typestore.serialize_cdr(message, type_name)
