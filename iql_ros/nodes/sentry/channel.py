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

"""What policy_node and its sentry tell each other, over a socket that keeps messages whole."""

import dataclasses
import enum
import select
import socket
import struct

import numpy as np

_HEAD = struct.Struct('<Bqqq')
_LONGEST = 16_384   # [B]; a text is cut, and no robot has that many joints
_LONGEST_TEXT = 1000


class Kind(enum.IntEnum):
    """What a message says; up to BEGIN policy_node says it, from there on the sentry."""

    OPEN = 0       # commands are to come; with the text of a trip that holds already
    DRIVE = 1      # a command that the gate let through
    STOP = 2       # go on towards the stop; nothing is expected after it
    TRIP = 3       # stop, and send nothing else until CLEAR
    CLEAR = 4
    LOOKED = 5     # the watchdog has looked, and has seen where the robot is
    CLOSE = 6      # send the stop, then be silent
    BEGIN = 7      # what the next command leads on from: not one that the sentry sent
    READY = 8      # to begin, and after OPEN, CLEAR and CLOSE
    REFUSED = 9    # in answer to CLEAR
    TRIPPED = 10
    FAILED = 11    # the sentry cannot go on
    ANSWER = 12    # to LOOKED, with what it waits for
    SENT = 13      # to LOOKED while it drives, with the command that went out last


_OF_VALUES = {Kind.DRIVE, Kind.STOP, Kind.LOOKED, Kind.BEGIN, Kind.SENT}


@dataclasses.dataclass(frozen=True)
class Message:
    """
    One message; `action` has the shape (action_dim,).

    It is the command of DRIVE and SENT, and where the STOP leads; with LOOKED it is where the
    robot is, with BEGIN that or a command of policy_node's own, NaN where nobody knows.
    """

    kind: Kind
    time_ns: int = 0               # monotonic: of what it says, not of its sending
    stamp_ns: int = 0              # on the clock of the robot's messages
    due_ns: int = 0                # monotonic: of the DRIVE after this one; 0: of none
    action: np.ndarray | None = None
    text: str = ''


def pack(message: Message) -> bytes:
    """Return a message's bytes."""
    rest = message.text.encode()[:_LONGEST_TEXT] if message.action is None else np.asarray(
        message.action, np.float64).tobytes()
    return _HEAD.pack(message.kind, message.time_ns, message.stamp_ns, message.due_ns) + rest


def unpack(data: bytes) -> Message:
    """Return the message of its bytes."""
    kind, *times = _HEAD.unpack_from(data)
    rest, kind = data[_HEAD.size:], Kind(kind)
    if kind in _OF_VALUES and rest:
        return Message(kind, *times, action=np.frombuffer(rest))
    return Message(kind, *times, text=rest.decode(errors='replace'))


class Channel:
    """One end of the socket between the two; any thread may send, one receives."""

    def __init__(self, end: socket.socket):
        """Take an end of a SOCK_SEQPACKET pair."""
        self._socket = end
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)

    def send(self, message: Message) -> bool:
        """Send without waiting; say whether the other end has room for it, or is there at all."""
        try:
            self._socket.send(pack(message), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def receive(self, timeout: float | None) -> Message | None:
        """
        Return the next message, None when none came in `timeout` [s]; None waits for ever.

        Raises:
            EOFError: when the other end is gone.

        """
        if timeout != 0.0 and not self._poll.poll(
                None if timeout is None else max(0.0, timeout) * 1e3):
            return None
        try:
            data = self._socket.recv(_LONGEST, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            data = b''
        if not data:
            raise EOFError
        return unpack(data)

    def close(self) -> None:
        """Hang up, which the other end sees, as does whoever receives at this one."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other end was quicker
            pass
