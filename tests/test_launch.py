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

"""Tests for the launch files and config/nodes.yaml."""

import ast
import os
from pathlib import Path

import pytest
import yaml

from tests.launch_recorder import record
from tests.places import ROOT

DISCOVERY = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
DIFFBOT = str(ROOT / 'config' / 'robots' / 'diffbot.yaml')
HOPPER = str(ROOT / 'config' / 'robots' / 'hopper.yaml')
LAUNCH_FILES = sorted(path.name for path in (ROOT / 'launch').glob('*.launch.py'))
NODES = ('finetune_node', 'policy_node', 'sim_node', 'train_node')


@pytest.fixture(autouse=True)
def discovery(monkeypatch):
    monkeypatch.setenv(DISCOVERY, 'as it was')


def nodes_yaml(node):
    content = yaml.safe_load((ROOT / 'config' / 'nodes.yaml').read_text())
    return content[f'/**/{node}']['ros__parameters']


def declared_parameters(node):
    """Return name -> default of the node's parameter table, read without importing rclpy."""
    place = {'policy_node': 'control/parameters'}.get(node, node)
    tree = ast.parse((ROOT / 'iql_ros' / 'nodes' / f'{place}.py').read_text())
    rows = [call for call in ast.walk(tree)
            if isinstance(call, ast.Call) and getattr(call.func, 'id', None) == 'Parameter']
    return {row.args[0].value: ast.literal_eval(row.args[1]) for row in rows}


@pytest.mark.parametrize('file_name', LAUNCH_FILES)
def test_without_arguments_every_node_and_file_named_exists(monkeypatch, file_name):
    recording = record(monkeypatch, file_name)
    assert recording.nodes
    for node in recording.nodes:
        assert node['package'] == 'iql_ros'
        assert node['name'] == node['executable']
        assert (ROOT / 'iql_ros' / 'nodes' / f'{node["executable"]}.py').is_file()
        paths = [*node['files'], *(value for name, value in node['values'].items()
                                   if isinstance(value, str) and os.sep in value
                                   and name not in ('env_id', 'environment'))]
        assert paths and [path for path in paths if not Path(path).exists()] == []


@pytest.mark.parametrize('file_name', LAUNCH_FILES)
def test_launch_files_set_only_parameters_that_the_nodes_declare(monkeypatch, file_name):
    for node in record(monkeypatch, file_name).nodes:
        declared = {**declared_parameters(node['executable']), 'use_sim_time': False}
        kinds = {name: type(value) for name, value in node['values'].items()}
        assert kinds == {name: type(declared.get(name)) for name in kinds}


@pytest.mark.parametrize('node', NODES)
def test_nodes_yaml_lists_the_declared_parameters_with_their_defaults(node):
    assert nodes_yaml(node) == declared_parameters(node)


@pytest.mark.parametrize('file_name', LAUNCH_FILES)
def test_launch_files_stay_short(file_name):
    _, _, after_licence = (ROOT / 'launch' / file_name).read_text().partition('\n\n')
    assert len(after_licence.splitlines()) <= 60


@pytest.mark.parametrize('file_name',
                         ['deploy.launch.py', 'finetune.launch.py', 'sim.launch.py'])
def test_what_is_simulated_stays_in_its_namespace_and_on_this_machine(monkeypatch, file_name):
    for node in record(monkeypatch, file_name).nodes:
        assert node['namespace'] == 'sim'
        assert set(node['remappings']) == {('/clock', 'clock'), ('/diagnostics', 'diagnostics')}
    assert os.environ[DISCOVERY] == 'LOCALHOST'


@pytest.mark.parametrize('file_name', LAUNCH_FILES)
def test_how_much_is_said_is_a_matter_of_our_nodes_alone(monkeypatch, file_name):
    for given, level in (({}, 'info'), ({'log_level': 'debug'}, 'debug')):
        for node in record(monkeypatch, file_name, **given).nodes:
            logger = '.'.join(filter(None, [node.get('namespace'), node['name']]))
            assert node['ros_arguments'] == ['--log-level', f'{logger}:={level}']
    with pytest.raises(Exception, match='loud'):
        record(monkeypatch, file_name, log_level='loud')


@pytest.mark.parametrize('file_name',
                         ['deploy.launch.py', 'finetune.launch.py', 'sim.launch.py'])
@pytest.mark.parametrize('namespace, inside, logger', [
    ('shop', 'shop/sim', 'shop.sim'), ('/a/b', 'a/b/sim', 'a.b.sim')])
def test_several_simulations_are_told_apart_and_stay_in_a_sim_each(
        monkeypatch, file_name, namespace, inside, logger):
    for node in record(monkeypatch, file_name, namespace=namespace).nodes:
        assert node['namespace'] == inside
        assert node['ros_arguments'] == ['--log-level', f'{logger}.{node["name"]}:=info']
        assert set(node['remappings']) == {('/clock', 'clock'), ('/diagnostics', 'diagnostics')}


def test_deploy_runs_the_shipped_policy_in_simulation(monkeypatch):
    simulator, policy = record(monkeypatch, 'deploy.launch.py').nodes
    assert (simulator['executable'], policy['executable']) == ('sim_node', 'policy_node')
    assert policy['values'] == {
        'checkpoint': str(ROOT / 'share' / 'diffbot.safetensors'), 'robot_config': DIFFBOT,
        'autostart': True, 'lockstep': False, 'use_sim_time': True}


def test_deploy_hands_robot_environment_and_lockstep_to_the_simulator(monkeypatch):
    simulator, policy = record(
        monkeypatch, 'deploy.launch.py', robot_config=HOPPER, env='Hopper-v5', lockstep='true',
        checkpoint='/somewhere/hopper.safetensors', device='cpu').nodes
    assert simulator['values'] == {'robot_config': HOPPER, 'env_id': 'Hopper-v5',
                                   'lockstep': True, 'record': False}
    assert policy['values']['lockstep'] is True
    assert policy['values']['robot_config'] == HOPPER
    assert policy['values']['checkpoint'] == '/somewhere/hopper.safetensors'
    assert policy['values']['device'] == 'cpu'


@pytest.mark.parametrize('robot', ['sim', 'real'])
def test_deploy_records_at_the_policy_alone_or_a_run_would_count_twice(monkeypatch, robot):
    given = {'robot': robot, 'robot_config': DIFFBOT, 'checkpoint': '/somewhere/c.safetensors'}
    nodes = record(monkeypatch, 'deploy.launch.py', record='true', **given).nodes
    assert {node['executable']: node['values']['record'] for node in nodes} == (
        {'sim_node': False, 'policy_node': True} if robot == 'sim' else {'policy_node': True})
    assert 'record' not in record(monkeypatch, 'deploy.launch.py', **given).nodes[-1]['values']


@pytest.mark.parametrize('given, said', [({}, None), ({'shadow': 'true'}, True),
                                         ({'shadow': 'false'}, False)])
def test_a_shadow_is_asked_for_and_never_assumed(monkeypatch, given, said):
    node, = record(monkeypatch, 'deploy.launch.py', robot='real', robot_config=DIFFBOT,
                   checkpoint='/somewhere/c.safetensors', **given).nodes
    assert node['values'].get('shadow') is said and node['values']['autostart'] is False


def test_the_simulator_records_when_it_is_told(monkeypatch):
    node, = record(monkeypatch, 'sim.launch.py', record='true').nodes
    assert node['values']['record'] is True


def test_a_real_robot_gets_no_simulator_no_namespace_and_no_autostart(monkeypatch):
    node, = record(monkeypatch, 'deploy.launch.py', robot='real', robot_config=DIFFBOT,
                   checkpoint='/somewhere/mine.safetensors', lockstep='true').nodes
    assert node['executable'] == 'policy_node'
    assert node['namespace'] == '' and node['remappings'] == []
    assert node['values']['autostart'] is False
    assert node['values']['lockstep'] is False
    assert node['values']['use_sim_time'] is False
    assert os.environ[DISCOVERY] == 'as it was'


@pytest.mark.parametrize('given, missing', [
    ({}, 'robot_config'),
    ({'checkpoint': '/somewhere/mine.safetensors'}, 'robot_config'),
    ({'robot_config': DIFFBOT}, 'checkpoint'),
])
def test_a_real_robot_is_never_driven_by_the_samples_files(monkeypatch, given, missing):
    with pytest.raises(RuntimeError, match=f'robot:=real needs {missing}:=FILE'):
        record(monkeypatch, 'deploy.launch.py', robot='real', **given)


def test_a_robot_that_is_neither_sim_nor_real_is_refused(monkeypatch):
    with pytest.raises(RuntimeError, match='hardware'):
        record(monkeypatch, 'deploy.launch.py', robot='hardware', robot_config=DIFFBOT)


def test_train_takes_the_sample_recording_when_no_data_is_named(monkeypatch):
    node, = record(monkeypatch, 'train.launch.py').nodes
    assert node['values'] == {
        'bag': str(ROOT / 'share' / 'diffbot_recording'), 'robot_config': DIFFBOT,
        'config': str(ROOT / 'config' / 'iql' / 'robot.yaml')}
    assert os.environ[DISCOVERY] == 'LOCALHOST'


def test_train_never_reads_the_users_data_by_the_samples_robot(monkeypatch):
    node, = record(monkeypatch, 'train.launch.py', dataset='mine/robot-v0', name='first').nodes
    assert node['values']['dataset'] == 'mine/robot-v0' and node['values']['name'] == 'first'
    assert 'bag' not in node['values'] and 'robot_config' not in node['values']
    assert os.environ[DISCOVERY] == 'as it was'


def test_a_name_that_looks_like_a_number_stays_text(monkeypatch):
    node, = record(monkeypatch, 'train.launch.py', dataset='mine/robot-v0', name='17').nodes
    assert node['values']['name'] == '17'


def test_train_passes_on_how_many_updates_and_whether_to_resume(monkeypatch):
    node, = record(monkeypatch, 'train.launch.py', dataset='mine/robot-v0', updates='300',
                   resume='true').nodes
    assert node['values']['updates'] == 300 and node['values']['resume'] is True
    node, = record(monkeypatch, 'train.launch.py', dataset='mine/robot-v0').nodes
    assert not {'updates', 'resume'} & set(node['values'])  # as in params_file


def test_finetune_goes_on_from_the_shipped_policy_and_recording_in_simulation(monkeypatch):
    recording = record(monkeypatch, 'finetune.launch.py')
    simulator, policy, learner = recording.nodes
    assert [node['executable'] for node in recording.nodes] == [
        'sim_node', 'policy_node', 'finetune_node']
    shipped = {'checkpoint': str(ROOT / 'share' / 'diffbot.safetensors'),
               'robot_config': DIFFBOT}
    assert learner['values'] == {
        **shipped, 'bag': str(ROOT / 'share' / 'diffbot_recording'),
        'environment': 'iql_ros/DiffbotReal-v0'}
    assert policy['values'] == {
        **shipped, 'learner': 'finetune_node', 'evaluate_every': 0,
        'autostart': True, 'lockstep': True, 'use_sim_time': False}
    assert simulator['values'] == {
        'robot_config': DIFFBOT, 'env_id': 'iql_ros/DiffbotReal-v0', 'lockstep': True,
        'record': False}


def test_finetune_hands_over_what_it_is_given(monkeypatch):
    simulator, policy, learner = record(
        monkeypatch, 'finetune.launch.py', robot_config=HOPPER, env='Hopper-v5', run='7',
        checkpoint='/somewhere/hopper.safetensors', dataset='mujoco/hopper-v0', steps='300',
        lockstep='false', record='true', device='cpu', params_file='/somewhere/mine.yaml').nodes
    assert learner['values'] == {
        'checkpoint': '/somewhere/hopper.safetensors', 'robot_config': HOPPER, 'run': '7',
        'dataset': 'mujoco/hopper-v0', 'steps': 300, 'device': 'cpu',
        'environment': 'Hopper-v5'}
    assert policy['values']['lockstep'] is False and policy['values']['record'] is True
    assert policy['values']['checkpoint'] == '/somewhere/hopper.safetensors'
    assert (simulator['values']['env_id'], simulator['values']['record']) == ('Hopper-v5', False)
    assert {tuple(node['files']) for node in (simulator, policy, learner)} == {
        ('/somewhere/mine.yaml',)}


def test_finetune_takes_the_data_of_a_checkpoint_that_is_not_the_shipped_one(monkeypatch):
    learner = record(monkeypatch, 'finetune.launch.py', checkpoint='/somewhere/c').nodes[-1]
    assert not {'bag', 'dataset'} & set(learner['values'])


def test_finetune_on_a_real_robot_is_guarded_and_judged_by_the_robot_itself(monkeypatch):
    policy, learner = record(
        monkeypatch, 'finetune.launch.py', robot='real', robot_config=DIFFBOT, run='monday',
        checkpoint='/somewhere/mine.safetensors').nodes
    assert learner['values'] == {
        'checkpoint': '/somewhere/mine.safetensors', 'robot_config': DIFFBOT, 'run': 'monday',
        'guard': True}
    assert 'evaluate_every' not in policy['values']  # as params_file says
    assert policy['values']['autostart'] is False and policy['values']['lockstep'] is False
    assert {(node['namespace'], *node['remappings']) for node in (policy, learner)} == {('',)}
    assert os.environ[DISCOVERY] == 'as it was'


def test_finetune_puts_a_real_robot_and_its_learner_into_one_namespace(monkeypatch):
    policy, learner = record(
        monkeypatch, 'finetune.launch.py', robot='real', robot_config=DIFFBOT, run='monday',
        checkpoint='/somewhere/mine.safetensors', namespace='/r1', log_level='warn').nodes
    assert policy['values']['learner'] == learner['name'] == 'finetune_node'    # relative
    assert 'robots' not in learner['values']                # that of its own namespace
    assert {(node['namespace'], *node['remappings']) for node in (policy, learner)} == {('r1',)}
    assert policy['ros_arguments'][1] == 'r1.policy_node:=warn'


@pytest.mark.parametrize('missing', ['robot_config', 'checkpoint', 'run'])
def test_finetune_on_a_real_robot_must_be_told_everything(monkeypatch, missing):
    given = {'robot_config': DIFFBOT, 'checkpoint': '/somewhere/mine.safetensors', 'run': 'one'}
    given[missing] = ''
    with pytest.raises(RuntimeError, match=f'robot:=real needs {missing}:='):
        record(monkeypatch, 'finetune.launch.py', robot='real', **given)


def test_a_fleets_policies_explore_for_one_learner_each_in_its_namespace(monkeypatch):
    policy, = record(
        monkeypatch, 'deploy.launch.py', robot='real', namespace='r1', robot_config=DIFFBOT,
        learner='/finetune_node', checkpoint='/somewhere/mine.safetensors').nodes
    assert policy['namespace'] == 'r1'
    assert policy['values']['learner'] == '/finetune_node'
