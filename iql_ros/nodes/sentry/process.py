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

"""The process of the sentry: its socket, its topics, and its end."""

import collections
import json
import os
import signal
import socket
import sys
import threading
import time

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from iql_ros.nodes.hosting.executor import MessageExecutor
from iql_ros.nodes.hosting.real_time import (
    ask_for_real_time, SENTRY, set_garbage_aside)
from iql_ros.nodes.sentry.channel import Channel, Kind, Message
from iql_ros.nodes.sentry.e_stops import EStops
from iql_ros.nodes.sentry.publishers import CommandPublishers
from iql_ros.nodes.sentry.repeats import COMMAND
from iql_ros.nodes.sentry.rules import Sentry
from iql_ros.nodes.sentry.trip_memory import TripMemory
from iql_ros.robot.robot_interface import parse_robot_interface

# It goes when policy_node has gone, and the stop has been sent: whoever ends a group of
# processes means the robot to stop, not to drive on.
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_ENDS_DRIVING = {Kind.STOP, Kind.TRIP, Kind.CLOSE}
_LOOK = 0.1            # [s] between looks at the buttons' silence
_ENDING = 3            # [s]
_LAST_STOPS = 3        # sent on leaving, for those who listen without reliability
_BETWEEN = 0.02        # [s]
_LONGEST_RAMP_NS = 2 * 10**9   # to the stop, when nobody is there any more


def main() -> None:
    """Serve the policy_node at the socket whose number is the first argument."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    try:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        SentryProcess(json.load(sys.stdin), channel).run()
    except Exception as error:  # nobody reads what this process would print
        channel.send(Message(Kind.FAILED, text=' '.join(repr(error).split())))
    os._exit(0)  # nothing is left to do, and nothing may keep it


class SentryProcess:
    """Owns the publishers of the command topics while policy_node is active."""

    def __init__(self, given: dict, channel: Channel):
        """Listen to the buttons; `given` is what SentryLink hands over."""
        self._channel = channel
        self._topics, self._heartbeats = given['topics'], given['heartbeats']
        self._interface = parse_robot_interface(given['robot_config'], 'robot_config')
        self._memory = TripMemory(*given['trip_memory']) if given['trip_memory'] else None
        self._node = Node(given['name'], namespace=given['namespace'], enable_rosout=False,
                          use_global_arguments=False, start_parameter_services=False)
        self._lock = threading.RLock()       # of the rules; two threads have something to say
        self._publishers = None
        self._sentry = Sentry(self._interface, self._publish, channel.send, self._unheard,
                              self._publish_again)
        self._e_stops = EStops(self._node, given['e_stops'], given['e_stop_timeout'], self._trip)
        self._stop_repeat_ns = max(stream.gate.stop_repeat_ns
                                   for stream in self._interface.action)

    def _publish(self, command, stamp_ns: int) -> None:
        self._publishers.send(command, stamp_ns)

    def _publish_again(self, what: tuple[str, int], command, stamp_ns: int) -> None:
        kind, index = what
        if kind == COMMAND:
            self._publishers.send_one(index, command, stamp_ns)
        else:
            self._publishers.beat(index, stamp_ns)

    def _unheard(self) -> list[str]:
        return self._publishers.unheard() if self._publishers is not None else []

    def _trip(self, reason: str) -> None:
        with self._lock:
            if self._sentry.active:
                self._sentry.trip(reason, time.monotonic_ns())

    def run(self) -> None:
        """Serve until policy_node is gone."""
        threading.Thread(target=self._spin, daemon=True).start()
        set_garbage_aside()
        ask_for_real_time(SENTRY)
        self._channel.send(Message(Kind.READY))
        try:
            while True:
                waiting = self._receive(self._wait())
                while waiting:
                    message = waiting.popleft()
                    if message.kind == Kind.DRIVE:  # this process may just have stood still, too
                        waiting += self._receive(0.0)
                    if message.kind != Kind.DRIVE or not _ENDS_DRIVING & {
                            later.kind for later in waiting}:
                        self._serve(message)
                self._look()
        except EOFError:
            self._outlast()
        signal.alarm(_ENDING)       # nothing may keep it
        self._node.destroy_node()   # else Fast DDS leaves shared memory behind

    def _receive(self, timeout: float) -> collections.deque[Message]:
        """Return all that waits: of a process that stood still, the last word counts."""
        waiting, message = collections.deque(), self._channel.receive(timeout)
        while message is not None:
            waiting.append(message)
            message = self._channel.receive(0.0)
        return waiting

    def _spin(self) -> None:
        executor = MessageExecutor()
        executor.add_node(self._node)
        try:
            executor.spin()
        finally:  # whatever it was: a robot whose buttons are not heard must not drive
            self._trip('the sentry hears no e_stop any more')
            self._channel.close()

    def _wait(self) -> float:
        due_ns = self._sentry.due_ns()
        return _LOOK if due_ns is None else min(_LOOK, (due_ns - time.monotonic_ns()) * 1e-9)

    def _serve(self, message: Message) -> None:
        with self._lock:
            now_ns = time.monotonic_ns()
            if message.kind == Kind.OPEN:
                self._open(message, now_ns)
            elif message.kind == Kind.CLOSE:
                self._close()
            elif message.kind == Kind.CLEAR:
                self._clear(message, now_ns)
            else:
                self._sentry.take(message, now_ns)
            if message.kind == Kind.LOOKED:
                self._answer(message)

    def _answer(self, message: Message) -> None:
        """Say that the sentry lives, and whom it has not heard, or who would not hear it, yet."""
        if self._sentry.driving:
            self._channel.send(Message(Kind.SENT, message.time_ns, action=self._sentry.sent))
            return
        waiting_for = ''
        if self._publishers is not None:
            waiting_for = self._e_stops.unknown() or ', '.join(
                f"somebody who listens to '{topic}'" for topic in self._unheard())
        self._channel.send(Message(Kind.ANSWER, message.time_ns, text=waiting_for))

    def _look(self) -> None:
        with self._lock:
            now_ns = time.monotonic_ns()
            if self._sentry.driving and self._e_stops.silent():
                self._sentry.trip(self._e_stops.silent(), now_ns)
            if self._sentry.active and self._e_stops.pressed():
                self._sentry.trip(self._e_stops.pressed(), now_ns)
            for topic in self._unheard() if self._sentry.driving else ():
                self._sentry.trip(f"nobody listens to '{topic}' any more", now_ns)
            self._sentry.look(now_ns)

    def _open(self, message: Message, now_ns: int) -> None:
        self._publishers = CommandPublishers(
            self._node, self._interface, topics=self._topics, heartbeats=self._heartbeats)
        self._sentry.take(message, now_ns)
        self._channel.send(Message(Kind.READY))

    def _clear(self, message: Message, now_ns: int) -> None:
        self._e_stops.forgive()
        pressed = self._e_stops.pressed()
        if pressed:
            self._channel.send(Message(Kind.REFUSED, text=pressed))
            return
        self._sentry.take(message, now_ns)
        self._channel.send(Message(Kind.READY))

    def _close(self) -> None:
        if self._publishers is not None:
            for _ in range(_LAST_STOPS):
                self._sentry.repeat(time.monotonic_ns())
                time.sleep(_BETWEEN)
            self._sentry.active = False
            self._publishers.flush(timeout=_LOOK)
            self._publishers.destroy()
            self._publishers = None
        self._channel.send(Message(Kind.READY))

    def _outlast(self) -> None:
        """Stop the robot of a policy_node that is gone, for as long as it may need to hear it."""
        with self._lock:
            if not self._sentry.active:
                return
            if self._sentry.driving:
                self._sentry.trip('policy_node was gone while it drove', time.monotonic_ns())
            reason = self._sentry.trip_reason
        if self._memory and reason:
            self._memory.keep(reason)
        began_ns = time.monotonic_ns()
        until_ns = began_ns + self._stop_repeat_ns
        while time.monotonic_ns() < until_ns or (
                self._sentry.stopping and time.monotonic_ns() < began_ns + _LONGEST_RAMP_NS):
            with self._lock:
                self._sentry.repeat(time.monotonic_ns())
            time.sleep(self._interface.period_ns * 1e-9)
        if self._memory:
            self._memory.flush(1.0)
