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

"""Processes that are told to end, stopped, and killed."""

import os
import signal
import time

from fault_campaign import judge
from fault_campaign.fault import Fault, STOPS, trips
from fault_campaign.node import running
from fault_campaign.person import wait_for
from fault_campaign.setting import MAX_AGE

_SIGNAL = 'the signal'
_ENDS = 10.0        # [s] at most, in order
_LEAVES = 'stops, then silence'
_FOUND = 'stops; a restart finds the trip'


def _leaves(number, group=False):
    """Return a play: the node stops the robot, is silent, and gone, its sentry too."""
    def play(run):
        run.drive()
        node = run.stage.node
        sentry = node.sentry()
        run.random_moment()
        run.expect_stop(node.signal(number, group))
        code = node.wait(_ENDS)
        ended = time.monotonic()
        run.check(code == 0, f'exit code {code}' if code is not None
                  else f'it has not ended within {_ENDS:g} s')
        if run.stopped_at is not None:
            after = judge.driving(run.stage.commands(run.stopped_at), run.allowed)
            run.check(not after, f'{len(after)} driving commands after the stop')
        run.expect_silence(ended + 0.1, 0.5)
        run.check(sentry is None or wait_for(lambda: not running(sentry), 3.0),
                  'the sentry is still there')
    return play


def _killed(run):
    run.drive()
    run.random_moment()
    run.expect_stop(run.stage.node.signal(signal.SIGKILL))
    run.expect_latched()
    run.expect_found_again()


def _stopped(run):
    run.drive()
    run.random_moment()
    run.expect_stop(run.stage.node.signal(signal.SIGSTOP))
    run.expect_latched()
    run.stage.node.signal(signal.SIGCONT)
    run.expect_no_driving(max(1.0, 6 * run.period), 'after SIGCONT')
    if run.stopped_at is not None:
        run.expect_words('TRIPPED: .', time.monotonic())
    run.expect_clear_and_drive()


def _continued_at_once(run):
    """Stop for a few periods, or too shortly to be seen: nothing old may come out."""
    run.drive()
    run.random_moment()
    begin = run.stage.node.signal(signal.SIGSTOP)
    run.pause(1.0)
    continued = run.stage.node.signal(signal.SIGCONT)
    run.pause(max(0.5, 4 * run.period))
    commands = run.stage.commands(begin)
    late = judge.driving(commands, run.allowed, continued)
    run.check(not late, f'{len(late)} driving commands after SIGCONT')
    run.check(bool(judge.stops(commands, run.allowed)), 'no stop came')
    run.expect_clear_and_drive()


def _sentry_killed(run):
    run.drive()
    sentry = run.stage.node.sentry()
    if not run.check(sentry is not None, 'there is no sentry'):
        return
    run.random_moment()
    at = time.monotonic()
    os.kill(sentry, signal.SIGKILL)
    run.expect_stop(at)
    run.expect_latched('sentry')
    run.stage.node.signal(signal.SIGKILL)
    run.expect_found_again()


def _both_killed(run):
    run.drive()
    sentry = run.stage.node.sentry()
    run.check(sentry is not None, 'there is no sentry')
    run.random_moment()
    at = time.monotonic()
    for pid in filter(None, (sentry, run.stage.node.pid)):
        os.kill(pid, signal.SIGKILL)
    run.expect_silence(at + run.bound(), 1.0)


def _kill_robot(run):
    return run.stage.kill_robot() + MAX_AGE


FAULTS = (
    *(Fault(name.lower(), f'{name} to the policy node', _LEAVES, _SIGNAL,
            _leaves(getattr(signal, name)), lethal=True)
      for name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT')),
    Fault('ctrl_c', 'SIGINT to the whole process group', _LEAVES, _SIGNAL,
          _leaves(signal.SIGINT, group=True), lethal=True),
    Fault('sigstop', 'SIGSTOP of the policy node, SIGCONT 0.5 s after the stop', STOPS, _SIGNAL,
          _stopped),
    Fault('sigcont', 'SIGSTOP of the policy node for 1 s', 'stops, nothing old after', '',
          _continued_at_once),
    Fault('sigkill', 'SIGKILL of the policy node', _FOUND, _SIGNAL, _killed, lethal=True),
    Fault('sentry_killed', 'SIGKILL of the sentry', _FOUND, _SIGNAL, _sentry_killed, lethal=True),
    Fault('both_killed', 'SIGKILL of policy node and sentry',
          "silence: the robot's downstream_timeout", '', _both_killed, lethal=True),
    Fault('robot_killed', "SIGKILL of the robot's process", STOPS,
          f'the signal + max_age ({MAX_AGE:g} s)', trips(
              _kill_robot, lambda run: run.stage.start_robot(), 'robot_pose|joint_states')),
)
