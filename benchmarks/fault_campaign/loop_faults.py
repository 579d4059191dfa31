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

"""What blocks or breaks the policy node from inside, and what loads the machine."""

import resource
import shutil
import subprocess
import sys
import time

from fault_campaign.fault import DRIVES_ON, Fault, goes_on, STOPS, trips
from fault_campaign.flow import Disturbed
from fault_campaign.person import Refused, wait_for

_DUE = 'the next command was due'
_STUCK = {'pipe': True, 'arguments': ['--log-level', 'debug']}
_RESULTS = {'results': 'results/episodes.csv'}


def _flag(order, seconds=0.0):
    """Return a cause: the task function does something, and the next command fails to come."""
    def cause(run):
        try:
            run.flagged = run.stage.flag(order, seconds), seconds
        except Refused as refusal:
            raise Disturbed(str(refusal)) from None
        return run.due_after_last
    return cause


def _wait_until_over(run):
    began, seconds = run.flagged
    run.pause(max(0.0, began + seconds + 0.2 - time.monotonic()))


def _stick(run):
    node = run.stage.node
    node.stop_reading()
    for size in (0.5, 0.6, 0.5):  # each is logged
        run.person.set_parameter('intervention_timeout', size)
    run.check(wait_for(node.unread, 1.0) > 0, 'the pipe is empty')


def _unstick(run):
    run.stage.node.read_again()
    run.pause(0.3)


def _busy(run):
    run.busy = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(4)]
    run.pause(0.3)
    return run.person.press(True)


def _idle(run):
    for process in run.busy:
        process.kill()
        process.wait()
    run.person.press(False)


def _busy_play(run):
    """Press the e_stop beside four busy processes; a trip that came first is a stop too."""
    run.drive()
    run.person.press(False)
    run.random_moment()
    at = _busy(run)
    try:
        run.driven_since = run.acted_at = at
        run.expect_stop(at, seconds_only=True)
        run.expect_latched()
    finally:
        _idle(run)
    run.expect_no_driving(max(0.3, 3 * run.period), 'before clear_trip, by itself')
    run.expect_clear_and_drive()


def _write_nowhere(run, spoil, restore):
    """Let an episode end while its result cannot be written; then an e_stop, too."""
    run.drive()
    run.random_moment()
    spoil(run)
    try:
        run.person.trigger('end_episode')
        run.pause(0.2)
        run.drive()
        run.expect_e_stop()
        run.check(not run.stage.node.ended, 'the policy node ended')
    finally:
        restore(run)


def _no_folder(run):
    folder = run.stage.folder / 'results'
    _write_nowhere(run, lambda run: shutil.rmtree(folder), lambda run: folder.mkdir(exist_ok=True))


def _limit_files(run, size):
    node = run.stage.node
    for pid in filter(None, (node.pid, node.sentry())):
        try:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        except ProcessLookupError:
            pass


def _disk_full(run):
    # No file may grow: what a full disk does to a write, without filling one.
    _write_nowhere(run, lambda run: _limit_files(run, 0),
                   lambda run: _limit_files(run, resource.RLIM_INFINITY))


def _trip_on_a_full_disk(run):
    _limit_files(run, 0)
    return run.person.press(True)


def _disk_has_room(run):
    _limit_files(run, resource.RLIM_INFINITY)
    run.person.press(False)


FAULTS = (
    Fault('task_raises', 'a task function raises', STOPS, _DUE, trips(
        _flag('raise'), words='burnt', refused=False)),
    Fault('stalls', 'the control thread stalls 0.5 s', STOPS, _DUE, trips(
        _flag('stall', 0.5), _wait_until_over, 'late', refused=False)),
    Fault('gil_held', 'a task function holds the interpreter lock 3 s', STOPS, _DUE, trips(
        _flag('hold', 3.0), _wait_until_over, 'late|no word', refused=False)),
    Fault('busy', 'four busy processes, then e_stop', STOPS, 'true is published', _busy_play),
    Fault('stdout_stuck', 'nobody reads the log', DRIVES_ON, '', goes_on(
        _stick, _unstick, seconds=1.5, then_e_stop=True), _STUCK),
    Fault('results_gone', 'the folder of the results is removed', DRIVES_ON, '', _no_folder,
          _RESULTS),
    Fault('disk_full', 'no file can be written', DRIVES_ON, '', _disk_full, _RESULTS),
    Fault('disk_full_trip', 'e_stop while no file can be written', STOPS, 'true is published',
          trips(_trip_on_a_full_disk, _disk_has_room, 'e_stop'), _RESULTS),
)
