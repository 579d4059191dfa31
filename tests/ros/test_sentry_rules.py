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

"""Tests for nodes/sentry/rules.py: literal times, no clock."""

import numpy as np
import pytest
import yaml

from iql_ros.files import share_folder
from iql_ros.nodes.sentry.channel import Kind, Message
from iql_ros.nodes.sentry.rules import patience_ns, Sentry
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.safety import Gate
from tests.robot.arm import arm, MAX_RATE
from tests.ros.test_publishers import LIFT

MS = 1_000_000
PERIOD = 20 * MS
STOP = (0.0, 0.0)
DIFFBOT = share_folder() / 'config' / 'robots' / 'diffbot.yaml'
TEXT = DIFFBOT.read_text().replace('control_rate: 5.0', 'control_rate: 50.0')


class Wire:
    """What a sentry has published and told."""

    def __init__(self, text=TEXT):
        self.sent, self.told, self.again = [], [], []
        self.sentry = Sentry(parse_robot_interface(text, 'text'), self._publish, self.told.append,
                             again=self._publish_again)

    def _publish(self, command, stamp_ns):
        self.sent.append((tuple(command.tolist()), stamp_ns))

    def _publish_again(self, what, command, stamp_ns):
        self.again.append((what[0], tuple(command.tolist()), stamp_ns))

    def open(self, now_ns=0, tripped=''):
        self.sentry.take(Message(Kind.OPEN, now_ns, 1000 + now_ns, text=tripped), now_ns)

    def drive(self, now_ns, *action, sampled_ns=None, stamp_ns=None, due_ns=0):
        self.sentry.take(Message(
            Kind.DRIVE, now_ns if sampled_ns is None else sampled_ns,
            1000 + now_ns if stamp_ns is None else stamp_ns, due_ns, np.array(action)), now_ns)

    def say(self, kind, now_ns, **rest):
        self.sentry.take(Message(kind, now_ns, 1000 + now_ns, **rest), now_ns)

    @property
    def reasons(self):
        return [message.text for message in self.told if message.kind == Kind.TRIPPED]


def test_a_command_goes_out_as_it_was_decided():
    wire = Wire()
    wire.open()
    wire.drive(5, 0.05, -0.2)
    assert wire.sent == [((0.05, -0.2), 1005)] and wire.reasons == []


def test_nothing_goes_out_before_it_is_opened_and_after_it_is_closed():
    wire = Wire()
    wire.drive(5, 0.05, 0.0)
    wire.say(Kind.STOP, 6)
    wire.say(Kind.TRIP, 7, text='pressed')
    wire.sentry.look(10 ** 12)
    assert wire.sent == []


@pytest.mark.parametrize('action, reason', [
    ((np.nan, 0.0), 'nan, 0.0'), ((0.0, np.inf), '0.0, inf'), ((0.05,), 'expected 2 finite'),
    ((0.4, 0.0), r'action[0] is 0.4; allowed (limit): -0.3 to 0.3'),
    ((0.0, 0.31), r'action[1] is 0.31; allowed (max_rate): -0.3 to 0.3')])
def test_a_command_that_is_unfit_is_a_trip_and_the_stop_goes_out_instead(action, reason):
    wire = Wire()
    wire.open()
    wire.drive(5, *action)
    assert [command for command, _ in wire.sent] == [STOP] and reason in wire.reasons[0]


def test_the_rate_is_that_of_the_time_between_commands_as_in_the_gate():
    wire = Wire()
    wire.open()
    wire.drive(0, 0.06, 0.0)            # 3 m/s^2 for 20 ms
    wire.drive(20 * MS, 0.12, 0.0)
    wire.drive(30 * MS, 0.15, 0.0)
    assert wire.reasons == []
    wire.drive(35 * MS, 0.17, 0.0)
    assert 'max_rate' in wire.reasons[0]


def test_a_command_older_than_1_7_periods_is_a_trip():
    wire = Wire()
    wire.open()
    wire.drive(54 * MS, 0.05, 0.0, sampled_ns=20 * MS)
    assert wire.reasons == []
    wire.drive(75 * MS, 0.05, 0.0, sampled_ns=40 * MS)
    assert wire.reasons == ['the sentry refused a command: it is 0.035 s old; allowed: 0.034 s']
    assert wire.sent[-1][0] == STOP


def test_silence_while_it_drives_is_a_trip_after_1_7_periods():
    wire = Wire()
    wire.open()
    wire.drive(0, 0.05, 0.0)
    wire.say(Kind.LOOKED, 10 * MS)
    assert wire.sentry.due_ns() == 44 * MS
    wire.sentry.look(44 * MS - 1)
    assert wire.reasons == []
    wire.sentry.look(44 * MS)
    assert wire.reasons == ['no word from policy_node for 0.034 s']
    assert wire.sent[-1] == (STOP, 1000 + 44 * MS)


def test_a_command_that_does_not_come_is_missed_0_85_periods_after_it_was_due():
    wire = Wire()
    wire.open()
    wire.drive(0, 0.05, 0.0, due_ns=PERIOD)
    wire.say(Kind.LOOKED, 19 * MS)      # the last word; 34 ms after it would be late for a robot
    wire.sentry.look(37 * MS - 1)
    assert wire.reasons == [] and wire.sentry.due_ns() == 37 * MS
    wire.sentry.look(37 * MS)
    assert wire.reasons == ['a command is 0.017 s late'] and wire.sent[-1][0] == STOP


def test_a_command_of_which_nobody_knows_when_the_next_is_due_is_not_missed():
    wire = Wire()
    wire.open()
    wire.drive(0, 0.05, 0.0, due_ns=PERIOD)
    wire.drive(10 * MS, 0.05, 0.0)     # an operator's
    wire.say(Kind.LOOKED, 40 * MS)
    wire.sentry.look(41 * MS)
    assert wire.reasons == [] and wire.sentry.due_ns() == 74 * MS


REPEATED = TEXT.replace('rule: mean', 'rule: mean\n    publish_rate: 200\n    heartbeat: {topic: '
                        'alive, type: std_msgs/msg/Bool, rate: 100, set: {data: true}}')


def look(wire, *at):
    for now in at:
        wire.sentry.look(now * MS)
    found, wire.again[:] = list(wire.again), []
    return [(what, command, stamp - 1000) for what, command, stamp in found]


def test_between_ticks_the_last_command_is_sent_again_while_somebody_watches():
    wire = Wire(REPEATED)
    wire.open()
    assert wire.sentry.due_ns() is None and look(wire, 3) == []
    wire.drive(10 * MS, 0.05, 0.0)
    wire.say(Kind.LOOKED, 10 * MS)
    assert look(wire, 11) == [('heartbeat', (0.05, 0.0), 11 * MS)]
    assert wire.sentry.due_ns() == 15 * MS and look(wire, 14) == []
    assert look(wire, 15) == [('command', (0.05, 0.0), 15 * MS)]
    wire.drive(19 * MS, 0.07, 0.0)      # what goes out anew needs no repeat
    assert [what for what, *_ in look(wire, 20, 23)] == ['heartbeat']
    assert look(wire, 24)[0][1] == (0.07, 0.0) and len(wire.sent) == 2


def test_what_is_sent_again_is_stamped_before_the_next_tick_however_late_its_command_comes():
    wire = Wire(REPEATED)
    wire.open()
    wire.drive(10 * MS, 0.05, 0.0)                # the next tick's command will say 30 ms
    wire.say(Kind.LOOKED, 10 * MS)
    again = look(wire, 25, 31, 36)
    assert [stamp for what, _, stamp in again if what == 'command'] == [
        25 * MS, 30 * MS - 1, 30 * MS - 1]


def test_a_trip_is_repeated_by_the_stop_and_between_episodes_nothing_is():
    wire = Wire(REPEATED)
    wire.open()
    wire.drive(0, 0.05, 0.0)
    wire.say(Kind.STOP, 4 * MS)
    assert wire.sentry.due_ns() is None and look(wire, 20, 40) == []
    wire.sentry.trip('e_stop', 50 * MS)
    repeated = look(wire, 55, 60, 66)
    assert {command for _, command, _ in repeated} == {STOP}
    assert [what for what, *_ in repeated].count('command') == 3


def test_a_watchdog_that_says_what_it_saw_long_ago_counts_as_silent():
    wire = Wire()
    wire.open()
    wire.drive(0, 0.05, 0.0)
    wire.sentry.take(Message(Kind.LOOKED, 10 * MS, 1000 + 10 * MS), 500 * MS)
    wire.sentry.look(500 * MS)
    assert wire.reasons == ['no word from policy_node for 0.490 s']


def test_between_episodes_nobody_needs_to_watch():
    wire = Wire()
    wire.open()
    wire.drive(0, 0.05, 0.0)
    wire.say(Kind.STOP, 20 * MS)
    assert wire.sentry.due_ns() is None
    wire.sentry.look(10 ** 12)
    assert wire.reasons == [] and [command for command, _ in wire.sent] == [(0.05, 0.0), STOP]


def test_a_trip_lets_only_the_stop_out_and_repeats_it_until_it_is_cleared():
    wire = Wire()
    wire.open()
    wire.say(Kind.TRIP, 0, text='stream too old')
    wire.drive(MS, 0.05, 0.0)
    wire.sentry.look(23 * MS)
    assert [command for command, _ in wire.sent] == [STOP]
    wire.sentry.look(24 * MS)
    assert [command for command, _ in wire.sent] == [STOP, STOP]
    wire.say(Kind.CLEAR, 25 * MS)
    wire.drive(26 * MS, 0.05, 0.0)
    assert wire.sent[-1][0] == (0.05, 0.0)


def test_the_first_reason_is_kept_and_told_again_to_whoever_commands_nevertheless():
    wire = Wire()
    wire.open()
    wire.sentry.trip('e_stop', 0)
    wire.sentry.trip('late', 1)
    wire.drive(2, 0.05, 0.0)
    assert wire.reasons == ['e_stop', 'e_stop']


def test_it_opens_tripped_where_the_node_is():
    wire = Wire()
    wire.open(tripped='e_stop')
    wire.drive(1, 0.05, 0.0)
    assert [command for command, _ in wire.sent] == [STOP]


def test_closing_and_opening_starts_from_the_stop_again():
    wire = Wire()
    wire.open()
    wire.drive(0, 0.06, 0.0)
    wire.open(now_ns=MS)
    wire.drive(2 * MS, 0.12, 0.0)
    assert 'allowed (max_rate): -0.06 to 0.06' in wire.reasons[0]


@pytest.mark.parametrize('rate, expected', [(100.0, 17), (50.0, 34), (5.0, 170), (0.5, 170)])
def test_the_patience_is_short_at_any_rate(rate, expected):
    interface = parse_robot_interface(
        TEXT.replace('50.0', str(rate)).replace('timeout: 0.5', 'timeout: 5'), 'text')
    assert patience_ns(interface) == expected * MS


def test_a_trip_that_is_kept_holds_where_the_robot_is_now_and_not_where_it_was():
    wire = Wire(yaml.safe_dump(arm()))
    stood, moved = np.full(6, 0.5), np.full(6, -0.5)
    wire.open()
    wire.say(Kind.LOOKED, MS, action=stood)
    wire.open(now_ns=10**10, tripped='a test')
    assert wire.sent == []
    wire.say(Kind.STOP, 10**10 + MS, action=moved)
    wire.say(Kind.LOOKED, 10**10 + MS, action=moved)
    wire.say(Kind.STOP, 10**10 + 20 * MS, action=moved)
    assert {command for command, _ in wire.sent} == {tuple(moved)}


def test_where_an_episode_begins_no_way_leads_back_to_the_stop_before():
    wire = Wire(yaml.safe_dump(arm()))
    there, here = np.full(6, 0.5), np.full(6, -0.5)
    wire.open()
    wire.say(Kind.LOOKED, MS, action=there)
    wire.say(Kind.STOP, 2 * MS, action=there)
    assert [command for command, _ in wire.sent] == [tuple(there)]
    wire.say(Kind.BEGIN, 900 * MS, action=here)      # a reset has moved the arm
    wire.sentry.look(901 * MS)                       # and the first command is still on its way
    wire.drive(902 * MS, *here)
    assert [command for command, _ in wire.sent] == [tuple(there), tuple(here)]
    assert wire.reasons == []


def test_a_pose_of_rest_is_approached_from_where_the_robot_stands_and_not_before_that_is_known():
    wire = Wire(yaml.safe_dump(arm(stop=[0.0] * 6)))
    wire.open(tripped='a test')
    wire.say(Kind.STOP, MS, action=np.zeros(6))
    assert wire.sent == []
    wire.say(Kind.LOOKED, 2 * MS, action=np.ones(6))
    wire.say(Kind.STOP, 20 * MS, action=np.zeros(6))
    np.testing.assert_allclose(wire.sent[0][0], 1 - 0.02 * np.array(MAX_RATE))


def test_what_is_no_position_stops_also_where_nobody_knows_where_a_position_is():
    robot = yaml.safe_load(TEXT)
    wire = Wire(yaml.safe_dump({**robot, 'action': [*robot['action'], LIFT]}))
    wire.open(tripped='a test')
    (command, _), = wire.sent
    assert command[:2] == STOP and np.isnan(command[2]) and not wire.sentry.stopping


ENDS = {'low': [-1.0] * 6, 'high': [1.0] * 6}


def driven(kind: str, **gate) -> str:
    """Return the YAML of an arm that is not driven by positions."""
    return yaml.safe_dump(arm(trajectory=False, action={'controls': kind}, **{
        'stop': 'zero', 'range': ENDS, **gate}))


@pytest.mark.parametrize('text', [
    TEXT, yaml.safe_dump(arm()), yaml.safe_dump(arm(max_step=[0.1] * 6, blend_in=0.3)),
    yaml.safe_dump(arm(trajectory=False, stop=[0.1] * 6, stop_rate=[0.5] * 6)),
    driven('velocity'), driven('effort', stop_rate=[0.5] * 6, blend_in=0.2)],
    ids=['base', 'arm', 'arm with steps', 'arm with a pose of rest', 'velocity', 'effort'])
def test_whatever_the_gate_lets_out_the_sentry_lets_out(text):
    rng, wire = np.random.default_rng(0), Wire(text)
    interface = parse_robot_interface(text, 'text')
    gate, (stream,) = Gate(interface), interface.action
    wire.open()
    gate.blend_in()
    observation, now_ns, drove = np.zeros(interface.observation_dim), 0, False
    for _ in range(3000):
        now_ns += int(rng.integers(15, 26)) * MS
        observation = np.clip(observation + rng.normal(0, 0.3, len(observation)), -1.5, 1.5)
        gate.scale = rng.choice([gate.scale] * 50 + [0.1, 1.0])
        gate.observe(observation, now_ns)
        result = gate.apply(rng.uniform(stream.low, stream.high), now_ns)
        if result.trip or rng.random() < 0.05:
            gate.clear_trip()
            gate.next_stop(0.02, observation)
            wire.say(Kind.STOP, now_ns, action=gate.target)
            gate.start()
            drove = False
            continue
        if not drove:
            wire.say(Kind.BEGIN, now_ns, action=gate.stood)
        wire.drive(now_ns, *result.command, stamp_ns=now_ns)
        drove = True
        assert wire.reasons == []
