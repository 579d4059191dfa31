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

"""Tests for nodes/control/stops.py, company.py and what keeps a policy node from driving."""

import os
import signal

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TwistStamped
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool

from iql_ros.nodes.policy_node import PolicyNode
from tests.ros.test_policy_node import call, start

KEEPING = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def state_of(node):
    return node._loop.state


def driving(graph, tmp_path, wait_for, **kinds):
    """Return a robot and its policy node, which drives."""
    robot, node = start(graph, tmp_path, **kinds)
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds() or state_of(node) == 'TRIPPED', what='a command')
    assert node._runner.gate.trip_reason is None
    return robot, node


def never_drives(robot, node, wait_for, ticks=3):
    """Say that in so many ticks of an active node nothing but the stop comes."""
    robot.commands.clear()
    wait_for(lambda: len(robot.commands) >= ticks, what='the repeated stop')
    return set(robot.speeds()) == {0.0}


# e_stop: a state, not an edge ------------------------------------------------------------------

def test_a_button_pressed_while_inactive_keeps_the_node_from_driving(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    node.trigger_configure()
    wait_for(lambda: node._stops.e_stops.pressed() or robot.e_stop.publish(Bool(data=True)),
             what='the button')
    node.trigger_activate()
    assert never_drives(robot, node, wait_for) and robot.events == []
    assert node._runner.gate.trip_reason == "e_stop: '/policy_node/e_stop' is true"


def test_cleaning_up_forgets_neither_the_trip_nor_the_button(graph, tmp_path, wait_for):
    robot, node = driving(graph, tmp_path, wait_for)
    robot.e_stop.publish(Bool(data=True))
    wait_for(lambda: state_of(node) == 'TRIPPED', what='the trip')
    for change in (node.trigger_deactivate, node.trigger_cleanup, node.trigger_configure,
                   node.trigger_activate):
        change()
    assert never_drives(robot, node, wait_for)
    assert 'is true' in call(robot, 'clear_trip').message
    robot.e_stop.publish(Bool(data=False))
    assert never_drives(robot, node, wait_for)
    wait_for(lambda: call(robot, 'clear_trip').success, what='clear_trip')
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')


def test_a_button_that_was_pressed_before_the_node_came_lets_no_command_out(
        graph, tmp_path, wait_for):
    before = graph.add(Node('box'))
    before.create_publisher(Bool, 'box', KEEPING).publish(Bool(data=True))
    robot, node = start(graph, tmp_path, overrides=[
        Parameter('e_stops', value=['~/e_stop', 'box'])])
    node.begin()
    wait_for(lambda: state_of(node) == 'TRIPPED', what='the trip')
    assert never_drives(robot, node, wait_for) and 0.2 not in robot.speeds()


def test_a_silent_button_trips_where_silence_counts(graph, tmp_path, wait_for):
    box = graph.add(Node('box'))
    publisher = box.create_publisher(Bool, 'box', 10)
    timer = box.create_timer(0.05, lambda: publisher.publish(Bool()))
    robot, node = driving(graph, tmp_path, wait_for, overrides=[
        Parameter('e_stops', value=['box']), Parameter('e_stop_timeout', value=2.0)])
    timer.cancel()
    wait_for(lambda: state_of(node) == 'TRIPPED', what='the trip')
    assert "e_stop '/box' has been silent for" in node._runner.gate.trip_reason
    wait_for(lambda: not node._runner.running, what='the loop')
    assert 'has been silent' in call(robot, 'clear_trip').message


def test_an_e_stop_that_is_no_topics_name_is_refused(graph, tmp_path):
    with pytest.raises(ValueError, match="parameter 'e_stops': got 'a b'; expected topics like"):
        start(graph, tmp_path, overrides=[Parameter('e_stops', value=['a b'])])


# Samples ---------------------------------------------------------------------------------------

def ahead(robot, seconds):
    """Let the robot stamp its pose ahead of the clock."""
    now = robot.get_clock().now().nanoseconds + round(seconds * 1e9)
    return Time(sec=now // 10**9, nanosec=now % 10**9)


def test_a_sample_from_the_future_is_refused_and_never_comes_into_force(
        graph, tmp_path, wait_for):
    robot, node = driving(graph, tmp_path, wait_for)
    robot.silent.add('robot_pose')
    pose = PoseStamped()
    pose.header.stamp, pose.pose.position.x = ahead(robot, 1.0), -5.0
    robot._pose.publish(pose)
    wait_for(lambda: state_of(node) == 'TRIPPED', what='the trip')
    reason = node._runner.gate.trip_reason
    assert 'stream too old' in reason and 'is stamped' in reason and 'in the future' in reason
    assert node._bridge.refused == 1
    assert all(value[0] != -5.0 for value in node._bridge.buffer._tracks[0]._values)


def test_a_joint_that_is_missing_trips_at_once_and_a_message_of_other_joints_does_not(
        graph, tmp_path, wait_for):
    robot, node = driving(graph, tmp_path, wait_for,
                          edit=lambda text: text.replace('max_age: 0.4', 'max_age: 5.0'))
    other = JointState(name=['gripper'], velocity=[1.0])
    other.header.stamp = robot.get_clock().now().to_msg()
    robot._joints.publish(other)
    count = len(robot.commands)
    wait_for(lambda: len(robot.commands) > count + 2, what='commands')
    assert state_of(node) == 'RUNNING' and node._stops.fault == ''
    half = JointState(name=['left_wheel'], velocity=[1.0])
    half.header.stamp = robot.get_clock().now().to_msg()
    robot._joints.publish(half)
    wait_for(lambda: state_of(node) == 'TRIPPED', what='the trip')
    assert "joint 'right_wheel'" in node._runner.gate.trip_reason


def test_a_trip_is_not_cleared_while_its_cause_lasts(graph, tmp_path, wait_for):
    robot, node = driving(graph, tmp_path, wait_for)
    robot.silent.add('joint_states')
    wait_for(lambda: state_of(node) == 'TRIPPED', what='the trip')
    wait_for(lambda: not node._runner.running, what='the loop')
    refused = call(robot, 'clear_trip')
    assert not refused.success and "its cause lasts: stream too old: 'joint_states'" in (
        refused.message)
    robot.silent.clear()
    assert never_drives(robot, node, wait_for)
    wait_for(lambda: call(robot, 'clear_trip').success, what='clear_trip')
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')


# Trips that last -------------------------------------------------------------------------------

def test_a_trip_is_found_by_the_next_node_of_the_name_until_it_is_cleared(
        graph, tmp_path, wait_for):
    robot, node = driving(graph, tmp_path, wait_for)
    robot.x = float('nan')
    wait_for(lambda: state_of(node) == 'TRIPPED', what='the trip')
    robot.x = 2.0
    node.leave()
    node.trigger_shutdown()
    again = graph.add(PolicyNode(node._done, node._make_act, overrides=[
        Parameter('robot_config', value=str(tmp_path / 'robot.yaml'))]))
    again.begin()
    assert again._runner.gate.trip_reason.startswith(
        'robot_pose pose.position.x is nan (kept since ')
    assert never_drives(robot, again, wait_for)


# The sentry ------------------------------------------------------------------------------------

def test_a_sentry_that_is_killed_is_a_trip_and_the_node_itself_says_stop(
        graph, tmp_path, wait_for):
    robot, node = driving(graph, tmp_path, wait_for)
    os.kill(node._commands.sentry_pid, signal.SIGKILL)
    wait_for(lambda: state_of(node) == 'TRIPPED', what='the trip')
    assert node._runner.gate.trip_reason == 'the sentry is gone'
    assert never_drives(robot, node, wait_for)
    assert call(robot, 'clear_trip').message == 'its cause lasts: the sentry is gone'
    node.trigger_deactivate()
    node.trigger_activate()         # starts another one
    wait_for(lambda: call(robot, 'clear_trip').success, what='clear_trip')
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')


# Company ---------------------------------------------------------------------------------------

def test_a_second_commander_keeps_the_node_from_activating_unless_it_may(
        graph, tmp_path, wait_for):
    other = graph.add(Node('joystick'))
    other.create_publisher(TwistStamped, 'cmd_vel', 10)
    robot, node = start(graph, tmp_path)
    node.trigger_configure()
    wait_for(node._stops._company.commanders, what='the joystick')
    node.trigger_activate()
    assert node._running_loop is None and node.exit_code == 2
    node._settings.allow_other_commanders = True
    node.trigger_activate()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    assert "'/cmd_vel' is commanded by /joystick too" in node._stops.remarks()


def test_its_own_sentry_is_no_second_commander_and_a_second_of_its_name_is_named(
        graph, tmp_path, wait_for):
    robot, node = driving(graph, tmp_path, wait_for)
    wait_for(lambda: node.count_publishers('cmd_vel') == 2, what='both publishers')
    wait_for(lambda: node._stops.remarks() == [], what='nobody else')
    graph.add(Node('policy_node'))
    graph.add(Node('camera')).create_publisher(PoseStamped, 'robot_pose', 10)
    wait_for(lambda: len(node._stops.remarks()) == 2, what='the remarks')
    assert node._stops.remarks() == ["another node is called '/policy_node'",
                                     "'/robot_pose' has 2 publishers"]


def test_whoever_offers_or_asks_for_another_quality_than_the_topics_is_named(
        graph, tmp_path, wait_for):
    robot, node = driving(graph, tmp_path, wait_for)
    late = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    graph.add(Node('base')).create_subscription(TwistStamped, 'cmd_vel', print, late)
    wait_for(lambda: "the QoS of /base on '/cmd_vel' does not fit: volatile publisher and "
             'transient local subscription' in node._stops.remarks(), what='the remark')


# Time ------------------------------------------------------------------------------------------

@pytest.mark.ros_args('-p', 'use_sim_time:=true')
def test_a_clock_that_stands_is_a_trip_and_the_stop_is_repeated(graph, tmp_path, wait_for):
    world = graph.add(Node('world', parameter_overrides=[Parameter('use_sim_time', value=False)]))
    clock, now = world.create_publisher(Clock, '/clock', 10), [100.0]

    def move():
        now[0] += 0.02
        clock.publish(Clock(clock=Time(sec=int(now[0]), nanosec=int(now[0] % 1 * 1e9))))
    timer = world.create_timer(0.02, move)
    robot, node = start(graph, tmp_path)
    robot.set_parameters([Parameter('use_sim_time', value=True)])
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    timer.cancel()
    wait_for(lambda: state_of(node) == 'TRIPPED', what='the trip')
    assert '/clock has stood still for' in node._runner.gate.trip_reason
    assert never_drives(robot, node, wait_for)
    wait_for(lambda: not node._runner.running, what='the loop')
    assert '/clock has stood still' in call(robot, 'clear_trip').message
