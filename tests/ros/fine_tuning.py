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

"""A fine-tuning session of ours: a learner, robots that send experience, and a person."""

import threading

from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import (
    Float64MultiArray, MultiArrayDimension, MultiArrayLayout, UInt64MultiArray,
    UInt8MultiArray)

from iql_ros.nodes.finetune_node import FinetuneNode
from iql_ros.nodes.learning.weights_receiver import WEIGHTS_QOS
from iql_ros.online.experience import Acknowledgement, ExperienceFormat
from iql_ros.online.weights import read_weights
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from iql_ros.runs.policy import load_policy
from tests.small_run import DIFFBOT, experience, INTERFACE, TEXT


class Robot(Node):
    """Sends experience as a policy node does, and notes what is acknowledged."""

    def __init__(self, namespace='', text=TEXT):
        super().__init__('robot', namespace=namespace)
        interface = parse_robot_interface(text, 'robot.yaml')
        self._form = ExperienceFormat(interface, Task(interface))
        self.heard = []
        self.publisher = self.create_publisher(Float64MultiArray, 'policy_node/experience', 100)
        self.create_subscription(
            UInt64MultiArray, 'policy_node/acknowledged',
            lambda message: self.heard.append(Acknowledgement(*message.data)), 100)

    def send(self, steps, session=7, change=None, **changes):
        for step in steps:
            vector = self._form.encode(experience(step, session=session, **changes))
            labels = self._form.labels(session)
            if change:
                labels, vector = change(labels, vector)
            self.publisher.publish(Float64MultiArray(data=vector, layout=MultiArrayLayout(
                dim=[MultiArrayDimension(label=label, size=size) for label, size in labels])))

    @property
    def steps(self):
        """Return how many steps the learner said it has."""
        return self.heard[-1].steps if self.heard else 0


class Session:
    """A learner and what surrounds it."""

    def __init__(self, graph, wait_for):
        self._graph, self.wait_for = graph, wait_for
        self.person = graph.add(Node('person'))

    def parameters(self, **changes):
        return {'checkpoint': 'start.safetensors', 'dataset': 'data.hdf5', 'run': 'run',
                'robot_config': str(DIFFBOT), 'config': 'small.yaml', 'device': 'cpu', **changes}

    def learner(self, **changes):
        node = self._graph.add(FinetuneNode(threading.Event(), overrides=[
            Parameter(name, value=value) for name, value in self.parameters(**changes).items()]))
        node.begin()
        return node

    def end(self, node):
        """Let a learner end as its process would."""
        node.leave()
        self._graph._executor.remove_node(node)
        self._graph.nodes.remove(node)
        node.destroy_node()

    def robot(self, namespace='', **given):
        robot = self._graph.add(Robot(namespace, **given))
        self.wait_for(lambda: robot.publisher.get_subscription_count(), what='the learner')
        return robot

    def call(self, kind, name, request):
        client = self.person.create_client(kind, f'finetune_node/{name}')
        assert client.wait_for_service(20.0)
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        assert done.wait(20.0)
        return future.result()

    def next_weights(self):
        """Return the weights that one who comes now is given."""
        came = []
        subscription = self.person.create_subscription(
            UInt8MultiArray, 'finetune_node/weights', came.append, WEIGHTS_QOS)
        self.wait_for(lambda: came, what='weights')
        self.person.destroy_subscription(subscription)
        return read_weights(bytes(came[-1].data), load_policy('start.safetensors', 'cpu'),
                            INTERFACE)
