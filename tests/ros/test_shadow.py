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

"""Tests for nodes/control/shadow*.py and heard_commands.py: a policy that sends nothing."""

import threading

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Bool, Float64MultiArray, Header
from std_srvs.srv import Trigger

from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.reader import Bag
from iql_ros.data.rosbag import read_episodes
from iql_ros.nodes.control.heard_commands import HeardCommands
from iql_ros.nodes.sentry.trip_memory import TripMemory
from iql_ros.robot.robot_interface import load_robot_interface, parse_robot_interface
from tests.robot.arm import MAX_RATE
from tests.ros.arm import start_arm
from tests.ros.test_policy_node import call, DIFFBOT, start

OWN = np.array([0.2, 0.5])       # what the policy would send, once its rate lets it


class Driver(Node):
    """Somebody who commands the robot 20 times a second, and marks episodes."""

    def __init__(self):
        super().__init__('driver')
        self.speed, self.shadowed, self.marks, self.stops = 0.1, [], [], []
        self._publisher = self.create_publisher(TwistStamped, 'cmd_vel', 10)
        self._events = self.create_publisher(Header, 'policy_node/event', 10)
        self.create_subscription(TwistStamped, 'policy_node/shadow/cmd_vel',
                                 self.shadowed.append, 50)
        self.create_subscription(Header, 'policy_node/shadow/event',
                                 lambda message: self.marks.append(message.frame_id), 50)
        self.create_timer(0.05, self._publish)

    def _publish(self):
        if self.speed is not None:
            message = TwistStamped()
            message.header.stamp = self.get_clock().now().to_msg()
            message.twist.linear.x = self.speed
            self._publisher.publish(message)

    def mark(self, kind):
        self._events.publish(Header(frame_id=kind))

    def speeds(self):
        return [message.twist.linear.x for message in self.shadowed]


def in_shadow(graph, tmp_path, wait_for, reset=True, act=lambda observation: OWN, **parameters):
    """Return robot, policy node in shadow and the driver of the robot."""
    robot, node = start(graph, tmp_path, act=act, reset=reset, overrides=[
        Parameter('shadow', value=True),
        *(Parameter(name, value=value) for name, value in parameters.items())])
    driver = graph.add(Driver())
    node.transitions = []
    node.on_transition = node.transitions.append
    node.begin()
    return robot, node, driver


def running(robot, node, driver, wait_for):
    """Wait until an episode runs."""
    wait_for(lambda: call(robot, 'start_episode').success, what='start_episode')
    wait_for(lambda: len(node.transitions) >= 2, what='transitions')


def publishers(robot, topic):
    return [info.node_name for info in robot.get_publishers_info_by_topic(topic)]


def test_nothing_of_ours_is_on_the_robots_topics_and_what_would_be_sent_is_beside(
        graph, tmp_path, wait_for):
    robot, node, driver = in_shadow(graph, tmp_path, wait_for)
    wait_for(lambda: 'start' not in node._loop.waiting_for and node._loop.waiting_for,
             what='whom it waits for')
    assert not node._runner.running                      # nobody has marked a start
    running(robot, node, driver, wait_for)
    wait_for(lambda: driver.speeds().count(0.2) >= 3, what='what would be sent')
    assert publishers(robot, '/cmd_vel') == ['driver'] and set(robot.speeds()) == {0.1}
    assert {name for name, _ in robot.get_node_names_and_namespaces()} == {
        'robot', 'driver', 'policy_node'}                # no sentry
    node.trigger_deactivate()
    wait_for(lambda: driver.speeds()[-1] == 0.0, what='the stop that would be sent')
    assert set(robot.speeds()) == {0.1} and robot.events == []


def test_it_is_compared_with_who_drives_and_diagnostics_say_how(graph, tmp_path, wait_for):
    robot, node, driver = in_shadow(graph, tmp_path, wait_for)
    running(robot, node, driver, wait_for)
    wait_for(lambda: node._runner.comparison.compared >= 3, what='compared ticks')
    assert {tuple(step.action) for step in node.transitions} == {(0.1, 0.0)}
    level, text, values = node._describe()
    assert (level, text) == (DiagnosticStatus.OK, 'RUNNING in shadow')
    assert values['shadow'] == 'nothing is sent to the robot'
    assert values['difference cmd_vel twist.linear.x'].startswith('mean 0.1 (16.7% of its range)')
    assert values['commanded within the gate cmd_vel twist.linear.x'] == '100.0%'
    assert 'by /driver' in values['commanded /cmd_vel']
    driver.speed = None
    wait_for(lambda: "nobody commands '/cmd_vel'" in node._describe()[1], what='the remark')
    assert node._loop.state == 'RUNNING'


def test_others_say_on_event_when_an_episode_begins_and_ends(graph, tmp_path, wait_for):
    robot, node, driver = in_shadow(graph, tmp_path, wait_for)
    wait_for(lambda: node._runner.running or driver.mark('start'), what='the start')
    wait_for(lambda: len(node.transitions) >= 2, what='transitions')
    wait_for(lambda: not node._runner.running or driver.mark('end'), what='the end')
    wait_for(lambda: node._episode_log.results, what='the result')
    result = node._episode_log.results[0]
    assert result.truncated and result.length >= 2 and result.return_ == -result.length
    assert 'mean' in node._describe()[2]['return of the task']
    wait_for(lambda: node._runner.running or driver.mark('start'), what='the next start')
    wait_for(lambda: not node._runner.running or driver.mark('success'), what='the success')
    wait_for(lambda: len(node._episode_log.results) == 2, what='the result')
    assert node._episode_log.results[1].success is True
    wait_for(lambda: driver.marks == ['start', 'end', 'start', 'success'], what='its own marks')
    assert robot.x == 2.0 and not node._runner.running


def test_the_task_ends_an_episode_and_nobody_is_reset(graph, tmp_path, wait_for):
    robot, node, driver = in_shadow(graph, tmp_path, wait_for)
    running(robot, node, driver, wait_for)
    robot.x = 0.0
    wait_for(lambda: node._episode_log.results, what='the end')
    assert node._episode_log.results[0].terminated
    wait_for(lambda: node._loop.waiting_for == ['~/start_episode'], what='whom it waits for')
    assert robot.x == 0.0                                # else reset_world has been called
    assert node.count_clients('/reset_world') == 0


def test_a_trip_stops_nobody_is_named_and_is_kept_nowhere(graph, tmp_path, wait_for, capfd):
    robot, node, driver = in_shadow(graph, tmp_path, wait_for)
    running(robot, node, driver, wait_for)
    robot.e_stop.publish(Bool(data=True))
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    wait_for(lambda: driver.speeds()[-3:] == [0.0] * 3, what='the stop that would be sent')
    level, text, _ = node._describe()
    assert level == DiagnosticStatus.WARN and text.startswith('TRIPPED in shadow: e_stop')
    assert set(robot.speeds()) == {0.1} and driver.marks[-1] == 'trip'
    assert TripMemory('diffbot', '/policy_node').load() is None
    robot.e_stop.publish(Bool(data=False))
    wait_for(lambda: call(robot, 'clear_trip').success, what='clear_trip')
    wait_for(lambda: node._loop.state == 'WAITING', what='the next start')
    assert not node._loop._start_asked
    assert 'it would have stopped the robot, and stops nobody' in capfd.readouterr().err


def test_a_trip_that_is_kept_of_a_drive_is_neither_found_nor_forgotten(
        graph, tmp_path, wait_for):
    memory = TripMemory('diffbot', '/policy_node')
    memory.keep('burnt')
    assert memory.flush(5.0)
    robot, node, driver = in_shadow(graph, tmp_path, wait_for)
    running(robot, node, driver, wait_for)
    node._loop.trip('a test')
    wait_for(lambda: call(robot, 'clear_trip').success, what='clear_trip')
    node._stops.flush()
    assert 'burnt' in TripMemory('diffbot', '/policy_node').load()


def test_an_operator_who_would_take_over_by_it_is_told_that_nothing_moves(
        graph, tmp_path, wait_for):
    robot, node, driver = in_shadow(graph, tmp_path, wait_for)
    running(robot, node, driver, wait_for)
    stick = robot.create_publisher(TwistStamped, 'policy_node/intervention/cmd_vel', 10)
    wait_for(lambda: node._stops.fault or stick.publish(TwistStamped()), what='the remark')
    assert 'moves nothing in shadow' in node._describe()[1]
    assert not node._runner.operated and node._loop.state == 'RUNNING'


@pytest.mark.parametrize('parameters, words', [
    ({'learner': 'finetune_node'}, "got true with learner 'finetune_node'"),
    ({'lockstep': True}, 'got true with lockstep')])
def test_shadow_is_refused_with_what_needs_commands(graph, tmp_path, wait_for, capfd, parameters,
                                                    words):
    robot, node, _ = in_shadow(graph, tmp_path, wait_for, **parameters)
    assert node.exit_code == 2 and node._done.is_set()
    assert f"parameter 'shadow': {words}" in capfd.readouterr().err
    assert publishers(robot, '/cmd_vel') == ['driver']


def test_the_bag_of_a_shadow_holds_both_and_converts_to_what_was_driven(
        graph, tmp_path, wait_for):
    robot, node, driver = in_shadow(graph, tmp_path, wait_for, record=True,
                                    record_folder=str(tmp_path / 'bags'))
    for count in (4, 8):
        running(robot, node, driver, wait_for)
        wait_for(lambda: len(node.transitions) >= count, what='transitions')
        driver.speed = -0.1
        assert call(robot, 'end_episode').success
        wait_for(lambda: not node._runner.running, what='the end')
    node.trigger_deactivate()
    interface = load_robot_interface(tmp_path / 'robot.yaml')
    episodes, _ = read_episodes([tmp_path / 'bags'], interface)
    live = np.array([step.action for step in node.transitions])
    np.testing.assert_array_equal(np.concatenate([each.actions for each in episodes]), live)
    assert len(episodes) == 2 and {0.1, -0.1} <= set(live[:, 0])
    path, = (tmp_path / 'bags').iterdir()
    with Bag(path, Allowed((), path), ()) as bag:
        would = list(bag.messages(['/policy_node/shadow/cmd_vel']))
    assert len(would) >= len(live)


def test_an_arms_gate_goes_from_where_others_have_led_it(graph, tmp_path, wait_for):
    arm, node = start_arm(graph, tmp_path, np.full(6, 0.2), lambda observation: np.ones(6),
                          trajectory=False, overrides=[Parameter('shadow', value=True)])
    wanted, would = graph.add(Node('driver')), []
    publisher = wanted.create_publisher(Float64MultiArray, 'arm/command', 10)
    wanted.create_timer(0.05, lambda: publisher.publish(Float64MultiArray(data=[0.2] * 6)))
    wanted.create_subscription(Float64MultiArray, 'policy_node/shadow/arm/command',
                               lambda message: would.append(list(message.data)), 50)
    node.begin()
    wait_for(lambda: call(arm, 'start_episode').success, what='start_episode')
    reach = 0.2 + np.array(MAX_RATE) / 20
    wait_for(lambda: node._runner.comparison.compared >= 3 and would, what='compared ticks')
    np.testing.assert_allclose(would[-1], reach)      # a period from there, however often
    assert publishers(arm, '/arm/command') == ['driver']
    assert {tuple(command) for _, command, _ in arm.take()} == {(0.2,) * 6}


def heard(graph, wait_for, text=None):
    """Return what hears commands, their publisher, and what is not taken."""
    host, faults = graph.add(Node('host')), []
    interface = parse_robot_interface(text or DIFFBOT.read_text(), 'robot.yaml')
    found = HeardCommands(host, interface, lambda *message: None, faults.append)
    publisher = host.create_publisher(TwistStamped, found.topics[0].lstrip('/'), 10)
    wait_for(lambda: publisher.get_subscription_count() == 1)
    return found, publisher, faults


@pytest.mark.parametrize('edit, words', [
    (lambda message: None, 'its header stamps are zero; say stamp: receive'),
    (lambda message: setattr(message.header.stamp, 'sec', 2**31 - 1), 's in the future'),
    (lambda message: (setattr(message.header.stamp, 'sec', 5),
                      setattr(message.twist.linear, 'x', float('nan'))), 'is not finite')])
def test_a_command_that_cannot_be_compared_is_named(graph, wait_for, edit, words):
    found, publisher, faults = heard(graph, wait_for)
    message = TwistStamped()
    edit(message)
    wait_for(lambda: faults or publisher.publish(message), what='the fault')
    assert words in faults[0] and found.take() == []


def test_what_a_multiplexer_let_through_is_what_was_commanded(graph, wait_for):
    text = DIFFBOT.read_text().replace(
        'topic: cmd_vel\n', 'topic: policy_vel\n    executed: cmd_vel\n')
    found, publisher, _ = heard(graph, wait_for, text)
    message = TwistStamped()
    message.header.stamp.sec = 5
    wait_for(lambda: found.take() or publisher.publish(message), what='the command')
    assert found.topics == ['/cmd_vel'] and np.isnan(found.newest()).all()   # it is too old


def test_start_episode_alone_begins_an_episode_and_the_service_of_others_is_left_alone(
        graph, tmp_path, wait_for):
    robot, node, driver = in_shadow(graph, tmp_path, wait_for, reset=False)
    running(robot, node, driver, wait_for)
    client = robot.create_client(Trigger, 'policy_node/end_episode')
    assert client.wait_for_service(5.0) and call(robot, 'end_episode').success
    done = threading.Event()
    wait_for(lambda: node._episode_log.results or done.is_set(), what='the end')
    assert robot.events == []
