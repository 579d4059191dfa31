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
Kill the learner and the policy node at random moments of a session, and count what was lost.

Then stop the learner for a while in real time, and look at the delays of the control loop.
"""

import argparse
import json
import os
from pathlib import Path
import random
import re
import signal
import sys
import tempfile
import threading
import time

import numpy as np
from session import Session

from iql_ros.online.experience_log import read_experience
from iql_ros.runs.checkpoint import read_header
from iql_ros.runs.run_directory import RunDirectory

_SETTINGS = {'steps': 0, 'evaluate_every': 0, 'log_every': 1000}  # without end
_RESUMED = re.compile(r'(\d+) transitions on disk, learned from (\d+)')
_PERCENTILE = 99
_SLACK = 0.005           # [s] a p99 may differ by so much, and by half of itself


class Checks:
    """What must hold, and what was found."""

    def __init__(self):
        """Begin without one."""
        self.passed, self.failures = {}, []

    def check(self, name: str, holds: bool, found: str = '') -> None:
        """Note one."""
        self.passed[name] = self.passed.get(name, True) and bool(holds)
        if not holds:
            self.failures.append(f'{name}: {found}')
            print(f'FAILED {name}: {found}', flush=True)


class LogWatch:
    """The learner's log of experience, looked at again and again."""

    def __init__(self, session: Session, checks: Checks):
        """Take the session whose log it is."""
        self._session, self._checks = session, checks
        self._path, self._before = session.run_folder / 'experience.log', b''
        self.count = 0

    def look(self) -> None:
        """Compare the log with what was acknowledged until now, and with the last look."""
        acknowledged = dict(self._session.listener.acknowledged)
        records = read_experience(self._path)
        content, check = records.tobytes(), self._checks.check
        check('the log only grew', content.startswith(self._before),
              f'{len(self._before)} bytes before, {len(content)} now')
        self._before, self.count = content, len(records)
        for session, steps in acknowledged.items():
            found = records['step'][records['session'] == session]
            check('acknowledged steps are on disk', len(found) >= steps,
                  f'session {session}: {steps} acknowledged, {len(found)} on disk')
        for session in np.unique(records['session']):
            found = records['step'][records['session'] == session]
            check('every step once, none missing',
                  np.array_equal(found, np.arange(len(found), dtype=np.uint64)),
                  f'session {session}: {len(found)} records')


def kill_learner(session: Session, log: LogWatch, checks: Checks) -> dict:
    """Kill and restart the learner; return what was seen."""
    listener = session.listener
    session.signal('finetune_node', signal.SIGKILL)
    killed, count = time.monotonic(), listener.count
    log.look()
    header = read_header(RunDirectory(session.run_folder.name).latest())
    position = header['online']['position']
    session.start('finetune_node')
    said = session.wait(lambda: _RESUMED.search(session.output('finetune_node')),
                        'the learner after its kill')
    checks.check('resumed from its last checkpoint', int(said[2]) == position,
                 f'it says {said[2]}, the checkpoint {position}')
    checks.check('resumed with the whole log', int(said[1]) >= log.count,
                 f'it says {said[1]}, the log held {log.count}')
    updates = header['step'] - header['online']['first_step']
    session.wait(lambda: listener.count > count and listener.last.updates > updates,
                 'an update after the kill')
    return {'who': 'learner', 'back_s': time.monotonic() - killed, 'log': log.count,
            'position': position, 'updates': updates}


def kill_policy(session: Session, log: LogWatch) -> dict:
    """Kill and restart the policy node; return what was seen."""
    known = set(session.listener.acknowledged)
    session.signal('policy_node', signal.SIGKILL)
    killed = time.monotonic()
    log.look()
    session.start('policy_node')
    session.wait(lambda: set(session.listener.acknowledged) - known,
                 'an acknowledgement of the new session')
    return {'who': 'policy', 'back_s': time.monotonic() - killed, 'log': log.count}


def kill_both(arguments, folder: Path, checks: Checks) -> list[dict]:
    """Kill the two in turn, at random moments; return what was seen of every kill."""
    draw, pause, rows = random.Random(arguments.seed), threading.Event(), []
    settings = {**_SETTINGS, 'checkpoint_every': arguments.checkpoint_every}
    with Session(folder, 'killed', settings, lockstep=True) as session:
        listener, log = session.listener, LogWatch(session, checks)
        session.wait(lambda: listener.updates > 0, 'the first update')
        for number in range(2 * arguments.times):
            pause.wait(draw.uniform(*arguments.wait))
            row = (kill_policy(session, log) if number % 2
                   else kill_learner(session, log, checks))
            earlier = [other for other in rows if other['who'] == row['who'] == 'learner']
            for name in ('position', 'updates') if earlier else ():
                checks.check(f'{name} of the checkpoints count on',
                             row[name] >= earlier[-1][name],
                             f'{row[name]} after {earlier[-1][name]}')
            rows.append(row)
            print(f'{number + 1:4d} {row["who"]:7} back in {row["back_s"]:4.1f} s, '
                  f'{row["log"]:6d} transitions on disk, learned from '
                  f'{row.get("position", "")}', flush=True)
        reached = listener.updates
        session.wait(lambda: listener.updates > reached, 'an update beyond all before')
        log.look()
        checks.check('learning goes on', log.count > rows[-1]['log'], f'{log.count} transitions')
    return rows


def delays_of(session: Session, seconds: float) -> list[float]:
    """Return the delays [s] of the commands of the next while."""
    begin, pause = len(session.listener.delays), threading.Event()
    pause.wait(seconds)
    return session.listener.delays[begin:]


def stop_learner(arguments, folder: Path, checks: Checks) -> dict:
    """Stop the learner's process for a while in real time; return delays and what was late."""
    settings = {**_SETTINGS, 'checkpoint_every': arguments.checkpoint_every}
    with Session(folder, 'stopped', settings, lockstep=False) as session:
        listener, log = session.listener, LogWatch(session, checks)
        session.wait(lambda: listener.updates > 0, 'the first update')
        delays = {'before': delays_of(session, arguments.stop)}
        session.signal('finetune_node', signal.SIGSTOP)
        held = sum(listener.acknowledged.values())
        delays['stopped'] = delays_of(session, arguments.stop)
        made = dict(listener.sent)
        session.signal('finetune_node', signal.SIGCONT)
        continued = time.monotonic()
        session.wait(lambda: all(listener.acknowledged[key] >= steps
                                 for key, steps in made.items()), 'all that was sent meanwhile')
        caught_up = time.monotonic() - continued
        delays['after'] = delays_of(session, arguments.stop)
        log.look()
    late = sum(made.values()) - held
    checks.check('control and experience go on without it', late > 0, f'{late} steps')
    figures = {name: float(np.percentile(values, _PERCENTILE)) for name, values in delays.items()}
    usual = float(np.percentile(delays['before'] + delays['after'], _PERCENTILE))
    checks.check('delays of control as without the stop',
                 figures['stopped'] <= 1.5 * usual + _SLACK,
                 f'p99 {1e3 * figures["stopped"]:.2f} ms stopped, {1e3 * usual:.2f} ms before and '
                 'after')
    return {'p99_s': figures, 'steps_while_stopped': late, 'caught_up_s': caught_up,
            'median_s': {name: float(np.median(values)) for name, values in delays.items()},
            'commands': {name: len(values) for name, values in delays.items()}}


def report(rows: list[dict], stopped: dict, checks: Checks) -> None:
    """Print the tables and the verdict."""
    for who in ('learner', 'policy'):
        back = [row['back_s'] for row in rows if row['who'] == who]
        if back:
            print(f'{who} killed {len(back)} times, back in {np.median(back):.1f} s (median), '
                  f'{max(back):.1f} s (most)')
    if stopped:
        print('learner stopped: p99 of the time from a tick (the clock there, then settle) to '
              'its command, both as heard by this process')
        for name, p99 in stopped['p99_s'].items():
            print(f'  {name:8} {1e3 * p99:6.2f} ms (median {1e3 * stopped["median_s"][name]:.2f}) '
                  f'over {stopped["commands"][name]} commands')
        print(f'  {stopped["steps_while_stopped"]} steps were made meanwhile; all acknowledged '
              f'{stopped["caught_up_s"]:.1f} s after it went on')
    for name, passed in checks.passed.items():
        print(f'{"ok    " if passed else "FAILED"} {name}')
    print('verdict: ' + ('nothing lost' if not checks.failures else
                         f'{len(checks.failures)} checks failed'))


def main(argv=None) -> int:
    """Kill, stop, compare; return 1 when something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--times', type=int, default=50, help='kills of each of the two')
    parser.add_argument('--wait', type=float, nargs=2, default=(1.0, 4.0), metavar='S',
                        help='shortest and longest time between a return and the next kill [s]')
    parser.add_argument('--stop', type=float, default=30.0,
                        help='how long the learner is stopped [s]; 0: not at all')
    parser.add_argument('--checkpoint-every', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args(argv)
    # Fast DDS 2.14 (its issue 5469): kill -9 in the middle of a write to shared memory can leave
    # those who live on deaf for ever
    os.environ.setdefault('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
    checks, rows, stopped = Checks(), [], {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.times:
            rows = kill_both(arguments, Path(folder), checks)
        if arguments.stop:
            stopped = stop_learner(arguments, Path(folder), checks)
    report(rows, stopped, checks)
    if arguments.json:
        arguments.json.write_text(json.dumps(
            {'kills': rows, 'stopped': stopped, 'checks': checks.passed,
             'failures': checks.failures}, indent=1))
    return 1 if checks.failures else 0


if __name__ == '__main__':
    sys.exit(main())
