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

"""Tests for nodes/control/step_collector.py."""

import threading

from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from iql_ros.nodes.control.step_collector import LOCKSTEP_QOS, StepCollector


def collecting(graph):
    """Return a collector of one stream, and who says what time it is."""
    host, simulator = graph.add(Node('host')), graph.add(Node('simulator'))
    collector = StepCollector(host, ['pose'])
    collector.waiter.add(collector.subscription)
    return collector, simulator.create_publisher(Clock, '/clock', LOCKSTEP_QOS)


def test_a_step_is_complete_when_every_stream_and_the_clock_have_said_its_stamp(graph):
    collector, clock = collecting(graph)
    assert collector.stamp_ns == 0 and collector.missing(None) == ['pose', '/clock']
    message = Clock()
    message.clock.nanosec = 5
    clock.publish(message)
    collector.put(0, 4, 'of the step before')
    assert not collector.wait(5, 0.5, threading.Event()) and collector.missing(5) == ['pose']
    collector.put(0, 5, 'here')
    collector.keep('/odd', 'without a stamp')
    assert collector.wait(5, 5.0, threading.Event()) and collector.stamp_ns == 5
    assert collector.take() == (['here', None], {'/odd': 'without a stamp'})
    collector.next()
    assert collector.missing(5) == ['pose', '/clock'] and collector.take()[1] == {}


def test_who_waits_for_a_step_is_woken_to_stop(graph):
    collector, _ = collecting(graph)
    stopping = threading.Event()
    threading.Timer(0.2, lambda: (stopping.set(), collector.waiter.wake())).start()
    assert not collector.wait(None, 20.0, stopping) and stopping.is_set()
