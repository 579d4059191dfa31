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

"""Tests for nodes/control/reset_client.py."""

import threading

import pytest
from rclpy.node import Node
from std_srvs.srv import Trigger

from iql_ros.nodes.control.reset_client import ResetClient


class Host(Node):
    """Notes what is logged."""

    def __init__(self):
        super().__init__('host')
        self.said = []

    def log(self, text):
        self.said.append(text)


class Call:
    """A call in a thread of its own."""

    def __init__(self, client):
        self.stopping, self.results = threading.Event(), []
        self._thread = threading.Thread(
            target=lambda: self.results.append(client.call(self.stopping)))
        self._thread.start()

    def wait(self):
        self._thread.join(3.0)
        return self.results


def serve(graph, success, message):
    """Serve reset_world with one answer."""
    def answer(request, response):
        response.success, response.message = success, message
        return response
    graph.add(Node('simulator')).create_service(Trigger, 'reset_world', answer)


def test_the_answer_is_the_stamp_of_the_new_episodes_first_step(graph):
    serve(graph, True, '1200000000')
    host = graph.add(Host())
    assert Call(ResetClient(host, 'reset_world', 5.0)).wait() == [1_200_000_000]
    assert host.said == []


@pytest.mark.parametrize('success, message', [
    (False, 'no'), (True, 'soon'), (True, '9' * 19), (True, '-1'), (True, '\u0664'), (True, '')])
def test_an_answer_that_is_no_stamp_is_said(graph, wait_for, success, message):
    serve(graph, success, message)
    host = graph.add(Host())
    call = Call(ResetClient(host, 'reset_world', 5.0))
    wait_for(lambda: host.said, what='the log')
    assert f"'reset_world' answered '{message}'; expected success and a stamp" in host.said[0]
    call.stopping.set()
    assert call.wait() == [None]


def test_an_answer_without_end_is_no_stamp_and_is_said_shortly(graph, wait_for):
    serve(graph, True, '1' * 5000)
    host = graph.add(Host())
    call = Call(ResetClient(host, 'reset_world', 5.0))
    wait_for(lambda: host.said, what='the log')
    assert "'reset_world' answered '111" in host.said[0] and len(host.said[0]) < 300
    call.stopping.set()
    assert call.wait() == [None]


def busy_simulator(graph):
    """Return a node that has reset_world and serves nobody yet, and its service."""
    node = Node('busy_simulator')
    graph.nodes.append(node)

    def answer(request, response):
        response.success, response.message = True, '1'
        return response
    return node, node.create_service(Trigger, 'reset_world', answer)


def asked(graph, wait_for):
    """Return who has called reset_world, and the call."""
    host = graph.add(Host())
    call = Call(ResetClient(host, 'reset_world', 0.1))
    wait_for(lambda: "waiting for the answer of 'reset_world'" in host.said, what='the call')
    return host, call


GONE = "'reset_world' has gone without an answer; calling it again when it is back"


def test_a_simulator_that_dies_in_the_call_is_called_again_when_it_is_back(graph, wait_for):
    node, service = busy_simulator(graph)
    host, call = asked(graph, wait_for)
    node.destroy_service(service)
    wait_for(lambda: GONE in host.said, what='the log')
    serve(graph, True, '2')
    assert call.wait() == [2]


def test_a_simulator_that_dies_beside_its_successor_is_noticed(graph, wait_for):
    node, service = busy_simulator(graph)
    host, call = asked(graph, wait_for)
    serve(graph, True, '2')
    wait_for(lambda: host.count_services('reset_world') == 2, what='the successor')
    looks = len(host.said) + 2
    wait_for(lambda: len(host.said) >= looks, what='a look at who is there')
    node.destroy_service(service)
    assert call.wait() == [2] and host.said.count(GONE) == 1


def test_a_slow_answer_is_waited_for(graph, wait_for):
    node, _ = busy_simulator(graph)
    host, call = asked(graph, wait_for)
    graph.add(node)
    assert call.wait() == [1] and GONE not in host.said


def test_leaving_does_not_wait_for_an_answer(graph, wait_for):
    busy_simulator(graph)
    _, call = asked(graph, wait_for)
    call.stopping.set()
    assert call.wait() == [None]


def test_a_simulator_that_is_not_there_is_named_and_no_leaving_waits_for_it(graph, wait_for):
    host = graph.add(Host())
    call = Call(ResetClient(host, 'reset_world', 0.2))
    wait_for(lambda: len(host.said) == 2, what='the log')
    assert set(host.said) == {"waiting for service 'reset_world'"}
    call.stopping.set()
    assert call.wait() == [None]


def test_leaving_does_not_wait_for_a_patient_time_limit(graph):
    call = Call(ResetClient(graph.add(Host()), 'reset_world', 3600.0))
    call.stopping.set()
    assert call.wait() == [None]
