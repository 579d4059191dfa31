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

"""The policy node as a process, and what /proc says of it and of its sentry."""

import fcntl
import os
from pathlib import Path
import signal
import subprocess
import sys
import termios
import threading
import time

import yaml

from iql_ros.sim.node_command import node_command

_SENTRY = b'iql_ros.nodes.sentry'
_LAST = 10.0  # [s] for a node to end in order


def running(pid: int) -> bool:
    """Say whether a process is there and is no zombie."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def memory(pid: int) -> float:
    """Return the memory that a process holds [MB]; 0 when it is gone."""
    try:
        return int(Path(f'/proc/{pid}/statm').read_text().split()[1]) * os.sysconf(
            'SC_PAGE_SIZE') / 1e6
    except OSError:
        return 0.0


def sentries(parent: int) -> list[int]:
    """Return the pids of the sentries that a process has started and that are its children."""
    found = []
    for folder in Path('/proc').iterdir():
        if not folder.name.isdigit():
            continue
        try:
            line = (folder / 'cmdline').read_bytes()
            its_parent = int((folder / 'stat').read_text().rpartition(')')[2].split()[1])
        except OSError:
            continue
        if _SENTRY in line and its_parent == parent:
            found.append(int(folder.name))
    return found


class NodeProcess:
    """One policy node: started with parameters, signalled, and gone when it is closed."""

    def __init__(self, name: str, folder: Path, parameters: dict, log: Path,
                 arguments=(), pipe=False):
        """
        Start it.

        Args:
            name: Of the executable, as policy_node.
            folder: Where parameters are written, and where the task's module lies.
            parameters: By name; lists too.
            log: What it says goes there.
            arguments: More of the command line.
            pipe: Whether it speaks into a pipe, which `read` empties into the log.

        """
        path = folder / f'{name}.yaml'
        path.write_text(yaml.safe_dump({'/**': {'ros__parameters': parameters}}))
        command = [*node_command(name, {})[:1], '--ros-args', '--params-file', str(path),
                   *arguments]
        # should the campaign be killed, no node may be left that drives
        environment = {**os.environ, 'IQL_ROS_END_WITH_PARENT': '1', 'PYTHONPATH': os.pathsep.join(
            filter(None, [str(folder), os.environ.get('PYTHONPATH', '')]))}
        self.log, self._reading = log, threading.Event()
        output = subprocess.PIPE if pipe else open(log, 'ab')
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=environment, cwd=folder, start_new_session=True)
        self.pid, self._sentries = self.process.pid, []
        if pipe:
            self._reading.set()
            threading.Thread(target=self._read, daemon=True).start()
        else:
            output.close()

    def _read(self) -> None:
        source = self.process.stdout.fileno()
        with open(self.log, 'ab') as log:
            while True:
                self._reading.wait()
                data = os.read(source, 65536)
                if not data:
                    return
                log.write(data)
                log.flush()

    def stop_reading(self) -> None:
        """Let nobody read what it says, and fill the pipe up."""
        self._reading.clear()
        path = f'/proc/self/fd/{self.process.stdout.fileno()}'
        write_end = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            for size in (4096, 1):
                try:
                    while True:
                        os.write(write_end, b'\n' * size)
                except BlockingIOError:
                    pass
        finally:
            os.close(write_end)

    def unread(self) -> int:
        """Return how many bytes wait in the pipe."""
        answer = fcntl.ioctl(self.process.stdout.fileno(), termios.FIONREAD, bytes(4))
        return int.from_bytes(answer, sys.byteorder)

    def read_again(self) -> None:
        """Empty the pipe from now on."""
        self._reading.set()

    def sentry(self) -> int | None:
        """Return the sentry's pid, None where there is none."""
        self._sentries = sentries(self.pid) or self._sentries
        return next((pid for pid in self._sentries if running(pid)), None)

    def signal(self, number: int, group: bool = False) -> float:
        """Send a signal, to its whole group if asked; return when [CLOCK_MONOTONIC, s]."""
        self.sentry()  # its child as yet; not in the time that is measured
        now = time.monotonic()
        (os.killpg if group else os.kill)(self.pid, number)
        return now

    @property
    def ended(self) -> bool:
        """Say whether it has ended."""
        return self.process.poll() is not None

    def words(self) -> str:
        """Return the last of what it has said."""
        return self.log.read_text(errors='replace')[-1500:] if self.log.exists() else ''

    def wait(self, timeout: float) -> int | None:
        """Return the exit code, None when it does not end in time [s]."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End it: in order where that works, by force where it does not, its sentry too."""
        self.sentry()
        self._reading.set()
        if not self.ended:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            if self.wait(_LAST) is None:
                self.process.kill()
                self.process.wait()
        deadline = time.monotonic() + 2.0
        for pid in self._sentries:
            while running(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
            if running(pid):
                os.kill(pid, signal.SIGKILL)
