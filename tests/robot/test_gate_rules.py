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

"""Tests for gate_rules.py: promises over many random cases at once."""

import numpy as np
import pytest

from iql_ros.robot.gate_rules import GateRules

CASES, VALUES = 40_000, 6
ROUNDING = 1e-9


def random_rules(rng, **given):
    """Return rules of VALUES values each in CASES robots, and their kinds."""
    shape = CASES, VALUES
    low = rng.uniform(-3, 1, shape)

    def some(values):
        return np.where(rng.random(shape) < 0.3, np.inf, values)
    range_low = rng.uniform(-3, 0, shape)
    found = {
        'position': rng.random(shape) < 0.5, 'low': low, 'high': low + rng.uniform(0, 3, shape),
        'max_rate': some(rng.uniform(0.01, 10, shape)),
        'max_step': some(rng.uniform(0.001, 1, shape)), 'range_low': -some(-range_low),
        'range_high': some(range_low + rng.uniform(0, 3, shape)),
        'stop': np.where(rng.random(shape) < 0.5, np.nan, rng.uniform(-4, 4, shape)),
        'stop_rate': some(rng.uniform(0.01, 10, shape)), 'blend_in': np.zeros(VALUES),
        'max_error': np.full(VALUES, np.inf), 'error_time': np.zeros(VALUES),
        'unsent': np.full(VALUES, np.nan)}
    return GateRules(**{**found, **given})


def random_state(rng, rules):
    """Return action, last, measured and elapsed: huge and tiny, near limits and far away."""
    shape = CASES, VALUES
    action = rng.normal(size=shape) * 10.0 ** rng.integers(-300, 300, shape)
    last = rng.uniform(rules.low - 0.5, rules.high + 0.5)
    measured = np.where(rng.random(shape) < 0.2, np.nan, last + rng.normal(size=shape) * 0.3)
    elapsed = 10.0 ** rng.uniform(-9, 0, (CASES, 1))
    return action, last, measured, elapsed


@pytest.fixture(params=range(5))
def case(request):
    rng = np.random.default_rng(request.param)
    rules = random_rules(rng)
    return rules, *random_state(rng, rules)


def test_every_command_is_finite_and_inside_its_absolute_limits(case):
    rules, action, last, measured, elapsed = case
    command, empty = rules.fit(action, last, measured, elapsed)
    assert np.isfinite(command[~empty]).all()
    assert (command >= rules.low)[~empty].all() and (command <= rules.high)[~empty].all()


def test_a_position_never_moves_faster_than_max_rate_nor_further_than_max_step(case):
    rules, action, last, measured, elapsed = case
    command, empty = rules.fit(action, last, measured, elapsed)
    sent = rules.position & ~empty
    assert (np.abs(command - last) <= rules.max_rate * elapsed + ROUNDING)[sent].all()
    known = sent & ~np.isnan(measured)
    assert (np.abs(command - measured) <= rules.max_step + ROUNDING)[known].all()


def test_nothing_drives_a_joint_further_out_of_its_range(case):
    rules, action, last, measured, elapsed = case
    command, empty = rules.fit(action, last, measured, elapsed)
    assert (command <= 0)[~empty & (measured >= rules.range_high)].all()
    assert (command >= 0)[~empty & (measured <= rules.range_low)].all()


def test_nothing_is_empty_where_the_last_command_and_the_robot_are_inside(case):
    rules, action, last, measured, elapsed = case
    last = np.clip(last, rules.low, rules.high)
    _, empty = rules.fit(action, last, last, elapsed)
    free = rules.position & (last > rules.range_low) & (last < rules.range_high)
    assert not empty[free].any()


def test_an_action_inside_everything_passes_to_the_bit(case):
    rules, _, last, measured, elapsed = case
    last = np.clip(last, rules.low, rules.high)
    free = (last > rules.range_low) & (last < rules.range_high)
    command, empty = rules.fit(last, last, last, elapsed)
    assert (command == last)[free].all() and not empty[free].any()


def test_a_stop_is_never_approached_faster_than_stop_rate_and_is_reached_to_the_bit(case):
    rules, _, last, measured, elapsed = case
    last = np.clip(last, rules.low, rules.high)
    target = rules.stop_target(last, measured)
    command = rules.towards(target, last, elapsed)
    assert np.isfinite(command).all()
    assert (command >= rules.low).all() and (command <= rules.high).all()
    assert (np.abs(command - last) <= rules.stop_rate * elapsed + ROUNDING).all()
    for _ in range(3):
        command = rules.towards(target, command, 1e9)
    assert (command == target).all()


def test_a_hold_leads_to_where_the_robot_is_measured_else_to_the_last_command(case):
    rules, _, last, measured, _ = case
    last = np.clip(last, rules.low, rules.high)
    inside = np.clip(measured, rules.low, rules.high)
    target, hold = rules.stop_target(last, measured), np.isnan(rules.stop)
    known = ~np.isnan(measured)
    assert (target == inside)[hold & known].all() and (target == last)[hold & ~known].all()


@pytest.mark.parametrize('scale', [0.05, 0.3, 1.0])
def test_a_scale_keeps_velocities_and_positions_in_a_part_of_what_limits_leave(case, scale):
    rules, action, last, _, _ = case
    wanted = rules.scaled(action, scale, last)
    if scale == 1.0:
        assert wanted is action
        return
    half = scale * (rules.high - rules.low) / 2
    assert (np.abs(wanted - last) <= half + ROUNDING)[rules.position].all()
    speed = ~rules.position
    assert (wanted >= scale * rules.low - ROUNDING)[speed].all()
    assert (wanted <= scale * rules.high + ROUNDING)[speed].all()
