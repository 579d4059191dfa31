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

"""Tests for the environment of nodes/sentry/link.py; the link itself is in test_sentry_process."""

from pathlib import Path

import pytest

from iql_ros.nodes.sentry.link import sentry_environment

HERE = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


def test_nothing_of_the_folder_it_is_started_in_and_no_shared_memory():
    assert sentry_environment({'HOME': '/h'}) == {
        'HOME': '/h', 'PYTHONSAFEPATH': '1', 'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}


def test_it_is_of_the_enclave_that_the_command_line_names():
    arguments = ['policy_node', '--ros-args', '-p', 'checkpoint:=a', '--enclave', '/arm/policy']
    found = sentry_environment({'HOME': '/h'}, arguments)
    assert found['ROS_SECURITY_ENCLAVE_OVERRIDE'] == '/arm/policy'


def test_transports_that_the_user_chose_stay():
    given = {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}
    assert sentry_environment(given)['FASTDDS_BUILTIN_TRANSPORTS'] == 'LARGE_DATA'


def test_a_graph_of_this_machine_alone_is_had_by_udp_of_the_loopback():
    found = sentry_environment(HERE)
    assert found['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'SUBNET'
    assert found['ROS_STATIC_PEERS'] == '127.0.0.1'
    assert '<address>127.0.0.1</address>' in Path(
        found['FASTRTPS_DEFAULT_PROFILES_FILE']).read_text()


@pytest.mark.parametrize('theirs', [
    {'ROS_STATIC_PEERS': '192.168.1.7'}, {'FASTRTPS_DEFAULT_PROFILES_FILE': 'mine.xml'},
    {'FASTDDS_DEFAULT_PROFILES_FILE': 'mine.xml'}])
def test_peers_elsewhere_and_profiles_of_the_user_are_left_alone(theirs):
    found = sentry_environment({**HERE, **theirs})
    assert found.items() >= {**HERE, **theirs}.items()
