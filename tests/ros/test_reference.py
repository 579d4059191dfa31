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

"""Tests for docs/reference/nodes.md: the topics and services that running nodes have."""

from pathlib import Path
import re
import threading

import pytest
from rclpy.parameter import Parameter

from iql_ros.nodes.finetune_node import FinetuneNode
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.nodes.sim_node import SimNode
from iql_ros.nodes.train_node import TrainNode
from tests.places import ROOT
from tests.small_run import DIFFBOT, INTERFACE, TASK, write_start

ROBOT = {'robot_config': str(DIFFBOT), 'lockstep': True}
LEARNED = {'checkpoint': 'start.safetensors', 'device': 'cpu'}
GIVEN = {
    PolicyNode: {**ROBOT, **LEARNED, 'learner': 'learner', 'autostart': False},
    SimNode: ROBOT,
    FinetuneNode: {**LEARNED, 'dataset': 'data.hdf5', 'robots': ['/r1']},
    TrainNode: {'dataset': 'data.hdf5', 'device': 'cpu', 'updates': 1}}
STANDS_FOR = {
    '<topic of an observation>': [stream.topic for stream in INTERFACE.observation],
    '<topic of an action>': [stream.topic for stream in INTERFACE.action],
    '<service of task.reset>': [TASK.reset.service], '<learner>': ['learner'], '<robot>': ['r1'],
    '<topic of task.reward>': [], '<topic of task.terminated>': []}  # this robot's: functions
OF_ROS = re.compile('/parameter_events|/rosout|.*/(describe_parameters|get_parameters|'
                    'get_parameter_types|list_parameters|set_parameters|'
                    'set_parameters_atomically|get_type_description|change_state|get_state|'
                    'get_available_states|get_available_transitions|get_transition_graph|'
                    'transition_event)')


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Work in a folder of its own that holds data and a checkpoint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IQL_RUNS', str(tmp_path / 'runs'))
    write_start(Path())


def written(node: str, shadow: bool = False) -> set[tuple[str, str]]:
    """Return (full name, direction) of a node's tables; `shadow`: of what is in shadow alone."""
    section = (ROOT / 'docs/reference/nodes.md').read_text().split(f'\n## {node}\n')[1]
    found = set()
    for line in re.findall(r'^\| (`.*) \|$', section.split('\n## ')[0], re.MULTILINE):
        names, *cells = line.split(' | ')
        if cells[-1].startswith('in shadow') != shadow:
            continue
        for name in re.findall('`(.+?)`', names):
            direction = cells[0] if cells[0] in ('in', 'out') else 'service'
            found |= {(full, direction) for full in full_names(name, node)}
    return found


def full_names(name: str, node: str) -> list[str]:
    for words, topics in STANDS_FOR.items():
        if words in name:
            return [full for topic in topics
                    for full in full_names(name.replace(words, topic), node)]
    return [f"/{name.lstrip('/').replace('~', node)}"]


def running(node) -> set[tuple[str, str]]:
    """Return what a node has itself, without what ROS 2 gives to every node."""
    name, space = node.get_name(), node.get_namespace()
    ways = {'out': node.get_publisher_names_and_types_by_node(name, space),
            'in': node.get_subscriber_names_and_types_by_node(name, space),
            'service': [*node.get_service_names_and_types_by_node(name, space),
                        *node.get_client_names_and_types_by_node(name, space)]}
    return {(topic, way) for way, found in ways.items() for topic, _ in found
            if not OF_ROS.fullmatch(topic)}


@pytest.mark.parametrize('kind', GIVEN)
def test_the_topics_and_services_of_a_node_are_those_in_the_reference(graph, wait_for, kind):
    node = graph.add(kind(threading.Event(), overrides=[
        Parameter(name, value=value) for name, value in GIVEN[kind].items()]))
    if kind is PolicyNode:
        node.trigger_configure()
        node.trigger_activate()
    else:
        node.begin()
    expected = written(node.get_name())
    assert len(expected) >= 4
    wait_for(lambda: running(node) >= expected, 5.0, f'{expected - running(node)}')
    assert running(node) == expected


def test_what_is_there_in_shadow_alone_is_in_the_reference_and_no_command_is_published(
        graph, wait_for):
    node = graph.add(PolicyNode(threading.Event(), overrides=[
        Parameter(name, value=value) for name, value in {
            'robot_config': str(DIFFBOT), **LEARNED, 'shadow': True,
            'autostart': False}.items()]))
    node.trigger_configure()
    node.trigger_activate()
    only = written('policy_node', shadow=True)
    assert len(only) == 3
    wait_for(lambda: running(node) >= only, 5.0, f'{only - running(node)}')
    others = written('policy_node')
    commands = {(f'/{stream.topic}', 'out') for stream in INTERFACE.action}
    assert commands <= others and not commands & running(node)
    assert {way for name, way in running(node) - only - others} <= {'in'}    # ~/event is heard
