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

"""What people and other nodes do: transitions, parameters, services, operators, commanders."""

import time

from fault_campaign import judge
from fault_campaign.fault import DRIVES_ON, EITHER, either, Fault, goes_on
from fault_campaign.person import Refused, TRANSITIONS
from fault_campaign.setting import DOWNSTREAM_TIMEOUT
from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from std_srvs.srv import Trigger

_OPERATOR = (0.1, -0.5)
_FLOOD = 1000
_WAITS = 'stops, then waits'


def _operate(linear, angular):
    def cause(run):
        run.person.repeat(lambda: run.person.drive(linear, angular), 0.02)
    return cause


def _let_go(run):
    run.person.stop_repeating()


def _operator_drives(run, begin):
    last = run.stage.commands(begin)[-1]
    run.check(last.values == _OPERATOR, f'it drives {last.values}, the operator {_OPERATOR}')


def _operator_is_limited(run, begin):
    last = run.stage.commands(begin)[-1]
    expected = run.allowed.high[0], run.allowed.low[1]
    run.check(last.values == expected, f'it drives {last.values}; the limits are {expected}')


def _deactivate(run):
    run.drive()
    run.random_moment()
    run.person.change('deactivate')
    done = time.monotonic()
    run.expect_stop(run.person.asked_at)
    if run.stopped_at is not None:
        after = judge.driving(run.stage.commands(run.stopped_at), run.allowed)
        run.check(not after, f'{len(after)} driving commands after the stop')
    run.expect_silence(done + 0.05, 1.0)
    run.person.change('activate')
    run.drive()


def _invalid_transitions(run):
    for transition in (*(TRANSITIONS[name] for name in ('activate', 'configure', 'cleanup')), 99):
        try:
            run.person.change(transition, 2.0)
        except Refused as refusal:
            run.notes.append(str(refusal))


def _bad_parameters(run):
    for kind in (99, 10):
        run.person.set_parameter('seed', 0, kind)
    run.person.set_parameter('intervention_timeout', 1e9)
    run.person.set_parameter('no_such_parameter', 1.0)


def _flood(run):
    client = run.person.create_client(Trigger, 'policy_node/start_episode')
    client.wait_for_service(5.0)
    for number in range(_FLOOD):
        if number % 10:
            client.call_async(Trigger.Request())
        else:
            run.person.set_parameter('intervention_timeout', 0.5)
        time.sleep(0.001)
    run.person.destroy_client(client)  # and its last calls find nobody to answer


def _stranger(make):
    """Return a cause: another node that comes to stay for a while; it only has to be there."""
    def cause(run):
        run.stranger = make()
    return cause


def _stranger_leaves(run):
    run.stranger.destroy_node()


def _commander():
    node = Node('other_commander')
    node.create_publisher(TwistStamped, 'cmd_vel', 10)
    return node


def _activation_refused(run, begin):
    run.person.change('deactivate')
    try:
        run.person.change('activate')
        run.problems.append('activated beside a second commander')
    except Refused as refusal:
        run.notes.append(str(refusal))


def _commander_leaves(run):
    _stranger_leaves(run)
    run.pause(0.3)
    if not run.active():
        run.person.change('activate')
    run.drive()


def _clock_of_others(run):
    run.person.set_parameter('use_sim_time', True)


def _clock_back(run):
    run.person.set_parameter('use_sim_time', False)
    run.pause(0.2)


# Resets and episodes' ends -------------------------------------------------------------------

def _end_episode(run, reset):
    """Let the episode end, the reset as it then is; return when that was asked for."""
    run.drive()
    run.stage.robot.ask({'reset': reset})
    run.pause(0.2)
    run.random_moment()
    run.person.trigger('end_episode')
    return run.person.asked_at


def _episode_ends(run):
    """Repeat the stop for a while, then be silent; the reset is absent."""
    at = _end_episode(run, 'absent')
    run.expect_stop(at)
    repeat = 2 * DOWNSTREAM_TIMEOUT
    if run.stopped_at is not None:
        run.pause(max(0.0, run.stopped_at + repeat - time.monotonic()))
        commands = run.stage.commands(run.stopped_at)
        when, gap = judge.longest_gap(commands, run.stopped_at, run.stopped_at + repeat - 0.02)
        run.check(gap - run.stage.away(when, when + gap) <= 2 * run.period + 0.01,
                  f'the stop was not repeated for {gap:.3f} s')
        run.expect_silence(run.stopped_at + repeat + 2 * run.period + 0.1, 0.5)
    run.stage.robot.ask({'reset': 'ok'})
    run.drive()


def _reset(kind, seconds):
    """Return a play: no driving before a good answer of the reset; an e_stop is heard."""
    def play(run):
        at = _end_episode(run, kind)
        run.expect_stop(at)
        run.expect_no_driving(seconds, 'before the reset has answered')
        run.stage.robot.ask({'reset': 'ok'})
        run.drive()
        run.expect_e_stop()
    return play


def _reset_dies(run):
    """Kill the process that serves the reset, in the call."""
    run.drive()
    run.stage.robot.ask({'reset': 'absent'})
    server = run.stage.start_reset_server()
    _end_episode(run, 'absent')
    server.receive()  # it has been called
    server.kill()
    run.expect_no_driving(0.5, 'before the reset has answered')
    run.stage.robot.ask({'reset': 'ok'})
    run.drive()
    run.expect_e_stop()


FAULTS = (
    Fault('operator', 'an operator takes over', "goes on, the operator's way", '', goes_on(
        _operate(*_OPERATOR), _let_go, 1.0, look=_operator_drives)),
    Fault('operator_beyond', 'an operator commands beyond the limits', 'goes on within limits',
          '', goes_on(_operate(5.0, -9.0), _let_go, 1.0, look=_operator_is_limited)),
    Fault('deactivate', 'deactivate', 'stops, then silence', 'the request', _deactivate),
    Fault('invalid_transitions', 'lifecycle transitions that are invalid', DRIVES_ON, '', goes_on(
        _invalid_transitions, then_e_stop=True)),
    Fault('bad_parameters', 'parameters of an unknown type, name, value', DRIVES_ON, '', goes_on(
        _bad_parameters, then_e_stop=True)),
    Fault('sim_time_set', 'use_sim_time set while driving, without a /clock',
          EITHER, '', either(_clock_of_others, _clock_back)),
    Fault('services_flooded', f'{_FLOOD} service calls', DRIVES_ON, '', goes_on(
        _flood, then_e_stop=True)),
    Fault('second_commander', 'a second commander on cmd_vel', 'is named, refuses activation', '',
          goes_on(_stranger(_commander), _commander_leaves, words='cmd_vel|commander',
                  look=_activation_refused)),
    Fault('same_name', 'a second node named policy_node', 'goes on, is named', '', goes_on(
        _stranger(lambda: Node('policy_node')), _stranger_leaves, words='is called')),
    Fault('episode_ends', 'an episode ends, no reset answers',
          f'stop repeated {2 * DOWNSTREAM_TIMEOUT:g} s, silence', 'the request', _episode_ends),
    Fault('reset_absent', 'the reset service is absent', _WAITS, 'the request',
          _reset('absent', 1.5)),
    Fault('reset_slow', 'the reset takes 1 s', _WAITS, 'the request', _reset('slow', 0.7)),
    Fault('reset_failing', 'the reset fails', _WAITS, 'the request', _reset('failing', 1.5)),
    Fault('reset_digits', 'the reset answers 5,000 digits', _WAITS, 'the request',
          _reset('digits', 1.5)),
    Fault('reset_dies', 'the reset service dies in the call', _WAITS, '', _reset_dies),
)
