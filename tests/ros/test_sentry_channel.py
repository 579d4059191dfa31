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

"""Tests for nodes/sentry/channel.py."""

import socket

import numpy as np
import pytest

from iql_ros.nodes.sentry.channel import Channel, Kind, Message, pack, unpack


def ends():
    return [Channel(end) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)]


@pytest.mark.parametrize('message', [
    Message(Kind.LOOKED, 7, 8), Message(Kind.TRIP, 1, text='stream too old: ‘pose’'),
    Message(Kind.STOP, stamp_ns=-3)])
def test_a_message_comes_out_as_it_went_in(message):
    assert unpack(pack(message)) == message


def test_a_command_comes_out_to_the_bit():
    sent = unpack(pack(Message(Kind.DRIVE, 1, 2, action=np.array([0.1, -np.inf]))))
    assert sent.action.tolist() == [0.1, -np.inf] and (sent.time_ns, sent.stamp_ns) == (1, 2)


def test_messages_stay_whole_and_in_order():
    ours, theirs = ends()
    for number in (1, 2, 3):
        assert ours.send(Message(Kind.LOOKED, number))
    assert [theirs.receive(0.0).time_ns for _ in range(3)] == [1, 2, 3]
    assert theirs.receive(0.0) is None


def test_an_end_that_is_gone_is_seen_and_sending_to_it_is_no_error():
    ours, theirs = ends()
    theirs.close()
    with pytest.raises(EOFError):
        ours.receive(None)
    assert not ours.send(Message(Kind.STOP))


def test_sending_to_an_end_that_does_not_read_never_waits():
    ours, _theirs = ends()
    sent = 0
    while ours.send(Message(Kind.STOP)):
        sent += 1
        assert sent < 1_000_000
    assert sent > 10


def test_a_text_is_cut_where_it_is_long():
    assert len(unpack(pack(Message(Kind.TRIP, text='x' * 100_000))).text) == 1000
