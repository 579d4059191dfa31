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

"""Trials as processes of this machine, a few at once."""

import collections
import os
from pathlib import Path
import subprocess
import sys
import threading
import time

from iql_ros.files import InputError
from iql_ros.interrupts import END_WITH_PARENT
from iql_ros.runs.run_directory import RunDirectory

_LOOK = 0.2      # [s] between two looks at what runs
_HELD = 30.0     # [s] to wait for a process that still saves the run
_LAST = 4096     # bytes of a log that its last line is looked for in


def run_here(trials, jobs: int, stop: threading.Event, on_wait):
    """
    Train, and yield (trial, '' or what went wrong) as trials end.

    Args:
        trials: What to train.
        jobs: How many at once.
        stop: Once it is set, what runs is asked to save, and nothing more is begun.
        on_wait: Called several times a second.

    """
    waiting, running, asked = collections.deque(trials), {}, False
    try:
        while running or (waiting and not stop.is_set()):
            while waiting and len(running) < jobs and not stop.is_set():
                trial = waiting.popleft()
                _wait_until_free(trial.run)
                running[trial] = _start(trial.arguments, trial.log)
            if stop.is_set() and not asked:
                asked = True
                for process in running.values():
                    process.terminate()
            for trial in [each for each, process in running.items() if process.poll() is not None]:
                yield trial, _words(running.pop(trial), trial.log)
            on_wait()
            time.sleep(_LOOK)
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def run_trial(arguments, name: str, log, folder, environment: dict) -> str:
    """
    Train in a process of this process' own; return '' or what went wrong.

    Args:
        arguments: Of `iql-ros`.
        name: Of the run, which another process may still be about to leave.
        log: File for what it prints.
        folder: To work in.
        environment: Variables, over those of this process.

    """
    os.chdir(folder)
    os.environ.update(environment)
    _wait_until_free(RunDirectory(name))
    process = _start(arguments, log)
    try:
        while process.poll() is None:
            time.sleep(_LOOK)
    except BaseException:  # such as KeyboardInterrupt, by which Ray cancels
        process.terminate()
        process.wait()
        raise
    return _words(process, log)


def _wait_until_free(run: RunDirectory) -> None:
    """Let a process that is ending, of a sweep or a worker that was killed, save its run."""
    until = time.monotonic() + _HELD
    while time.monotonic() < until:
        try:
            with run.held():
                return
        except InputError:
            time.sleep(_LOOK)


def _start(arguments, log) -> subprocess.Popen:
    """Start `iql-ros`, in a session of its own: a terminal's Ctrl-C is for us to pass on."""
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, 'ab') as file:
        return subprocess.Popen(
            [sys.executable, '-m', 'iql_ros.cli', *arguments], stdin=subprocess.DEVNULL,
            stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, END_WITH_PARENT: '1', 'PYTHONUNBUFFERED': '1'})


def _words(process: subprocess.Popen, log) -> str:
    """Return what a process that has ended says went wrong, '' when nothing did."""
    if process.returncode == 0:
        return ''
    with open(log, 'rb') as file:
        file.seek(max(0, os.path.getsize(log) - _LAST))
        lines = file.read().decode(errors='replace').split('\n')
    said = [line for line in lines if line.strip()]
    last = said[-1].removeprefix('iql-ros: error: ') if said else ''
    return last or f'ended with code {process.returncode}'
