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

"""Tests for nodes/policy_node.py and nodes/control/control_loop.py over real topics."""

import threading
import time

from geometry_msgs.msg import PoseStamped, TwistStamped
from lifecycle_msgs.msg import State
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Header
from std_srvs.srv import Trigger

from iql_ros.files import share_folder
from iql_ros.nodes.policy_node import PolicyNode

DIFFBOT = share_folder() / 'config' / 'robots' / 'diffbot.yaml'


class Robot(Node):
    """A robot at 50 Hz on the system's clock that stands where it is told."""

    def __init__(self):
        super().__init__('robot')
        self.x, self.silent = 2.0, set()
        self.commands, self.events, self.published = [], [], 0
        self._pose = self.create_publisher(PoseStamped, 'robot_pose', 10)
        self._joints = self.create_publisher(JointState, 'joint_states', 10)
        self.e_stop = self.create_publisher(Bool, 'policy_node/e_stop', QoSProfile(
            depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        self.e_stop.publish(Bool())     # nobody needs to wait for its state
        self.create_subscription(TwistStamped, 'cmd_vel', self.commands.append, 50)
        self.create_subscription(Header, 'policy_node/event', self._on_event, 50)
        self.create_service(Trigger, 'reset_world', self._on_reset)
        self.create_timer(0.02, self._publish)

    def _publish(self):
        self.published += 1
        stamp = self.get_clock().now().to_msg()
        if 'robot_pose' not in self.silent:
            pose = PoseStamped()
            pose.header.stamp, pose.pose.position.x = stamp, self.x
            self._pose.publish(pose)
        joints = JointState(name=['right_wheel', 'left_wheel'], velocity=[2.0, 1.0])
        joints.header.stamp = stamp
        if 'joint_states' not in self.silent:
            self._joints.publish(joints)

    def _on_event(self, message):
        self.events.append(message.frame_id)

    def _on_reset(self, request, response):
        self.x = 2.0
        response.success = True
        response.message = str(self.get_clock().now().nanoseconds)
        return response

    def speeds(self):
        return [message.twist.linear.x for message in self.commands]


def start(graph, tmp_path, act=lambda observation: np.array([0.2, 0.5]), reset=True,
          overrides=(), edit=lambda text: text):
    """Return a robot and a policy node for it, patient with a busy machine."""
    text = DIFFBOT.read_text().replace('max_age: 0.1', 'max_age: 0.4')
    text = text.replace('max_age: 0.2', 'max_age: 0.4')
    if not reset:
        text = text[:text.index('  reset:')]
    config = tmp_path / 'robot.yaml'
    config.write_text(edit(text))
    robot = graph.add(Robot())
    node = graph.add(PolicyNode(
        threading.Event(), make_act=lambda interface: act,
        overrides=[Parameter('robot_config', value=str(config)), *overrides]))
    return robot, node


def call(robot, name):
    """Call a Trigger service of the policy node."""
    client = robot.create_client(Trigger, f'policy_node/{name}')
    assert client.wait_for_service(5.0)
    done = threading.Event()
    future = client.call_async(Trigger.Request())
    future.add_done_callback(lambda _: done.set())
    assert done.wait(5.0)
    return future.result()


def test_the_node_is_silent_unless_active_and_stops_when_it_leaves(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    node.trigger_configure()
    assert robot.count_publishers('cmd_vel') == 0
    node.trigger_activate()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    node.trigger_deactivate()
    wait_for(lambda: robot.speeds()[-1] == 0.0, what='the stop')
    wait_for(lambda: robot.count_publishers('cmd_vel') == 0, what='silence')
    count = len(robot.commands)
    assert node._state_machine.current_state[0] == State.PRIMARY_STATE_INACTIVE
    node.trigger_cleanup()
    assert len(robot.commands) == count


def test_docking_ends_the_episode_and_the_reset_starts_the_next(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    robot.x = 0.0
    wait_for(lambda: robot.events.count('start') == 2, what='the second episode')
    assert robot.events[:2] == ['start', 'end']
    assert node._episode_log.results[0].terminated and not node._episode_log.results[0].truncated


def test_every_stop_button_latches_until_it_is_cleared(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    robot.e_stop.publish(Bool(data=True))
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    robot.commands.clear()
    wait_for(lambda: len(robot.commands) >= 3, what='the repeated stop')
    assert set(robot.speeds()) == {0.0} and 'trip' in robot.events
    assert not call(robot, 'clear_trip').success                 # the button is still pressed
    robot.e_stop.publish(Bool(data=False))
    wait_for(lambda: call(robot, 'clear_trip').success, what='clear_trip')
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')


def test_a_stream_that_ceases_trips_and_is_named(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    robot.silent.add('joint_states')
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    assert "stream too old: 'joint_states'" in node._runner.gate.trip_reason
    wait_for(lambda: node._episode_log.results, what='the end of the episode')
    assert node._episode_log.results[0].truncated and not node._episode_log.results[0].terminated


def test_a_number_that_is_not_finite_trips(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    robot.x = float('nan')
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    wait_for(lambda: robot.speeds()[-1] == 0.0, what='the stop')
    assert node._runner.gate.trip_reason == 'robot_pose pose.position.x is nan'


def test_an_exception_in_the_loop_trips(graph, tmp_path, wait_for):
    def act(observation):
        if robot.x < 2.0:
            raise RuntimeError('burnt')
        return np.array([0.2, 0.0])
    robot, node = start(graph, tmp_path, act)
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    robot.x = 1.9
    wait_for(lambda: node._loop.state == 'TRIPPED', what='the trip')
    assert 'burnt' in node._runner.gate.trip_reason


def test_a_loop_that_hangs_is_stopped_by_the_watchdog(graph, tmp_path, wait_for):
    hang = threading.Event()

    def act(observation):
        if robot.x < 2.0:
            hang.wait(30.0)
        return np.array([0.2, 0.0])
    robot, node = start(graph, tmp_path, act)
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    robot.x = 1.9
    wait_for(lambda: len(robot.speeds()) > 3 and robot.speeds()[-1] == 0.0, what='the stop')
    assert 's late' in node._runner.gate.trip_reason
    hang.set()


@pytest.mark.parametrize('said', ['', '  reset: manual\n'])
def test_without_a_reset_service_a_person_starts_the_next_episode(
        graph, tmp_path, wait_for, said):
    robot, node = start(graph, tmp_path, reset=False, edit=lambda text: text + said)
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    assert call(robot, 'success').success
    wait_for(lambda: 'success' in robot.events, what='the event')
    wait_for(lambda: robot.speeds()[-1] == 0.0, what='the stop')
    assert node._episode_log.results[0].terminated and node._loop.state == 'WAITING'
    assert node._episode_log.results[0].success is True
    wait_for(lambda: node._loop.waiting_for == ['~/start_episode'], what='whom it waits for')
    assert not call(robot, 'failure').success                    # no episode is running
    assert call(robot, 'start_episode').success
    wait_for(lambda: robot.events.count('start') == 2, what='the second episode')


def test_a_reset_that_nobody_serves_is_what_it_says_that_it_waits_for(graph, tmp_path, wait_for):
    _, node = start(graph, tmp_path, edit=lambda text: text.replace('reset_world', 'reset_hall'))
    node.begin()
    wait_for(lambda: node._describe()[1] == "WAITING: an answer of the reset service 'reset_hall'",
             what='whom it waits for')


def test_a_wrong_configuration_is_refused_and_nothing_is_opened(graph, tmp_path):
    robot, node = start(graph, tmp_path)
    (tmp_path / 'robot.yaml').write_text('robot: x\n')
    node.begin()
    assert node.exit_code == 2 and node._done.is_set()
    assert robot.count_publishers('cmd_vel') == 0


def test_lockstep_needs_a_reset_service(graph, tmp_path, capfd):
    _, node = start(graph, tmp_path, reset=False, edit=lambda text: text + '  reset: manual\n',
                    overrides=[Parameter('lockstep', value=True)])
    node.begin()
    assert node.exit_code == 2
    assert "reset: got 'manual'; lockstep needs the reset service" in capfd.readouterr().err


def test_what_was_decided_while_the_node_left_is_not_sent(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    node.begin()
    wait_for(lambda: 0.2 in robot.speeds(), what='a command')
    node._loop.leave()
    node._loop._drive(np.array([0.3, 0.0]), node.now_ns(), time.monotonic_ns())
    wait_for(lambda: robot.speeds()[-1] == 0.0, what='the stop')
    published = robot.published
    wait_for(lambda: robot.published > published + 10, what='a tick')
    assert robot.speeds()[-1] == 0.0 and 0.3 not in robot.speeds()


def test_a_command_goes_out_before_anybody_hears_of_the_tick_before(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path)
    order = []
    node._tap = lambda topic, message, stamp_ns: order.append((topic, stamp_ns))
    node.on_transition = lambda transition: order.append(('transition', transition.tick_ns))
    node.begin()
    wait_for(lambda: sum(what == 'transition' for what, _ in order) >= 3, what='transitions')
    for position, (what, tick_ns) in enumerate(order):
        if what == 'transition':
            assert ('/cmd_vel', tick_ns + 200_000_000) in order[:position]
