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

"""The e_stop in all its states."""

import time

from fault_campaign.fault import Fault, STOPS, trips
from fault_campaign.person import Refused

_OTHER = '/big_button'
_PRESSED = 'true is published'
_NEVER = 'never drives'
_TIMEOUT = 0.5  # [s]
# [s] a button is found within, and heard: nothing drives until then. Released before, it was never
# heard to be pressed, and the robot may go on.
_FOUND = 5.0
_TWO = {'e_stops': ['~/e_stop', _OTHER]}


def _press(**how):
    return lambda run: run.person.press(True, **how)


def _release(**how):
    return lambda run: run.person.press(False, **how)


def _button(name, what, node=None, words='e_stop', **how):
    return Fault(name, what, STOPS, _PRESSED, trips(
        _press(**how), _release(**how), words, ready=_release(**how)), node or {})


def _never_drives(run, seconds=1.5):
    run.expect_no_driving(max(seconds, 6 * run.period), 'while the button is pressed')


def _transitions(run, *names):
    for name in names:
        try:
            run.person.change(name)
        except Refused as refusal:
            run.notes.append(f'{name}: {refusal}')


def _drive_again(run):
    """Release, activate, clear: whatever of it is needed; then it must drive."""
    run.expect_no_driving(max(0.3, 3 * run.period), 'before clear_trip, by itself')
    if not run.active():
        _transitions(run, 'activate')
    run.stage.clear(0.3)
    try:
        run.stage.drive(15.0)
    except Refused as refusal:
        run.problems.append(f'after release and clear_trip: {refusal}')


def _pressed_while_inactive(run):
    run.drive()
    _release()(run)
    run.random_moment()
    run.person.change('deactivate')
    _press()(run)
    run.pause(0.1)
    _transitions(run, 'activate')
    _never_drives(run)
    _release()(run)
    _drive_again(run)


def _kept_over_cleanup(run):
    run.drive()
    _release()(run)
    run.random_moment()
    run.expect_stop(_press()(run))
    _transitions(run, 'deactivate', 'cleanup', 'configure', 'activate')
    _never_drives(run)
    run.expect_refused()
    _release()(run)
    _drive_again(run)


def _before_the_start(qos, repeated):
    def play(run):
        run.stage.end_node()
        run.begin = time.monotonic()
        run.person.press(True, qos=qos, heard=False)
        if repeated:
            run.person.repeat(lambda: run.person.press(True, qos=qos, heard=False), 0.5)
        run.stage.start_node()
        run.check(run.wait_active(30.0), 'it is not active within 30 s')
        _never_drives(run, _FOUND)
        run.check(not run.driving_since(run.begin), 'it drove before the release')
        run.person.stop_repeating()
        run.person.press(False, qos=qos)
        _drive_again(run)
    return play


def _one_of_two(run):
    """Press one button, release another one of the same topic."""
    run.drive()
    for who in (0, 1):
        run.person.press(False, who=who)
    run.random_moment()
    run.expect_stop(run.person.press(True, who=0))
    run.person.press(False, who=1)
    run.expect_latched('e_stop')
    run.person.press(False, who=0)
    run.expect_no_driving(max(0.3, 3 * run.period), 'before clear_trip, by itself')
    run.expect_clear_and_drive()


def _speak(run):
    run.person.press(False)
    run.person.repeat(lambda: _note_spoken(run), 0.1)
    run.pause(0.3)


def _note_spoken(run):
    run.spoken = run.person.press(False)


def _fall_silent(run):
    run.person.stop_repeating()
    return run.spoken + _TIMEOUT


def _timeout(run):
    run.spoken = run.person.press(False)
    run.person.repeat(lambda: _note_spoken(run), 0.1)
    trips(_fall_silent, _speak, 'e_stop')(run)
    run.person.stop_repeating()


FAULTS = (
    _button('e_stop', 'e_stop pressed (released: does not drive by itself)'),
    _button('e_stop_best_effort', 'e_stop of a best-effort publisher', qos='best_effort'),
    _button('e_stop_latched', 'e_stop of a transient-local publisher', qos='latched'),
    Fault('e_stop_two_buttons', 'two buttons on one topic, one pressed, the other released',
          STOPS, _PRESSED, _one_of_two),
    Fault('e_stop_inactive', 'e_stop pressed while inactive, then activated', _NEVER, '',
          _pressed_while_inactive),
    Fault('e_stop_kept', 'e_stop pressed, then cleanup, configure, activate',
          'stops, never drives', _PRESSED, _kept_over_cleanup),
    _button('e_stop_second_topic', 'e_stop on the second topic of e_stops', _TWO, 'big_button',
            topic=_OTHER),
    Fault('e_stop_silent', f'e_stop_timeout {_TIMEOUT:g} s: the button falls silent', STOPS,
          'last message + e_stop_timeout', _timeout, {'e_stop_timeout': _TIMEOUT}),
    Fault('e_stop_before', 'e_stop published once before the start, transient local', _NEVER, '',
          _before_the_start('latched', False), lethal=True),
    Fault('e_stop_repeated_before', 'e_stop repeated at 2 Hz from before the start', _NEVER, '',
          _before_the_start('reliable', True), lethal=True),
)
