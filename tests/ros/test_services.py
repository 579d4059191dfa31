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

"""Tests for nodes/hosting/services.py."""

import pytest
from rclpy.node import Node
from std_srvs.srv import Empty, SetBool, Trigger

from iql_ros.nodes.hosting.services import AnsweringServices


class Answering(AnsweringServices, Node):
    """A node as those of this package."""


def fail(request, response):
    response.success = True
    raise ZeroDivisionError('mine')


@pytest.fixture
def ask(graph, wait_for):
    """Give a function that serves by a callback, asks and returns the answer."""
    node, person = graph.add(Answering('answering')), graph.add(Node('person'))

    def ask(kind, callback):
        service = node.create_service(kind, 'asked', callback)
        client = person.create_client(kind, 'asked')
        assert client.wait_for_service(20.0)
        future = client.call_async(kind.Request())
        wait_for(future.done, what='the answer')
        node.destroy_service(service)
        return future.result()
    return ask


@pytest.mark.parametrize('kind', [Trigger, SetBool])
def test_a_service_that_fails_answers_no_and_says_why(ask, capfd, kind):
    answer = ask(kind, fail)
    assert (answer.success, answer.message) == (
        False, "service 'asked' failed: ZeroDivisionError('mine')")
    assert answer.message in capfd.readouterr().err


def test_a_service_that_cannot_say_no_answers(ask):
    assert ask(Empty, fail) == Empty.Response()


def test_a_service_that_does_not_fail_answers_as_it_likes(ask):
    assert ask(Trigger, lambda request, response: Trigger.Response(message='x')).message == 'x'
