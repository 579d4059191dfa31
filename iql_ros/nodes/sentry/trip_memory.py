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

"""A latched trip on disk, where whoever starts the robot again finds it; nobody waits for it."""

import datetime
import hashlib
import json
import os
from pathlib import Path
import re
import stat

from iql_ros.files import InputError, read_text, write_atomic
from iql_ros.nodes.hosting.latest_writer import LatestWriter, why

_FOREIGN = re.compile(r'[^A-Za-z0-9_-]')   # what no file's name needs
_LONGEST = 150                             # characters of a file's name
_LONGEST_REASON = 2000                     # characters
_LARGEST = 100_000                         # [bytes] of a file of ours


def trips_folder() -> Path:
    """Return $ROS_HOME/iql_ros/trips, by default below ~/.ros."""
    home = os.environ.get('ROS_HOME') or os.path.join(os.path.expanduser('~'), '.ros')
    return Path(home) / 'iql_ros' / 'trips'


class TripMemory:
    """
    Why the gate of a robot is shut, kept until somebody opens it.

    A file is written by a thread of its own, and the newest of what is to be kept wins: a disk
    that is full or stuck disturbs no robot. What went wrong stands in `trouble`.
    """

    def __init__(self, robot: str, node: str, folder=None):
        """Take the robot's name and the node's full one; `folder`: another than trips_folder()."""
        self.path = Path(folder or trips_folder()) / f'{_file_name(robot, node)}.json'
        self._writer = LatestWriter('trip memory', self._write)

    @property
    def trouble(self) -> str:
        """Return what went wrong with the file, '' where nothing did."""
        error = self._writer.error
        return f"the trip memory '{self.path}' cannot be written: {why(error)}" if error else ''

    def load(self) -> str | None:
        """
        Return why the gate was shut, None where nothing is kept.

        A file that cannot be read may say anything: then the gate is shut, too.
        """
        waiting, kept = self._writer.waiting()
        if waiting:  # the file is not what is kept yet
            return _reason(kept)
        try:
            status = self.path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                raise InputError(f'{self.path} is none of ours')
            return _reason(dict(json.loads(read_text(self.path))))
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"the kept trip '{self.path}' cannot be read: {error.strerror or error}"
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return f"the kept trip '{self.path}' is damaged"

    def keep(self, reason: str) -> None:
        """Keep why the gate is shut, from now on; from any thread."""
        now = datetime.datetime.now().astimezone().isoformat(timespec='seconds')
        self._writer.put({'reason': reason[:_LONGEST_REASON], 'time': now})

    def forget(self) -> None:
        """Keep nothing any more."""
        self._writer.put(None)

    def flush(self, timeout: float) -> bool:
        """Wait up to `timeout` [s] until the file says what is kept; say whether it does."""
        return self._writer.flush(timeout)

    def _write(self, kept: dict | None) -> None:
        if kept is None:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_atomic(self.path, json.dumps(kept) + '\n')
        except OSError:
            self.path.touch()  # a full disk has room for an empty file, which is a trip, too
            raise


def _file_name(robot: str, node: str) -> str:
    """Return <robot>.<node, its / as .>; a name that no file can have, with its hash instead."""
    parts = (robot, *node.strip('/').split('/'))
    name = '.'.join(_FOREIGN.sub('_', part) or '_' for part in parts)[:_LONGEST]
    if name == '.'.join(parts):
        return name
    return f'{name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}'


def _reason(kept: dict | None) -> str | None:
    if kept is None:
        return None
    reason, time = (' '.join(kept[key].split())[:_LONGEST_REASON] for key in ('reason', 'time'))
    return f'{reason} (kept since {time})'
