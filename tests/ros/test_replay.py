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

"""Tests that a bag of a policy that drove in lockstep replays as its commands, to the bit."""

import threading

import pytest
from rclpy.parameter import Parameter

from iql_ros.files import share_folder
from iql_ros.learner.choice import Choice, CHOICES
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.nodes.sim_node import SimNode
from iql_ros.replay.replay import Acting, replay_bags
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.runs.checkpoint import choice_facts, save_checkpoint
from iql_ros.runs.policy import load_policy
from tests.ros.test_bag_live_parity import Operator

SIMULATED = pytest.mark.ros_args('-r', '__ns:=/sim', '-r', '/clock:=clock')
DIFFBOT = (share_folder() / 'config' / 'robots' / 'diffbot.yaml').read_text()
NARROW = DIFFBOT.replace('low: [-0.3, -1.5], high: [0.3, 1.5]}', 'low: [-0.2, -1.0], '
                         'high: [0.2, 1.0]}').replace('[3.0, 15.0]', '[0.2, 2.0]').replace(
    'time_limit: 20.0', 'time_limit: 6.0')
REMEMBERS = NARROW.replace(
    'action:\n', '  - {previous: action, history: 2}\naction:\n', 1).replace(
    'fields: [velocity] ', 'history: 3\n    fields: [velocity] ').replace(
    'stop: zero', 'stop: zero\n      stop_rate: [0.4, 4.0]\n      blend_in: 1.0')
ACTING = Acting(seed=5, limit_scale=0.9)


def drive(graph, wait_for, folder, text, choice, episodes=4):
    """Drive in lockstep by a policy that has learned nothing, and record; return what it did."""
    (folder / 'robot.yaml').write_text(text)
    interface = load_robot_interface(folder / 'robot.yaml')
    agent = IQLAgent(interface.observation_dim, interface.action_dim,
                     IQLConfig(hidden_dims=(32, 32)), seed=3)
    scaling = interface.action_scaling
    save_checkpoint(folder / 'c.safetensors', agent, training={}, robot_config=text, dataset={
        'name': 'none', 'fingerprint': '', 'action_low': scaling.low.tolist(),
        'action_high': scaling.high.tolist(), 'observation_keys': [], 'environment': None},
        choice=choice_facts(Choice(choice, 8, 30.0)))
    common = [Parameter('robot_config', value=str(folder / 'robot.yaml')),
              Parameter('lockstep', value=True)]
    graph.add(SimNode(threading.Event(), overrides=[
        *common, Parameter('env_id', value='iql_ros/Diffbot-v0')])).begin()
    done, transitions = threading.Event(), []
    given = {'checkpoint': str(folder / 'c.safetensors'), 'device': 'cpu', 'episodes': episodes,
             'seed': ACTING.seed, 'limit_scale': ACTING.limit_scale, 'record': True,
             'record_folder': str(folder / 'bags')}
    node = graph.add(PolicyNode(done, overrides=[
        *common, *(Parameter(name, value=value) for name, value in given.items())]))
    node.on_transition = transitions.append
    node.begin()
    wait_for(done.is_set, timeout=60.0, what='the last episode')
    node.leave()
    return transitions


def replayed(folder, acting=ACTING):
    policy = load_policy(folder / 'c.safetensors', 'cpu')
    return replay_bags([folder / 'bags'], policy, policy.interface, acting)


@SIMULATED
@pytest.mark.parametrize('choice', CHOICES)
@pytest.mark.parametrize('text', [NARROW, REMEMBERS])
def test_what_a_policy_sent_in_lockstep_comes_out_of_its_bag_to_the_bit(
        graph, wait_for, tmp_path, text, choice):
    transitions = drive(graph, wait_for, tmp_path, text, choice)
    found = replayed(tmp_path)
    assert [step.tick_ns for step in transitions] == found.stamp_ns.tolist()
    assert [step.observation.tobytes() for step in transitions] == [
        row.tobytes() for row in found.observations]
    assert [step.action.tobytes() for step in transitions] == [
        row.tobytes() for row in found.sent]
    assert found.commanded.tobytes() == found.sent.tobytes()
    assert set(found.episode) == {0, 1, 2, 3} and len(found) > 60
    assert found.gated.any(axis=1).mean() > 0.2
    assert set(found.trip) == {''} and not found.operated.any()


@SIMULATED
def test_other_samples_than_those_of_the_drive_are_other_commands(graph, wait_for, tmp_path):
    drive(graph, wait_for, tmp_path, NARROW, 'best')
    for acting in (Acting(seed=6, limit_scale=0.9), Acting(5, 1, 0.9), Acting(5, 0, 0.5)):
        found = replayed(tmp_path, acting)
        assert (found.sent != found.commanded).any()


@SIMULATED
def test_where_an_operator_had_control_the_rest_comes_out_still(graph, wait_for, tmp_path):
    graph.add(Operator())
    transitions = drive(graph, wait_for, tmp_path, REMEMBERS, 'weighted')
    found = replayed(tmp_path)
    assert [step.intervention for step in transitions] == found.operated.tolist()
    assert 0.1 < found.operated.mean() < 0.9
    ours = ~found.operated
    assert found.sent[ours].tobytes() == found.commanded[ours].tobytes()
    assert (found.sent[~ours] != found.commanded[~ours]).any()
