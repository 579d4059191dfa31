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

"""Tests for nodes/learning/weights_receiver.py against a learner of ours."""

import numpy as np
import pytest
from std_msgs.msg import UInt8MultiArray
import torch

from iql_ros.nodes.learning.weights_receiver import WEIGHTS_QOS
from iql_ros.runs.checkpoint_bytes import decode, pack
from tests.ros.learner import DIFFBOT, Drive, OTHER_RUN, RUN, weights_message


def test_new_weights_act_from_the_next_episode_on(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    drive.node.trigger_activate()
    drive.keep_running(wait_for)
    before = drive.node.transitions[-1].action
    drive.learner.send_weights(weights_message(version=3, bias=3.0))
    wait_for(lambda: drive.receiver.newest == 3, what='the weights')
    drive.keep_running(wait_for, ticks=3)
    assert drive.receiver.in_use == 0
    drive.robot.x = 0.0                                    # docked: the reset begins the next
    wait_for(lambda: drive.receiver.in_use == 3, what='the next episode')
    drive.keep_running(wait_for, ticks=4)
    assert np.abs(drive.node.transitions[-1].action - before).max() > 0.05
    wait_for(lambda: {0, 3} <= {each.weights_version for each
                                in drive.learner.experiences.values()}, what='both versions')


def test_new_weights_act_from_the_next_step_on_if_asked(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path, weights_at='step')
    drive.node.trigger_activate()
    drive.keep_running(wait_for)
    drive.learner.send_weights(weights_message(version=1))
    wait_for(lambda: any(each.weights_version == 1 for each
                         in drive.learner.experiences.values()), what='the new weights')
    assert {each.episode for each in drive.learner.experiences.values()} == {0}


def with_nan(data):
    """Return a message whose tensors end in NaN, and whose checksum says so."""
    header, tensors = decode(data, 'test')
    tensors['actor.log_std_parameter'][-1] = float('nan')
    return pack(header, tensors)


def of_another_actor(data):
    header, tensors = decode(data, 'test')
    return pack(header, {name: tensor[..., :1].clone() for name, tensor in tensors.items()})


def for_another_robot(data):
    header, tensors = decode(data, 'test')
    text = DIFFBOT.read_text().replace('control_rate: 5.0', 'control_rate: 10.0')
    return pack({**header, 'robot_config': text}, tensors)


def with_changes(data, robot_config=None, fill=None, kind=None):
    header, tensors = decode(data, 'test')
    if fill is not None:
        tensors = {name: tensor.fill_(fill) if 'mlp' in name else tensor
                   for name, tensor in tensors.items()}
    if kind is not None:
        tensors = {name: tensor.to(kind) for name, tensor in tensors.items()}
    if robot_config is not None:
        header['robot_config'] = robot_config
    return pack(header, tensors)


@pytest.mark.parametrize('spoil, reason', [
    (lambda data: with_changes(data, robot_config=5), "'robot_config' is 5; expected text"),
    (lambda data: with_changes(data, kind=torch.float8_e4m3fn), "is of type 'F8_E4M3'"),
    (lambda data: with_changes(data, kind=torch.bool), 'is of type torch.bool; expected'),
    (lambda data: with_changes(data, fill=1e30), 'weights version 4: give an action that is not'),
    (lambda data: weights_message(version=10**400), 'version is 1000'),
    (lambda data: data + bytes(300_000), 'this policy and a header need at most'),
    (lambda data: data[:-100], 'weights:'),
    (with_nan, 'NaN'),
    (of_another_actor, 'shape'),
    (for_another_robot, "'control_rate' is 10.0"),
    (lambda data: weights_message(version=1), 'version 1 is older than 2'),
])
def test_unfit_weights_are_refused_by_name_and_control_goes_on(
        graph, wait_for, tmp_path, spoil, reason):
    drive = Drive(graph, wait_for, tmp_path)
    good = weights_message(version=2)
    drive.learner.send_weights(good)
    wait_for(lambda: drive.receiver.newest == 2, what='good weights')
    drive.node.trigger_activate()
    drive.learner.send_weights(spoil(weights_message(version=4)))
    wait_for(lambda: drive.receiver.refused, what='the refusal')
    assert reason in drive.receiver.fault and '\n' not in drive.receiver.fault
    drive.keep_running(wait_for)
    assert 'refused: weights' in drive.remarks() and drive.receiver.in_use == 2
    drive.learner.send_weights(weights_message(version=5))
    wait_for(lambda: not drive.receiver.fault, what='better weights')


def second_learner(drive, wait_for):
    publisher = drive.learner.create_publisher(UInt8MultiArray, 'learner/weights', WEIGHTS_QOS)
    wait_for(lambda: drive.node.count_publishers('learner/weights') == 2, what='the second')
    return publisher


def test_of_two_learners_none_is_followed_unless_it_is_said_which(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    second = second_learner(drive, wait_for)
    for run, publisher in ((OTHER_RUN, second), (RUN, drive.learner._weights)):
        refused = drive.receiver.refused
        publisher.publish(UInt8MultiArray(data=weights_message(version=2, run=run)))
        wait_for(lambda: drive.receiver.refused > refused, what='the refusal')
    assert drive.receiver.run is None and drive.sender.run is None
    said = drive.remarks()
    assert f'{OTHER_RUN:016x}, {RUN:016x}' in said and 'following none' in said
    assert 'learner_run says whom' in said


def test_the_run_that_was_named_is_followed_whoever_speaks_first(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path, learner_run=f'{RUN:016x}')
    second = second_learner(drive, wait_for)
    second.publish(UInt8MultiArray(data=weights_message(version=9, run=OTHER_RUN)))
    wait_for(lambda: drive.receiver.refused, what='the refusal')
    assert f'run {OTHER_RUN:016x}; learner_run says {RUN:016x}' in drive.remarks()
    drive.learner.send_weights(weights_message(version=2))
    wait_for(lambda: drive.receiver.newest == 2, what='the weights')
    assert drive.node._describe()[2]['learner run'] == f'{RUN:016x}'
    drive.learner.destroy_publisher(second)
    wait_for(lambda: drive.node.count_publishers('learner/weights') == 1, what='only one')
    drive.learner.send_weights(weights_message(version=3, run=OTHER_RUN))
    wait_for(lambda: drive.receiver.refused == 2, what='the refusal of the only one')
    assert (drive.receiver.run, drive.receiver.newest) == (RUN, 2)


def test_another_learners_run_is_taken_only_when_it_is_alone(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    drive.learner.send_weights(weights_message(version=2))
    wait_for(lambda: drive.receiver.newest == 2, what='the weights')
    second = drive.learner.create_publisher(UInt8MultiArray, 'learner/weights', WEIGHTS_QOS)
    wait_for(lambda: drive.node.count_publishers('learner/weights') == 2, what='the second')
    second.publish(UInt8MultiArray(data=weights_message(version=9, run=OTHER_RUN)))
    wait_for(lambda: drive.receiver.refused, what='the refusal')
    assert '2 learners publish' in drive.receiver.fault and drive.receiver.run == RUN
    drive.learner.destroy_publisher(second)
    wait_for(lambda: drive.node.count_publishers('learner/weights') == 1, what='only one')
    drive.learner.send_weights(weights_message(version=1, run=OTHER_RUN))
    wait_for(lambda: drive.receiver.newest == 1, what='the other run')
    assert drive.sender.run == OTHER_RUN
