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

"""Faults of a simulated clock; those of the system's clock are tested where it can be set."""

import time

from fault_campaign import judge
from fault_campaign.fault import Fault, STOPS, trips

_STANDS = 0.2   # [s]
_HOUR = 3600.0
_JUMP = 'the /clock message that jumps'
_STOOD = f'last move of /clock + {_STANDS:g} s'


def _jump(seconds):
    return lambda run: run.stage.robot.ask({'clock': 'jump', 'seconds': seconds})['mono']


def _stand(run):
    return run.stage.robot.ask({'clock': 'stand'})['last_mono'] + _STANDS


def _go(run):
    run.stage.robot.ask({'clock': 'go'})


def _operator_then_stand(run):
    run.person.stop_repeating()
    return _stand(run)


def _operate(run):
    run.person.repeat(lambda: run.person.drive(0.1, -0.5), 0.02)
    run.pause(0.4)


def _back_while_tripped(run):
    run.drive()
    run.random_moment()
    run.expect_stop(run.person.press(True))
    begin = _jump(-_HOUR)(run)
    run.pause(max(1.0, 6 * run.period))
    end = time.monotonic()
    commands = run.stage.commands(begin)
    when, gap = judge.longest_gap(commands, begin, end)
    run.check(gap <= 2 * run.period + run.stage.away(when, when + gap) + 0.02,
              f'the stop was not repeated for {gap:.3f} s after the clock went back')
    run.check(not judge.driving(commands, run.allowed, begin), 'it drives')
    run.person.press(False)
    run.expect_clear_and_drive()


FAULTS = tuple(Fault(*parts, simulated=True) for parts in (
    ('clock_back', '/clock goes back by 5 s', STOPS, _JUMP, trips(
        _jump(-5.0), words='clock', refused=False)),
    ('clock_forward', '/clock goes forwards by 5 s', STOPS, _JUMP, trips(
        _jump(5.0), words='clock', refused=False)),
    ('clock_stands', '/clock stands', STOPS, _STOOD, trips(_stand, _go, 'clock')),
    ('clock_stands_operator', '/clock stands and the operator lets go', STOPS, _STOOD, trips(
        _operator_then_stand, _go, 'clock', ready=_operate)),
    ('clock_back_tripped', '/clock goes back by 1 h while tripped', 'goes on repeating the stop',
     'true is published (the e_stop before)', _back_while_tripped)))
