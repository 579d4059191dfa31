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

"""Tests for nodes/sim_node.py: an episode over topics is the episode in process."""

import csv
import os
import subprocess
import threading

from geometry_msgs.msg import TwistStamped
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter

from iql_ros.files import InputError, share_folder
from iql_ros.learner.choice import Choice, CHOICES
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.nodes.sim_node import SimNode
from iql_ros.robot.message_fields import stamp_ns
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.robot.safety import Gate
from iql_ros.runs.checkpoint import choice_facts, save_checkpoint
from iql_ros.runs.evaluate import evaluate_policy
from iql_ros.runs.policy import load_policy
from iql_ros.sim.envs import make_env
from iql_ros.sim.node_command import node_command

ROBOTS = share_folder() / 'config' / 'robots'
SIMULATED = pytest.mark.ros_args('-r', '__ns:=/sim', '-r', '/clock:=clock')


class Logged:
    """An environment that notes what goes in and out, to the bit."""

    def __init__(self, env):
        self._env, self.log = env, []

    def __getattr__(self, name):
        return getattr(self._env, name)

    def reset(self, seed):
        observation, info = self._env.reset(seed=seed)
        self.log.append(('reset', np.array(observation, np.float64).tobytes()))
        return observation, info

    def step(self, action):
        result = self._env.step(action)
        self.log.append((np.array(action).tobytes(), np.array(result[0], np.float64).tobytes(),
                         float(result[1]), bool(result[2])))
        return result


def make_checkpoint(path, robot, kind='mean'):
    """Write the checkpoint of an agent as it is before any training, that chooses in a way."""
    interface = load_robot_interface(ROBOTS / f'{robot}.yaml')
    agent = IQLAgent(interface.observation_dim, interface.action_dim,
                     IQLConfig(hidden_dims=(32, 32), normalise_observations=False), seed=3)
    scaling = interface.action_scaling
    save_checkpoint(path, agent, training={}, robot_config=interface.text, dataset={
        'name': 'none', 'fingerprint': '', 'action_low': scaling.low.tolist(),
        'action_high': scaling.high.tolist(), 'observation_keys': [], 'environment': None},
        choice=choice_facts(Choice(kind, 8, 30.0)))
    return interface


def run_over_topics(graph, tmp_path, robot, env_id, episodes):
    """Run sim_node here and policy_node in another process; return log and results."""
    node = graph.add(SimNode(threading.Event(), overrides=[
        Parameter('robot_config', value=str(ROBOTS / f'{robot}.yaml')),
        Parameter('env_id', value=env_id), Parameter('lockstep', value=True),
        Parameter('seed', value=100)]))
    node._env = Logged(node._env)
    node.begin()
    command = node_command('policy_node', {
        'robot_config': ROBOTS / f'{robot}.yaml', 'checkpoint': tmp_path / 'c.safetensors',
        'device': 'cpu', 'lockstep': True, 'episodes': episodes, 'seed': 100,
        'results': tmp_path / 'results.csv'})
    assert subprocess.run(command, timeout=120, env=dict(os.environ)).returncode == 0
    with open(tmp_path / 'results.csv', newline='') as file:
        return node._env.log, list(csv.DictReader(file))


def same_without_the_end(over_topics, in_process):
    """Compare logs; on leaving, the policy's stop makes the simulator do one step more."""
    first = next(index for index, entry in enumerate(over_topics) if index and
                 entry[0] == 'reset')  # the reset of `begin`, which a joiner sees
    return over_topics[first:][:len(in_process)] == in_process


@SIMULATED
@pytest.mark.parametrize('kind', CHOICES)
def test_hopper_over_topics_is_bit_equal_to_evaluate_in_process(graph, tmp_path, kind):
    interface = make_checkpoint(tmp_path / 'c.safetensors', 'hopper', kind)
    log, rows = run_over_topics(graph, tmp_path, 'hopper', 'Hopper-v5', 5)
    env = Logged(make_env('Hopper-v5'))
    results = evaluate_policy(load_policy(tmp_path / 'c.safetensors', 'cpu'), env, 5, 100,
                              interface.action_scaling, Gate(interface))
    start = next(index for index, entry in enumerate(env.log) if index and entry[0] == 'reset')
    assert same_without_the_end(log, env.log[start:])
    assert [float(row['return']) for row in rows] == [result.return_ for result in results]
    assert [int(row['length']) for row in rows] == [result.length for result in results]


@SIMULATED
def test_diffbot_over_topics_agrees_though_its_pose_passes_a_quaternion(graph, tmp_path):
    interface = make_checkpoint(tmp_path / 'c.safetensors', 'diffbot')
    log, rows = run_over_topics(graph, tmp_path, 'diffbot', 'iql_ros/Diffbot-v0', 2)
    env = Logged(make_env('iql_ros/Diffbot-v0'))
    results = evaluate_policy(load_policy(tmp_path / 'c.safetensors', 'cpu'), env, 2, 100,
                              interface.action_scaling, Gate(interface))
    assert [int(row['length']) for row in rows] == [result.length for result in results]
    states = [[np.frombuffer(entry[1]) for entry in entries if entry[0] != 'reset']
              for entries in (log, env.log)]
    count = sum(result.length for result in results)
    assert np.allclose(states[0][:count], states[1][:count], atol=1e-4)


def test_in_real_time_a_policy_finds_the_robot_resets_it_and_answers_every_tick(
        graph, tmp_path, wait_for):
    config, stamps = tmp_path / 'patient.yaml', []
    text = (ROBOTS / 'diffbot.yaml').read_text().replace('max_age: 0.1', 'max_age: 0.4')
    config.write_text(text.replace('max_age: 0.2', 'max_age: 0.4'))
    listener = graph.add(Node('listener'))
    listener.create_subscription(
        TwistStamped, 'cmd_vel', lambda message: stamps.append(stamp_ns(message)), 50)
    given = Parameter('robot_config', value=str(config))
    simulator = graph.add(SimNode(threading.Event(), overrides=[given]))
    policy = graph.add(PolicyNode(
        threading.Event(), make_act=lambda interface: lambda observation: np.array([0.1, 0.5]),
        overrides=[given, Parameter('use_sim_time', value=True)]))
    simulator.begin()
    policy.begin()
    wait_for(lambda: len(stamps) >= 6, what='a second of commands')
    assert policy._runner.gate.trip_reason is None
    first = stamps[0]
    assert first % 200_000_000 == 0
    assert stamps[:6] == list(range(first, first + 1_200_000_000, 200_000_000))


@SIMULATED
def test_nothing_simulated_is_heard_outside_of_its_namespace(graph, tmp_path, wait_for):
    heard = {'/cmd_vel': [], '/sim/cmd_vel': []}
    listener = graph.add(Node('listener', namespace='/'))
    for topic, messages in heard.items():
        listener.create_subscription(TwistStamped, topic, messages.append, 1000)
    make_checkpoint(tmp_path / 'c.safetensors', 'diffbot')
    run_over_topics(graph, tmp_path, 'diffbot', 'iql_ros/Diffbot-v0', 1)
    wait_for(lambda: heard['/sim/cmd_vel'], what='a simulated command')
    assert heard['/cmd_vel'] == []
    outside = [name for name, _ in listener.get_topic_names_and_types()
               if not name.startswith('/sim/')]
    assert set(outside) <= {'/cmd_vel', '/rosout', '/parameter_events', '/diagnostics'}


@pytest.mark.parametrize('parameters, message', [
    ({'env_id': 'Hopper-v5'}, "has 11 observation values; robot 'diffbot' has 6"),
    ({'env_id': 'iql_ros/Difbot-v0'}, "unknown environment 'iql_ros/Difbot-v0'"),
    ({'env_kwargs': '{'}, "'env_kwargs': got '{', which is not JSON"),
    ({'env_kwargs': '{"speed": 2}'}, 'speed'),
    ({'env_kwargs': '[1]'}, "got '[1]'; expected a JSON object"),
    ({'robot_config': ''}, "parameter 'robot_config' is empty"),
])
def test_what_does_not_fit_together_is_refused_by_name(graph, parameters, message):
    parameters = {'robot_config': str(ROBOTS / 'diffbot.yaml'), **parameters}
    with pytest.raises(InputError) as error:
        SimNode(threading.Event(), overrides=[
            Parameter(name, value=value) for name, value in parameters.items()])
    assert message in str(error.value) and '\n' not in str(error.value)
