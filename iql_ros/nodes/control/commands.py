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

"""How a control loop's commands reach the robot: by this process, or through the sentry."""

import time

import numpy as np

from iql_ros.nodes.sentry.channel import Kind, Message
from iql_ros.nodes.sentry.link import SentryLink
from iql_ros.nodes.sentry.publishers import CommandPublishers
from iql_ros.robot.robot_interface import RobotInterface

_FLUSH = 0.2    # [s] for the last stop to arrive: a publisher that is gone sends it no more


class DirectCommands:
    """
    Commands sent by this process; not a Node.

    `tap(topic, message, stamp_ns)` sees what goes out, by the topic's full name.
    """

    def __init__(self, node, interface: RobotInterface, qos, tap):
        """Take the parts; publishers are made by `open`: nothing can be sent before."""
        self._node, self._interface, self._qos, self._tap = node, interface, qos, tap
        self._publishers: CommandPublishers | None = None

    def open(self, stamp_ns: int, tripped: str) -> None:
        """Make the publishers."""
        self._publishers = CommandPublishers(self._node, self._interface, self._qos,
                                             self._topics())

    def _topics(self) -> list[str] | None:
        """Return where commands go, None: to the robot's own topics."""
        return None

    def drive(self, command: np.ndarray, stamp_ns: int, sampled_ns: int, due_ns: int) -> None:
        """
        Send a command (action_dim,), decided on what was there at `sampled_ns`.

        The next one is due at `due_ns`, 0: nobody knows when; both monotonic.
        """
        self._show(command, stamp_ns, send=True)

    def begin(self, stood: np.ndarray) -> None:
        """Say where the robot stands before the first command of an episode, (action_dim,)."""

    def stop(self, command: np.ndarray, target: np.ndarray, stamp_ns: int) -> None:
        """Send a command on the way to where the stop leads, both (action_dim,)."""
        self._show(command, stamp_ns, send=True)

    def _show(self, command, stamp_ns: int, send: bool) -> None:
        messages = self._publishers.encode(command, stamp_ns)
        if send:
            self._publishers.publish(messages)
        for publisher, message in zip(self._publishers.publishers, messages):
            if message is not None:
                self._tap(publisher.topic_name, message, stamp_ns)

    def sent(self, command: np.ndarray) -> np.ndarray:
        """Return what went out last, of what was to: `command`; both (action_dim,)."""
        return command

    def told(self, command: np.ndarray) -> np.ndarray:
        """Return what the robot was told last (action_dim,), NaN: nothing; `command`: by us."""
        return self.sent(command)

    def trip(self, reason: str, stamp_ns: int) -> None:
        """Let nothing but the stop out from now on; here the loop sees to it."""

    def clear(self) -> str:
        """Let commands out again; return why that cannot be, empty: it is done."""
        return ''

    def looked(self, measured: np.ndarray, stamp_ns: int) -> None:
        """Say that the watchdog has looked, and where the robot is, (action_dim,)."""

    def fault(self) -> str:
        """Return why commands may not reach the robot; empty: they do."""
        return ''

    def not_ready(self) -> str:
        """Return why commands may not be sent yet; empty: they may."""
        return ''

    def close(self, stamp_ns: int) -> None:
        """Be silent; the stop has been sent."""
        if self._publishers is not None:
            self._publishers.flush(_FLUSH)
            self._publishers.destroy()
            self._publishers = None

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self.close(0)


class SentryCommands(DirectCommands):
    """
    Commands that another process, the sentry, sends, so that it can stop the robot without us.

    The publishers here are silent, unless the sentry is: then they send the stop.
    """

    def __init__(self, node, interface: RobotInterface, qos, tap, given: dict, on_trip):
        """Start the sentry; see SentryLink for `given` and `on_trip`."""
        super().__init__(node, interface, qos, tap)
        self._given, self._on_trip = given, on_trip
        self._given['topics'] = [node.resolve_topic_name(stream.topic)
                                 for stream in interface.action]
        self._given['heartbeats'] = [
            stream.heartbeat and node.resolve_topic_name(stream.heartbeat.topic)
            for stream in interface.action]
        self._link = SentryLink(interface, given, on_trip)

    @property
    def sentry_pid(self) -> int:
        """Return the sentry's process number."""
        return self._link.pid

    def open(self, stamp_ns: int, tripped: str) -> None:
        """Make the publishers, here and there; one that has gone is replaced."""
        if self._link.gone:
            self._link.destroy()
            self._link = SentryLink(self._interface, self._given, self._on_trip)
        super().open(stamp_ns, tripped)
        self._link.open(stamp_ns, tripped)

    def drive(self, command: np.ndarray, stamp_ns: int, sampled_ns: int, due_ns: int) -> None:
        """Have a command (action_dim,) sent."""
        self._link.send(Message(Kind.DRIVE, sampled_ns, stamp_ns, due_ns, action=command))
        self._show(command, stamp_ns, send=False)

    def begin(self, stood: np.ndarray) -> None:
        """Say where the robot stands: the sentry measures nothing."""
        self._link.send(Message(Kind.BEGIN, time.monotonic_ns(), action=stood))

    def stop(self, command: np.ndarray, target: np.ndarray, stamp_ns: int) -> None:
        """Have the stop approached, and do it here when nobody else may."""
        sent = self._link.send(Message(Kind.STOP, time.monotonic_ns(), stamp_ns, action=target))
        alone = not sent or bool(self._link.fault())
        self._show(command, stamp_ns, send=alone)
        if alone:   # one that stood still goes on from here
            self.begin(command)

    def sent(self, command: np.ndarray) -> np.ndarray:
        """Return what went out last; one that stands still has not sent what it was told."""
        sent = self._link.sent
        stands = not self._link.gone and self._link.fault()
        return sent if stands and sent is not None else command

    def trip(self, reason: str, stamp_ns: int) -> None:
        """Have nothing but the stop sent from now on."""
        self._link.send(Message(Kind.TRIP, stamp_ns=stamp_ns, text=reason))

    def clear(self) -> str:
        """Have commands sent again; return why that cannot be, empty: it is done."""
        return self._link.clear() if self._publishers is not None else ''

    def looked(self, measured: np.ndarray, stamp_ns: int) -> None:
        """Say that the watchdog has looked; the answer says that the sentry lives."""
        self._link.looked(measured, stamp_ns)

    def fault(self) -> str:
        """Return why the sentry may not send what it is told; empty: it does."""
        return self._link.fault()

    def not_ready(self) -> str:
        """Return what the sentry has to hear first, or why it cannot be relied on."""
        return self._link.fault() or self._link.waiting_for

    def close(self, stamp_ns: int) -> None:
        """Let the last stop go out, and be silent, here and there."""
        if self._publishers is not None:
            self._link.close(stamp_ns)
        super().close(stamp_ns)

    def destroy(self) -> None:
        """Leave the host node as it was, and end the sentry."""
        super().destroy()
        self._link.destroy()
