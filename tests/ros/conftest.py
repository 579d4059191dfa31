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

"""A ROS graph of its own for every test, on this machine only."""

import gc
import os
from pathlib import Path
import threading
import time

import pytest

rclpy = pytest.importorskip('rclpy')

from iql_ros.nodes.hosting.executor import MessageExecutor  # noqa: E402

os.environ['ROS_DOMAIN_ID'] = str(10 + os.getpid() % 90)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'


@pytest.fixture(autouse=True)
def _trips_of_this_test(tmp_path_factory, monkeypatch):
    """Keep a test's trips from the next test, and from the robots of whoever runs them."""
    monkeypatch.setenv('ROS_HOME', str(tmp_path_factory.mktemp('ros_home')))


def pytest_collection_modifyitems(items):
    """Mark the tests of this folder: `make test` does not run them side by side."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.ros)


class Graph:
    """A context with an executor that spins the nodes that are added."""

    def __init__(self):
        self._executor = MessageExecutor()
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()
        self.nodes = []

    def add(self, node):
        """Spin a node; it is destroyed at the end."""
        self.nodes.append(node)
        self._executor.add_node(node)
        return node

    def close(self):
        for node in self.nodes:
            if hasattr(node, 'leave'):
                node.leave()
        self._executor.shutdown(timeout_sec=5.0)
        self._thread.join(timeout=5.0)
        for node in self.nodes:
            machine = getattr(node, '_state_machine', None)
            if machine is not None:   # else its topic lives as long as a failed test's traceback
                machine.destroy_when_not_in_use()
            node.destroy_node()
        self.nodes.clear()
        del self._executor


@pytest.fixture
def graph(request):
    """Give a graph; `graph_arguments` marks carry --ros-args."""
    marker = request.node.get_closest_marker('ros_args')
    rclpy.init(args=['--ros-args', *(marker.args if marker else ())])
    graph = Graph()
    yield graph
    graph.close()
    gc.collect()  # a lifecycle node's own topics go with the object: the next test sees none
    rclpy.try_shutdown()


@pytest.fixture
def wait_for():
    """Give a function that waits until something holds and fails after a while."""
    def wait(condition, timeout=20.0, what='the condition'):
        deadline = time.monotonic() + timeout
        event = threading.Event()
        while not condition():
            assert time.monotonic() < deadline, f'{what} did not come within {timeout} s'
            event.wait(0.01)
    return wait
