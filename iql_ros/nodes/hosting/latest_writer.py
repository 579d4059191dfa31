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

"""Writing that nobody waits for: in a thread of its own, the newest of what is given."""

import threading
import time


class LatestWriter:
    """
    Writes what was given last; what came between two writes is left out.

    A disk that is full, slow or stuck disturbs nobody: what a write raises stands in `error`
    until the next one that succeeds.
    """

    def __init__(self, name: str, write, on_error=None, rest: float = 0.0):
        """
        Start nothing yet.

        Args:
            name: Of the thread.
            write: Called with what is to be written, in that thread.
            on_error: Called there with the exception of a write that failed.
            rest: How long to wait after a write, in times what it took: where each is the
                whole of something that grows, they shall not be all that the machine does.

        """
        self._name, self._write, self._rest = name, write, rest
        self._on_error = on_error or (lambda error: None)
        self.error: BaseException | None = None
        self._changed = threading.Condition()
        self._newest = self._thread = None
        self._given = self._done = 0            # how many
        self._hurry = False                     # somebody waits for the last one

    def put(self, content) -> None:
        """Have something written, from any thread."""
        with self._changed:
            self._newest = content
            self._given += 1
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                try:
                    thread.start()
                    self._thread = thread
                except RuntimeError as error:  # no more threads, or Python ends
                    self.error = error

    def waiting(self):
        """Return (something is not written yet, what was given last)."""
        with self._changed:
            return self._done != self._given, self._newest

    def flush(self, timeout: float) -> bool:
        """Wait up to `timeout` [s] until the last write is over; say whether it succeeded."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            over = self._changed.wait_for(lambda: self._done == self._given, timeout)
            self._hurry = False
            return over and self.error is None

    def _run(self) -> None:
        """Write until there is nothing new; what comes later begins another thread."""
        while True:
            with self._changed:
                if self._done == self._given:
                    self._thread = None
                    return
                number, content = self._given, self._newest
            began = time.monotonic()
            self._try(content)
            with self._changed:
                self._done = number
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._hurry,
                                       self._rest * (time.monotonic() - began))

    def _try(self, content) -> None:
        try:
            self._write(content)
            self.error = None
        except Exception as error:  # whatever it is, the robot goes on
            self.error = error
            self._on_error(error)


def why(error: BaseException) -> str:
    """Return an exception of a write in words."""
    return ' '.join(str(getattr(error, 'strerror', None) or error).split()) or repr(error)
