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

"""Tests for the services of nodes/hosting/parameters.py: whatever is asked is answered."""

import pytest
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters, GetParameters, GetParameterTypes, ListParameters, SetParameters,
    SetParametersAtomically)

from tests.ros.test_parameters import messages, send, set_all, set_each
from tests.ros.test_policy_node import start


def wrong_type(kind, name='seed'):
    return ParameterMessage(name=name, value=ParameterValue(type=kind))


def test_a_type_that_is_none_is_refused_and_the_others_are_set(graph, tmp_path, capfd):
    robot, _ = start(graph, tmp_path)
    sound = messages({'exploration_scale': 0.5})
    reason = "parameter 'seed': got type 99; allowed: 0 (not_set), 1 (bool), 2 (integer), 3"
    for given in ([wrong_type(99)], [wrong_type(99), *sound], [*sound, wrong_type(99)]):
        assert set_each(robot, given)[0].startswith(reason)
        result = send(robot, SetParametersAtomically, 'set_parameters_atomically',
                      SetParametersAtomically.Request(parameters=given)).result_in_time().result
        assert result.reason.startswith(reason) and not result.successful
    assert set_each(robot, [wrong_type(0)]) == [
        "parameter 'seed': got None (not_set); expected type integer"]
    assert set_each(robot, [wrong_type(255, 'n' * 100_000)])[0].startswith("parameter 'nnn")
    assert set_each(robot, [wrong_type(0, 'n' * 100_000), *sound])[0].startswith('unknown param')
    lines = [line for line in capfd.readouterr().err.splitlines() if '[policy_node]' in line]
    assert 1 <= len(lines) <= 2 and f'not set: {reason}' in lines[0]     # one a second


def test_what_fails_unforeseen_while_it_is_set_is_a_refusal(graph, tmp_path):
    robot, node = start(graph, tmp_path)
    node.add_on_set_parameters_callback(lambda parameters: parameters.wrong)
    assert set_all(robot, {'exploration_scale': 0.5}).startswith('failed: AttributeError(')
    assert set_each(robot, messages({'exploration_scale': 0.5}))[0].startswith('failed: Attrib')


@pytest.mark.parametrize('kind, service, request_', [
    (GetParameters, 'get_parameters', {'names': ['', 'nothing', 'n' * 100_000, 'a b', '/']}),
    (GetParameters, 'get_parameters', {'names': ['seed'] * 1000}),
    (GetParameterTypes, 'get_parameter_types', {'names': ['nothing', '']}),
    (DescribeParameters, 'describe_parameters', {'names': ['seed', 'nothing', '\n']}),
    (ListParameters, 'list_parameters', {'prefixes': ['', '.', 'a..b'], 'depth': 2**64 - 1}),
    (ListParameters, 'list_parameters', {'prefixes': ['p'] * 1000, 'depth': 0}),
    (SetParameters, 'set_parameters', {}),
    (SetParametersAtomically, 'set_parameters_atomically', {}),
])
def test_strange_requests_are_answered(graph, tmp_path, kind, service, request_):
    robot, _ = start(graph, tmp_path)
    assert send(robot, kind, service, kind.Request(**request_)).result_in_time() is not False
    assert set_all(robot, {'exploration_scale': 0.5}) == ''
