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

"""Takes in what the robots of a learner lived through, and tells them what is on disk."""

import queue
import threading
import time

from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Float64MultiArray, UInt64MultiArray

from iql_ros.files import InputError
from iql_ros.online.experience import ExperienceFormat
from iql_ros.online.learner import OnlineLearner

_EXPERIENCE_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
_QUEUED = 1000       # messages that may wait; what comes beyond is sent again
_MOST_WAITING = 2 << 20  # numbers of them, 16 MB
_SAID_EVERY = 1.0    # [s] of why something is refused, at most
_HEARTBEAT = 1.0     # [s] between acknowledgements at least
_ACKNOWLEDGE = 0.1   # [s] between acknowledgements while updates are owed
_TOGETHER = 0.01     # [s] between them otherwise, but at once at an episode's end


class ExperienceReceiver:
    """
    The experience topics of several robots and the acknowledgements to them; not a Node.

    What is refused, or finds no room on the disk, is not acknowledged, and disturbs nobody.
    """

    def __init__(self, node, robots):
        """Listen; `robots` are namespaces, '' the node's own. What comes waits for `open`."""
        self._node, self._messages = node, queue.Queue(_QUEUED)
        self._publishers, self._sessions, self.refused = {}, {}, {}
        self._said, self._lock = {}, threading.Lock()  # the last words to every robot
        self._said_at, self._ended = 0.0, False
        self._room, self._refusal_said = _MOST_WAITING, 0.0
        self.owes = False                # a robot has not been told of its last steps
        self.trouble = ''                # why the disk takes nothing
        for name in robots:
            policy = f'{name}/policy_node' if name else 'policy_node'
            robot = node.resolve_topic_name(policy).removesuffix('/policy_node')
            self._publishers[robot] = node.create_publisher(
                UInt64MultiArray, f'{policy}/acknowledged', 10)
            node.create_subscription(
                Float64MultiArray, f'{policy}/experience',
                lambda message, robot=robot: self._on_experience(robot, message),
                _EXPERIENCE_QOS)
        node.create_timer(_HEARTBEAT, self._beat, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def open(self, learner: OnlineLearner, form: ExperienceFormat) -> None:
        """Give what comes to a learner from now on; from here on one thread does the rest."""
        self._learner, self._form = learner, form
        # a robot that waits for us may have nothing more to send
        self._sessions.update({robot: session for robot, session
                               in learner.inbox.sessions().items() if robot in self._publishers})

    def _on_experience(self, robot: str, message: Float64MultiArray) -> None:
        if len(message.data) > _MOST_WAITING:
            self._refuse(robot, f"experience of robot '{robot}': got {len(message.data)} values; "
                         f'allowed: {_MOST_WAITING}')
            return
        with self._lock:
            if len(message.data) > self._room:
                return  # it is not acknowledged, so it comes again
            try:
                self._messages.put_nowait((robot, message))
            except queue.Full:
                return  # it comes again
            self._room -= len(message.data)

    def take(self, timeout: float) -> bool:
        """Let the learner have what has come, waiting up to `timeout` [s]; False for nothing."""
        taken = False
        try:
            message = self._messages.get(block=timeout > 0, timeout=timeout or None)
            while True:
                self._take(*message)
                taken = True
                message = self._messages.get_nowait()
        except queue.Empty:
            return taken

    def _take(self, robot: str, message: Float64MultiArray) -> None:
        with self._lock:
            self._room += len(message.data)
        dims = message.layout.dim
        try:
            self._form.check_size(dims, message.data, robot)
            labels = [(dim.label, dim.size) for dim in dims]
            for experience in self._form.decode(labels, message.data, robot):
                self._sessions[robot] = experience.session
                if self._learner.add(experience):
                    self.trouble = ''
                    step = experience.transition
                    self._ended = self._ended or step.terminated or step.truncated
        except InputError as error:
            self._refuse(robot, str(error))
        except OSError as error:
            self.trouble = f'{error.strerror}: experience waits at its robots'
            self._node.get_logger().error(f'{self._learner.folder}: {self.trouble}',
                                          throttle_duration_sec=5.0)

    def _refuse(self, robot: str, reason: str) -> None:
        count, last = self.refused.get(robot, (0, ''))
        self.refused[robot] = count + 1, reason
        if reason != last and time.monotonic() >= self._refusal_said + _SAID_EVERY:
            self._refusal_said = time.monotonic()
            self._node.get_logger().error(f'refused: {reason}')

    def acknowledge(self, now: bool = False) -> None:
        """Tell every robot where it stands, but in between, only now and then."""
        behind = self._learner.behind
        wait = _ACKNOWLEDGE if behind else 0.0 if self._ended else _TOGETHER
        if not now and time.monotonic() < self._said_at + wait:
            self.owes = True
            return
        self._said_at, self.owes = time.monotonic(), False
        self._ended = self._ended and behind > 0
        for robot, session in self._sessions.items():
            values = list(self._learner.acknowledgement(robot, session))
            with self._lock:
                self._said[robot] = values
                self._publishers[robot].publish(UInt64MultiArray(data=values))

    def _beat(self) -> None:
        """Say what was said last: an evaluation or a report may take the learner a while."""
        with self._lock:
            for robot, values in self._said.items():
                self._publishers[robot].publish(UInt64MultiArray(data=values))

    def remarks(self) -> list[str]:
        """Return what a person should know."""
        return [*filter(None, [self.trouble]), *(
            f"refused {count} of robot '{robot}': {reason}"
            for robot, (count, reason) in self.refused.items())]
