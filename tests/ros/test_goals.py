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

"""Tests that a goal is heard whenever it was published, and taken once an episode."""

from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.node import Node

from iql_ros.nodes.control.step_collector import LOCKSTEP_QOS
from tests.ros.recorded_drive import RecordedDrive

TEXT = """
robot: courier
control_rate: 10.0
observation:
  - {topic: pose, type: geometry_msgs/msg/PoseStamped, max_age: 0.5, fields: [pose.position.x]}
  - {topic: goal, type: geometry_msgs/msg/PoseStamped, goal: true, fields: [pose.position.x]}
action:
  - {topic: cmd_vel, type: geometry_msgs/msg/TwistStamped, max_age: 0.5, fields: [twist.linear.x],
     low: [-1.0], high: [1.0], rule: mean, gate: {max_rate: none, downstream_timeout: 0.5}}
task: {reward: -1.0, time_limit: 60.0, episode: {topic: policy_node/event}}
"""


class Courier(Node):
    """A robot, and somebody who says once where it is to go, and keeps that or not."""

    def __init__(self):
        super().__init__('courier')
        self._pose = self.create_publisher(PoseStamped, 'pose', 10)
        self._goals = {'kept': self.create_publisher(PoseStamped, 'goal', LOCKSTEP_QOS),
                       'not kept': self.create_publisher(PoseStamped, 'goal', 10)}
        self.create_subscription(TwistStamped, 'cmd_vel', lambda message: None, 10)
        self.create_timer(0.05, lambda: self._publish(self._pose, 1.0))

    def _publish(self, publisher, x):
        message = PoseStamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.pose.position.x = x
        publisher.publish(message)

    def send(self, how, x):
        self._publish(self._goals[how], x)


def test_a_goal_said_once_before_the_start_counts_and_the_next_one_from_the_next_episode_on(
        graph, tmp_path, wait_for):
    robot = graph.add(Courier())
    robot.send('kept', 5.0)
    drive = RecordedDrive(graph, tmp_path, TEXT)
    node, transitions = drive.node, drive.transitions
    node.begin()
    wait_for(lambda: len(transitions) >= 5, what='transitions')

    def told():   # who keeps nothing says it again until it was heard
        robot.send('not kept', 7.0)
        return node._bridge.buffer.newest(node.now_ns())[1] == 7.0
    wait_for(told, what='the next goal')
    wait_for(lambda: len(transitions) >= 20, what='transitions')
    assert {step.observation[1] for step in transitions} == {5.0}
    node._loop.request('end')
    wait_for(lambda: node._loop.finished_episodes == 1, what='the end')
    count = len(transitions)
    node._loop.ask_start()
    wait_for(lambda: len(transitions) >= count + 5, what='the next episode')
    assert {step.observation[1] for step in transitions[count:]} == {7.0}
    episodes, _ = drive.read()
    goals = [set(episode.observations[:, 1]) for episode in episodes]
    assert goals == [{5.0}, {7.0}]
