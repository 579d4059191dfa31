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

"""What else a robot's YAML and parameters let the gate do, and a dead man's switch."""

import math
import time

from fault_campaign import judge
from fault_campaign.fault import Fault, goes_on, STOPS, trips
from fault_campaign.person import NODE
from fault_campaign.setting import (
    BLEND_IN, FARTHEST, HIGH, LIFT_ERROR, LIFT_ERROR_TIME, LIMIT_HIGH, SLOWEST)

_ENABLE, _HELD = f'{NODE}/enable', 0.5    # [s], enable_timeout
_POSE = 'robot_pose'
_TICK = 'the next tick is due'
_SCALE = 0.2
_ROUNDING = 1e-6
_SETTLED = 0.3     # [s] until commands are those that last


# Hold to run -----------------------------------------------------------------------------------

def _press(run):
    run.held_at = run.person.press(True, _ENABLE)


def _hold(run):
    _press(run)
    run.person.repeat(lambda: _press(run), _HELD / 5)


def _release(run):
    run.person.stop_repeating()
    return run.person.press(False, _ENABLE)


def _fall_silent(run):
    run.person.stop_repeating()
    return run.held_at + _HELD


def _let_go(cause):
    def play(run):
        _hold(run)
        run.drive()
        run.random_moment()
        run.expect_stop(cause(run))
        run.expect_words('somebody to hold ~/enable')
        run.expect_no_driving(max(0.3, 3 * run.period), 'while nobody holds ~/enable')
        _hold(run)
        run.stage.drive(15.0)
        run.person.stop_repeating()
    return play


# Limits ----------------------------------------------------------------------------------------

def _narrow(run):
    run.person.set_parameter('limit_scale', _SCALE)


def _widen(run):
    run.person.set_parameter('limit_scale', 1.0)
    run.pause(0.5)


def _is_narrow(run, begin):
    commands = run.stage.commands(time.monotonic() - max(_SETTLED, 3 * run.period))
    wide = [each for each in commands if any(
        abs(value) > _SCALE * most + _ROUNDING for value, most in zip(each.values, LIMIT_HIGH))]
    run.check(commands and not wide, f'{len(wide)} of {len(commands)} commands are outside')


def _no_stop(run, commands):
    stopped = judge.stops(commands, run.allowed)
    if stopped:
        run.stopped_at = stopped[0].mono
        run.expect_words('TRIPPED')
        run.blame_the_machine()
        run.check(False, f'it stopped: {run.words[:200]}')


def _at_the_end_of_its_range(run):
    """Report a pose beyond the range: nothing may drive further out, and all else goes on."""
    run.allowed = run.allowed._replace(max_rate=(math.inf, run.allowed.max_rate[1]))
    run.drive()
    run.random_moment()
    sent = run.stage.order(_POSE, 'far')['mono']
    found = run.stage.wait_commands(
        sent, lambda commands: [each for each in commands if each.values[0] <= 0], 4.0)
    if run.check(found, 'it drives on outwards'):
        at, cause = found[0].mono, run.due_from(sent)
        run.late = run.stage.away(cause, max(at, cause))
        run.reaction = max(0.0, at - cause - run.late)
        run.check(run.reaction <= run.bound(), f'{1e3 * run.reaction:.1f} ms after that tick')
        run.pause(max(0.8, 4 * run.period))
        after = run.stage.commands(at)
        outwards = [each for each in after if each.values[0] > 0]
        run.check(not outwards, f'{len(outwards)} commands drive further out')
        _no_stop(run, after)
    run.stage.order(_POSE, None)
    run.pause(max(1.0, 4 * run.period))
    _no_stop(run, run.stage.commands(sent))
    last = run.stage.commands(time.monotonic() - 3 * run.period)
    run.check(last and last[-1].values[0] >= SLOWEST, 'it does not drive on afterwards')


# From the stop to the policy -------------------------------------------------------------------

def _blends_in(run):
    """Press the e_stop, clear: what follows comes from the stop within blend_in, not at once."""
    run.drive()
    run.person.press(False)
    run.random_moment()
    run.expect_stop(run.person.press(True))
    run.expect_latched('e_stop')
    run.person.press(False)
    run.expect_clear_and_drive()
    run.pause(1.3 * BLEND_IN + 3 * run.period)
    commands = run.stage.commands(run.stopped_at)
    drove = judge.driving(commands, run.allowed)
    _no_stop(run, [each for each in commands if drove and each.mono > drove[-1].mono])
    stood = [index for index, each in enumerate(commands) if judge.is_stop(each, run.allowed)][-1]
    for each in commands[stood + 1:]:
        share = (each.stamp_ns - commands[stood].stamp_ns) * 1e-9 / BLEND_IN
        if share < 1:
            run.check(abs(each.values[0]) <= share * HIGH[0] + _ROUNDING,
                      f'{each.values[0]:.3f} m/s when {share:.2f} of blend_in was over')
    run.check(commands[-1].values[0] >= SLOWEST, 'it does not come to what the policy says')


# What should not be ----------------------------------------------------------------------------

def _stick(run):
    run.stage.robot.ask({'lift': 'stuck'})

    def cause(stop, commands):
        off = run.stage.robot.ask({'lift': 'tell'})['off_since'] or stop.mono
        return run.due_from(run.due_from(off) + LIFT_ERROR_TIME)
    return cause


def _free(run):
    run.stage.robot.ask({'lift': 'free'})


def _unlike_the_data(run):
    return run.due_from(run.stage.order(_POSE, 'large')['mono'])


FAULTS = (
    Fault('enable_released', '~/enable is released', 'stops until it is held',
          'false is published', _let_go(_release), {'enable_timeout': _HELD}),
    Fault('enable_silent', f'~/enable falls silent, enable_timeout {_HELD:g} s',
          'stops until it is held', 'last message + enable_timeout', _let_go(_fall_silent),
          {'enable_timeout': _HELD}),
    Fault('limit_scale', f'limit_scale {_SCALE:g} while it drives', 'goes on, inside those limits',
          '', goes_on(_narrow, _widen, seconds=1.5, look=_is_narrow)),
    Fault('range', f'a pose beyond the range of {FARTHEST:g} m', 'nothing drives further out',
          _TICK, _at_the_end_of_its_range, {'robot_config': 'range.yaml'}),
    Fault('blend_in', f'e_stop, then clear_trip, blend_in {BLEND_IN:g} s',
          'stops; then drives by and by', 'true is published', _blends_in,
          {'robot_config': 'blend_in.yaml'}),
    Fault('max_error', f'a lift sticks: more than {LIFT_ERROR:g} m off for {LIFT_ERROR_TIME:g} s',
          STOPS, _TICK, trips(_stick, _free, "'lift.*should be at", refused=False),
          {'robot_config': 'lift.yaml', 'checkpoint': 'lift.safetensors'}),
    Fault('observation_limit', 'a pose that the training data never had, observation_limit: trip',
          STOPS, _TICK, trips(_unlike_the_data, lambda run: run.stage.order(_POSE, None),
                              'was trained on', refused=False),
          {'checkpoint': 'ranged.safetensors', 'observation_limit': 'trip'}),
)
