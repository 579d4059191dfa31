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
