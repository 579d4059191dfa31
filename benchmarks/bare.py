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

"""
The least that a step over topics can cost: what a step computes, and messages that say nothing.

Fine-tuning in process, but for the environment's step, which another process makes: between the
two go the messages of diffbot in lockstep, made once and never read. No node of ours takes part.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading

from finetune import steps_in_process
from geometry_msgs.msg import PoseStamped, TwistStamped
import gymnasium
import numpy as np
import rclpy
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from session import ENVIRONMENT
from std_msgs.msg import Bool, Float64

from iql_ros.nodes.control.step_collector import LOCKSTEP_QOS
from iql_ros.nodes.hosting.message_waiter import MessageWaiter
from iql_ros.sim.envs import DiffbotEnv, make_env

_READ = {'robot_pose': PoseStamped(),
         'joint_states': JointState(name=['left_wheel', 'right_wheel'], velocity=[1.0, 2.0]),
         'sim_clock': Clock()}
_UNREAD = {'reward': Float64(), 'terminated': Bool()}
_COMMAND = np.array([0.2, 0.1])
_FOREVER = 3600.0  # [s]


class BareEnv(DiffbotEnv):
    """Diffbot's arena, whose step is made elsewhere; what comes of it is not told."""

    def __init__(self):
        """Wait for the simulator."""
        super().__init__()
        self._node, self._got = Node('robot'), 0
        self._waiter, self._command = MessageWaiter(self._node), TwistStamped()
        subscriptions = [self._node.create_subscription(
            type(message), topic, self._on_message, LOCKSTEP_QOS, callback_group=self._waiter)
            for topic, message in _READ.items()]
        for subscription in subscriptions:
            self._waiter.add(subscription)
        self._publisher = self._node.create_publisher(TwistStamped, 'cmd_vel', LOCKSTEP_QOS)
        pause = threading.Event()
        while not self._publisher.get_subscription_count() or not all(
                self._node.count_publishers(topic) for topic in _READ):
            pause.wait(0.1)
        self._result = self._observation(), -1.0, False, False, {'is_success': False}

    def _on_message(self, message) -> None:
        self._got += 1

    def step(self, action):
        """Ask for a step, and wait until all its messages have come."""
        self._publisher.publish(self._command)
        self._got = 0
        while self._got < len(_READ):
            self._waiter.wait(_FOREVER)
        return self._result


def simulate() -> None:
    """Make a step for every command, until killed."""
    env, node = make_env(ENVIRONMENT).unwrapped, Node('simulator')
    env.reset(seed=0)
    messages = [(node.create_publisher(type(message), topic, LOCKSTEP_QOS), message)
                for topic, message in {**_UNREAD, **_READ}.items()]

    def on_command(command) -> None:
        env.step(_COMMAND)
        for publisher, message in messages:
            publisher.publish(message)

    waiter = MessageWaiter(node)
    waiter.add(node.create_subscription(TwistStamped, 'cmd_vel', on_command, LOCKSTEP_QOS,
                                        callback_group=waiter))
    while True:
        waiter.wait(_FOREVER)


def main(argv=None) -> None:
    """Print the steps a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('dataset', nargs='?', help='of the sample recording')
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--simulator', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    rclpy.init()
    if arguments.simulator:
        simulate()
    gymnasium.register('bare/Diffbot-v0', BareEnv, max_episode_steps=100)
    simulator = subprocess.Popen([sys.executable, __file__, '--simulator'])
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ['IQL_RUNS'] = folder
            print(steps_in_process(arguments.seconds, 'bare', arguments.dataset,
                                   'bare/Diffbot-v0'))
    finally:
        simulator.kill()


if __name__ == '__main__':
    main()
