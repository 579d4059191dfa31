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

"""What an operator commands on ~/intervention/<action topic>, and for how long it counts."""

import functools
import threading

import numpy as np
from rclpy.qos import QoSProfile, ReliabilityPolicy

from iql_ros.files import InputError
from iql_ros.nodes.hosting.message_classes import message_class
from iql_ros.robot.message_fields import EmptyTrajectoryError
from iql_ros.robot.robot_interface import RobotInterface

# Matches every publisher; of a stick that moves, only where it is now counts.
_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class Interventions:
    """
    The newest command of an operator on every action topic; not a Node.

    A command counts for `timeout` after it came, on a clock of its own: the stamps of a
    joystick's driver are another machine's, and a node's time may stand still or go back.
    A trajectory without points commands the gate's stop.
    """

    def __init__(self, node, interface: RobotInterface, timeout: float, now_ns, stop):
        """
        Take what an operator may command; `subscribe` listens.

        Args:
            node: The host.
            interface: Of the robot.
            timeout: For how long a command counts [s].
            now_ns: () -> time [ns]: time.monotonic_ns, in lockstep the step's stamp.
            stop: () -> where a stop that begins now leads to (action_dim,).

        """
        self._node, self._streams, self._now_ns = node, interface.action, now_ns
        self._interface, self._stop = interface, stop
        self.set_timeout(timeout)
        self._lock = threading.Lock()
        self._newest = [None] * len(self._streams)      # (received [ns], vector)
        self._subscriptions = []

    def set_timeout(self, timeout: float) -> None:
        """Let a command count for `timeout` [s], also one that has come; from any thread."""
        self._timeout_ns = round(timeout * 1e9)

    def subscribe(self, on_command, on_not_finite, on_fault) -> None:
        """
        Listen to the operator from now on.

        Args:
            on_command: Called without arguments when there is a new command.
            on_not_finite: Called with a text for a command that must trip.
            on_fault: Called with a text for a message that does not fit.

        """
        self._on_command, self._on_not_finite = on_command, on_not_finite
        self._on_fault = on_fault
        self._subscriptions = [self._node.create_subscription(
            message_class(stream.type), f'~/intervention/{stream.topic.lstrip("/")}',
            functools.partial(self._on_message, index), _QOS)
            for index, stream in enumerate(self._streams)]

    def _on_message(self, index: int, message) -> None:
        name = f"intervention on '{self._streams[index].topic}'"
        try:
            vector = self._streams[index].decode(message)
        except EmptyTrajectoryError:
            vector = self._interface.split_action(self._stop())[index]
            if np.isnan(vector).any():  # nobody knows where the robot is: nothing moves it
                return
        except InputError as error:
            self._on_fault(f'{name}: {error}')
            return
        finite = np.isfinite(vector).all()
        with self._lock:
            if finite:
                self._newest[index] = self._now_ns(), vector
            else:
                self._newest = [None] * len(self._streams)
        if finite:
            self._on_command()
        else:
            self._on_not_finite(f'{name}: {vector.tolist()} is not finite')

    def action(self) -> np.ndarray | None:
        """Return what the operator wants (action_dim,), NaN where they have no say; None: none."""
        with self._lock:
            newest = list(self._newest)
        if not any(newest):
            return None
        now_ns = self._now_ns()
        parts = [said[1] if said and 0 <= now_ns - said[0] <= self._timeout_ns
                 else np.full(stream.dim, np.nan) for stream, said in zip(self._streams, newest)]
        action = np.concatenate(parts)
        return None if np.isnan(action).all() else action

    def destroy(self) -> None:
        """Leave the host node as it was."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
