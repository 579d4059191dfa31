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

"""Tests for nodes/train_node.py: a real run on a small dataset."""

import subprocess
import sys
import threading

from diagnostic_msgs.msg import DiagnosticArray
import h5py
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from iql_ros.nodes.train_node import TrainNode


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Work in a folder of its own that holds data.hdf5 and gets the runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IQL_RUNS', str(tmp_path / 'runs'))
    rng = np.random.default_rng(0)
    with h5py.File('data.hdf5', 'w') as file:
        file['observations'] = rng.normal(size=(60, 3)).astype(np.float32)
        file['actions'] = rng.uniform(-1, 1, (60, 1)).astype(np.float32)
        file['rewards'] = -rng.random(60)
        file['terminals'] = np.zeros(60, bool)
        file['timeouts'] = np.arange(1, 61) % 10 == 0
    (tmp_path / 'small.yaml').write_text('hidden_dims: [8, 8]\nbatch_size: 8\n')


def start(graph, **parameters):
    parameters = {'dataset': 'data.hdf5', 'config': 'small.yaml', 'name': 'run', 'device': 'cpu',
                  **parameters}
    node = graph.add(TrainNode(threading.Event(), overrides=[
        Parameter(name, value=value) for name, value in parameters.items()]))
    node.begin()
    return node


def call(person, name):
    """Call a Trigger service of the training node."""
    client = person.create_client(Trigger, f'train_node/{name}')
    assert client.wait_for_service(20.0)
    done = threading.Event()
    future = client.call_async(Trigger.Request())
    future.add_done_callback(lambda _: done.set())
    assert done.wait(20.0)
    return future.result()


def checkpoints(tmp_path):
    return {int(path.stem.removeprefix('step_'))
            for path in (tmp_path / 'runs' / 'run' / 'checkpoints').glob('step_*.safetensors')}


def test_a_run_goes_to_its_end_and_says_so(graph, tmp_path, wait_for):
    node = start(graph, updates=300)
    wait_for(node._done.is_set, timeout=60.0, what='the end of the run')
    assert node.exit_code == 0
    assert checkpoints(tmp_path) == {300}
    assert node._describe()[1:] == (f'done: {tmp_path / "runs" / "run"}', {'update': 300})
    assert call(graph.add(Node('person')), 'stop').message == 'no run is going on'


def test_a_run_is_heard_saved_and_stopped_over_the_graph(graph, tmp_path, wait_for):
    person, heard = graph.add(Node('person')), {'train_node/metrics': [], 'diagnostics': []}
    for topic, messages in heard.items():
        person.create_subscription(DiagnosticArray, topic, messages.append, 10)
    node = start(graph, updates=100_000_000)
    wait_for(lambda: all(heard.values()), what='metrics and diagnostics')
    status = heard['train_node/metrics'][-1].status[0]
    assert 'critic/loss' in {item.key for item in status.values}
    assert heard['diagnostics'][-1].status[0].name == '/train_node: training'
    assert call(person, 'save_checkpoint').success
    wait_for(lambda: checkpoints(tmp_path), what='the checkpoint')
    saved = max(checkpoints(tmp_path))
    assert call(person, 'stop').success
    wait_for(node._done.is_set, what='the end of the run')
    assert node.exit_code == 0
    assert max(checkpoints(tmp_path)) == node._step >= saved


def test_a_run_is_resumed_where_it_was_stopped(graph, tmp_path, wait_for):
    node = start(graph, updates=100_000_000)
    wait_for(lambda: node._step, what='the first updates')
    node.leave()
    reached = max(checkpoints(tmp_path))
    node = start(graph, updates=100_000_000, resume=True)
    wait_for(lambda: node._step, what='the first updates')
    assert node._step > reached


@pytest.mark.parametrize('parameters, message', [
    ({'dataset': 'nothing.hdf5'}, 'nothing.hdf5'),
    ({'config': 'nothing.yaml'}, 'nothing.yaml'),
    ({'dataset': '', 'bag': 'somewhere'}, "parameter 'robot_config' is empty"),
    ({'resume': True}, 'nothing to resume'),
])
def test_a_run_that_cannot_be_is_refused_and_leaves_nothing(graph, capfd, tmp_path, wait_for,
                                                            parameters, message):
    node = start(graph, **parameters)
    wait_for(node._done.is_set, what='the refusal')
    assert node.exit_code == 2
    assert not (tmp_path / 'runs').exists()
    errors = capfd.readouterr().err.splitlines()
    assert len(errors) == 1 and message in errors[0]


@pytest.mark.parametrize('arguments, message', [
    (['-p', 'bag:=there', '-p', 'dataset:=here'], "got 'here' and 'there'"),
    (['-p', 'updates:=many', '-p', 'dataset:=here'], "parameter 'updates'"),
    (['--params-file', 'nowhere.yaml'], 'nowhere.yaml'),
])
def test_wrong_parameters_end_the_process_with_one_line_and_2(arguments, message):
    command = 'import sys; from iql_ros.nodes import run_train_node; sys.exit(run_train_node())'
    ended = subprocess.run([sys.executable, '-c', command, '--ros-args', *arguments],
                           capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    line = ended.stderr.splitlines()[-1]
    assert line.startswith('train_node: error: ') and message in line
    assert 'Traceback' not in ended.stderr
