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
A process of the campaign that answers through a pipe; robot, observer and timer are such.

It imports its own module and nothing else: what is judged by it is not in it.
"""

import contextlib
import importlib
import json
import multiprocessing
from multiprocessing.connection import Connection
import os
from pathlib import Path
import subprocess
import sys

_PRIORITY = 20   # real-time, above the node's and the sentry's: they must not hold up a measure
_DISCOVERY = '02468'   # how Fast DDS's threads end that hear of others' topics


def go_first() -> None:
    """Let the threads of this process go before all others, where that may be."""
    for thread in Path('/proc/self/task').iterdir():
        name = (thread / 'comm').read_text().strip()
        if not (name.startswith(('dds.udp', 'dds.shm')) and name.endswith(tuple(_DISCOVERY))):
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(_PRIORITY))


class Helper:
    """One such process: `run(pipe, *arguments)` of a module beside this one."""

    def __init__(self, module: str, *arguments):
        """Start it; the arguments are numbers or booleans."""
        self._pipe, theirs = multiprocessing.Pipe()
        number = theirs.fileno()
        environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[1])}
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'fault_campaign.helper', module, str(number),
             json.dumps(arguments)], pass_fds=[number], env=environment, start_new_session=True)
        theirs.close()
        self._module = module

    def receive(self, timeout: float = 30.0):
        """Return what it says next."""
        try:
            if self._pipe.poll(timeout):
                return self._pipe.recv()
        except EOFError:
            pass
        raise SystemExit(f'the {self._module} does not answer')

    def ask(self, question):
        """Return the answer to a question."""
        self._pipe.send(question)
        return self.receive()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it."""
        try:
            self._pipe.send(None)
            self.process.wait(2.0)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.kill()


if __name__ == '__main__':
    try:
        importlib.import_module(f'fault_campaign.{sys.argv[1]}').run(
            Connection(int(sys.argv[2])), *json.loads(sys.argv[3]))
    except (EOFError, BrokenPipeError):
        pass  # the campaign has ended
    os._exit(0)  # whatever still spins
