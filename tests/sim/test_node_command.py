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

"""Tests for node_command.py."""

import pytest
import yaml

from iql_ros.files import InputError
from iql_ros.sim.node_command import node_command, simulation_environment


def test_a_simulated_node_lives_in_its_namespace_with_its_clock_and_on_this_machine():
    command = node_command('sim_node', {})
    assert '__ns:=/sim' in command and '/clock:=clock' in command
    assert simulation_environment()['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'


@pytest.mark.parametrize('value', ["it's {\"a\": [1, 2]}", True, False, 3, 0.5, 'true', '5'])
def test_a_parameter_keeps_its_value_and_type_through_the_command_line(value):
    name, _, text = node_command('sim_node', {'x': value})[-1].partition(':=')
    assert name == 'x' and yaml.safe_load(text) == value
    assert isinstance(yaml.safe_load(text), type(value))


def test_an_executable_that_is_not_installed_is_named():
    with pytest.raises(InputError, match="'no_such_node' is not installed"):
        node_command('no_such_node', {})
