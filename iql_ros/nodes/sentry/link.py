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

"""policy_node's end of its sentry: starts the process, speaks to it, hears when it trips."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np

from iql_ros.files import InputError, share_folder
from iql_ros.nodes.sentry.channel import Channel, Kind, Message
from iql_ros.nodes.sentry.rules import patience_ns
from iql_ros.robot.robot_interface import RobotInterface

_STARTING = 20.0    # [s] a slow machine may take to import rclpy
_ANSWERING = 2.0    # [s] to make or close its publishers
_PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
_READING = 0.001    # [s] for the thread that reads what the sentry says
_CLEARING = 0.2     # [s] to forget a trip; meanwhile the loop repeats no stop


def sentry_environment(ours: dict[str, str], arguments=()) -> dict[str, str]:
    """
    Return the process's environment: nothing of the folder we are in, no shared memory.

    `arguments` are those of our command line: of a SROS 2 enclave named there it is, too.

    Fast DDS 2.14 looks for up to 2 s, holding locks that publishing needs, whether the shared
    memory of a process that has come or was killed is sound. With LOCALHOST, ROS 2 uses it
    whatever is asked for; the same graph can be had by UDP that knows no other interface, unless
    there are peers on other machines.
    """
    found = {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4', **ours, 'PYTHONSAFEPATH': '1'}
    for name, value in zip(arguments, arguments[1:]):
        if name in ('-e', '--enclave'):
            found['ROS_SECURITY_ENCLAVE_OVERRIDE'] = value
    here = ours.get('ROS_AUTOMATIC_DISCOVERY_RANGE') == 'LOCALHOST'
    if here and not any(ours.get(name) for name in (*_PROFILES, 'ROS_STATIC_PEERS')):
        profile = str(share_folder() / 'config' / 'fastdds_loopback.xml')
        found.update(ROS_AUTOMATIC_DISCOVERY_RANGE='SUBNET', ROS_STATIC_PEERS='127.0.0.1',
                     **dict.fromkeys(_PROFILES, profile))
    return found


class SentryLink:
    """A running sentry; whoever uses it looks at `fault`."""

    def __init__(self, interface: RobotInterface, given: dict, on_trip):
        """
        Start the process and wait until it is there.

        Args:
            interface: Of the robot.
            given: What the process is to know, see `SentryProcess`.
            on_trip: Called with a reason, from a thread of its own, when the sentry trips.

        Raises:
            InputError: when the process does not come up.

        """
        self._on_trip, self._patience_ns = on_trip, patience_ns(interface)
        self._ready, self._gone, self._failure = threading.Event(), False, ''
        self._refusal = ''
        self.waiting_for = ''     # what it must have heard before anything may drive
        self.sent: np.ndarray | None = None   # what went out last, (action_dim,)
        self._open, self._asked_ns, self._answered_ns = False, 0, 0
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, '-m', 'iql_ros.nodes.sentry', str(theirs.fileno())],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()], start_new_session=True,  # no terminal's Ctrl-C
                env=sentry_environment(dict(os.environ), sys.argv))
        with self._process.stdin as stdin:
            stdin.write(json.dumps(given).encode())
        self._channel = Channel(ours)
        threading.Thread(target=self._receive, name='sentry', daemon=True).start()
        if not self._wait(_STARTING):
            self.destroy()
            raise InputError(f'the sentry did not start: {self._failure or "no answer"}')

    @property
    def pid(self) -> int:
        """Return the process's number."""
        return self._process.pid

    @property
    def gone(self) -> bool:
        """Say whether the process has ended."""
        return self._gone

    def _receive(self) -> None:
        try:
            while True:
                self._hear(self._channel.receive(None))
        except EOFError:
            self._gone = True
            self._ready.set()
        if self._open:
            self._on_trip(self.fault())

    def _hear(self, message: Message) -> None:
        if message.kind in (Kind.ANSWER, Kind.SENT):
            self._answered_ns = max(self._answered_ns, message.time_ns)
            self.sent, self.waiting_for = message.action, message.text
        elif message.kind in (Kind.READY, Kind.REFUSED):
            self._refusal = message.text
            self._ready.set()
        elif message.kind == Kind.FAILED:
            self._failure = message.text
        elif message.kind == Kind.TRIPPED and self._open:
            self._on_trip(message.text)

    def _wait(self, timeout: float) -> bool:
        came = self._ready.wait(timeout)
        self._ready.clear()
        return came and not self._gone

    def open(self, stamp_ns: int, tripped: str) -> None:
        """
        Let it send from now on; `tripped` is why not yet, empty: it may.

        Raises:
            InputError: when it does not answer.

        """
        self._ready.clear()
        self.send(Message(Kind.OPEN, time.monotonic_ns(), stamp_ns, text=tripped))
        if not self._wait(_ANSWERING):
            raise InputError(f'the sentry did not open: {self.fault() or "no answer"}')
        self.waiting_for = 'the first word of the sentry'
        self.sent = None
        self._asked_ns = self._answered_ns = time.monotonic_ns()
        self._open = True

    def send(self, message: Message) -> bool:
        """Tell it something without waiting; say whether it could be told."""
        return self._channel.send(message)

    def looked(self, measured: np.ndarray, stamp_ns: int) -> None:
        """Say that the watchdog has looked, and where the robot is, (action_dim,)."""
        now_ns = time.monotonic_ns()
        if now_ns - self._asked_ns > self._patience_ns:   # this process stood still itself
            self._answered_ns = max(self._answered_ns, now_ns - 1)
        self._asked_ns = now_ns
        self.send(Message(Kind.LOOKED, now_ns, stamp_ns, action=measured))

    def clear(self) -> str:
        """Let it forget its trip; return why it does not, empty: it does."""
        self._ready.clear()
        self.send(Message(Kind.CLEAR))
        return self._refusal if self._wait(_CLEARING) else self.fault() or 'no answer'

    def fault(self) -> str:
        """Return why the sentry cannot be relied on; empty: it can. While open."""
        if self._gone:
            return 'the sentry is gone' + (f': {self._failure}' if self._failure else '')
        if self._silence_ns() > self._patience_ns:
            time.sleep(_READING)   # its answer may have come while this process stood still
            silence_ns = self._silence_ns()
            if silence_ns > self._patience_ns:
                return f'the sentry has not answered for {silence_ns * 1e-9:.3f} s'
        return ''

    def _silence_ns(self) -> int:
        if self._answered_ns >= self._asked_ns:
            return 0
        return time.monotonic_ns() - self._answered_ns

    def close(self, stamp_ns: int) -> None:
        """Let it send the last stop and be silent; returns when it is, or after a while."""
        self._open = False
        self._ready.clear()
        if self.send(Message(Kind.CLOSE, stamp_ns=stamp_ns)):
            self._wait(_ANSWERING)

    def destroy(self) -> None:
        """End the process: it goes when the channel does."""
        self._open = False
        self._channel.close()
        try:
            self._process.wait(timeout=_ANSWERING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
