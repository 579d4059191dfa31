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

import collections
import threading
import time

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import UInt8MultiArray

from iql_ros.files import InputError
from iql_ros.online.weights import read_weights, Weights
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.runs.policy import Policy

WEIGHTS_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                         durability=DurabilityPolicy.TRANSIENT_LOCAL)
_NAMED = 4            # learners' runs that are named
_SAID_EVERY = 1.0     # [s] of why weights are refused, at most


class WeightsReceiver:
    """
    The weights that came last and are fit; not a Node.

    Read, checked and tried where messages arrive; loaded by `take`, in the thread that acts: until
    then the old ones act. Of the run that is followed only newer versions count; another's are
    taken only where nothing says whom to follow and nobody else publishes.
    """

    def __init__(self, node, learner: str, policy: Policy, interface: RobotInterface,
                 changed: threading.Condition, on_run, observations, wanted: int | None = None):
        """
        Subscribe.

        Args:
            node: The host.
            learner: Name of the node that publishes.
            policy: Whose weights they are to be.
            interface: Of the robot that it drives.
            changed: Notified of weights.
            on_run: Called with a run that is followed from now on.
            observations: Return those to try weights on, as a list.
            wanted: The run to follow; None: the only publisher's.

        """
        self._node, self._policy, self._interface = node, policy, interface
        self._changed, self._on_run = changed, on_run
        self._observations, self._wanted = observations, wanted
        self._waiting: Weights | None = None
        self.run: int | None = None             # whose weights were accepted
        self.newest = 0                         # version accepted last
        self.in_use = 0                         # version that acts; 0: the checkpoint's own
        self.refused, self.fault = 0, ''        # how many, and why the last one was
        self._strangers = collections.deque(maxlen=_NAMED)  # runs that were not followed
        self._said_at = 0.0
        self._subscription = node.create_subscription(
            UInt8MultiArray, f'{learner}/weights', self._on_weights, WEIGHTS_QOS)

    def _on_weights(self, message: UInt8MultiArray) -> None:
        try:
            weights = read_weights(message.data, self._policy, self._interface)
            self._check_run(weights.run)
            if (weights.run, weights.version) == (self.run, self.newest):
                return  # a learner that came back sends its newest again
            if weights.run == self.run and weights.version < self.newest:
                raise InputError(f'weights: version {weights.version} is older than '
                                 f'{self.newest}')
            self._policy.try_weights(
                weights.tensors, self._observations(), f'weights version {weights.version}')
        except InputError as error:
            self._refuse(str(error))
            return
        if weights.run != self.run:
            self._on_run(weights.run)
        with self._changed:
            self.run, self.newest, self._waiting = weights.run, weights.version, weights
            self.fault = ''
            self._changed.notify_all()

    def _check_run(self, run: int) -> None:
        if self._wanted is not None:
            if run != self._wanted:
                raise InputError(f"weights of learner's run {run:016x}; learner_run says "
                                 f'{self._wanted:016x}')
        elif run != self.run and self.publishers > 1:
            if run not in self._strangers:
                self._strangers.append(run)
            named = ', '.join(f'{each:016x}' for each in self._strangers)
            followed = 'none' if self.run is None else f'run {self.run:016x}'
            raise InputError(f"weights of learner's run {named}: {self.publishers} learners "
                             f'publish; following {followed}; learner_run says whom to follow')

    @property
    def publishers(self) -> int:
        """Return how many learners publish weights here."""
        return max(self._node.count_publishers(self._subscription.topic_name),
                   self._subscription.get_publisher_count())  # who is known first by one of them

    def _refuse(self, fault: str) -> None:
        new, self.fault = fault != self.fault, fault
        self.refused += 1  # last: whoever sees it grow reads why
        if new and time.monotonic() >= self._said_at + _SAID_EVERY:
            self._said_at = time.monotonic()
            self._node.log(f'refused: {fault}')

    def take(self) -> None:
        """Load the newest weights into the policy; only from the thread in which it acts."""
        with self._changed:
            weights, self._waiting = self._waiting, None
        if weights is not None:
            self._policy.load(weights.tensors, 'weights')
            self.in_use = weights.version
            self._node.get_logger().debug(f'weights version {weights.version} act')

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self._node.destroy_subscription(self._subscription)
