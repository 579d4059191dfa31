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

"""Tests for nodes/hosting/message_waiter.py."""

import threading
import time

import pytest
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Int64

from iql_ros.nodes.hosting.message_waiter import MessageWaiter


@pytest.fixture
def node(graph):
    return graph.add(Node('tested'))


def subscribe(node, waiter, topic, callback):
    """Let the waiter wait for a topic; return a publisher of it."""
    waiter.add(node.create_subscription(Int64, topic, callback, 1, callback_group=waiter))
    return node.create_publisher(Int64, topic, 10)


def test_callbacks_run_in_the_thread_that_waits_though_an_executor_spins(node, wait_for):
    waiter, got = MessageWaiter(node), []
    publishers = {}
    for topic in 'ab':
        publishers[topic] = subscribe(
            node, waiter, topic, lambda message, topic=topic: got.append(
                (topic, message.data, threading.current_thread())))
    served = []
    node.create_subscription(Int64, 'a', lambda message: served.append(message.data), 10)
    wait_for(lambda: publishers['a'].get_subscription_count() == 2
             and publishers['b'].get_subscription_count() == 1)
    for number in range(3):                        # nobody waits yet: the newest is kept
        for publisher in publishers.values():
            publisher.publish(Int64(data=number))
    wait_for(lambda: served == [0, 1, 2], what='what the executor serves')
    assert got == []

    def both_newest():
        waiter.wait(0.1)
        return {'a', 'b'} == {topic for topic, number, _ in got if number == 2}

    wait_for(both_newest)
    assert {thread for _, _, thread in got} == {threading.current_thread()}


def test_rclpys_own_executor_leaves_the_messages_alone_too(node, wait_for):
    waiter, got = MessageWaiter(node), []
    other = Node('other')
    executor = SingleThreadedExecutor()
    executor.add_node(other)
    publisher = subscribe(other, waiter, 'a', lambda message: got.append(message.data))
    wait_for(publisher.get_subscription_count)
    publisher.publish(Int64(data=5))
    executor.spin_once(timeout_sec=0.2)
    assert got == []

    def waited():
        waiter.wait(0.1)
        return got == [5]

    wait_for(waited)
    executor.shutdown()
    other.destroy_node()


@pytest.mark.parametrize('before', [True, False])
def test_a_wait_ends_early_when_it_is_woken_before_or_meanwhile(node, before):
    waiter = MessageWaiter(node)
    subscribe(node, waiter, 'a', lambda message: None)
    timer = threading.Timer(0.0 if before else 0.2, waiter.wake)
    timer.start()
    if before:
        timer.join()
    started = time.monotonic()
    waiter.wait(30.0)
    assert time.monotonic() - started < 20.0
    timer.join()


def test_an_executor_goes_on_telling_of_qos_that_does_not_match(node, wait_for):
    waiter, told = MessageWaiter(node), []
    reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    node.create_subscription(
        Int64, 'a', lambda message: None, reliable, callback_group=waiter,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=told.append))
    node.create_timer(0.1, lambda: None)
    node.create_publisher(Int64, 'a', QoSProfile(
        depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    wait_for(lambda: told, what='the warning')
