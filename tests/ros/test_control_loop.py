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

"""Tests for what the lockstep loop makes of a reset service that fails."""

import threading

import numpy as np
from rclpy.parameter import Parameter

from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.nodes.sim_node import SimNode
from tests.ros.test_sim_node import ROBOTS

SETTINGS = [Parameter('robot_config', value=str(ROBOTS / 'diffbot.yaml')),
            Parameter('lockstep', value=True)]


def test_in_lockstep_a_reset_that_fails_is_called_again(graph, wait_for):
    simulator = graph.add(SimNode(threading.Event(), overrides=[
        *SETTINGS, Parameter('env_id', value='iql_ros/Diffbot-v0')]))
    reset, calls = simulator._on_reset, []

    def failing_reset(request, response):
        calls.append(request)
        if len(calls) > 1:
            return reset(request, response)
        response.success = False
        return response
    simulator._on_reset = failing_reset
    simulator.begin()
    done = threading.Event()
    graph.add(PolicyNode(done, make_act=lambda interface: lambda observation: np.zeros(2),
                         overrides=[*SETTINGS, Parameter('episodes', value=1)])).begin()
    wait_for(done.is_set, what='the end of the episode')
    assert len(calls) == 2
