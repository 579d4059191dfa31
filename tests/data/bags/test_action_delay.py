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

"""Tests for action_delay.py."""


import numpy as np
import pytest

from iql_ros.data.bags.action_delay import DelayTrace
from iql_ros.data.rosbag import read_episodes
from iql_ros.robot.robot_interface import load_robot_interface, parse_robot_interface
from tests.places import BAGS, ROBOTS

STEP, SECOND = 20_000_000, 1_000_000_000  # [ns]
TOY = parse_robot_interface("""
robot: toy
control_rate: 10.0
observation:
  - {topic: state, type: std_msgs/msg/Float64MultiArray, stamp: receive, max_age: 0.3, size: 4,
     fields: [data]}
action:
  - {topic: command, type: std_msgs/msg/Float64MultiArray, stamp: receive, max_age: 0.5, size: 2,
     fields: [data], low: [-1.0, -1.0], high: [1.0, 1.0], rule: mean,
     gate: {downstream_timeout: none}}
task: {reward: 'iql_ros.tasks:docking_cost', time_limit: 20.0}
""", 'toy.yaml')


def steps(generator, count, every=25):
    """Return a command that jumps about every half second."""
    values = np.zeros(count)
    for place in np.flatnonzero(generator.random(count) < 1 / every):
        values[place:] = generator.normal()
    return values


def late(values, places):
    return np.concatenate([np.full(places, values[0]), values[:len(values) - places]])


def delays(actions, observations, step_ns=STEP, silent=()):
    """Trace two actions and four observations; `silent` are places without observations."""
    trace = DelayTrace(TOY)
    for place, (action, observation) in enumerate(zip(np.transpose(actions),
                                                      np.transpose(observations))):
        stamp_ns = 1_700_000_000 * SECOND + place * step_ns
        for kind, vector in (('action', action), ('observation', observation)):
            if not (kind == 'observation' and place in silent) and trace.due(kind, 0, stamp_ns):
                trace.add(kind, 0, stamp_ns, vector)
    return trace.delays()


@pytest.mark.parametrize('places', [0, 6, 40])
def test_a_known_delay_is_found_under_noise(places):
    generator, count = np.random.default_rng(0), 3000
    command, other = steps(generator, count), steps(generator, count)
    noise = 0.3 * generator.normal(size=(4, count))
    found = delays([command, other], noise + [late(command, places), -late(other, places),
                                              np.zeros(count), np.zeros(count)])
    assert sorted((pair['action'], pair['observation']) for pair in found) == [
        ('command data[0]', 'state data[0]'), ('command data[1]', 'state data[1]')]
    for pair in found:
        assert pair['delay'] == pytest.approx(places * 0.02, abs=0.01)
        assert (pair['correlation'] < 0) == (pair['action'] == 'command data[1]')
        assert not pair['rate_of_change']
    assert 'curve' in found[0] and 'curve' not in found[1]


def test_a_position_follows_a_velocity_by_its_rate_of_change():
    generator, count = np.random.default_rng(1), 3000
    command = steps(generator, count)
    position = np.cumsum(late(command, 6)) * 0.02
    pair, = delays([command, np.zeros(count)], [position, *np.zeros((3, count))])
    assert pair['rate_of_change'] and pair['delay'] == pytest.approx(0.12, abs=0.015)
    assert pair['correlation'] > 0.8


def test_independent_signals_give_nothing():
    generator, count = np.random.default_rng(2), 3000
    walks = np.cumsum(generator.normal(size=(6, count)), axis=1)
    jumps = np.array([steps(generator, count) for _ in range(6)])
    ramps = np.outer(generator.normal(size=6), np.arange(count))
    for actions, observations in ((walks, walks), (jumps, jumps), (ramps, ramps), (jumps, walks)):
        assert delays(actions[:2], observations[2:]) == []


def test_one_coincidence_is_no_delay():
    command = np.repeat([0.0, 1.0], 1500)
    assert delays([command, command], [late(command, 6)] * 4) == []


def test_what_is_constant_or_not_finite_gives_nothing():
    generator, count = np.random.default_rng(3), 2000
    command = steps(generator, count)
    bad = late(command, 6)
    bad[100] = np.nan
    assert delays([np.ones(count)] * 2, [command] * 4) == []
    assert delays([command] * 2, [np.ones(count)] * 3 + [bad]) == []
    assert DelayTrace(TOY).delays() == []


def test_gaps_are_left_out():
    generator, count = np.random.default_rng(4), 4000
    command = steps(generator, count)
    state = late(command, 6)
    silent = set(range(1000, 1600)) | set(range(2500, 3000))
    found = delays([command, np.zeros(count)], [state] * 4, silent=silent)
    assert len(found) == 4
    for pair in found:
        assert pair['delay'] == pytest.approx(0.12, abs=0.005) and pair['correlation'] > 0.94


def test_the_change_of_a_tick_is_measured():
    generator, count = np.random.default_rng(5), 3000
    command = steps(generator, count)
    pair = delays([command, np.zeros(count)], [late(command, 6)] * 4)[0]
    state = late(command, 6)
    expected = np.sqrt(np.mean((state[5:] - state[:-5]) ** 2)) / state.std()
    # of a 50 Hz signal every third sample is kept
    assert pair['tick_change'] == pytest.approx(expected, rel=0.1)


def wanted_of(trace, kind, seconds, act=lambda second: second % 2):
    """Return how many messages at 200 Hz are wanted; the action is act(second)."""
    wanted = 0
    for stamp_ns in range(seconds[0] * SECOND, seconds[1] * SECOND, 5_000_000):
        if trace.due(kind, 0, stamp_ns):
            trace.add(kind, 0, stamp_ns, np.full(2, float(act(stamp_ns // SECOND))))
            wanted += 1
    return wanted


def test_few_messages_of_a_fast_stream_are_wanted_and_none_after_two_minutes():
    trace = DelayTrace(TOY)
    assert wanted_of(trace, 'action', (0, 400)) == 121 * SECOND // 15_000_000 + 1


def test_observations_are_wanted_from_the_first_change_of_an_action_on():
    trace = DelayTrace(TOY)
    wanted_of(trace, 'action', (0, 50), act=lambda second: 0.0)
    assert wanted_of(trace, 'observation', (0, 50)) == 0
    wanted_of(trace, 'action', (50, 52), act=lambda second: 1.0)
    assert wanted_of(trace, 'observation', (50, 52)) == 2 * SECOND // 45_000_000 + 1


@pytest.mark.skipif(not BAGS.exists(), reason='needs the real bags')
@pytest.mark.parametrize('bag, action, observation, delay, correlation', [
    ('turtlebot3', 'cmd_vel linear.x', 'odom twist.twist.linear.x', 0.126, 0.86),
    ('turtlebot3', 'cmd_vel angular.z', 'imu angular_velocity.z', 0.105, 0.52),
    ('wx200_waist', 'commands/joint_single cmd', 'joint_states position[waist]', 0.344, 0.97)])
def test_real_robots_follow_their_commands(bag, action, observation, delay, correlation):
    interface = load_robot_interface(ROBOTS / f'{bag}.yaml')
    _, report = read_episodes([BAGS / f'{bag}.bag'], interface)
    pairs = {(pair['action'], pair['observation']): pair for pair in report['bags'][0]['delays']}
    assert pairs[action, observation]['delay'] == pytest.approx(delay, abs=0.02)
    assert pairs[action, observation]['correlation'] == pytest.approx(correlation, abs=0.05)


def test_a_scan_is_looked_at_only_where_nothing_else_is_seen():
    scan = ('{topic: scan, type: sensor_msgs/msg/LaserScan, max_age: 0.3, beams: 4, '
            'fields: [ranges]}')
    state = TOY.text[TOY.text.index('  - {topic: state'):TOY.text.index('action:')]
    for text, wanted in ((f'  - {scan}\n', True), (f'  - {scan}\n{state}', False)):
        trace = DelayTrace(parse_robot_interface(TOY.text.replace(state, text), 'toy.yaml'))
        wanted_of(trace, 'action', (0, 3))
        assert trace.due('observation', 0, 3 * SECOND) == wanted


def test_streams_on_clocks_that_differ_are_not_compared():
    trace = DelayTrace(TOY)
    for place in range(100):
        trace.add('action', 0, 1_700_000_000 * SECOND + place * STEP, np.full(2, float(place)))
        trace.add('observation', 0, place * STEP, np.full(4, float(place)))
    assert trace.delays() == []
