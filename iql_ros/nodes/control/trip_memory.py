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
import threading

from iql_ros.files import InputError, read_text, write_atomic

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
        self.trouble = ''
        self._changed = threading.Condition()
        self._wanted = self._thread = None      # what the file shall hold; who writes it
        self._asked = self._written = 0         # changes

    def load(self) -> str | None:
        """
        Return why the gate was shut, None where nothing is kept.

        A file that cannot be read may say anything: then the gate is shut, too.
        """
        with self._changed:
            if self._written != self._asked:  # the file is not what is kept yet
                return _reason(self._wanted)
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
        self._ask({'reason': reason[:_LONGEST_REASON], 'time': now})

    def forget(self) -> None:
        """Keep nothing any more."""
        self._ask(None)

    def flush(self, timeout: float) -> bool:
        """Wait up to `timeout` [s] until all is on disk; say whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._written == self._asked, timeout)

    def _ask(self, content: dict | None) -> None:
        with self._changed:
            self._wanted = content
            self._asked += 1
            if self._thread is None:
                thread = threading.Thread(target=self._write_all, name='trip memory', daemon=True)
                try:
                    thread.start()
                    self._thread = thread
                except RuntimeError as error:  # no more threads, or Python ends
                    self.trouble = f'the trip cannot be kept: {error}'

    def _write_all(self) -> None:
        """Write until there is nothing new: the thread ends, and a later change begins one."""
        while True:
            with self._changed:
                if self._written == self._asked:
                    self._thread = None
                    return
                number, content = self._asked, self._wanted
            self._write(content)
            with self._changed:
                self._written = number
                self._changed.notify_all()

    def _write(self, content: dict | None) -> None:
        try:
            if content is None:
                self.path.unlink(missing_ok=True)
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(self.path, json.dumps(content) + '\n')
            self.trouble = ''
        except Exception as error:  # whatever it is, the robot goes on
            what = 'kept' if content else 'forgotten'
            reason = getattr(error, 'strerror', None) or error
            self.trouble = f"the trip cannot be {what}: '{self.path}': {reason}"


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
