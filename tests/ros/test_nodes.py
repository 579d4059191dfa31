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

"""Tests for nodes/__init__.py, the entry points of the nodes."""

import os
import subprocess
import sys

import pytest

NODES = ('finetune_node', 'policy_node', 'sim_node', 'train_node')


def start(node, tmp_path, message_package):
    """Start a node whose first import outside of Python's library is the text given."""
    for name in ('diagnostic_msgs', 'numpy'):
        (tmp_path / f'{name}.py').write_text(message_package)
    command = f'import sys; from iql_ros.nodes import run_{node} as run; sys.exit(run())'
    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    return subprocess.run([sys.executable, '-c', command], capture_output=True, text=True,
                          timeout=60, env={**os.environ, 'PYTHONPATH': path})


@pytest.mark.parametrize('node', NODES)
def test_ctrl_c_while_a_node_is_still_importing_ends_it_quietly(tmp_path, node):
    ended = start(node, tmp_path, 'import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n')
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, '', '')


@pytest.mark.parametrize('node', NODES)
def test_a_node_without_ros_says_what_is_missing(tmp_path, node):
    ended = start(node, tmp_path, "raise ModuleNotFoundError(name='rclpy')\n")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{node}: error: module 'rclpy' is not installed; source ROS")
    assert len(ended.stderr.splitlines()) == 1


def test_a_signal_that_comes_while_python_ends_does_not_change_the_exit_code():
    program = """
import signal, sys, types
import iql_ros.nodes

class Late:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

    def __del__(self, do=signal.raise_signal):  # after Python has taken its handlers away
        for number in self.numbers:
            do(number)

sys.modules['iql_ros.nodes.late'] = types.SimpleNamespace(main=lambda: 7)
late = Late()
sys.exit(iql_ros.nodes._run('late'))
"""
    ended = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                           timeout=60)
    assert (ended.returncode, ended.stderr) == (7, '')
