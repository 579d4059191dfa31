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

"""Tests for nodes/hosting/process.py: how a node's process ends, whatever ends it."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import rclpy
from rclpy.node import Node
from std_msgs.msg import String

from iql_ros.nodes.hosting import process

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PROGRAM = """
import ctypes, signal, sys, threading
from rclpy.node import Node
from iql_ros.nodes.hosting import process

class Tested(Node):
    exit_code, leave_timeout = 0, 0.1

    def __init__(self, done):
        super().__init__('tested')
        self.done = done

    def begin(self):
        {begin}

    def leave(self):
        {leave}

sys.exit(process.run('tested', Tested))
"""


class Noting(Node):
    """A node that notes what is asked of it."""

    exit_code, leave_timeout = 0, 20.0

    def __init__(self, done, begin=lambda node: None, leave=lambda node: None):
        super().__init__('tested')
        self.done, self._begin, self._leave, self.noted = done, begin, leave, []

    def begin(self):
        self.noted.append('begin')
        self._begin(self)

    def leave(self):
        self._leave(self)
        self.noted.append('leave')


@pytest.fixture
def run():
    """Give a function that runs a node in this thread; returns it and its exit code."""
    kept = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    interval, nodes = sys.getswitchinterval(), []

    def run(args=None, made=lambda node: None, **rest):
        def make_node(done):
            nodes.append(Noting(done, **rest))
            made(nodes[-1])
            overdue = threading.Timer(20.0, done.set)
            overdue.daemon = True
            overdue.start()
            return nodes[-1]
        code = process.run('tested', make_node, args)
        return nodes and nodes[-1], code
    run.nodes = nodes
    yield run
    sys.setswitchinterval(interval)
    for number, handler in kept.items():
        signal.signal(number, handler)


def program(begin='self.done.set()', leave='pass'):
    return subprocess.run([sys.executable, '-c', PROGRAM.format(begin=begin, leave=leave)],
                          capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize('number', SIGNALS)
def test_every_signal_ends_a_node_in_order(run, number):
    signalled = []

    def begin(node):
        signal.raise_signal(number)
        signalled.append(node.done.wait(5.0))
    node, code = run(begin=begin)
    assert (node.noted, code, signalled) == (['begin', 'leave'], 0, [True])


def test_signals_while_a_node_leaves_do_not_cut_its_stop(run):
    def leave(node):
        for number in SIGNALS:
            signal.raise_signal(number)
    node, code = run(begin=lambda node: node.done.set(), leave=leave)
    assert (node.noted, code) == (['begin', 'leave'], 0)


def test_a_signal_that_interrupts_the_waiting_itself_is_heard():
    ended = program('with self.done._cond: signal.raise_signal(signal.SIGTERM)')
    assert (ended.returncode, ended.stderr) == (0, '')


def test_what_nohup_ignores_stays_ignored(run):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run(begin=lambda node: node.done.set())
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_node_that_is_to_end_before_it_begins_does_not_begin(run):
    node, code = run(made=lambda node: node.done.set())
    assert (node.noted, code) == (['leave'], 0)


def leave_the_process():
    raise SystemExit(0)


@pytest.mark.parametrize('callback, error', [
    (leave_the_process, 'SystemExit(0)'), (lambda: rclpy.shutdown(), 'ExternalShutdownException')])
def test_whatever_ends_the_executor_ends_the_node_in_order_and_counts_as_a_failure(
        run, capfd, callback, error):
    node, code = run(begin=lambda node: node.create_timer(0.01, callback))
    assert (node.noted, code) == (['begin', 'leave'], 1)
    assert f'the executor has ended ({error}' in capfd.readouterr().err


def test_a_node_that_fails_to_begin_leaves_in_order(run):
    def begin(node):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        run(begin=begin)
    assert run.nodes[0].noted == ['begin', 'leave']


def test_a_name_that_rclpy_refuses_as_a_node_begins_is_one_line(run, capfd):
    node, code = run(begin=lambda node: node.create_publisher(String, 'a b', 1))
    assert (node.noted, code) == (['begin', 'leave'], 2)
    assert capfd.readouterr().err == (
        'tested: error: Invalid topic name: topic name must not contain characters other than '
        "alphanumerics, '_', '~', '{', or '}': 'a b'\n")


def test_a_node_that_does_not_leave_is_ended_by_force(run, monkeypatch, capfd):
    codes, ended = [], threading.Event()
    monkeypatch.setattr(os, '_exit', lambda code: (codes.append(code), ended.set()))

    def begin(node):
        node.leave_timeout = 0.05
        node.done.set()
    run(begin=begin, leave=lambda node: ended.wait(20.0))
    assert codes == [1]
    assert capfd.readouterr().err.startswith(
        'tested: error: has not ended within 0.05 s, and is ended by force; threads: MainThread')


def test_a_node_is_ended_by_force_even_where_nothing_of_python_runs():
    ended = program(leave='ctypes.PyDLL(None).sleep(100)')
    assert ended.returncode == 1 and 'in leave' in ended.stderr


@pytest.mark.parametrize('arguments, message', [
    ('-p use_sim_time:=5', "set parameter 'use_sim_time' to '5' of type 'INTEGER', expecting "),
    ('-p use_sim_time:=' + 'x' * 5000, "parameter 'use_sim_time' to 'xxxxxx"),
    ('-p use_sim_time:={a:1}', "parse parameter override rule: '-p use_sim_time:={a:1}'"),
    ('-r __ns:=//x', "Couldn't parse remap rule: '-r __ns:=//x'"),
    ('-r __node:=1x', "Couldn't parse remap rule: '-r __node:=1x'"),
    ('-r a', "Couldn't parse remap rule"),
    ('--log-level loud', "Couldn't parse log level: '--log-level loud'"),
    ('--params-file nowhere.yaml', 'nowhere.yaml'),
    ('--params-file broken.yaml', 'broken.yaml'),
    ('--params-file large.yaml', '--params-file large.yaml: 300000 bytes; allowed: 262144'),
    ('--enclave //', 'Enclave name is not valid'),
    ('--unknown', '--unknown'),
])
def test_arguments_that_ros_refuses_are_one_line_and_2(
        run, capfd, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'broken.yaml').write_text('a: [1\n')
    (tmp_path / 'large.yaml').write_text(' ' * 300_000)
    _, code = run(args=['--ros-args', *arguments.split()])
    text = capfd.readouterr().err
    assert code == 2 and text.count('\n') == 1 and len(text) < 700
    assert text.startswith('tested: error: ') and message in text and '/src/' not in text
