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

"""Tests for nodes/control/interventions.py and what the control loop makes of an operator."""

import time

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory
import yaml

from iql_ros.data.rosbag import read_episodes
from iql_ros.nodes.control.interventions import Interventions
from iql_ros.robot.robot_interface import load_robot_interface, parse_robot_interface
from tests.robot.arm import arm
from tests.robot.test_robot_interface import TEXT
from tests.ros.test_policy_node import call, start

TIMEOUT = 0.6        # [s] how long a command counts; patient with a busy machine
MAX_RATE = 3.0       # [m/s^2] of the robot's gate


class Operator:
    """A stick that says the same thing 20 times a second while it is held."""

    def __init__(self, robot, topic='policy_node/intervention/cmd_vel', kind=TwistStamped):
        self._publisher = robot.create_publisher(kind, topic, 10)
        self._robot, self.said = robot, None
        robot.create_timer(0.05, self._publish)

    @property
    def heard(self):
        return self._publisher.get_subscription_count() == 1

    def _publish(self):
        if isinstance(self.said, float):
            message = TwistStamped()
            message.twist.linear.x = self.said
            self._publisher.publish(message)
        elif self.said is not None:
            self._publisher.publish(self.said)


def operated(graph, tmp_path, wait_for, reset=True, act=lambda observation: np.array([0.2, 0.5]),
             **parameters):
    """Return robot, policy node and operator once the policy drives."""
    values = {'intervention_timeout': TIMEOUT, **parameters}
    robot, node = start(graph, tmp_path, act=act, reset=reset, overrides=[
        Parameter(name, value=value) for name, value in values.items()])
    node.transitions = []
    node.on_transition = node.transitions.append
    node.begin()
    operator = Operator(robot)
    wait_for(lambda: operator.heard and 0.2 in robot.speeds(), what='a command')
    return robot, node, operator


def test_a_command_counts_by_the_clock_that_is_given_whatever_the_nodes_time_does(
        graph, wait_for):
    host, clock_ns, trips, faults = graph.add(Node('host')), [7], [], []
    interventions = Interventions(host, parse_robot_interface(TEXT, 'toy.yaml'), 0.5,
                                  lambda: clock_ns[0], lambda: np.zeros(2))
    interventions.subscribe(lambda: None, trips.append, faults.append)
    publisher = host.create_publisher(TwistStamped, '~/intervention/cmd_vel', 10)
    wait_for(lambda: publisher.get_subscription_count() == 1)
    command = TwistStamped()
    command.twist.linear.x = 0.2
    publisher.publish(command)
    wait_for(lambda: interventions.action() is not None, what='the command')
    clock_ns[0] += 500_000_000
    assert interventions.action().tolist() == [0.2, 0.0]
    clock_ns[0] += 1
    assert interventions.action() is None
    command.twist.angular.z = float('nan')
    publisher.publish(command)
    wait_for(lambda: trips, what='the trip')
    assert 'is not finite' in trips[0] and not faults


def test_an_empty_trajectory_commands_the_stop(graph, wait_for):
    interface = parse_robot_interface(yaml.safe_dump(arm()), 'arm.yaml')
    host, stop = graph.add(Node('host')), np.arange(6) / 10
    interventions = Interventions(host, interface, 5.0, time.monotonic_ns, lambda: stop)
    faults = []
    interventions.subscribe(lambda: None, faults.append, faults.append)
    publisher = host.create_publisher(JointTrajectory, '~/intervention/arm/command', 10)
    wait_for(lambda: publisher.get_subscription_count() == 1)
    publisher.publish(JointTrajectory())
    wait_for(lambda: interventions.action() is not None, what='the stop')
    assert interventions.action().tolist() == stop.tolist() and not faults


def stamps(commands):
    return [message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
            for message in commands]


def test_an_operator_takes_over_at_once_and_hands_back_without_a_jump(
        graph, tmp_path, wait_for):
    robot, node, operator = operated(graph, tmp_path, wait_for)
    operator.said, asked_ns = -0.25, node.now_ns()
    wait_for(lambda: -0.25 in robot.speeds(), what="the operator's command")
    level, text, _ = node._describe()
    assert level == DiagnosticStatus.WARN and 'operator in control' in text
    operator.said = None
    wait_for(lambda: robot.speeds()[-1] == 0.2, what="the policy's command")
    wait_for(lambda: 'intervention_end' in robot.events, what='the event')
    assert robot.events[:3] == ['start', 'intervention_start', 'intervention_end']
    times, speeds = stamps(robot.commands), robot.speeds()
    first = next(index for index, speed in enumerate(speeds) if index and speed < 0.2)
    assert times[first] - asked_ns * 1e-9 < 0.25           # the stick's 50 ms and a tick
    assert robot.commands[first].header.stamp.nanosec % 200_000_000 != 0     # between ticks
    for index in range(1, len(speeds)):
        elapsed = min(times[index] - times[index - 1], 0.2)
        assert abs(speeds[index] - speeds[index - 1]) <= MAX_RATE * elapsed + 1e-6
    wait_for(lambda: not node.transitions[-1].intervention, what='a tick of the policy')
    flags = [step.intervention for step in node.transitions]
    assert any(flags) and not flags[-1]
    assert node._runner.summary.interventions == sum(flags)


def test_an_operators_number_that_is_not_finite_trips(graph, tmp_path, wait_for):
    robot, node, operator = operated(graph, tmp_path, wait_for)
    operator.said = -0.1
    wait_for(lambda: node._runner.operated, what='the takeover')
    operator.said = float('nan')
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    wait_for(lambda: robot.speeds()[-1] == 0.0, what='the stop')
    assert "intervention on 'cmd_vel'" in node._runner.gate.trip_reason
    robot.commands.clear()
    operator.said = -0.1                                   # moves nothing while tripped
    wait_for(lambda: len(robot.commands) >= 3, what='the repeated stop')
    assert set(robot.speeds()) == {0.0}
    wait_for(lambda: 'intervention_end' in robot.events, what='the event')


def test_an_operator_drives_the_robot_back_and_the_stop_follows_for_a_while(
        graph, tmp_path, wait_for):
    robot, node, operator = operated(graph, tmp_path, wait_for, reset=False)
    assert call(robot, 'end_episode').success
    wait_for(lambda: node._loop.state == 'WAITING', what='the end')
    wait_for(lambda: node._loop.waiting_for == ['~/start_episode'], what='whom it waits for')
    operator.said = -0.25
    wait_for(lambda: -0.25 in robot.speeds(), what='the drive back')
    operator.said = None
    wait_for(lambda: not node._runner.operated, what='the operator to let go')
    robot.commands.clear()
    wait_for(lambda: len(robot.commands) >= 3, what='the repeated stop')
    wait_for(lambda: time.monotonic() > node._loop._rest_until + 0.1, what='stop_repeat')
    count, published = len(robot.commands), robot.published
    wait_for(lambda: robot.published > published + 40, what='four ticks')
    assert set(robot.speeds()) == {0.0} and len(robot.commands) == count
    assert node._loop.state == 'WAITING'
    assert call(robot, 'start_episode').success
    wait_for(lambda: robot.speeds()[-1] == 0.2, what='the second episode')


def test_an_episode_that_starts_while_the_operator_drives_goes_on_from_there(
        graph, tmp_path, wait_for):
    robot, node, operator = operated(graph, tmp_path, wait_for, reset=False)
    assert call(robot, 'end_episode').success
    wait_for(lambda: node._loop.state == 'WAITING', what='the end')
    operator.said = -0.25
    wait_for(lambda: -0.25 in robot.speeds(), what='the drive back')
    robot.commands.clear()
    assert call(robot, 'start_episode').success
    wait_for(lambda: robot.events.count('start') == 2, what='the second episode')
    operator.said = None
    wait_for(lambda: robot.speeds()[-1] == 0.2, what="the policy's command")
    times, speeds = stamps(robot.commands), robot.speeds()
    assert speeds[0] == -0.25
    for index in range(1, len(speeds)):
        elapsed = min(times[index] - times[index - 1], 0.2)
        assert abs(speeds[index] - speeds[index - 1]) <= MAX_RATE * elapsed + 1e-6


def test_leaving_while_the_operator_drives_sends_the_stop_and_then_nothing(
        graph, tmp_path, wait_for):
    robot, node, operator = operated(graph, tmp_path, wait_for)
    operator.said = -0.25
    wait_for(lambda: -0.25 in robot.speeds(), what="the operator's command")
    node.trigger_deactivate()
    wait_for(lambda: robot.speeds()[-1] == 0.0, what='the stop')
    wait_for(lambda: robot.count_publishers('cmd_vel') == 0, what='silence')
    wait_for(lambda: 'intervention_end' in robot.events, what='the event')
    count, published = len(robot.commands), robot.published
    wait_for(lambda: robot.published > published + 20, what='two ticks')
    assert len(robot.commands) == count


def test_a_node_that_is_activated_again_drives_again(graph, tmp_path, wait_for):
    robot, node, _ = operated(graph, tmp_path, wait_for)
    node.trigger_deactivate()
    wait_for(lambda: robot.speeds()[-1] == 0.0, what='the stop')
    robot.commands.clear()
    node.trigger_activate()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    assert robot.events.count('start') == 2


def test_a_command_of_another_size_is_named_and_the_policy_goes_on(graph, tmp_path, wait_for):
    robot, node = start(
        graph, tmp_path, overrides=[], edit=lambda text: text.replace(
            'topic: cmd_vel\n    type: geometry_msgs/msg/TwistStamped\n    stamp: header\n    '
            'fields: [twist.linear.x, twist.angular.z]',
            'topic: wheels\n    type: std_msgs/msg/Float64MultiArray\n    stamp: receive\n    '
            'size: 2\n    fields: [data]'))
    node.begin()
    operator = Operator(robot, 'policy_node/intervention/wheels', Float64MultiArray)
    wait_for(lambda: operator.heard and node._runner.running, what='an episode')
    operator.said = Float64MultiArray(data=[0.1])
    wait_for(lambda: node._stops.fault, what='the fault')
    assert "intervention on 'wheels'" in node._stops.fault and '1 values' in node._stops.fault
    assert not node._runner.operated and node._loop.state == 'RUNNING'


@pytest.mark.parametrize('timeout', [0.3, TIMEOUT])
def test_a_bag_of_an_intervention_converts_to_the_live_flags_and_actions(
        graph, tmp_path, wait_for, timeout):
    rng = np.random.default_rng(0)
    robot, node, operator = operated(
        graph, tmp_path, wait_for, record=True, record_folder=str(tmp_path / 'bags'),
        intervention_timeout=timeout,
        act=lambda observation: np.array([0.2, rng.uniform(-1.0, 1.0)]))
    for _ in range(2):
        count = len(node.transitions)
        operator.said = float(rng.uniform(-0.25, 0.0))
        wait_for(lambda: len(node.transitions) >= count + 3, what='an operator at the controls')
        operator.said = None
        wait_for(lambda: not node.transitions[-1].intervention, what='the policy')
    node.trigger_deactivate()
    episodes, _ = read_episodes([tmp_path / 'bags'],
                                load_robot_interface(tmp_path / 'robot.yaml'))
    steps = node.transitions
    flags, actions = episodes[0].interventions, episodes[0].actions
    assert flags[:len(steps)].tolist() == [step.intervention for step in steps]
    np.testing.assert_array_equal(actions[:len(steps)], [step.action for step in steps])
