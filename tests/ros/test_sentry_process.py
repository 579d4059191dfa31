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

"""Tests for nodes/sentry/process.py and link.py: the real process, over real topics."""

import os
import signal
import threading
import time

from geometry_msgs.msg import TwistStamped
import numpy as np
import pytest
from rclpy.node import Node
from std_msgs.msg import Bool, Header

from iql_ros.files import share_folder
from iql_ros.nodes.sentry.channel import Kind, Message
from iql_ros.nodes.sentry.link import SentryLink
from iql_ros.nodes.sentry.trip_memory import TripMemory
from iql_ros.robot.robot_interface import parse_robot_interface

# 5 Hz, sent at 100 Hz
DIFFBOT = parse_robot_interface((
    share_folder() / 'config' / 'robots' / 'diffbot.yaml').read_text().replace(
    '    rule: mean\n', '    rule: mean\n    publish_rate: 100\n    heartbeat: {topic: alive, '
    'type: std_msgs/msg/Header, rate: 20, set: {frame_id: well}, '
    'stamp: {field: stamp.sec, unit: s}}\n'),
    'diffbot')


class Guarded:
    """A link whose driver says what the test wants, and what the robot hears of it."""

    def __init__(self, graph):
        self.node = graph.add(Node('robot'))
        self.heard, self.trips, self.stamps, self.beats = [], [], [], []
        self.node.create_subscription(TwistStamped, 'cmd_vel', self._hear, 50)
        self.node.create_subscription(Header, 'alive', self.beats.append, 50)
        self.button = self.node.create_publisher(Bool, 'button', 10)
        self.link = SentryLink(DIFFBOT, {
            'robot_config': DIFFBOT.text, 'name': 'policy_node_sentry', 'namespace': '/',
            'topics': ['/cmd_vel'], 'heartbeats': ['/alive'], 'e_stops': ['/button'],
            'e_stop_timeout': 0.0,
            'trip_memory': ['diffbot', '/policy_node']}, self.trips.append)
        self.link.open(time.time_ns(), '')
        self._driving = threading.Event()
        self._driving.set()
        self._thread = threading.Thread(target=self._drive, daemon=True)
        self._thread.start()

    def _hear(self, message):
        self.heard.append(message.twist.linear.x)
        self.stamps.append(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)

    def _drive(self):
        while self._driving.is_set():
            now = time.monotonic_ns()
            self.link.looked(np.full(2, np.nan), time.time_ns())
            self.link.send(Message(Kind.DRIVE, now, time.time_ns(), action=np.array([0.1, 0.0])))
            self._driving.wait(0)
            threading.Event().wait(0.02)

    def fall_silent(self):
        self._driving.clear()
        self._thread.join()

    def close(self):
        self.fall_silent()
        self.link.destroy()


@pytest.fixture
def guarded(graph, wait_for):
    """Give a robot that is driven through a sentry."""
    guarded = Guarded(graph)
    wait_for(lambda: 0.1 in guarded.heard or guarded.trips, what='a command')
    assert guarded.trips == []
    yield guarded
    guarded.close()


def test_the_stop_goes_out_and_is_repeated_when_the_driver_falls_silent(guarded, wait_for):
    guarded.fall_silent()
    wait_for(lambda: guarded.trips, what='the trip')
    assert 'no word from policy_node for' in guarded.trips[0]
    wait_for(lambda: guarded.heard[-3:] == [0.0] * 3, what='the repeated stop')


def test_a_command_is_sent_again_with_a_stamp_of_its_own_and_so_is_a_heartbeat_and_the_stop(
        guarded, wait_for):
    # the driver of this test speaks at 50 Hz: what is heard besides is sent again
    wait_for(lambda: len(guarded.beats) > 5, what='heartbeats')
    assert {beat.frame_id for beat in guarded.beats} == {'well'}
    assert all(abs(beat.stamp.sec - time.time()) < 5 for beat in guarded.beats)
    # one that was decided before, and sent again meanwhile, may be on its way
    stamps = np.diff(guarded.stamps[1:])
    assert np.median(stamps) < 15e6 and (stamps > 0).mean() > 0.8
    guarded.fall_silent()
    wait_for(lambda: guarded.trips and guarded.heard[-9:] == [0.0] * 9, what='the stop')
    assert np.median(np.diff(guarded.stamps[-8:])) < 15e6
    guarded.beats.clear()
    wait_for(lambda: len(guarded.beats) > 2, what='heartbeats while the trip lasts')


def test_a_button_stops_the_robot_whoever_drives_and_is_not_cleared_while_pressed(
        guarded, wait_for):
    guarded.button.publish(Bool(data=True))
    wait_for(lambda: guarded.trips, what='the trip')
    assert guarded.trips[0] == "e_stop: '/button' is true"
    wait_for(lambda: guarded.heard[-1] == 0.0, what='the stop')
    assert guarded.link.clear() == "e_stop: '/button' is true"
    guarded.heard.clear()
    wait_for(lambda: len(guarded.heard) > 3, what='the repeated stop')
    assert set(guarded.heard) == {0.0}
    guarded.button.publish(Bool(data=False))
    wait_for(lambda: guarded.link.clear() == '', what='the release')
    wait_for(lambda: guarded.heard[-1] == 0.1, what='a command')


def test_it_outlasts_a_driver_that_is_gone_by_its_stop_and_keeps_the_trip(guarded, wait_for):
    guarded.link._channel.close()    # as the kernel does for a process that was killed
    wait_for(lambda: guarded.heard[-3:] == [0.0] * 3, what='the repeated stop')
    wait_for(lambda: guarded.link._process.poll() is not None, what='its end')
    assert guarded.heard[-1] == 0.0
    assert TripMemory('diffbot', '/policy_node').load().startswith(
        'policy_node was gone while it drove')


@pytest.mark.parametrize('number', [
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_it_goes_on_after_every_signal_that_ends_a_group(guarded, wait_for, number):
    os.kill(guarded.link.pid, number)
    guarded.heard.clear()
    wait_for(lambda: guarded.heard.count(0.1) > 3, what='commands')
    assert guarded.trips == [] and guarded.link.fault() == ''


def test_it_is_in_a_session_of_its_own_which_no_terminal_signals(guarded):
    assert os.getsid(guarded.link.pid) == guarded.link.pid


def test_one_that_is_gone_is_told(guarded, wait_for):
    os.kill(guarded.link.pid, signal.SIGKILL)
    wait_for(lambda: guarded.trips, what='the trip')
    assert guarded.trips == ['the sentry is gone'] and guarded.link.gone


def test_its_silence_does_not_count_while_this_process_itself_stood_still(guarded, wait_for):
    guarded.fall_silent()   # for longer than either side's patience
    wait_for(lambda: guarded.trips, what='the trip')
    guarded.link.looked(np.full(2, np.nan), time.time_ns())
    assert guarded.link.fault() == ''


def test_what_it_sent_last_is_known_also_when_it_stands(guarded, wait_for):
    wait_for(lambda: guarded.link.sent is not None, what='word of a command')
    os.kill(guarded.link.pid, signal.SIGSTOP)
    wait_for(guarded.link.fault, what='the fault')
    assert guarded.link.sent.tolist() == [0.1, 0.0]
    os.kill(guarded.link.pid, signal.SIGCONT)


def test_one_that_stands_is_a_fault_and_sends_nothing_old_afterwards(guarded, wait_for):
    os.kill(guarded.link.pid, signal.SIGSTOP)
    wait_for(guarded.link.fault, what='the fault')
    assert 'the sentry has not answered for' in guarded.link.fault()
    guarded.link.send(Message(Kind.TRIP, text=guarded.link.fault()))   # as policy_node does
    guarded.heard.clear()
    os.kill(guarded.link.pid, signal.SIGCONT)
    wait_for(lambda: guarded.trips, what='the trip')
    wait_for(lambda: 0.0 in guarded.heard, what='the stop')
    # of what waited nothing goes out; one may have been in its hands when it was stopped
    assert guarded.heard.index(0.0) <= 1 and guarded.heard[-1] == 0.0


def test_closing_sends_the_stop_last_and_is_silent_from_then_on(guarded, wait_for):
    guarded.fall_silent()
    guarded.link.close(time.time_ns())
    wait_for(lambda: guarded.heard[-1] == 0.0, what='the stop')
    wait_for(lambda: guarded.node.count_publishers('cmd_vel') == 0, what='silence')
