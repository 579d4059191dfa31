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

"""Tests for nodes/sim_node.py: an arm that holds what it was told, behind both controllers."""

import threading

import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from iql_ros.nodes.sim_node import SimNode
from iql_ros.robot.message_fields import stamp_ns
from iql_ros.robot.safety import Gate
from iql_ros.runs.evaluate import evaluate_policy
from iql_ros.runs.policy import load_policy
from iql_ros.sim.envs import make_env
from tests.ros.test_sim_node import (
    Logged, make_checkpoint, ROBOTS, run_over_topics, same_without_the_end, SIMULATED)

JOINTS = [f'joint_{number}' for number in range(1, 7)]
TRAJECTORY = 'joint_trajectory_controller/joint_trajectory'
FORWARD = 'forward_position_controller/commands'
SECOND = 1_000_000_000


class Operator(Node):
    """Hears where the joints are, and says where they shall be."""

    def __init__(self):
        super().__init__('operator')
        self.positions, self.stamp_ns = [], 0
        self.create_subscription(JointState, 'joint_states', self._on_joints, 10)
        self._trajectories = self.create_publisher(JointTrajectory, TRAJECTORY, 9)
        self._arrays = self.create_publisher(Float64MultiArray, FORWARD, 9)
        self._reset = self.create_client(Trigger, 'reset_world')

    def _on_joints(self, message):
        self.positions.append(np.array(message.position[:6]))
        self.stamp_ns = stamp_ns(message)

    @property
    def heard(self):
        """Say whether the simulator hears what is said here."""
        return self._trajectories.get_subscription_count() + self._arrays.get_subscription_count()

    def trajectory(self, *points, stamp=None, seconds=0.4):
        """Send a trajectory to the last of so many points (6,), by default begun now."""
        message = JointTrajectory(joint_names=JOINTS)
        sec, nanosec = divmod(self.stamp_ns if stamp is None else stamp, SECOND)
        message.header.stamp.sec, message.header.stamp.nanosec = sec, nanosec
        for point in points:
            message.points.append(JointTrajectoryPoint(positions=point.tolist()))
            message.points[-1].time_from_start.nanosec = round(seconds * SECOND)
        self._trajectories.publish(message)

    def array(self, position):
        """Send positions (6,)."""
        self._arrays.publish(Float64MultiArray(data=position.tolist()))


def start(graph, wait_for, robot, env_id):
    """Return an operator and a simulator in real time, the arm at its start."""
    operator = graph.add(Operator())
    node = graph.add(SimNode(threading.Event(), overrides=[
        Parameter('robot_config', value=str(ROBOTS / f'{robot}.yaml')),
        Parameter('env_id', value=env_id)]))
    node.begin()
    wait_for(lambda: operator.heard and len(operator.positions) > 3, what='the arm')
    return operator, node


def further(position, by=0.15):
    """Return a pose (6,) that is so far [rad] from one in the first joint."""
    return position + np.array([by, 0, 0, 0, 0, 0])


def outcomes(log):
    """Return what came of a log's actions: over topics they come a controller at a time."""
    return [entry if entry[0] == 'reset' else ('step', *entry[1:]) for entry in log]


@SIMULATED
@pytest.mark.parametrize('robot, env_id', [('arm', 'iql_ros/Arm-v0'),
                                           ('arm_forward', 'iql_ros/ArmForward-v0')])
def test_the_arm_over_topics_is_bit_equal_to_evaluate_in_process(graph, tmp_path, robot,
                                                                 env_id):
    interface = make_checkpoint(tmp_path / 'c.safetensors', robot)
    log, rows = run_over_topics(graph, tmp_path, robot, env_id, 2)
    env = Logged(make_env(env_id))
    results = evaluate_policy(load_policy(tmp_path / 'c.safetensors', 'cpu'), env, 2, 100,
                              interface.action_scaling, Gate(interface))
    first = next(index for index, entry in enumerate(env.log) if index and entry[0] == 'reset')
    assert same_without_the_end(outcomes(log), outcomes(env.log[first:]))
    assert [int(row['length']) for row in rows] == [result.length for result in results]


def test_nobody_moves_an_arm_that_was_told_nothing(graph, wait_for):
    operator, _ = start(graph, wait_for, 'arm', 'iql_ros/Arm-v0')
    first = operator.positions[0]
    wait_for(lambda: len(operator.positions) > 60, what='half a second')
    assert operator.positions[-1] == pytest.approx(first, abs=0.003)


def test_a_trajectory_is_followed_over_its_time(graph, wait_for):
    operator, node = start(graph, wait_for, 'arm', 'iql_ros/Arm-v0')
    first = operator.positions[-1]
    operator.trajectory(further(first))
    wait_for(lambda: operator.positions[-1][0] > first[0] + 0.14, what='the end of the way')
    moving = [pose for pose in operator.positions if 0.01 < pose[0] - first[0] < 0.14]
    assert len(moving) > 20                      # at 100 Hz: no leap
    assert node._dropped == 0


def test_a_trajectory_that_is_past_and_one_without_points_are_dropped(graph, wait_for):
    operator, node = start(graph, wait_for, 'arm', 'iql_ros/Arm-v0')
    first = operator.positions[-1]
    operator.trajectory(further(first))
    wait_for(lambda: operator.positions[-1][0] > first[0] + 0.02, what='the way')
    operator.trajectory()
    operator.trajectory(further(first, -0.3), stamp=operator.stamp_ns - SECOND)
    wait_for(lambda: node._dropped == 1, what='the dropped trajectory')
    wait_for(lambda: operator.positions[-1][0] > first[0] + 0.14, what='the end of the first')


def test_a_forwarded_command_holds_for_ever(graph, wait_for):
    operator, _ = start(graph, wait_for, 'arm_forward', 'iql_ros/ArmForward-v0')
    first = operator.positions[-1]
    operator.array(further(first))
    wait_for(lambda: operator.positions[-1][0] > first[0] + 0.14, what='the command')
    count = len(operator.positions)
    wait_for(lambda: len(operator.positions) > count + 100, what='a second of silence')
    assert operator.positions[-1] == pytest.approx(further(first), abs=0.005)


def test_a_reset_forgets_what_the_arm_was_told(graph, wait_for):
    operator, _ = start(graph, wait_for, 'arm_forward', 'iql_ros/ArmForward-v0')
    operator.array(further(operator.positions[-1], -0.5))
    wait_for(lambda: np.ptp([pose[0] for pose in operator.positions]) > 0.1, what='motion')
    future = operator._reset.call_async(Trigger.Request())
    wait_for(future.done, what='the reset')
    count = len(operator.positions)
    wait_for(lambda: len(operator.positions) > count + 60, what='half a second')
    assert np.ptp(operator.positions[count + 10:], axis=0).max() < 0.01


def test_what_was_sent_before_a_reset_does_not_move_the_arm_after_it(graph, wait_for):
    operator, node = start(graph, wait_for, 'arm_forward', 'iql_ros/ArmForward-v0')
    far, dropped = further(operator.positions[-1], -0.5), []

    def reset_and_hear():        # in the node's own thread: no step comes between
        timer.cancel()
        node._on_reset(None, Trigger.Response())
        node._on_command(0, Float64MultiArray(data=far.tolist()))
        dropped.append(node._dropped)
    timer = node.create_timer(0.001, reset_and_hear)
    wait_for(lambda: dropped, what='the reset')
    assert dropped == [1]
    count = len(operator.positions)
    wait_for(lambda: len(operator.positions) > count + 30, what='a quarter of a second')
    assert np.ptp(operator.positions[count + 5:], axis=0).max() < 0.01
