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

"""Tests for nodes/hosting/executor.py."""

import threading

import pytest
import rclpy
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Int64
from std_srvs.srv import Trigger

from iql_ros.nodes.hosting.executor import MessageExecutor


@pytest.fixture
def node():
    rclpy.init()
    node = Node('tested')
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def spinning(node):
    executor = MessageExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    yield executor
    executor.shutdown(timeout_sec=5.0)
    thread.join(5.0)
    assert not thread.is_alive()


def test_messages_of_two_topics_all_come_in_order(node, spinning, wait_for):
    got = {'a': [], 'b': []}
    publishers = {}
    for topic, numbers in got.items():
        node.create_subscription(
            Int64, topic, lambda message, numbers=numbers: numbers.append(message.data), 100)
        publishers[topic] = node.create_publisher(Int64, topic, 100)
    wait_for(lambda: all(publisher.get_subscription_count() for publisher in publishers.values()))
    for number in range(100):
        for publisher in publishers.values():
            publisher.publish(Int64(data=number))
    wait_for(lambda: got == {'a': list(range(100)), 'b': list(range(100))})


def test_services_answer_and_clients_hear_it_between_messages(node, spinning, wait_for):
    node.create_subscription(Int64, 'flood', lambda message: publisher.publish(message), 10)
    publisher = node.create_publisher(Int64, 'flood', 10)
    node.create_service(Trigger, 'serve', lambda request, response: Trigger.Response(
        success=True, message='served'))
    client = node.create_client(Trigger, 'serve')
    assert client.wait_for_service(20.0)
    wait_for(lambda: publisher.get_subscription_count())
    publisher.publish(Int64())  # answers itself from now on
    done = threading.Event()
    future = client.call_async(Trigger.Request())
    future.add_done_callback(lambda future: done.set())
    assert done.wait(20.0)
    assert future.result().message == 'served'


def test_a_timer_goes_on_until_it_is_cancelled(node, spinning, wait_for):
    count = []

    def tick():
        count.append(len(count))
        if len(count) == 3:
            timer.cancel()
            node.create_timer(0.01, later.set)

    later = threading.Event()
    timer = node.create_timer(0.01, tick)
    assert later.wait(20.0)
    assert len(count) == 3


def test_a_guard_condition_calls_back_once_for_a_trigger(node, spinning, wait_for):
    called = []
    guard = node.create_guard_condition(lambda: called.append(True))
    for times in (1, 2, 3):
        guard.trigger()
        wait_for(lambda: len(called) >= times)
        assert len(called) == times


def test_tasks_are_executed_whichever_thread_makes_them(node, spinning, wait_for):
    futures = [spinning.create_task(lambda number=number: number) for number in range(20)]
    wait_for(lambda: all(future.done() for future in futures))
    assert [future.result() for future in futures] == list(range(20))


def test_a_subscription_that_a_callback_destroys_hears_no_more(node, spinning, wait_for):
    got = []

    def first(message):
        got.append(message.data)
        node.destroy_subscription(subscription)

    subscription = node.create_subscription(Int64, 'numbers', first, 10)
    others = []
    node.create_subscription(Int64, 'numbers', lambda message: others.append(message.data), 10)
    publisher = node.create_publisher(Int64, 'numbers', 10)
    wait_for(lambda: publisher.get_subscription_count() == 2)
    for number in range(3):
        publisher.publish(Int64(data=number))
    wait_for(lambda: others == [0, 1, 2])
    assert got == [0]


def test_what_qos_forbids_is_said_with_the_next_timer(node, spinning, wait_for):
    said = threading.Event()
    node.create_timer(0.05, lambda: None)
    node.create_publisher(Int64, 'quick', QoSProfile(
        depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    callbacks = SubscriptionEventCallbacks(
        incompatible_qos=lambda info: said.set())
    node.create_subscription(Int64, 'quick', lambda message: None, QoSProfile(
        depth=1, reliability=ReliabilityPolicy.RELIABLE), event_callbacks=callbacks)
    assert said.wait(20.0)


class Wrong(Exception):
    """An exception that is wrong even in how it says so."""

    def __repr__(self):
        raise ValueError


def fail(*arguments):
    raise Wrong


async def fail_later(*arguments):
    raise Wrong


def fail_in_a_subscription(node):
    node.create_subscription(Int64, 'numbers', fail, 10)
    publisher = node.create_publisher(Int64, 'numbers', 10)
    node.create_timer(0.01, lambda: publisher.publish(Int64()))


def fail_in_a_timer(node):
    node.create_timer(0.01, fail)


def fail_in_a_guard_condition(node):
    guard = node.create_guard_condition(fail)
    node.create_timer(0.01, guard.trigger)


def fail_in_a_service(node):
    node.create_service(Trigger, 'fail', fail)
    client = node.create_client(Trigger, 'fail')
    node.create_timer(0.01, lambda: client.call_async(Trigger.Request()))


def fail_in_a_service_that_waits(node):
    node.create_service(Trigger, 'fail', fail_later)
    client = node.create_client(Trigger, 'fail')
    node.create_timer(0.01, lambda: client.call_async(Trigger.Request()))


def fail_when_a_future_is_done(node):
    node.create_service(Trigger, 'serve', lambda request, response: response)
    client = node.create_client(Trigger, 'serve')
    node.create_timer(
        0.01, lambda: client.call_async(Trigger.Request()).add_done_callback(fail))


def fail_in_a_task(node):
    node.create_timer(0.01, lambda: node.executor.create_task(fail_later))


def fail_in_a_warning(node):
    node.create_publisher(Int64, 'quick', QoSProfile(
        depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    node.create_subscription(
        Int64, 'quick', lambda message: None, QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE),
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=fail))
    node.create_timer(0.01, lambda: None)


@pytest.mark.parametrize('make, what', [
    (fail_in_a_subscription, "subscription 'numbers'"), (fail_in_a_timer, 'timer'),
    (fail_in_a_guard_condition, 'guard condition'), (fail_in_a_service, "service 'fail'"),
    (fail_in_a_service_that_waits, "service 'fail'"), (fail_when_a_future_is_done, 'task'),
    (fail_in_a_task, 'task'), (fail_in_a_warning, 'event handler'),
])
@pytest.mark.parametrize('private', [(), ('_not_there',)])
def test_no_callback_ends_the_spin_and_each_has_a_line(
        node, spinning, wait_for, capfd, monkeypatch, make, what, private):
    if private:  # what the executor knows of rclpy is not there
        monkeypatch.setattr('iql_ros.nodes.hosting.executor._PRIVATE', private)
        spinning.wake()
    text = ''

    def said():
        nonlocal text
        text += capfd.readouterr().err
        return f'a callback failed ({what}): Wrong' in text.replace("'/", "'")

    make(node)
    wait_for(said, what='the line')
    count = []
    node.create_service(Trigger, 'count', lambda request, response: count.append(1) or response)
    client = node.create_client(Trigger, 'count')
    assert client.wait_for_service(20.0)
    for times in (1, 2, 3):
        client.call_async(Trigger.Request())
        wait_for(lambda: len(count) == times, what='a service')
    assert text.count('\n') <= 2                            # of up to a hundred a second


def test_what_cannot_be_taken_leaves_the_others_theirs(node, spinning, wait_for, monkeypatch):
    def take(self):
        monkeypatch.undo()
        raise RuntimeError('cannot be taken')

    monkeypatch.setattr(rclpy.event_handler.EventHandler, 'take_data', take)
    fail_in_a_warning(node)
    wait_for(lambda: rclpy.event_handler.EventHandler.take_data is not take)
    node.create_service(Trigger, 'serve', lambda request, response: response)
    client = node.create_client(Trigger, 'serve')
    assert client.wait_for_service(20.0)
    future = client.call_async(Trigger.Request())
    wait_for(future.done, what='the answer')


@pytest.mark.parametrize('make', [
    lambda node, wrong: node.create_timer(0.01, wrong),
    lambda node, wrong: node.executor.create_task(wrong)])
def test_what_ends_a_process_ends_the_spin(node, make):
    def wrong():
        raise SystemExit(3)

    executor = MessageExecutor()
    executor.add_node(node)
    make(node, wrong)
    with pytest.raises(SystemExit):
        executor.spin()
    executor.shutdown()


def test_an_executor_that_hears_nothing_any_more_ends(node, monkeypatch, capfd):
    def wrong(self):
        raise RuntimeError('rclpy is ill')

    executor = MessageExecutor()
    executor.add_node(node)
    monkeypatch.setattr(MessageExecutor, '_serve_rest', wrong)
    node.create_timer(0.01, executor.wake)
    with pytest.raises(RuntimeError, match='is ill'):
        executor.spin()
    executor.shutdown()
    assert 'the executor failed: RuntimeError' in capfd.readouterr().err


def test_a_shut_down_context_ends_the_spin_as_rclpy_does(node):
    executor = MessageExecutor()
    executor.add_node(node)
    node.create_timer(0.05, rclpy.shutdown)
    with pytest.raises(rclpy.executors.ExternalShutdownException):
        executor.spin()


def test_a_node_is_spun_from_when_it_is_added(node, wait_for):
    executor, ticked = MessageExecutor(), threading.Event()
    thread = threading.Thread(target=executor.spin)
    thread.start()
    node.create_timer(0.01, ticked.set)
    executor.add_node(node)
    assert ticked.wait(20.0)
    executor.shutdown(timeout_sec=5.0)
    thread.join(5.0)
    assert not thread.is_alive()


def test_with_another_rclpy_its_own_executor_spins(node, monkeypatch):
    monkeypatch.setattr('iql_ros.nodes.hosting.executor._PRIVATE', ('_not_there',))
    monkeypatch.setattr('iql_ros.nodes.hosting.executor._Waiting', None)
    executor, ticked = MessageExecutor(), []

    def tick():
        ticked.append(True)
        executor.shutdown()

    executor.add_node(node)
    node.create_timer(0.01, tick)
    executor.spin()
    assert ticked == [True]
