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

"""Receives a learner's weights, refuses what is unfit, and gives the newest to the policy."""

import threading

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import UInt8MultiArray

from iql_ros.files import InputError
from iql_ros.online.weights import read_weights, Weights
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.runs.policy import Policy

WEIGHTS_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                         durability=DurabilityPolicy.TRANSIENT_LOCAL)


class WeightsReceiver:
    """
    The weights that came last and are fit; not a Node.

    Read and checked where messages arrive; loaded by `take`, in the thread that acts. Of one run
    only newer versions count; another run's are taken only when nobody else publishes.
    """

    def __init__(self, node, learner: str, policy: Policy, interface: RobotInterface,
                 changed: threading.Condition, on_run):
        """Subscribe; `changed` is notified of weights, `on_run(run)` called for a new run."""
        self._node, self._policy, self._interface = node, policy, interface
        self._changed, self._on_run = changed, on_run
        self._waiting: Weights | None = None
        self.run: int | None = None             # whose weights were accepted
        self.newest = 0                         # version accepted last
        self.in_use = 0                         # version that acts; 0: the checkpoint's own
        self.refused, self.fault = 0, ''        # how many, and why the last one was
        self._subscription = node.create_subscription(
            UInt8MultiArray, f'{learner}/weights', self._on_weights, WEIGHTS_QOS)

    def _on_weights(self, message: UInt8MultiArray) -> None:
        try:
            weights = read_weights(bytes(message.data), self._policy, self._interface)
            if (weights.run, weights.version) == (self.run, self.newest):
                return  # a learner that came back sends its newest again
            self._check_newer(weights)
        except InputError as error:
            self._refuse(str(error))
            return
        if weights.run != self.run:
            self._on_run(weights.run)
        with self._changed:
            self.run, self.newest, self._waiting = weights.run, weights.version, weights
            self.fault = ''
            self._changed.notify_all()

    def _check_newer(self, weights: Weights) -> None:
        if self.run is None:
            return
        if weights.run != self.run and self.publishers > 1:
            raise InputError(f"weights of learner's run {weights.run:016x}: {self.publishers} "
                             f'learners publish; following run {self.run:016x}')
        if weights.run == self.run and weights.version < self.newest:
            raise InputError(f'weights: version {weights.version} is older than {self.newest}')

    @property
    def publishers(self) -> int:
        """Return how many learners publish weights here."""
        return self._node.count_publishers(self._subscription.topic_name)

    def _refuse(self, fault: str) -> None:
        self.refused += 1
        if fault != self.fault:
            self.fault = fault
            self._node.log(f'refused: {fault}')

    def take(self) -> None:
        """Load the newest weights into the policy; only from the thread in which it acts."""
        with self._changed:
            weights, self._waiting = self._waiting, None
        if weights is not None:
            try:
                self._policy.load(weights.tensors, 'weights')
            except InputError as error:
                self._refuse(str(error))
                return
            self.in_use = weights.version
            self._node.get_logger().debug(f'weights version {weights.version} act')

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self._node.destroy_subscription(self._subscription)
