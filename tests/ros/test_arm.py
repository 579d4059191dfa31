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

"""Tests for an arm that holds positions, over real topics: no leap, whatever happens."""

from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.parameter import Parameter
from std_msgs.msg import Bool

from iql_ros.nodes.control.observation_limit import ObservationLimit
from tests.ros.arm import largest_step, start_arm
from tests.ros.test_policy_node import call

PERIOD = 0.05
POSE = np.array([1.2, -0.8, 0.9, 0.1, -0.2, 0.3])
ONE = 1.0 + 1e-6          # of max_rate * period


def to_zero(observation):
    return np.zeros(6)


def driven(graph, wait_for, tmp_path, ticks=5, **given):
    """Return an arm and its node, once so many commands have come."""
    robot, node = start_arm(graph, tmp_path, POSE, to_zero, **given)
    node.begin()
    wait_for(lambda: len(robot.commands) >= ticks or node._loop.state == 'TRIPPED',
             what='commands')
    assert node._runner.gate.trip_reason is None
    return robot, node


@pytest.mark.parametrize('trajectory', [True, False])
def test_from_start_to_leaving_no_command_leaps(graph, wait_for, tmp_path, trajectory):
    robot, node = driven(graph, wait_for, tmp_path, trajectory=trajectory)
    robot.e_stop.publish(Bool(data=True))
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    pressed = len(robot.commands)
    wait_for(lambda: len(robot.commands) > pressed + 5, what='the stop')
    robot.e_stop.publish(Bool(data=False))
    wait_for(lambda: call(robot, 'clear_trip').success, what='clear_trip')
    cleared = len(robot.commands)
    wait_for(lambda: len(robot.commands) > cleared + 5, what='commands')
    node.trigger_deactivate()
    said = robot.take()
    assert (largest_step(said, POSE, PERIOD) <= ONE).all()
    assert np.abs(said[-1][1]).max() > 0.1                # it is not at the policy's zero yet
    node.trigger_activate()
    stood = robot.pose
    wait_for(lambda: len(robot.commands) >= 3, what='commands')
    assert (np.abs(robot.commands[0][1] - stood) <= 0.16).all()


def test_after_a_trip_it_holds_where_it_is(graph, wait_for, tmp_path):
    robot, node = driven(graph, wait_for, tmp_path)
    node._loop.trip('a test')
    wait_for(lambda: np.ptp([command for _, command, _ in robot.commands[-5:]], axis=0).max() == 0,
             what='the hold')
    assert np.abs(robot.commands[-1][1] - robot.pose).max() < 0.05


def test_a_pose_of_rest_is_approached_from_where_the_arm_stands_by_a_trip_before_it_drove_too(
        graph, wait_for, tmp_path):
    robot, node = start_arm(graph, tmp_path, POSE, to_zero, stop=[0.0] * 6)
    robot.e_stop.publish(Bool(data=True))
    wait_for(node._stops.e_stops.pressed, what='the button')
    node.begin()
    wait_for(lambda: len(robot.commands) >= 10, what='the stop')
    said = robot.take()
    assert (largest_step(said, POSE, PERIOD) <= ONE).all()
    assert (np.abs(said[-1][1]) < np.abs(POSE)).all()


def test_a_stream_that_ceases_leaves_it_at_its_last_command(graph, wait_for, tmp_path):
    robot, node = driven(graph, wait_for, tmp_path)
    robot.silent = True
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    said = robot.take()
    wait_for(lambda: len(robot.commands) > 5, what='the stop')
    assert (largest_step(robot.commands, said[-1][1], PERIOD) <= ONE).all()
    assert 'stream too old' in node._runner.gate.trip_reason


def test_an_arm_that_does_not_follow_trips(graph, wait_for, tmp_path):
    robot, node = start_arm(graph, tmp_path, POSE, to_zero, lag=np.inf,
                            max_error=[0.2] * 6, error_time=0.2)
    node.begin()
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    assert 'and should be at' in node._runner.gate.trip_reason


def test_an_arm_outside_its_limits_is_not_commanded_and_that_is_said(graph, wait_for, tmp_path):
    robot, node = start_arm(graph, tmp_path, POSE + [2.0, 0, 0, 0, 0, 0], to_zero)
    node.begin()
    wait_for(lambda: any('allowed (limit): -2.5 to 2.5' in text
                         for text in node._loop.waiting_for), what='the reason')
    assert robot.commands == []
    assert "'arm/command positions[joint_1]' is at 3.2" in node._describe()[1]


def test_an_episode_waits_for_somebody_who_hears_the_positions(graph, wait_for, tmp_path):
    robot, node = start_arm(graph, tmp_path, POSE, to_zero)
    robot.destroy_subscription(robot.hearing)
    node.begin()
    wait_for(lambda: "somebody who listens to '/arm/command'" in node._loop.waiting_for,
             what='the reason')
    assert node._loop.state == 'WAITING'
    robot.listen()
    wait_for(lambda: len(robot.commands) >= 3, what='commands')
    assert (largest_step(robot.commands, POSE, PERIOD) <= ONE).all()


def test_it_trips_when_nobody_hears_the_positions_any_more_and_leads_nowhere_until_then(
        graph, wait_for, tmp_path):
    robot, node = driven(graph, wait_for, tmp_path, stop=[0.0] * 6)
    robot.destroy_subscription(robot.hearing)
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    assert node._runner.gate.trip_reason == "nobody listens to '/arm/command' any more"
    robot.take()
    robot.listen()
    wait_for(lambda: len(robot.commands) >= 5, what='the stop')
    assert (largest_step(robot.commands, robot.commands[0][2], PERIOD) <= ONE).all()


def test_blending_in_begins_where_the_arm_stands(graph, wait_for, tmp_path):
    robot, node = driven(graph, wait_for, tmp_path, blend_in=2.0, max_rate='none',
                         stop_rate='none')
    said = robot.take()
    np.testing.assert_allclose(said[0][1], POSE, atol=1e-9)
    assert (np.abs(said[1][1] - POSE) <= 0.06 * np.abs(POSE) + 1e-9).all()


def test_a_scale_slows_it_down_and_may_change_while_it_runs(graph, wait_for, tmp_path):
    robot, node = driven(graph, wait_for, tmp_path,
                         overrides=[Parameter('limit_scale', value=0.1)])
    assert (largest_step(robot.take(), POSE, PERIOD) <= 0.1 * ONE).all()
    node.set_parameters([Parameter('limit_scale', value=1.0)])
    wait_for(lambda: len(robot.commands) >= 10, what='commands')
    assert largest_step(robot.commands[3:], robot.commands[2][1], PERIOD).max() > 0.9


def test_nobody_drives_it_unless_the_switch_is_held(graph, wait_for, tmp_path):
    robot, node = start_arm(graph, tmp_path, POSE, to_zero,
                            overrides=[Parameter('enable_timeout', value=0.5)])
    switch = robot.create_publisher(Bool, 'policy_node/enable', 10)
    node.begin()
    wait_for(lambda: 'somebody to hold ~/enable' in node._loop.waiting_for, what='the reason')
    assert robot.commands == []
    holding = robot.create_timer(0.1, lambda: switch.publish(Bool(data=True)))
    wait_for(lambda: len(robot.commands) >= 5, what='commands')
    holding.cancel()
    switch.publish(Bool(data=False))
    wait_for(lambda: node._loop.state == 'WAITING', what='the pause')
    wait_for(lambda: 'end' in robot.events, what='the event')
    assert node._runner.gate.trip_reason is None
    holding = robot.create_timer(0.1, lambda: switch.publish(Bool(data=True)))
    wait_for(lambda: node._loop.state == 'RUNNING', what='the next episode')
    holding.cancel()                                        # the cable is out
    wait_for(lambda: node._loop.state == 'WAITING', what='the pause')
    assert (largest_step(robot.take(), POSE, PERIOD) <= ONE).all()


def test_diagnostics_tell_rates_ages_durations_and_clipping(graph, wait_for, tmp_path):
    robot, node = driven(graph, wait_for, tmp_path, ticks=30)
    node._describe()
    wait_for(lambda: len(robot.commands) >= 50, what='commands')
    level, text, values = node._describe()
    assert text == 'RUNNING'
    rate, _, age = values['/joint_states'].partition(' Hz, ')
    assert 50 < float(rate) < 150 and 's old; max_age 0.4 s' in age
    assert values['tick period [ms]'].startswith('p50 ') and 'p99' in values['inference [ms]']
    assert float(values['clipped arm/command positions[joint_1]'].rstrip('%')) > 10
    assert values['limit scale'] == 1.0


def test_a_robot_where_nobody_recorded_is_named_or_stopped(graph, wait_for, tmp_path):
    robot, node = driven(graph, wait_for, tmp_path)
    range_ = np.full(12, -0.1), np.full(12, 0.1), np.full(12, 0.1)
    limit = ObservationLimit(SimpleNamespace(observation_range=range_),
                             node._interface.observation_names, 'warn', 1.0)
    node._status.observation_limit = node._runner._check = limit
    wait_for(lambda: 'the policy was trained on -0.1 to 0.1' in node._describe()[1],
             what='the remark')
    assert node._runner.gate.trip_reason is None
    limit.set('trip', 1.0)
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    assert 'the policy was trained on' in node._runner.gate.trip_reason


@pytest.mark.parametrize('given, reason', [
    ({'edit': {'frame_id': 'base'}}, "frame_id is ''; expected 'base'"),
    ({'edit': {'joints': ['joint_1', 'joint_2', 'joint_3', 'joint_4', 'joint_5', 'wrist']}},
     'wrist')])
def test_a_stream_of_another_kind_refuses_activation(graph, wait_for, tmp_path, given, reason):
    robot, node = start_arm(graph, tmp_path, POSE, to_zero, **given)
    node.trigger_configure()
    wait_for(lambda: node._bridge.received[0], what='a message')
    wait_for(lambda: node._bridge._misfits, what='its fault')
    node.trigger_activate()
    assert node.exit_code == 2 and node._running_loop is None
    assert reason in node._bridge._misfits[0]
