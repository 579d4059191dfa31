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

"""Tests for nodes/hosting/parameters.py: what is set while a node runs, over real services."""

import threading

import numpy as np
from rcl_interfaces.srv import DescribeParameters, SetParameters, SetParametersAtomically
from rclpy.node import Node
from rclpy.parameter import Parameter

from iql_ros.nodes import finetune_node, policy_node, sim_node, train_node
from iql_ros.runs.checkpoint_bytes import pack, read_file
from tests.ros.learner import CHECKPOINT, DIFFBOT, Drive, weights_message
from tests.ros.test_interventions import Operator
from tests.ros.test_policy_node import start

LIMIT = '{low: [0.05, -0.1], high: [0.06, 0.1]}'
DYNAMIC = {'choice', 'samples', 'choice_temperature', 'exploration_scale', 'exploration_limit',
           'weights_at', 'intervention_timeout', 'limit_scale', 'observation_limit',
           'observation_margin'}
REFUSED = [  # while it drives
    ('checkpoint', 'c', "parameter 'checkpoint' is read on configure: deactivate, clean up, set"),
    ('lockstep', True, "parameter 'lockstep' is read on configure"),
    ('autostart', True, "parameter 'autostart' is read at the start: start the node again"),
    ('use_sim_time', True, "parameter 'use_sim_time' is read at the start"),
    ('seeds', 3, "unknown parameter 'seeds' (did you mean 'seed'?); allowed: checkpoint, "),
    ('exploration_scale', 1, "'exploration_scale': got 1 (integer); expected type double"),
    ('exploration_scale', 'a\nb', "got 'a\\nb' (string); expected type double"),
    ('exploration_scale', None, 'got None (not_set); expected type double'),
    ('exploration_scale', 10.5, "'exploration_scale': got 10.5; allowed: 0.0 to 10.0"),
    ('exploration_scale', float('nan'), 'got nan; allowed: 0.0 to 10.0'),
    ('choice', 'bst', "'choice': got 'bst'; allowed: auto, mean, weighted, best"),
    ('samples', 1025, "'samples': got 1025; allowed: 0 to 1024"),
    ('choice_temperature', -1.0, "'choice_temperature': got -1.0; allowed: 0.0 to "),
    ('weights_at', 'once', "'weights_at': got 'once'; allowed: episode, step"),
    ('weights_at', [b'\x00'] * 4, '(byte_array); expected type string'),
    ('exploration_limit', '[0.1', "'exploration_limit': not valid YAML: "),
    ('exploration_limit', '{low: [0.1]}', "'exploration_limit': key 'high' is missing"),
    ('exploration_limit', '{low: [0], high: [0.1, 0]}', 'low: got [0.0]; expected 2 finite value'),
    ('exploration_limit', '{low: [0, 0], high: [0.4, 0]}', 'got [0.0, 0.4]; allowed: inside'),
    ('exploration_limit', '{low: [&a [0, 0], *a], high: 1}', 'got [0, 0]; expected float'),
    ('exploration_limit', '{"a\\nb": 1}', r"unknown key 'a\nb'"),
]


def send(person, kind, service, request, node='policy_node'):
    """Call a parameter service; return the answer, which is waited for with `result`."""
    client = person.create_client(kind, f'{node}/{service}')
    assert client.wait_for_service(20.0)
    future, done = client.call_async(request), threading.Event()
    future.add_done_callback(lambda _: done.set())
    future.result_in_time = lambda: done.wait(20.0) and future.result()
    return future


def messages(values):
    return [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]


def set_all(person, values, node='policy_node'):
    """Set parameters, all or none; return why they were not, '' if they were."""
    request = SetParametersAtomically.Request(parameters=messages(values))
    result = send(person, SetParametersAtomically, 'set_parameters_atomically', request,
                  node).result_in_time().result
    assert result.successful == (result.reason == '') and '\n' not in result.reason
    return result.reason


def set_each(person, parameters, node='policy_node'):
    """Set parameters one by one; return the reasons of those that were refused."""
    request = SetParameters.Request(parameters=parameters)
    results = send(person, SetParameters, 'set_parameters', request, node).result_in_time().results
    assert len(results) == len(parameters)
    return [result.reason for result in results if not result.successful]


def actions(drive):
    return np.array([step.action for step in drive.node.transitions])


def set_and_see(drive, wait_for, values):
    """Set parameters while it drives; return the actions before, and those after for sure."""
    assert set_all(drive.robot, values) == ''
    known = len(drive.node.transitions)
    drive.keep_running(wait_for, ticks=5)
    taken = actions(drive)
    return taken[:known], taken[known + 2:]     # one was sent and one may have been thought out


def test_what_is_explored_changes_from_the_next_tick_on(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)    # of a robot that stands still; its scale is 0
    drive.node.trigger_activate()
    drive.keep_running(wait_for)
    before, after = set_and_see(drive, wait_for, {'exploration_scale': 0.5})
    assert np.ptp(before, axis=0).max() < 1e-6 < np.ptp(after, axis=0).max()
    assert (after < [0.05, -0.1]).any() or (after > [0.06, 0.1]).any()
    _, after = set_and_see(drive, wait_for, {'exploration_limit': LIMIT})
    assert (after >= [0.05 - 1e-9, -0.1]).all() and (after <= [0.06 + 1e-9, 0.1]).all()
    _, after = set_and_see(drive, wait_for, {'exploration_limit': '', 'exploration_scale': 0.0})
    assert np.allclose(after, before[0])


def test_how_it_chooses_changes_from_the_next_tick_on(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path, evaluate_every=10_000)  # the first are judged
    drive.node.trigger_activate()
    drive.keep_running(wait_for)
    before, after = set_and_see(drive, wait_for, {'choice': 'best', 'samples': 16})
    assert np.ptp(before, axis=0).max() < 1e-6 < np.ptp(after, axis=0).max()
    values = drive.node._describe()[2]
    assert values['choice'] == 'best of 16 samples' and float(values['advantage gained']) > 0
    assert values['distance from the mean [std]'].partition(',')[0] > '0.1'
    _, after = set_and_see(drive, wait_for, {'choice': 'weighted', 'choice_temperature': 1e-9})
    assert np.allclose(after, before[0], atol=1e-6)
    _, after = set_and_see(drive, wait_for, {'choice': 'mean'})
    assert np.ptp(after, axis=0).max() < 1e-6 and drive.node._describe()[2]['choice'] == 'mean'


def test_without_a_critic_it_goes_on_by_the_mean_whatever_is_asked_for(graph, wait_for, tmp_path):
    header, tensors = read_file(CHECKPOINT)
    (tmp_path / 'actor.safetensors').write_bytes(pack(header, {
        name: tensor for name, tensor in tensors.items() if name.startswith('actor.')}))
    drive = Drive(graph, wait_for, tmp_path, checkpoint=str(tmp_path / 'actor.safetensors'))
    drive.node.trigger_activate()
    drive.keep_running(wait_for)
    assert set_all(drive.robot, {'choice': 'best'}) == (
        "choice: got 'best', but there is no critic to choose by; allowed: mean")
    drive.keep_running(wait_for)


def test_several_are_set_together_or_none_of_them_is(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    drive.node.trigger_activate()
    drive.keep_running(wait_for)
    for wrong in ({'exploration_limit': '{low: [-9.0, 0.0], high: [0.1, 0.1]}'},
                  {'weights_at': 'never'}, {'seed': 3}, {'nothing': 3}):
        assert set_all(drive.robot, {'exploration_scale': 8.0, **wrong}) != ''
        assert set_all(drive.robot, {**wrong, 'exploration_scale': 8.0}) != ''
    assert drive.node.get_parameter('exploration_scale').value == 0.0
    drive.keep_running(wait_for, ticks=3)
    assert np.ptp(actions(drive), axis=0).max() < 1e-6


def test_weights_are_taken_at_the_next_step_once_that_is_said(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    drive.node.trigger_activate()
    drive.keep_running(wait_for)
    drive.learner.send_weights(weights_message(3, bias=0.05), version=3)
    wait_for(lambda: drive.receiver.newest == 3, what='the weights')
    drive.keep_running(wait_for)
    assert drive.receiver.in_use == 0                       # an episode keeps its weights
    assert set_all(drive.robot, {'weights_at': 'step'}) == ''
    wait_for(lambda: drive.receiver.in_use == 3, what='the next step')
    assert drive.robot.events == ['start']


def test_how_long_an_operator_counts_changes_at_once(graph, tmp_path, wait_for):
    robot, node = start(graph, tmp_path, overrides=[Parameter('intervention_timeout', value=0.3)])
    node.transitions = []
    node.on_transition = node.transitions.append
    node.begin()
    operator = Operator(robot)
    wait_for(lambda: operator.heard and 0.2 in robot.speeds(), what='a command')
    assert set_all(robot, {'intervention_timeout': 60.0}) == ''
    operator.said = -0.25
    wait_for(lambda: node._runner.operated, what='the takeover')
    operator.said, count = None, len(node.transitions)
    wait_for(lambda: len(node.transitions) >= count + 5, what='a second')
    assert node._runner.operated
    assert set_all(robot, {'intervention_timeout': 0.01}) == ''
    wait_for(lambda: not node._runner.operated, what='the policy')


def test_what_cannot_be_set_is_refused_on_a_line_that_says_why_and_control_goes_on(
        graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    drive.node.trigger_activate()
    drive.keep_running(wait_for)
    before = drive.node.settings()
    for name, value, message in REFUSED:
        reason = set_all(drive.robot, {name: value})
        assert message in reason
        assert set_each(drive.robot, messages({name: value})) == [reason]
    assert drive.node.settings() == before == drive.node._settings
    drive.keep_running(wait_for)


def test_without_a_learner_nothing_begins_to_explore(graph, wait_for, tmp_path):
    robot, node = start(graph, tmp_path, overrides=[
        Parameter('checkpoint', value=str(CHECKPOINT)), Parameter('device', value='cpu')])
    node._make_act, node.transitions = None, []
    node.on_transition = node.transitions.append
    node.begin()
    assert set_all(robot, {'intervention_timeout': 1.0}) == ''
    for name, value in (('exploration_scale', 0.5), ('weights_at', 'step')):
        assert f"parameter '{name}': got {value!r}; nothing is explored" in set_all(
            robot, {name: value})
    wait_for(lambda: len(node.transitions) >= 5, what='transitions')
    assert np.ptp([step.action for step in node.transitions], axis=0).max() < 1e-6


def test_what_is_set_before_counts_on_configure(graph, wait_for, tmp_path):
    robot, node = start(graph, tmp_path)
    config = node.get_parameter('robot_config').value
    assert set_all(robot, {'robot_config': '', 'intervention_timeout': 1.0}) == ''
    node.trigger_configure()
    assert node.exit_code == 2                              # robot_config is empty
    assert set_all(robot, {'robot_config': config, 'exploration_limit': LIMIT}) == ''
    node.trigger_configure()
    assert node.exit_code == 0 and node._settings.exploration_limit == LIMIT
    assert node._interventions._timeout_ns == 10**9
    assert 'is read on configure' in set_all(robot, {'episodes': 1})
    assert set_all(robot, {'intervention_timeout': 2.0}) == ''
    assert node._interventions._timeout_ns == 2 * 10**9
    node.trigger_cleanup()
    assert set_all(robot, {'episodes': 1}) == ''
    node.trigger_configure()
    node.trigger_activate()
    assert node._loop._episodes == 1


def test_what_is_set_while_a_node_begins_waits_and_counts(graph, wait_for, tmp_path):
    loading, go_on = threading.Event(), threading.Event()

    def make_act(interface):
        loading.set()
        assert go_on.wait(20.0)
        return lambda observation: np.array([0.2, 0.5])

    robot, node = start(graph, tmp_path)
    node._make_act = make_act
    beginning = threading.Thread(target=node.begin)
    beginning.start()
    assert loading.wait(20.0)
    future = send(robot, SetParametersAtomically, 'set_parameters_atomically',
                  SetParametersAtomically.Request(
                      parameters=messages({'intervention_timeout': 7.0})))
    wait_for(node._configuring.locked, what='the lock')
    go_on.set()
    beginning.join(20.0)
    assert future.result_in_time().result.successful
    assert node._interventions._timeout_ns == 7 * 10**9


def fixed_nodes():
    done = threading.Event()
    return [
        (sim_node.SimNode(done, [Parameter('robot_config', value=str(DIFFBOT))]),
         sim_node.PARAMETERS),
        (train_node.TrainNode(done, [Parameter('dataset', value='d')]), train_node.PARAMETERS),
        (finetune_node.FinetuneNode(done, [Parameter('checkpoint', value='c')]),
         finetune_node.PARAMETERS)]


def test_the_other_nodes_refuse_all_and_say_what_to_do(graph):
    person = graph.add(Node('person'))
    for node, table in fixed_nodes():
        graph.add(node).leave = lambda: None
        reasons = set_each(person, messages({row.name: row.default for row in table}),
                           node.get_name())
        for row, reason in zip(table, reasons, strict=True):
            assert reason.startswith(f"parameter '{row.name}' ") and '\n' not in reason
            assert ': start the node again' in reason or ': begin another run' in reason


def test_what_may_be_set_when_is_described(graph, tmp_path):
    robot, _ = start(graph, tmp_path)
    names = [row.name for row in policy_node.PARAMETERS]
    found = send(robot, DescribeParameters, 'describe_parameters', DescribeParameters.Request(
        names=names)).result_in_time().descriptors
    notes = {each.name: each.additional_constraints for each in found}
    assert {name for name in names if 'may be set while running' in notes[name]} == DYNAMIC
    assert notes['exploration_scale'] == 'may be set while running, counts from the next tick'
    assert notes['device'].startswith('one of: auto, cpu, cuda; is read on configure: ')
    assert [each.name for each in found if each.read_only] == [
        'autostart', 'e_stops', 'e_stop_timeout']
