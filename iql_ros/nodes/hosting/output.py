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

"""A terminal or pipe that nobody reads must not stop a node: a small process writes to it."""

import atexit
import contextlib
import fcntl
import io
import os
import select
import signal
import stat
import sys
import time

_PIPE_SIZE = 1 << 20                # [byte] what Linux grants to anybody
_KEPT = 4 << 20                     # [byte] of what nobody reads; what comes then is dropped
_PIECE = 4096                       # [byte] a pipe that is said to be writable takes as many
_LAST = 1.0                         # [s] for what is not written yet when the node has ended
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
            signal.SIGTSTP, signal.SIGTTOU)


def unblock() -> None:
    """
    Let no write to stdout and stderr wait from now on, whoever writes, C too.

    They become pipes that do not block. A process that is forked here empties them into what
    they were: it needs nothing of this interpreter, and has what is said last by a node that
    crashes. Once somebody reads again, it says how much was dropped. To be called first of all,
    while there is one thread and little memory.
    """
    real = {number: os.dup(number) for number in (1, 2) if _may_block(number)}
    if not real:
        return
    _keep_colours(real)
    together = len(real) == 2 and os.path.samestat(os.fstat(1), os.fstat(2))
    pipes = {number: os.pipe() for number in list(real)[:1 if together else 2]}
    alive, dies = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED)  # until the process ignores them
    if os.fork() == 0:
        _serve([(pipes[number][0], real[number]) for number in pipes], keep=dies)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(dies)
    for number, descriptor in real.items():
        _replace(number, pipes.get(number, pipes[min(pipes)])[1], os.isatty(descriptor))
    for end in (end for pipe in pipes.values() for end in pipe):
        os.close(end)
    atexit.register(_finish, real, alive)


def _may_block(number: int) -> bool:
    try:
        mode = os.fstat(number).st_mode
    except OSError:  # it is closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(number)


def _keep_colours(real: dict[int, int]) -> None:
    """Let rcutils log as it does to a terminal, where it would."""
    number = 1 if os.environ.get('RCUTILS_LOGGING_USE_STDOUT') == '1' else 2
    if number in real and os.isatty(number):
        os.environ.setdefault('RCUTILS_COLORIZED_OUTPUT', '1')
        os.environ.setdefault('RCUTILS_LOGGING_BUFFERED_STREAM', '1')  # by lines


def _replace(number: int, pipe: int, terminal: bool) -> None:
    fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(OSError):  # the user has too many large pipes already
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    os.dup2(pipe, number)
    name = 'stdout' if number == 1 else 'stderr'
    was = getattr(sys, name)
    raw = _Unblocked(number, terminal)
    setattr(sys, name, io.TextIOWrapper(
        raw if was.write_through else io.BufferedWriter(raw), encoding=was.encoding,
        errors=was.errors, line_buffering=was.line_buffering, write_through=was.write_through))


def _finish(real: dict[int, int], alive: int) -> None:
    """Let all that was said be written before the process ends, unless nobody reads it."""
    sys.stdout.flush()
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in real:
        os.dup2(nowhere, number)
    if select.select([alive], [], [], _LAST)[0]:
        for number, descriptor in real.items():
            os.dup2(descriptor, number)


class _Unblocked(io.FileIO):
    """A descriptor that takes what it has room for; the rest is dropped."""

    def __init__(self, number: int, terminal: bool):
        super().__init__(number, 'w', closefd=False)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, data) -> int:
        left = memoryview(data)
        with contextlib.suppress(OSError):  # nobody will ever read it
            while left and (written := super().write(left)):
                left = left[written:]
        return len(data)


# The other process --------------------------------------------------------------------------


def _serve(ends, keep: int) -> None:
    """Write what comes out of pipes until all of them are closed, and end this process."""
    try:
        for number in _IGNORED:  # of the terminal's group: the node's last words are still to come
            signal.signal(number, signal.SIG_IGN)
        streams = [_Stream(pipe, _unblocked(real)) for pipe, real in ends]
        needed = {keep, *(end for stream in streams for end in (stream.pipe, stream.real))}
        for descriptor in set(range(max(needed))) - needed:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        _copy(streams)
    finally:
        os._exit(0)


def _unblocked(real: int) -> int:
    """Open it once more: that writes to it do not wait is of the open file, which many share."""
    try:
        return os.open(f'/proc/self/fd/{real}', os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # a socket, or the terminal of another user
        return os.dup(real)


def _copy(streams) -> None:
    deadline = None
    while any(stream.open or stream.kept for stream in streams):
        if deadline is None and not any(stream.open for stream in streams):
            deadline = time.monotonic() + _LAST
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0.0:
            return
        readable, writable, _ = select.select(
            [stream.pipe for stream in streams if stream.open],
            [stream.real for stream in streams if stream.kept], [], left)
        for stream in streams:
            if stream.real in writable:
                stream.write()
            if stream.pipe in readable:
                stream.read()


class _Stream:
    """One pipe, what it goes to, and what is on the way."""

    def __init__(self, pipe: int, real: int):
        self.pipe, self.real, self.open = pipe, real, True
        self.kept, self._dropped, self._lost = bytearray(), 0, False

    def read(self) -> None:
        data = os.read(self.pipe, 1 << 16)
        self.open = bool(data)
        if self._dropped or len(self.kept) + len(data) > _KEPT:
            self._dropped += len(data)
        elif not self._lost:
            self.kept += data

    def write(self) -> None:
        try:
            del self.kept[:os.write(self.real, self.kept[:_PIECE])]
        except BlockingIOError:
            return
        except OSError:  # nobody will ever read it
            self._lost = True
            self.kept.clear()
        if not self.kept and self._dropped:
            self.kept += b'\n[%d bytes of output were dropped: nobody read it]\n' % self._dropped
            self._dropped = 0
