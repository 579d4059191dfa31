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

"""A learner of ours, and a robot with a policy node that it can follow."""

import threading

from diagnostic_msgs.msg import DiagnosticStatus
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64MultiArray, UInt64MultiArray, UInt8MultiArray
import torch

from iql_ros.files import share_folder
from iql_ros.nodes.learning.weights_receiver import WEIGHTS_QOS
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.online.experience import Acknowledgement, ExperienceFormat
from iql_ros.online.weights import pack_weights
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.robot.task import Task
from iql_ros.runs.policy import load_policy
from tests.ros.test_policy_node import Robot

CHECKPOINT = share_folder() / 'share' / 'diffbot.safetensors'
DIFFBOT = share_folder() / 'config' / 'robots' / 'diffbot.yaml'
SIMULATED = pytest.mark.ros_args('-r', '__ns:=/sim', '-r', '/clock:=clock')
RUN, OTHER_RUN = 2**64 - 5, 7


def weights_message(version, run=RUN, bias=0.0):
    """Return the bytes of the checkpoint's networks, its mean moved by `bias`."""
    policy = load_policy(CHECKPOINT, 'cpu')
    with torch.no_grad():
        list(policy.actor.parameters())[-1].add_(bias)
    return pack_weights(policy, policy.header, run, version, 10 * version)


class Learner(Node):
    """Acknowledges what comes, unless told otherwise, and keeps it."""

    def __init__(self, name='learner', robot='policy_node', run=RUN):
        super().__init__(name)
        self.run, self.answers, self.behind, self.version = run, True, 0, 0
        self.received, self.experiences, self.session = [], {}, None
        interface = load_robot_interface(DIFFBOT)
        self._form = ExperienceFormat(interface, Task(interface))
        self._acknowledge = self.create_publisher(UInt64MultiArray, f'{robot}/acknowledged', 10)
        self._weights = self.create_publisher(UInt8MultiArray, f'{name}/weights', WEIGHTS_QOS)
        self.create_subscription(Float64MultiArray, f'{robot}/experience', self._on_experience,
                                 QoSProfile(depth=1000))

    def _on_experience(self, message):
        labels = [(dim.label, dim.size) for dim in message.layout.dim]
        for experience in self._form.decode(labels, message.data, ''):
            self.received.append(experience.step)
            self.experiences[experience.step] = experience
        self.session = int(labels[0][0].split('session=')[1])
        if self.answers:
            self.acknowledge()

    @property
    def steps(self):
        """Return how many steps have come with none missing before."""
        first = max((each.oldest_step for each in self.experiences.values()), default=0)
        while first in self.experiences:
            first += 1
        return first

    def acknowledge(self, **changes):
        said = Acknowledgement(self.run, self.session, self.steps, 0, self.behind, self.version)
        self._acknowledge.publish(UInt64MultiArray(data=list(said._replace(**changes))))

    def send_weights(self, data, version=0):
        self.version = version
        self._weights.publish(UInt8MultiArray(data=data))


class Drive:
    """A robot at 50 Hz, its policy node with the checkpoint of share/, and a learner."""

    def __init__(self, graph, wait_for, tmp_path, **parameters):
        self.robot = graph.add(Robot())
        self.learner = graph.add(Learner())
        text = DIFFBOT.read_text().replace('max_age: 0.1', 'max_age: 0.4')  # a busy machine
        config = tmp_path / 'robot.yaml'
        config.write_text(text.replace('max_age: 0.2', 'max_age: 0.4'))
        values = {'robot_config': str(config), 'checkpoint': str(CHECKPOINT), 'device': 'cpu',
                  'learner': 'learner', 'exploration_scale': 0.0, 'evaluate_every': 0,
                  **parameters}
        self.node = graph.add(PolicyNode(threading.Event(), overrides=[
            Parameter(name, value=value) for name, value in values.items()]))
        self.node.transitions = []
        self.node.on_transition = self.node.transitions.append
        self.node.trigger_configure()
        wait_for(lambda: self.sender.heard and self.learner._acknowledge.get_subscription_count(),
                 what='the learner')

    @property
    def sender(self):
        return self.node._learning._sender

    @property
    def receiver(self):
        return self.node._learning._receiver

    def remarks(self):
        level, text, values = self.node._describe()
        assert (level == DiagnosticStatus.OK) == (': ' not in text)
        return text

    def keep_running(self, wait_for, ticks=2):
        """See that control goes on."""
        count = len(self.node.transitions)
        wait_for(lambda: len(self.node.transitions) >= count + ticks, what='control')
        assert self.node._loop.state != 'TRIPPED'
