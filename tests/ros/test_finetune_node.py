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

"""Tests for nodes/finetune_node.py: a learner over real topics, robots of ours."""

import os
from pathlib import Path
import resource
import subprocess
import sys

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import numpy as np
import pytest
from std_srvs.srv import SetBool, Trigger

from iql_ros.files import InputError
from iql_ros.online.experience_log import read_experience
from iql_ros.runs.policy import load_policy
from tests.ros.fine_tuning import Session
from tests.small_run import TEXT, write_start

LOG = Path('runs/run/experience.log')
COMMAND = 'import sys; from iql_ros.nodes import run_finetune_node; sys.exit(run_finetune_node())'


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Work in a folder of its own that holds the offline data and a checkpoint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IQL_RUNS', str(tmp_path / 'runs'))
    write_start()
    Path('small.yaml').write_text('{checkpoint_every: 20, log_every: 10}')


@pytest.fixture(name='session')
def session_of_fine_tuning(graph, wait_for):
    return Session(graph, wait_for)


def stored():
    return [(record['robot'].decode(), int(record['session']), int(record['step']))
            for record in read_experience(LOG)]


def test_experience_is_stored_learned_from_and_acknowledged(session):
    session.learner()
    robot = session.robot()
    robot.send(range(5))
    session.wait_for(lambda: robot.heard and robot.heard[-1].updates == 5, what='the updates')
    assert stored() == [('', 7, step) for step in range(5)]
    last = robot.heard[-1]
    assert (last.session, last.steps, last.behind) == (7, 5, 0)
    count = len(robot.heard)
    session.wait_for(lambda: len(robot.heard) > count, what='the heartbeat')
    assert robot.heard[-1] == last


def test_what_is_sent_again_is_stored_once_and_acknowledged_again(session):
    node, robot = session.learner(), session.robot()
    robot.send([0, 1, 1, 0, 2])
    session.wait_for(lambda: robot.steps == 3, what='the steps')
    assert [step for *_, step in stored()] == [0, 1, 2]
    assert node._describe()[2]['duplicates'] == 2


def test_what_comes_out_of_order_waits_until_it_is_sent_again(session):
    session.learner()
    robot = session.robot()
    robot.send([0, 2, 3])
    session.wait_for(lambda: robot.steps == 1, what='the first step')
    robot.send([1, 2, 3])
    session.wait_for(lambda: robot.steps == 4, what='the others')
    assert [step for *_, step in stored()] == [0, 1, 2, 3]


def nan(labels, vector):
    return labels, np.where(np.arange(len(vector)) == 3, np.nan, vector)


def newer(labels, vector):
    return [(labels[0][0].replace('schema=2', 'schema=3'), 6), *labels[1:]], vector


@pytest.mark.parametrize('old, new, change, message', [
    ('velocity]', 'position]', None, 'contract is '),
    ('time_limit: 20.0', 'time_limit: 30.0', None, 'task is '),
    ('', '', newer, "schema is '3'; this learner has '2'"),
    ('', '', nan, 'observation[3] is NaN or infinite'),
    ('', '', lambda labels, vector: (labels, vector[:-1]), 'expected '),
    ('', '', lambda labels, vector: (labels * 100, vector), 'got 1500 dimensions; expected 15'),
    ('', '', lambda labels, vector: (labels, [*vector[:-2], 2**53, 0]), 'sec is 9.0072e+15; allo'),
    ('', '', lambda labels, vector: (labels, (2**21 + 1) * [0.0]), 'got 2097153 values; allow'),
    ('', '', lambda labels, vector: ([], vector[:0]), 'schema is None'),
])
def test_unfit_experience_is_refused_by_name_counted_and_the_next_is_taken(
        session, old, new, change, message):
    node = session.learner()
    other = session.robot(text=TEXT.replace(old, new, 1))
    other.send([0, 0], change=change)
    session.wait_for(lambda: node._receiver.refused.get('', [0])[0] == 2, what='the refusals')
    level, text, _ = node._describe()
    assert level == DiagnosticStatus.WARN and '\n' not in text
    assert "refused 2 of robot '': " in text and message in text
    good = session.robot()
    good.send([0])
    session.wait_for(lambda: good.steps == 1, what='the good one')
    assert len(stored()) == 1


def test_the_newest_weights_reach_one_who_joins_late_and_act(session):
    node, robot = session.learner(), session.robot()
    robot.send(range(20))
    session.wait_for(lambda: robot.heard and robot.heard[-1].updates == 20, what='the updates')
    weights, said = session.next_weights(), robot.heard[-1]
    assert (weights.run, weights.version, weights.updates) == (
        said.run, said.weights_version, 20)
    policy = load_policy('start.safetensors', 'cpu')
    policy.load(weights.tensors, 'weights')
    acting = node._opened.learner.acting
    assert np.array_equal(policy.act(np.ones(6)), acting.act(np.ones(6)))


def test_a_learner_that_is_started_again_goes_on_with_everything(session):
    node, robot = session.learner(), session.robot()
    robot.send(range(15))
    session.wait_for(lambda: robot.heard and robot.heard[-1].updates == 15, what='the updates')
    before = session.next_weights()
    session.end(node)
    robot.heard.clear()
    session.learner()
    robot.send(range(12, 17))
    session.wait_for(lambda: robot.heard and robot.heard[-1].updates == 17, what='the updates')
    after = session.next_weights()
    assert after.run == before.run and after.version > before.version
    assert [step for *_, step in stored()] == list(range(17))


def test_a_learner_that_is_started_again_speaks_first_to_a_robot_that_waits(session):
    node, robot = session.learner(), session.robot()
    robot.send(range(5))
    session.wait_for(lambda: robot.steps == 5, what='the steps')
    session.end(node)
    robot.heard.clear()
    session.learner()
    session.wait_for(lambda: robot.heard and robot.heard[-1].updates == 5, what='word of it')
    assert robot.heard[-1].steps == 5


def test_a_second_learner_on_the_same_run_is_refused_on_one_line(session, capfd):
    session.learner()
    robot = session.robot()
    robot.send([0])
    session.wait_for(lambda: robot.steps == 1, what='the first learner')
    capfd.readouterr()
    second = session.learner()
    session.wait_for(second._done.is_set, what='the refusal')
    assert second.exit_code == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if 'ERROR' in line]
    assert len(errors) == 1 and 'another process is fine-tuning this run' in errors[0]
    session.end(second)
    robot.send([1])
    session.wait_for(lambda: robot.steps == 2, what='the first learner')


def test_a_paused_learner_stores_and_does_not_learn(session):
    node, robot = session.learner(), session.robot()
    assert session.call(SetBool, 'pause', SetBool.Request(data=True)).success
    session.wait_for(lambda: 'paused' in node._describe()[1], what='the pause')
    robot.send(range(5))
    session.wait_for(lambda: robot.steps == 5, what='the steps')
    assert (robot.heard[-1].updates, robot.heard[-1].behind) == (0, 0)
    session.call(SetBool, 'pause', SetBool.Request(data=False))
    session.wait_for(lambda: robot.heard[-1].updates == 5, what='the updates')


def test_a_checkpoint_is_saved_when_it_is_asked_for(session):
    session.learner()
    robot = session.robot()
    robot.send(range(7))
    session.wait_for(lambda: robot.heard and robot.heard[-1].updates == 7, what='the updates')
    assert session.call(Trigger, 'save_checkpoint', Trigger.Request()).success
    session.wait_for(Path('runs/run/checkpoints/step_7.safetensors').exists, what='the file')


def test_metrics_say_what_came_and_where_it_stands(session):
    session.learner()
    messages = []
    session.person.create_subscription(
        DiagnosticArray, 'finetune_node/metrics', messages.append, 10)
    robot = session.robot()
    robot.send(range(20), intervention=True, success=True)

    def figures():
        return {item.key: float(item.value) for message in messages[-1:]
                for item in message.status[0].values}
    session.wait_for(lambda: figures().get('updates') == 20, what='the metrics')
    found = figures()
    assert {name: found[name] for name in (
        'episodes', 'episode/return', 'episode/success', 'episode/intervention_rate',
        'buffer/size', 'learner/behind')} == {
        'episodes': 2, 'episode/return': -10, 'episode/success': 1,
        'episode/intervention_rate': 1, 'buffer/size': 80, 'learner/behind': 0}
    assert {'critic/loss', 'value/loss', 'actor/loss', 'learner/weights_version'} <= set(found)


def test_a_run_ends_by_itself_after_its_steps(session):
    node, robot = session.learner(steps=12), session.robot()
    robot.send(range(15))
    session.wait_for(node._done.is_set, what='the end')
    assert node.exit_code == 0 and node._opened.learner.updates == 12
    assert Path('runs/run/checkpoints/step_12.safetensors').exists()


def test_two_robots_of_one_session_are_told_apart_and_one_that_restarts_disturbs_nobody(session):
    session.learner(robots=['r1', 'r2'])
    one, two = session.robot('r1'), session.robot('r2')
    one.send(range(3), session=1)
    two.send(range(4), session=2)
    session.wait_for(lambda: (one.steps, two.steps) == (3, 4), what='both')
    two.send(range(2), session=3)                # killed and started again
    one.send(range(3, 6), session=1)
    session.wait_for(lambda: (one.steps, two.steps) == (6, 2), what='both')
    assert {ack.session for ack in one.heard} == {1}
    assert sorted(stored()) == sorted([
        *(('/r1', 1, step) for step in range(6)), *(('/r2', 2, step) for step in range(4)),
        *(('/r2', 3, step) for step in range(2))])


@pytest.mark.parametrize('changes, message', [
    ({'checkpoint': ''}, "parameter 'checkpoint' is empty; expected a checkpoint file"),
    ({'run': ''}, "parameter 'run' is empty"),
    ({'bag': 'somewhere'}, "parameters 'dataset' and 'bag': got both"),
    ({'robots': ['a b']}, "parameter 'robots': got 'a b'; expected namespaces"),
])
def test_parameters_that_cannot_be_are_refused_at_once(session, changes, message):
    with pytest.raises(InputError, match=message):
        session.learner(**changes)


@pytest.mark.parametrize('changes, message', [
    ({'checkpoint': 'nothing.safetensors'}, 'nothing.safetensors: cannot be read'),
    ({'config': 'nothing.yaml'}, 'nothing.yaml'),
    ({'dataset': 'nothing.hdf5'}, 'nothing.hdf5'),
    ({'environment': 'iql_ros/Nothing-v0'}, "unknown environment 'iql_ros/Nothing-v0'"),
    ({'environment': 'Hopper-v5'}, 'has 11 observation values; the policy has 6'),
])
def test_what_cannot_be_learned_from_ends_the_node_with_one_line(session, capfd, changes, message):
    node = session.learner(**changes)
    session.wait_for(node._done.is_set, what='the refusal')
    assert node.exit_code == 2 and not Path('runs').exists()
    errors = [line for line in capfd.readouterr().err.splitlines() if 'ERROR' in line]
    assert len(errors) == 1 and message in errors[0]


def test_a_full_disk_keeps_experience_waiting_and_nothing_is_lost(session):
    arguments = [part for name, value in session.parameters().items()
                 for part in ('-p', f'{name}:={value}')]
    process = subprocess.Popen([sys.executable, '-c', COMMAND, '--ros-args', *arguments],
                               stderr=subprocess.PIPE, text=True)
    try:
        robot = session.robot()
        robot.send(range(3))
        session.wait_for(lambda: robot.steps == 3, timeout=60.0, what='the first steps')
        assert os.getpriority(os.PRIO_PROCESS, process.pid) >= 10
        limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE,
                         (LOG.stat().st_size + 50, limits[1]))
        statuses = []
        session.person.create_subscription(
            DiagnosticArray, '/diagnostics', lambda array: statuses.append(array.status[0]), 10)
        robot.send(range(3, 6))
        session.wait_for(lambda: any('experience waits' in status.message
                                     for status in statuses), what='the diagnostics')
        assert statuses[-1].level == DiagnosticStatus.WARN
        assert robot.steps == 3 and len(read_experience(LOG)) == 3
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
        robot.send(range(3, 6))
        session.wait_for(lambda: robot.steps == 6, what='the others')
        assert [step for *_, step in stored()] == list(range(6))
        session.wait_for(lambda: statuses[-1].level == DiagnosticStatus.OK, what='all well')
    finally:
        process.terminate()
        error = process.communicate(timeout=60.0)[1]
    assert process.returncode == 0, error
    assert 'experience waits at its robots' in error
