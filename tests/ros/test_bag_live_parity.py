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

"""Tests that a lockstep run recorded to a bag converts to what the policy node saw live."""

import threading

from geometry_msgs.msg import TwistStamped
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

from iql_ros.data.bags.reader import Bag
from iql_ros.data.rosbag import read_episodes
from iql_ros.files import share_folder
from iql_ros.nodes.control.step_collector import LOCKSTEP_QOS
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.nodes.sim_node import SimNode
from iql_ros.robot.robot_interface import load_robot_interface

ROBOTS = share_folder() / 'config' / 'robots'
SIMULATED = pytest.mark.ros_args('-r', '__ns:=/sim', '-r', '/clock:=clock')


# Every way of saying a field or a constant of which a message of this machine can be made.
DIFFBOT_OTHERWISE = """
robot: diffbot
control_rate: 5.0
observation:
  - {topic: pose, type: geometry_msgs/msg/PoseStamped, max_age: 0.1,
     fields: [pose.position.x, pose.position.y]}
  - {topic: pose, type: geometry_msgs/msg/PoseStamped, max_age: 0.1,
     fields: [sin(pose.position.z), cos(pose.position.z)]}
  - {topic: odom, type: nav_msgs/msg/Odometry, max_age: 0.1,
     fields: ['pose.covariance[3]', 'twist.covariance[34:35]'], history: 3}
  - {previous: action, history: 2}
action:
  - {topic: wheels, type: std_msgs/msg/Float64MultiArray, stamp: receive,
     fields: ['data[3]', 'data[1]'], set: {'data[0]': .nan, layout.data_offset: 7},
     low: [-0.3, -1.5], high: [0.3, 1.5], max_age: 0.5, rule: mean, controls: velocity,
     gate: {max_rate: [3.0, 15.0], stop: zero, downstream_timeout: 0.5}}
task: {reward: iql_ros.tasks:docking_cost, terminated: iql_ros.tasks:docked, time_limit: 20.0,
       episode: {topic: policy_node/event}, reset: {service: reset_world}}
"""
HOPPER_OTHERWISE = """
robot: hopper
control_rate: 125.0
observation:
  - {topic: pose, type: geometry_msgs/msg/PoseStamped, max_age: 0.008,
     fields: [rotation_6d(pose.orientation)]}
  - {topic: /imu, type: sensor_msgs/msg/Imu, max_age: 0.008,
     fields: [projected_gravity(orientation), yaw(orientation)]}
  - {topic: pose, type: geometry_msgs/msg/PoseStamped, max_age: 0.008, fields: [pose.position.x]}
  - {previous: action}
action:
  - {topic: servo, type: geometry_msgs/msg/TwistStamped, frame_id: base_link, max_age: 0.008,
     fields: [twist.linear.x, twist.linear.y, twist.angular.z], set: {twist.linear.z: .nan},
     low: [-1.0, -1.0, -1.0], high: [1.0, 1.0, 1.0], rule: last,
     gate: {max_rate: none, stop: zero, downstream_timeout: none}}
task: {reward: {topic: reward, type: std_msgs/msg/Float64, field: data},
       terminated: {topic: terminated, type: std_msgs/msg/Bool, field: data}, time_limit: 8.0,
       reset: {service: reset_world}}
"""
HOPPER_BY_FRAMES = HOPPER_OTHERWISE[:HOPPER_OTHERWISE.index('  - {topic: pose')] + """
  - {transform: {of: torso, in: world}, topic: tf, type: geometry_msgs/msg/TransformStamped,
     max_age: 0.008, fields: [translation.x, translation.y, translation.z, yaw(rotation)]}
  - {topic: pose, type: geometry_msgs/msg/PoseStamped, frame_id: world, goal: true,
     relative_to: tf, fields: [pose.position.x, pose.position.y, pose.position.z]}
  - {topic: /imu, type: sensor_msgs/msg/Imu, max_age: 0.008, fields: [hemisphere(orientation)]}
""" + HOPPER_OTHERWISE[HOPPER_OTHERWISE.index('  - {previous'):]


def run(graph, wait_for, tmp_path, robot_config, env_id, count=2):
    """Record episodes of a random policy at both nodes; return the live transitions."""
    rng, transitions, done = np.random.default_rng(0), [], threading.Event()
    scaling = load_robot_interface(robot_config).action_scaling
    common = [Parameter('robot_config', value=str(robot_config)),
              Parameter('lockstep', value=True), Parameter('record', value=True)]
    simulator = graph.add(SimNode(threading.Event(), overrides=[
        *common, Parameter('env_id', value=env_id),
        Parameter('record_folder', value=str(tmp_path / 'simulator'))]))
    simulator.begin()
    policy = PolicyNode(
        done, make_act=lambda interface: lambda observation: scaling.to_physical(
            rng.uniform(-1.2, 1.2, scaling.low.size)),
        overrides=[*common, Parameter('episodes', value=count),
                   Parameter('record_folder', value=str(tmp_path / 'policy'))])
    policy.on_transition = transitions.append
    graph.add(policy).begin()
    wait_for(done.is_set, timeout=60.0, what='the last episode')
    policy.leave()
    simulator.leave()
    return transitions


def as_rows(episodes):
    """Return a tuple of every transition's numbers, episode after episode."""
    return [(*episode.observations[step], *episode.actions[step], episode.rewards[step],
             *episode.observations[step + 1], episode.terminations[step],
             episode.truncations[step],
             episode.interventions is not None and episode.interventions[step])
            for episode in episodes for step in range(len(episode.actions))]


def live_rows(transitions):
    return [(*step.observation, *step.action, step.reward, *step.next_observation,
             step.terminated, step.truncated, step.intervention) for step in transitions]


@SIMULATED
@pytest.mark.parametrize('robot, env_id', [
    ('diffbot', 'iql_ros/Diffbot-v0'), ('hopper', 'Hopper-v5')])
def test_every_transition_of_the_bags_is_the_live_one_to_the_bit(
        graph, tmp_path, wait_for, robot, env_id):
    transitions = run(graph, wait_for, tmp_path, ROBOTS / f'{robot}.yaml', env_id)
    interface = load_robot_interface(ROBOTS / f'{robot}.yaml')
    episodes, _ = read_episodes([tmp_path / 'policy'], interface)
    if robot == 'hopper':  # names no topic for its events: like the simulator's bag, see below
        assert as_rows(episodes)[:len(transitions)] == live_rows(transitions)
    else:
        assert len(episodes) == 2 and as_rows(episodes) == live_rows(transitions)
    # The simulator knows no episodes, only that its clock jumps with a reset; on leaving, the
    # policy's stop makes it do one step more.
    episodes, _ = read_episodes([tmp_path / 'simulator'], interface)
    rows = as_rows(episodes)
    assert rows[:len(transitions)] == live_rows(transitions)
    assert len(rows) <= len(transitions) + 1


@SIMULATED
@pytest.mark.parametrize('text, env_id, topics', [
    (DIFFBOT_OTHERWISE, 'iql_ros/Diffbot-v0', {'/sim/pose', '/sim/odom', '/sim/wheels'}),
    (HOPPER_OTHERWISE, 'Hopper-v5', {'/sim/pose', '/imu', '/sim/servo'}),
    (HOPPER_BY_FRAMES, 'Hopper-v5', {'/sim/tf', '/sim/pose', '/imu', '/sim/servo'})])
def test_however_a_field_is_said_the_bag_has_what_the_policy_saw_to_the_bit(
        graph, tmp_path, wait_for, text, env_id, topics):
    path = tmp_path / 'robot.yaml'
    path.write_text(text)
    transitions = run(graph, wait_for, tmp_path, path, env_id, count=10)
    for folder in ('policy', 'simulator'):
        with Bag(next((tmp_path / folder).iterdir())) as bag:
            assert topics <= set(bag.topics)
            counts = {name: bag.topics[name].declared for name in topics}
            # a topic of two streams is recorded once: as often as the others, ends aside
            assert max(counts.values()) - min(counts.values()) <= 25
        episodes, _ = read_episodes([tmp_path / folder], load_robot_interface(path))
        assert as_rows(episodes)[:len(transitions)] == live_rows(transitions)
    assert len(transitions) > 100


@SIMULATED
def test_a_bag_holds_what_the_interface_names_and_no_more(graph, tmp_path, wait_for):
    run(graph, wait_for, tmp_path, ROBOTS / 'diffbot.yaml', 'iql_ros/Diffbot-v0')
    topics = {'/sim/robot_pose', '/sim/joint_states', '/sim/cmd_vel'}
    for node, others in (('policy', {'/sim/policy_node/event'}),
                         ('simulator', {'/sim/reward', '/sim/terminated'})):
        path, = (tmp_path / node).iterdir()
        with Bag(path) as bag:
            assert set(bag.topics) == topics | others


class Operator(Node):
    """Takes the stick for ten of every thirty steps."""

    def __init__(self):
        super().__init__('operator', namespace='/sim')
        self._steps = 0
        self._publisher = self.create_publisher(
            TwistStamped, 'policy_node/intervention/cmd_vel', 10)
        self.create_subscription(Clock, '/clock', self._on_clock, LOCKSTEP_QOS)

    def _on_clock(self, clock):
        self._steps += 1
        if self._steps % 30 < 10:
            message = TwistStamped()
            message.twist.linear.x, message.twist.angular.z = -0.1, 0.01 * self._steps
            self._publisher.publish(message)


@SIMULATED
def test_a_bag_has_the_operators_flags_and_actions_on_every_tick(graph, tmp_path, wait_for):
    graph.add(Operator())
    transitions = run(graph, wait_for, tmp_path, ROBOTS / 'diffbot.yaml', 'iql_ros/Diffbot-v0')
    flags = [step.intervention for step in transitions]
    assert any(flags) and not all(flags)
    interface = load_robot_interface(ROBOTS / 'diffbot.yaml')
    episodes, _ = read_episodes([tmp_path / 'policy'], interface)
    assert len(episodes) == 2 and as_rows(episodes) == live_rows(transitions)
