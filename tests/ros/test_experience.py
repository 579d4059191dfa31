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

"""Tests for learning/experience_sender.py and learning_link.py against a learner of ours."""

import threading

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Float64MultiArray, UInt64MultiArray

from iql_ros.nodes.learning import experience_sender
from iql_ros.nodes.learning.experience_sender import ExperienceSender
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.nodes.sim_node import SimNode
from iql_ros.online.experience import ExperienceFormat
from tests.ros.learner import (
    CHECKPOINT, DIFFBOT, Drive, Learner, OTHER_RUN, RUN, SIMULATED, weights_message)
from tests.small_run import experience, INTERFACE, TASK


def test_every_transition_arrives_as_it_was_and_is_forgotten_once_acknowledged(
        graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    drive.node.trigger_activate()
    wait_for(lambda: len(drive.node.transitions) >= 4, what='four transitions')
    drive.robot.x = 0.0                                   # on the plate: docked
    wait_for(lambda: drive.node._episode_log.results, what='the end of the episode')
    drive.node.trigger_deactivate()
    wait_for(lambda: drive.sender.unacknowledged == 0, what='the acknowledgement')
    got, sent = drive.learner.experiences, drive.node.transitions
    assert sorted(got) == list(range(len(sent))) and drive.learner.session == drive.sender.session
    for step, transition in enumerate(sent):
        assert got[step].transition.tick_ns == transition.tick_ns
        assert got[step].transition.reward == transition.reward
        for name in ('observation', 'action', 'next_observation'):
            np.testing.assert_array_equal(getattr(got[step].transition, name),
                                          getattr(transition, name))
    last = next(each for each in got.values() if each.transition.terminated)
    assert last.success is True and last.episode == 0 and not last.evaluation
    assert got[0].success is None and got[0].weights_version == 0


def test_steps_close_together_share_a_message_and_an_episodes_last_does_not_wait(
        graph, wait_for, monkeypatch):
    monkeypatch.setattr(experience_sender, '_TOGETHER', 1e9)
    robot, learner, got = graph.add(Node('policy_node')), graph.add(Node('learner')), []
    form = ExperienceFormat(INTERFACE, TASK)
    sender = ExperienceSender(robot, form, session=7, history=4, changed=threading.Condition())
    learner.create_subscription(Float64MultiArray, 'policy_node/experience', lambda message: (
        got.append([each.step for each in form.decode(form.labels(7), message.data, '')])), 10)
    wait_for(lambda: sender.heard, what='the learner')

    def send(*steps, **changes):
        for step in steps:
            sender.send(experience(step, **changes).transition, 0, 0, False, None)

    send(0)                                   # nothing has been sent for long
    send(1, 2)
    send(3, truncated=True)
    wait_for(lambda: got == [[0], [1, 2, 3]], what='the end of the episode')
    send(4, 5, 6, 7, 8)                       # more than are kept
    wait_for(lambda: got[2:] == [[4, 5, 6, 7]], what='as many as are kept')
    sender.hurry()
    sender.hurry()
    wait_for(lambda: got[3:] == [[8]], what='what was left')
    assert sender.unacknowledged == 4 and sender.lost == 5


def test_what_was_lost_on_the_way_is_sent_again(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    drive.learner.answers = False
    drive.node.trigger_activate()
    wait_for(lambda: drive.learner.received.count(0) >= 2, what='the first step again')
    drive.learner.experiences = {}                         # a learner that begins anew
    wait_for(lambda: drive.learner.steps >= 5, what='all of it')
    drive.learner.answers = True
    wait_for(lambda: drive.sender.unacknowledged == 0, what='the acknowledgement')
    drive.keep_running(wait_for)


def test_what_is_too_much_to_keep_is_counted_and_named(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path, experience_history=3, learner_timeout=0.3)
    drive.learner.answers = False
    drive.node.trigger_activate()
    wait_for(lambda: drive.sender.lost >= 2, what='an overflow')
    assert 'steps lost: more than experience_history (3) were not ack' in drive.remarks()
    assert "learner 'learner' is away: no acknowledgement for" in drive.remarks()
    drive.keep_running(wait_for)
    wait_for(lambda: max(each.oldest_step for each in drive.learner.experiences.values()) > 0,
             what='the oldest step that is kept')


def test_only_the_learner_that_is_followed_acknowledges(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    drive.node.trigger_activate()
    wait_for(lambda: drive.sender.acknowledgement, what='the first acknowledgement')
    drive.learner.answers = False
    wait_for(lambda: drive.sender.unacknowledged >= 2, what='something unacknowledged')
    drive.learner.acknowledge(session=drive.learner.session + 1)
    drive.learner.acknowledge(run=OTHER_RUN)
    wait_for(lambda: drive.sender.ignored == 1, what='the other run')
    assert f"learner's run {OTHER_RUN:016x}; following {RUN:016x}" in drive.remarks()
    drive.learner.acknowledge(steps=10**6)
    wait_for(lambda: drive.sender.ignored == 2, what='a step that was never made')
    drive.learner._acknowledge.publish(UInt64MultiArray(data=[1, 2]))
    wait_for(lambda: drive.sender.ignored == 3, what='an acknowledgement cut short')
    assert drive.sender.unacknowledged >= 2
    drive.keep_running(wait_for)


def test_of_two_learners_that_answer_none_is_believed_unless_it_is_said_which(
        graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path)
    drive.learner.answers = False
    graph.add(Learner('other', run=OTHER_RUN))
    wait_for(lambda: drive.sender._subscription.get_publisher_count() == 2, what='both')
    drive.node.trigger_activate()
    wait_for(lambda: drive.sender.ignored, what='an acknowledgement')
    assert f'run {OTHER_RUN:016x}: 2 learners answer; learner_run says whom' in drive.remarks()
    assert drive.sender.run is None and drive.sender.unacknowledged
    drive.keep_running(wait_for)


def test_a_learner_that_never_answers_is_named_and_control_goes_on(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path, learner_timeout=0.5)
    drive.learner.answers = False
    drive.node.trigger_activate()
    wait_for(lambda: 'is away' in drive.remarks(), what='the remark')
    assert drive.node._describe()[0] == DiagnosticStatus.WARN
    drive.keep_running(wait_for)
    drive.learner.answers = True
    wait_for(lambda: 'is away' not in drive.remarks(), what='its return')


def test_exploring_keeps_to_its_limit_and_evaluations_take_the_mean(graph, wait_for, tmp_path):
    drive = Drive(graph, wait_for, tmp_path, exploration_scale=5.0, evaluate_every=2,
                  evaluation_episodes=1, exploration_limit='{low: [0.05, 0.3], high: [0.1, 0.4]}')
    drive.node.trigger_activate()
    for evaluated in range(3):
        drive.keep_running(wait_for, ticks=4)
        drive.robot.x = 0.0
        wait_for(lambda: len(drive.node._episode_log.results) > evaluated, what='an episode')
    wait_for(lambda: len(drive.learner.experiences) >= 10, what='the experience')
    steps = sorted(drive.learner.experiences.values(), key=lambda each: each.step)
    assert {each.episode: each.evaluation for each in steps if each.episode < 3} == {
        0: True, 1: False, 2: True}
    for each in steps:
        if not each.evaluation and each.transition.observation[0] == 2.0:
            assert 0.05 <= each.transition.action[0] <= 0.1
            assert 0.3 <= each.transition.action[1] <= 0.4


@pytest.mark.parametrize('parameters, reason', [
    ({'learner': 'no spaces'}, "parameter 'learner': got 'no spaces'; expected a node's name"),
    ({'learner': 'learner', 'learner_run': 'abc'}, "parameter 'learner_run': got 'abc'; expected"),
    ({'learner_run': 16 * 'a'}, "'learner_run': got 'aaaaaaaaaaaaaaaa'; there is no learner"),
    ({'exploration_limit': '{low: [0.0, 0.0], high: [9.0, 1.0]}'}, 'inside [-0.3, 0.3]'),
    ({'exploration_limit': '{low: [0.0]}'}, "key 'high' is missing"),
    ({'exploration_limit': '[1'}, 'not valid YAML'),
    ({'weights_at': 'once'}, 'allowed: episode, step'),
])
def test_a_parameter_that_does_not_fit_is_refused_on_one_line(graph, capfd, parameters, reason):
    values = {'robot_config': str(DIFFBOT), 'checkpoint': str(CHECKPOINT), **parameters}
    node = graph.add(PolicyNode(threading.Event(), overrides=[
        Parameter(name, value=value) for name, value in values.items()]))
    node.begin()
    assert node.exit_code == 2 and node._done.is_set()
    assert reason in capfd.readouterr().err


@pytest.mark.parametrize(('name', 'value'), [('learner', 'learner'), ('choice', 'best')])
def test_a_scripted_driver_can_neither_learn_nor_choose(graph, capfd, name, value):
    node = graph.add(PolicyNode(threading.Event(), make_act=lambda interface: None, overrides=[
        Parameter('robot_config', value=str(DIFFBOT)), Parameter(name, value=value)]))
    node.begin()
    assert node.exit_code == 2
    assert f"parameter '{name}': got '{value}'; a scripted driver" in capfd.readouterr().err


def lockstep(graph, done, **parameters):
    """Return a policy node in lockstep with a simulated robot; both in the namespace sim."""
    common = {'robot_config': str(DIFFBOT), 'lockstep': True}
    simulator = graph.add(SimNode(threading.Event(), overrides=[
        Parameter(name, value=value) for name, value in common.items()]))
    simulator.begin()
    values = {**common, 'checkpoint': str(CHECKPOINT), 'device': 'cpu', 'learner': 'learner',
              'evaluate_every': 0, **parameters}
    return PolicyNode(done, overrides=[Parameter(name, value=value)
                                       for name, value in values.items()])


@SIMULATED
def test_in_lockstep_the_next_episode_waits_for_the_learner_and_its_weights(graph, wait_for):
    done = threading.Event()
    node = lockstep(graph, done, episodes=3, exploration_scale=1.0, max_lag=5)
    learner = graph.add(Learner())
    learner.send_weights(weights_message(version=1), version=1)
    learner.behind = 6
    graph.add(node).begin()
    link = node._learning
    wait_for(lambda: node._episode_log.results, what='the first episode')
    wait_for(lambda: 'updates behind' in (link._missing() or ''), what='the wait')
    length = len(learner.experiences)
    learner.behind = 5
    learner.acknowledge(weights_version=2)
    wait_for(lambda: 'version 2 has not come' in (link._missing() or ''), what='the wait')
    assert len(node._episode_log.results) == 1 and link._sender.unacknowledged == 0
    learner.send_weights(weights_message(version=2, bias=1.0), version=2)
    wait_for(done.is_set, what='the last episode')
    steps = [learner.experiences[step] for step in range(len(learner.experiences))]
    assert {each.weights_version for each in steps[:length]} == {1}
    assert {each.weights_version for each in steps[length:]} == {2}
    assert link._sender.unacknowledged == 0 and steps[-1].episode == 2


@SIMULATED
def test_in_lockstep_a_learner_that_never_answers_is_waited_for_and_left_alone(
        graph, wait_for):
    done = threading.Event()
    node = lockstep(graph, done, episodes=2, learner_timeout=0.3)
    said = []
    node.log = said.append
    graph.add(node).begin()
    wait_for(done.is_set, what='the last episode')
    assert any("going on without learner 'learner'" in text for text in said)
    assert len(node._episode_log.results) == 2


@SIMULATED
def test_in_lockstep_a_learner_that_reads_its_data_is_waited_for(graph, wait_for):
    done = threading.Event()
    node = lockstep(graph, done, episodes=1, learner_timeout=0.1, lockstep_timeout=0.2)
    learner, said = graph.add(Learner()), []
    wait_for(lambda: node.count_publishers('learner/weights') == 1, what='the learner')
    node.log = said.append
    graph.add(node).begin()
    wait_for(lambda: sum('its first weights' in text for text in said) >= 3, what='the wait')
    assert not node._runner.running and not any('going on' in text for text in said)
    learner.send_weights(weights_message(version=1), version=1)
    wait_for(done.is_set, what='the last episode')
    assert {each.weights_version for each in learner.experiences.values()} == {1}
