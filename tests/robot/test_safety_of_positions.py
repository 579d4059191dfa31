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

"""Tests for safety.py and gate_settings.py: robots that hold positions, and first drives."""

import numpy as np
import pytest
import yaml

from iql_ros.files import InputError
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.safety import Gate
from tests.robot.arm import arm, HIGH, LOW, MAX_RATE, measured

PERIOD, PERIOD_NS = 0.02, 20_000_000
STEP = np.array(MAX_RATE) * PERIOD + 1e-12
POSE = np.array([1.2, -0.8, 0.9, 0.1, -0.2, 0.3])


def make(**given) -> Gate:
    return Gate(parse_robot_interface(yaml.safe_dump(arm(**given)), 'arm.yaml'))


def standing(pose=POSE, **given) -> Gate:
    gate = make(**given)
    gate.observe(seen(pose), 0)
    return gate


def seen(pose):
    return np.concatenate([pose, np.zeros(6)])


@pytest.mark.parametrize('trajectory', [True, False])
def test_a_policy_that_says_stay_moves_nothing(trajectory):
    gate = standing(trajectory=trajectory)
    assert gate.apply(POSE, 0).command.tolist() == POSE.tolist()


def test_the_first_command_of_an_episode_is_limited_from_where_the_robot_stands():
    gate = standing()
    first = gate.apply(np.zeros(6), 0).command
    assert (np.abs(first - POSE) <= STEP).all() and (first != POSE).all()
    gate.start()
    moved = POSE + 0.3                     # somebody has moved it meanwhile
    gate.observe(seen(moved), 10 * PERIOD_NS)
    assert (np.abs(gate.apply(np.zeros(6), 10 * PERIOD_NS).command - moved) <= STEP).all()


def test_a_trip_holds_where_the_robot_is_measured_then_and_approaches_that_no_faster():
    gate = standing()
    for tick in range(50):
        gate.apply(np.zeros(6), tick * PERIOD_NS)
    before, pose = gate.last, gate.last + 0.1
    gate.trip('a test')
    for _ in range(100):
        command = gate.next_stop(PERIOD, seen(pose))
        assert (np.abs(command - before) <= STEP).all()
        before = command
        pose = pose + 0.01                 # what comes later does not count
    assert not gate.stopping
    np.testing.assert_allclose(command, gate.target)
    np.testing.assert_allclose(gate.target, pose - 1.0)


def test_where_nothing_is_measured_any_more_the_last_command_is_held():
    gate = standing()
    last = gate.apply(np.zeros(6), 0).command
    gate.trip('a test')
    assert gate.next_stop(PERIOD, np.full(12, np.nan)).tolist() == last.tolist()


def test_a_position_that_nobody_knows_is_not_commanded():
    gate = make()
    assert np.isnan(gate.next_stop(PERIOD)).all()
    assert "'arm/command positions[joint_1]'" in gate.apply(np.zeros(6), 0).trip
    assert np.isnan(gate.next_stop(PERIOD)).all()
    assert gate.next_stop(PERIOD, seen(POSE)).tolist() == POSE.tolist()


@pytest.mark.parametrize('pose, may', [
    (POSE, True), (np.full(6, np.nan), False), (POSE + [2.0, 0, 0, 0, 0, 0], False)])
def test_between_episodes_an_operator_begins_where_the_robot_is_now(pose, may):
    gate = make()
    assert gate.see(seen(pose)) == may
    if may:
        first = gate.apply(np.zeros(6), 0).command
        assert (np.abs(first - POSE) <= STEP).all()


def test_no_episode_begins_outside_the_limits():
    pose = POSE + [2.0, 0, 0, 0, 0, 0]
    gate = standing(pose)
    assert gate.outside(seen(pose)) == [
        "'arm/command positions[joint_1]' is at 3.2; allowed (limit): -2.5 to 2.5"]
    assert gate.outside(seen(POSE)) == []
    result = gate.apply(pose, 0)
    assert 'no command keeps to limit (-2.5 to 2.5), max_rate and max_step' in result.trip


def test_a_command_stays_within_max_step_of_the_measured_position():
    gate = standing(max_step=[0.05] * 6)
    for tick in range(100):
        gate.observe(seen(POSE), tick * PERIOD_NS)    # it does not move
        assert (np.abs(gate.apply(np.zeros(6), tick * PERIOD_NS).command - POSE)
                <= 0.05 + 1e-12).all()


def test_a_stop_of_literal_values_is_approached_by_stop_rate():
    gate = standing(stop=[0.0] * 6, stop_rate=[0.5] * 6)
    last = gate.apply(POSE, 0).command
    for _ in range(3):
        command = gate.next_stop(PERIOD)
        assert (np.abs(command - last) <= 0.5 * PERIOD + 1e-12).all()
        last = command
    for _ in range(200):
        command = gate.next_stop(PERIOD)
    assert command.tolist() == [0.0] * 6 and not gate.stopping


def test_blending_in_leads_from_where_the_robot_stands_to_what_the_policy_wants():
    gate = standing(blend_in=1.0, max_rate='none', stop_rate='none')
    gate.blend_in()
    said = [gate.apply(np.zeros(6), tick * PERIOD_NS).command for tick in range(60)]
    np.testing.assert_allclose(said[0], POSE)
    np.testing.assert_allclose(said[25], POSE / 2)
    assert said[50].tolist() == [0.0] * 6 and said[59].tolist() == [0.0] * 6
    gate.start()                               # another episode: nothing is blended
    gate.observe(seen(POSE), 0)
    assert gate.apply(np.zeros(6), 0).command.tolist() == [0.0] * 6
    gate.trip('a test')
    gate.clear_trip()
    np.testing.assert_allclose(gate.apply(np.zeros(6), 0).command, POSE)


def test_a_robot_that_does_not_follow_trips_after_error_time():
    gate = standing(max_error=[0.2] * 6, error_time=0.1)
    for tick in range(100):
        gate.observe(seen(POSE), tick * PERIOD_NS)    # its motors are off
        if gate.trip_reason:
            break
        command = gate.apply(np.zeros(6), tick * PERIOD_NS).command
    assert np.abs(command - POSE).max() > 0.2
    assert "'arm/command positions[joint_6]' is at 0.3 and should be at 0," in gate.trip_reason
    assert gate.trip_reason.endswith('for more than 0.1 s; allowed (max_error): 0.2')


def test_one_that_is_off_for_less_does_not():
    gate = standing(max_error=[0.2] * 6, error_time=0.1, max_rate='none', stop_rate='none')
    gate.apply(POSE + 0.5, 0)
    for tick, pose in enumerate((POSE, POSE, POSE + 0.5, POSE, POSE, POSE + 0.4), 1):
        gate.observe(seen(pose), tick * 2 * PERIOD_NS)
        assert gate.trip_reason is None


@pytest.mark.parametrize('scale', [0.05, 0.5])
def test_a_scale_keeps_a_position_near_where_it_stood_and_slows_it_down(scale):
    gate = standing()
    gate.scale = scale
    half, last = scale * (np.array(HIGH) - LOW) / 2, POSE
    for tick in range(400):
        command = gate.apply(np.array(LOW), tick * PERIOD_NS).command
        assert (np.abs(command - last) <= scale * STEP + 1e-12).all()
        last = command
    assert (last >= POSE - half - 1e-9).all()


def test_a_scale_that_comes_while_it_runs_is_approached_by_the_rate():
    gate, last = standing(), POSE
    for tick in range(300):
        gate.scale = 0.1 if tick > 200 else 1.0
        command = gate.apply(np.array(LOW), tick * PERIOD_NS).command
        assert gate.trip_reason is None and (np.abs(command - last) <= STEP).all()
        last = command


@pytest.mark.parametrize('kind', ['velocity', 'effort'])
def test_what_is_driven_by_velocity_or_effort_is_not_driven_out_of_its_range(kind):
    limits = {'low': [-1.0] * 6, 'high': [1.0] * 6}
    gate = make(trajectory=False, action={'controls': kind, **limits}, stop='zero',
                range=limits, max_rate=[100.0] * 6)
    for tick, (pose, action, sent) in enumerate((
            (0.5, 1.0, 1.0), (1.0, 1.0, 0.0), (1.1, -1.0, -1.0), (-1.0, -1.0, 0.0),
            (-1.2, 0.3, 0.3))):
        gate.observe(seen(np.full(6, pose)), tick * PERIOD_NS)
        command = gate.apply(np.full(6, action), tick * PERIOD_NS).command
        assert command.tolist() == [sent] * 6


@pytest.mark.parametrize('given, message', [
    ({'stop': 'zero'}, "gate.stop: got 'zero', which moves a position to 0; allowed: hold, or"),
    ({'stop': 'zeros'}, "gate.stop: got 'zeros'; allowed: zero, hold or 6 values"),
    ({'action': {'measured': []}}, "gate.stop: key 'measured' beside 'gate' is missing"),
    ({'action': {'measured': measured()[:5]}}, 'measured: got 5 names; expected 6, one a value'),
    ({'action': {'measured': [*measured()[:5], 'joint_states positon[joint_6]']}},
     "unknown observed value 'joint_states positon[joint_6]' (did you mean "),
    ({'action': {'controls': 'speed'}}, "unknown controls 'speed'; allowed: position, velocity"),
    ({'trajectory': False, 'action': {'controls': ''}},
     "gate.stop: got 'hold'; allowed for positions: say controls: position"),
    ({'range': {'low': [0.0] * 6, 'high': [1.0] * 6}},
     'gate.range: these control position; allowed for what controls a velocity or an effort'),
    ({'max_step': [0.1] * 5}, 'gate.max_step: got [0.1, 0.1, 0.1, 0.1, 0.1]; expected 6 finite'),
    ({'stop_rate': [0.0] * 6}, 'gate.stop_rate: got [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]; allowed: > 0'),
    ({'max_error': 'some'}, "gate.max_error: got 'some'; allowed: none or 6 values"),
    ({'blend_in': 100.0}, 'gate.blend_in: got 100.0; allowed: 0 <= s <= 60'),
    ({'error_time': -1.0}, 'gate.error_time: got -1.0; allowed: 0 <= s'),
])
def test_settings_that_do_not_fit_are_refused_by_name(given, message):
    with pytest.raises(InputError) as error:
        make(**given)
    assert message in str(error.value) and '\n' not in str(error.value)
