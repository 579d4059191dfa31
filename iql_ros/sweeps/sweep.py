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

"""A sweep from its settings to its report: exact to resume, safe to interrupt."""

import contextlib
import functools
import sys
import time

import torch

from iql_ros.files import InputError
from iql_ros.interrupts import first_interrupt
from iql_ros.parallel import cores
from iql_ros.ray_cluster import connected
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.runs.train import check_run, load_for_training
from iql_ros.sweeps.on_ray import run_on_ray
from iql_ros.sweeps.page import table, verdict, write_sweep_page
from iql_ros.sweeps.processes import run_here
from iql_ros.sweeps.results import read_outcome, rows_of
from iql_ros.sweeps.trials import Sweep, Trial
from iql_ros.text_table import aligned

_SAY = 30.0   # [s] between two lines of progress where there is no terminal
_SHOW = 2.0   # [s] on a terminal


def check_sweep(sweep: Sweep, trials: list[Trial], resume: bool) -> None:
    """
    Refuse a sweep that is there already, or with `resume` one of other trials.

    Raises:
        InputError: naming the first thing that does not fit.

    """
    if not resume and sweep.folder.is_dir() and any(sweep.folder.iterdir()):
        raise InputError(f"sweep '{sweep.name}': {sweep.folder} exists already; --resume goes on "
                         'with it, --name NAME starts another')
    robot = sweep.robot_config and load_robot_interface(sweep.robot_config).text
    *_, evaluator = load_for_training(trials[0].settings, trials[0].config, robot)
    if evaluator is not None:
        evaluator.close()
    for trial in trials:
        check_run(trial.settings, trial.config, resume=trial.run.begun)


def run_sweep(sweep: Sweep, trials: list[Trial], *, jobs: int | None = None,
              on_ray: bool = False, address: str | None = None,
              resources: dict | None = None) -> dict[str, str]:
    """
    Train what is not done yet, print a table and write the report; return what failed.

    Args:
        sweep: What it is of.
        trials: Its trials, checked.
        jobs: How many at once on this machine; None: as many as there are cores, or GPUs.
        on_ray: Whether a Ray cluster runs them.
        address: Of the cluster.
        resources: What a trial needs there.

    Returns:
        Name of a trial -> what went wrong.

    Raises:
        InputError: for a cluster that does not answer.
        KeyboardInterrupt: after Ctrl-C, once all that ran has saved.

    """
    left = [trial for trial in trials if not trial.done]
    failed = {}
    with contextlib.ExitStack() as stack:
        if on_ray:
            ray = stack.enter_context(connected(address))
            run = functools.partial(run_on_ray, left, ray, resources or {})
        else:
            run = functools.partial(run_here, left, jobs or _jobs(trials))
        stop = stack.enter_context(first_interrupt())  # after Ray, which takes SIGTERM too
        sweep.write()
        progress = _Progress(trials, left)
        for trial, words in run(stop, progress.show):
            if words and not stop.is_set():
                failed[trial.name] = words
            progress.end(trial, words)
    outcomes = [read_outcome(trial) for trial in trials]
    rows = rows_of(outcomes)
    print(*aligned(table(rows)), sep='\n')
    for line in verdict(rows):
        print(line)
    print(f'report: {write_sweep_page(sweep, outcomes, failed)}')
    if stop.is_set() and not all(trial.done for trial in trials):
        raise KeyboardInterrupt
    return failed


def _jobs(trials: list[Trial]) -> int:
    """Return how many trials to run at once: one a GPU where they use it, else one a core."""
    wish = trials[0].settings.device
    if wish != 'cpu' and torch.cuda.is_available():
        return torch.cuda.device_count()
    return cores()


class _Progress:
    """How far a sweep is: a line on a terminal that is written anew, else one now and then."""

    def __init__(self, trials: list[Trial], left: list[Trial]):
        self._left, self._done = set(left), len(trials) - len(left)
        self._count, self._begun = len(trials), time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._next = self._begun
        self._first = {trial: _step(trial) for trial in left}
        self._to_do = sum(trial.settings.updates - self._first[trial] for trial in left)
        self._after = 0   # updates of trials that ended
        print(f'{self._count} trials, {self._done} of them done before', flush=True)

    def show(self) -> None:
        """Say it, where it is time."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (_SHOW if self._terminal else _SAY)
        steps = {trial: _step(trial) for trial in self._left}
        running = [f'{trial.short_name} {step / trial.settings.updates:.0%}'
                   for trial, step in steps.items() if 0 < step < trial.settings.updates]
        did = self._after + sum(step - self._first[trial] for trial, step in steps.items())
        line = f'{self._done} of {self._count} done'
        if running:
            line += f'; {", ".join(running[:4])}' + (' ...' if len(running) > 4 else '')
        if did and self._left:
            seconds = (self._to_do - did) * (now - self._begun) / did
            line += f'; about {max(1, round(seconds / 60))} min left'
        print(f'\r{line}\x1b[K' if self._terminal else line, file=sys.stderr,
              end='' if self._terminal else '\n', flush=True)

    def end(self, trial: Trial, words: str) -> None:
        """Say that a trial has ended, and why where it is not done."""
        self._left.discard(trial)
        self._done += not words
        self._after += trial.settings.updates - self._first[trial]
        clear = '\r\x1b[K' if self._terminal else ''
        print(f'{clear}{trial.short_name}: {words or "done"}', flush=True)


def _step(trial: Trial) -> int:
    """Return the updates that a trial has written down."""
    path = trial.run.path / 'metrics.csv'
    try:
        with open(path, 'rb') as file:
            file.seek(max(0, path.stat().st_size - 4096))
            rows = file.read().split(b'\n')[:-1]
    except OSError:
        return 0
    first = rows[-1].partition(b',')[0] if rows else b''
    return int(first) if first.isdigit() else 0
