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

"""Tests for contract.py."""

import pytest

from iql_ros.files import InputError
from iql_ros.robot.contract import check_same_contract
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.robot.test_robot_interface import TEXT, toy


def test_the_contract_ignores_what_may_differ_between_machines():
    same = toy('topic: pose, type: geometry_msgs/msg/Pose, max_age: 0.2',
               'topic: /robot/pose, type: my_msgs/msg/Pose, max_age: 0.4, qos: reliable')
    assert same.contract_hash == toy().contract_hash
    check_same_contract(toy(), same, 'checkpoint')


@pytest.mark.parametrize('old, new, key', [
    ('joints: [l, r]', 'joints: [r, l]', 'observation[1].joints'),
    ('high: [0.3, 1.5]', 'high: [0.4, 1.5]', 'action[0].high'),
    ('control_rate: 5.0', 'control_rate: 4.0\nsettle: 0.001', 'control_rate'),
])
def test_another_contract_is_refused_by_the_first_key_that_differs(old, new, key):
    text = TEXT.replace('downstream_timeout: 0.5', 'downstream_timeout: 1.0')
    ours = parse_robot_interface(text, 'a')
    theirs = parse_robot_interface(text.replace(old, new), 'b')
    with pytest.raises(InputError, match=key.replace('[', r'\[')):
        check_same_contract(ours, theirs, 'checkpoint')
