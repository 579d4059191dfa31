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

"""Tests for safety.py."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import yaml

from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.safety import Gate
from tests.robot.arm import arm
from tests.robot.test_robot_interface import TEXT

SETTINGS = ('downstream_timeout: 0.5, limit: {low: [-0.2, -1.0], high: [0.25, 1.5]}, '
            'max_rate: [1.0, 15.0]')
PERIOD = 200_000_000  # [ns]


def make_gate(extra=''):
    return Gate(parse_robot_interface(TEXT.replace('downstream_timeout: 0.5', SETTINGS + extra),
                                      'toy.yaml'))


def test_an_action_inside_every_limit_passes_to_the_bit():
    result = make_gate().apply(np.array([0.1, -0.7]), 0)
    assert result.command.tolist() == [0.1, -0.7] and result.trip is None
    assert result.changed.tolist() == [False, False]


def test_absolute_limits_clip():
    gate = make_gate(', stop: [0.2, 0.0]')
    assert gate.apply(np.array([0.3, -1.5]), 0).command.tolist() == [0.25, -1.0]


def test_the_rate_is_measured_from_the_last_command_over_at_most_one_period():
    gate = make_gate()
    assert gate.apply(np.array([0.25, 0.0]), 0).command[0] == 0.2          # from the stop
    assert np.isclose(gate.apply(np.array([-0.2, 0.0]), PERIOD // 2).command[0], 0.1)
    assert np.isclose(gate.apply(np.array([-0.2, 0.0]), 100 * PERIOD).command[0], -0.1)


def test_a_command_at_the_time_of_the_last_is_finite_without_a_rate_limit():
    gate = Gate(parse_robot_interface(TEXT, 'toy.yaml'))
    gate.apply(np.array([0.1, 0.0]), PERIOD)
    for stamp_ns in (PERIOD, 0):  # twice at once, and a clock that went back
        assert gate.apply(np.array([-0.1, 0.5]), stamp_ns).command.tolist() == [-0.1, 0.5]


def test_a_new_episode_starts_from_the_stop():
    gate = make_gate()
    gate.apply(np.array([0.2, 0.0]), 0)
    gate.start()
    assert np.isclose(gate.apply(np.array([-0.2, 0.0]), 1).command[0], -0.2)


def test_a_number_that_is_not_finite_trips_and_latches():
    gate = make_gate()
    result = gate.apply(np.array([np.nan, 0.0]), 0)
    assert result.command.tolist() == [0.0, 0.0]
    assert result.trip == "action 'cmd_vel twist.linear.x' is nan"
    assert gate.apply(np.array([0.1, 0.0]), PERIOD).command.tolist() == [0.0, 0.0]
    gate.trip('another')
    assert gate.trip_reason == result.trip
    gate.clear_trip()
    assert gate.apply(np.array([0.1, 0.0]), PERIOD).command.tolist() == [0.1, 0.0]


def test_an_observation_that_is_not_finite_trips():
    gate = make_gate()
    gate.observe(np.array([0.0, np.inf]), 0)
    assert 'observation' in gate.trip_reason and gate.trip_reason.endswith(' is inf')


@settings(deadline=None)  # how fast a busy machine is says nothing
@given(st.lists(st.tuples(st.floats(width=64), st.floats(width=64),
                          st.integers(0, 10 ** 10)), max_size=20))
def test_every_command_is_finite_and_inside_limits_and_rates(actions):
    gate, last, now = make_gate(), np.zeros(2), 0
    for first, second, elapsed in actions:
        now += elapsed
        command = gate.apply(np.array([first, second]), now).command
        assert np.all(np.isfinite(command))
        assert np.all(command >= gate.rules.low) and np.all(command <= gate.rules.high)
        if gate.trip_reason is None:
            assert np.all(np.abs(command - last) <= np.array([1.0, 15.0]) * 0.2 + 1e-12)
        last = command


def test_a_pose_of_rest_is_approached_from_where_the_arm_stands_before_anything_was_sent():
    gate = Gate(parse_robot_interface(yaml.safe_dump(arm(stop=[0.0] * 6)), 'arm'))
    assert np.isnan(gate.next_stop(0.02, np.full(12, np.nan))).all()     # nobody knows: not sent
    command = gate.next_stop(0.02, np.r_[np.full(6, 1.0), np.zeros(6)])
    np.testing.assert_allclose(command, 1.0 - 0.02 * gate.rules.max_rate)


def test_a_glitch_at_an_episodes_start_leads_nowhere():
    gate = Gate(parse_robot_interface(yaml.safe_dump(arm()), 'arm'))
    gate.next_stop(0.02, np.zeros(12))
    gate.observe(np.r_[-1e6, np.zeros(11)], 0)
    result = gate.apply(np.zeros(6), 0)
    assert result.trip.startswith("'arm/command positions[joint_1]' was sent -1e+06, is at -1e+06")
    assert result.command.tolist() == [0.0] * 6


ANY = st.floats(width=64)
NEAR = st.floats(-3.5, 3.5)
EVENTS = st.lists(st.tuples(
    st.sampled_from(['act'] * 8 + ['stop', 'clear', 'start', 'forget', 'blend', 'scale']),
    ANY | NEAR, ANY | NEAR, NEAR, st.integers(0, 10 ** 8)), max_size=40)
POSITIONS = {'max_step': [0.1] * 6, 'max_error': [0.5] * 6, 'error_time': 0.05}
ENDS = {'range': {'low': [-1.0] * 6, 'high': [1.0] * 6}, 'stop': 'zero'}


@settings(deadline=None)
@pytest.mark.parametrize('robot', [
    arm(), arm(blend_in=0.3, **POSITIONS), arm(stop=[0.1] * 6, stop_rate=[0.5] * 6),
    arm(trajectory=False, action={'controls': 'velocity'}, **ENDS),
    arm(trajectory=False, action={'controls': 'effort'}, blend_in=0.2, stop_rate=[9.0] * 6,
        **ENDS)], ids=['hold', 'steps', 'pose of rest', 'velocity', 'effort'])
@given(events=EVENTS)
def test_whatever_happens_every_command_is_finite_inside_limits_and_rates(robot, events):
    gate, now = Gate(parse_robot_interface(yaml.safe_dump(robot), 'arm')), 0
    at, last, begins = np.zeros(12), None, True
    for event, wanted, odd, moved, elapsed in events:
        now += elapsed
        at = np.r_[np.clip(at[:6] + 0.05 * moved, -1.7, 1.7), np.zeros(6)]
        seen = np.where(np.arange(12) == abs(int(3 * moved)), odd, at)
        if event == 'act':
            gate.observe(seen if elapsed % 7 == 0 else at, now)
            result = gate.apply(np.full(6, wanted), now)
            command = result.command
            if begins and result.trip is None:   # from where the robot stands
                last, begins = gate.stood, False
        elif event == 'stop':
            command = gate.next_stop(0.02, at)
        else:
            command, begins = None, begins or event in ('clear', 'start', 'forget')
            {'clear': gate.clear_trip, 'start': gate.start, 'forget': gate.forget,
             'blend': gate.blend_in}.get(event, lambda: setattr(
                 gate, 'scale', 0.05 + abs(moved) / 3.5 * 0.95))()
        if command is None or np.isnan(command).any():   # a position that nobody knows: not sent
            last = None if event == 'forget' else last
            assert command is None or (gate.rules.position.any() and gate.trip_reason)
            continue
        assert np.all(np.isfinite(command))
        assert np.all(command >= gate.rules.low) and np.all(command <= gate.rules.high)
        if last is not None and gate.rules.position.all():
            rate = np.maximum(gate.rules.max_rate, gate.rules.stop_rate)
            assert np.all(np.abs(command - last) <= rate * 0.02 * (1 + 1e-9) + 1e-9)
        last = command
