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

"""Tests for nodes/hosting/output.py, in processes whose output somebody reads or not."""

import os
import pty
import re
import select
import signal
import subprocess
import sys

import pytest

UNBLOCK = 'import os, signal, sys\nfrom iql_ros.nodes.hosting import output\noutput.unblock()\n'
LINES = 'for n in range(100_000): print(f"line {n:6} ".ljust(99, "."), file=sys.stderr)\n'
GO_ON = 'os.write(3, b"went on"); sys.stdin.read(1)\nprint("after", file=sys.stderr)\n'
LENGTH = 100_000 * 100  # [byte]
NODE = """
import sys, types
from rclpy.node import Node
import iql_ros.nodes
from iql_ros.nodes.hosting import process

class Talker(Node):
    exit_code = 0

    def __init__(self, done):
        super().__init__('talker')
        self.done, self.said = done, 0

    def begin(self):
        self.create_timer(0.001, self.talk)

    def talk(self):
        self.get_logger().warning('x' * 100_000)
        self.said += 1
        if self.said == 100:
            self.done.set()

    def leave(self):
        pass

module = types.ModuleType('talker')
module.main = lambda: process.run('talker', Talker)
sys.modules['iql_ros.nodes.talker'] = module
sys.exit(iql_ros.nodes._run('talker'))
"""


@pytest.fixture
def begin():
    """Give a function that starts a program with both streams to a descriptor."""
    begun = []

    def begin(program, output, **rest):
        begun.append(subprocess.Popen([sys.executable, '-c', program], stdin=subprocess.PIPE,
                                      stdout=output, stderr=output, **rest))
        os.close(output)
        return begun[-1]
    yield begin
    for process in begun:
        process.kill()
        process.wait()
        process.stdin.close()


def pipe():
    return os.pipe()


def terminal():
    return pty.openpty()


def read_to(descriptor, end=None):
    """Return what comes up to a line's end, or to the end of all."""
    pieces = [b'']
    try:
        while not (end and b''.join(pieces[-2:]).rstrip().endswith(end)):
            pieces.append(os.read(descriptor, 1 << 16))
            if not pieces[-1]:
                break
    except OSError:  # how the end of a terminal looks
        pass
    return b''.join(pieces).replace(b'\r\n', b'\n').decode()


@pytest.mark.parametrize('kind', [pipe, terminal])
def test_what_nobody_reads_stops_nobody_and_how_much_it_was_is_said_later(begin, kind):
    reader, writer = kind()
    told, telling = os.pipe()
    program = UNBLOCK + f'os.dup2({telling}, 3)\n' + LINES + GO_ON
    process = begin(program, writer, pass_fds=[telling])
    os.close(telling)
    assert select.select([told], [], [], 20.0)[0]   # with nobody reading
    text = read_to(reader, b'nobody read it]')
    process.stdin.close()
    assert read_to(reader) == 'after\n' and process.wait(20.0) == 0
    kept, dropped = re.fullmatch(
        r'(line .*)\n\[(\d+) bytes of output were dropped: nobody read it\]\n', text,
        re.DOTALL).groups()
    assert kept.startswith('line      0 .') and len(kept) + int(dropped) == LENGTH
    os.close(told)
    os.close(reader)


def test_a_node_that_says_much_goes_on_while_nobody_reads(begin):
    reader, writer = os.pipe()
    process = begin(NODE, writer)
    assert process.wait(60.0) == 0
    os.close(reader)


def test_all_that_is_read_comes_and_in_order():
    ended = subprocess.run([sys.executable, '-c', UNBLOCK + LINES.replace('100_000', '10_000')
                            + 'print("out"); raise ValueError("mine")'], capture_output=True,
                           text=True, timeout=60)
    lines = ended.stderr.splitlines()
    assert [int(line[5:11]) for line in lines[:10_000]] == list(range(10_000))
    assert lines[10_000].startswith('Traceback') and lines[-1] == 'ValueError: mine'
    assert (ended.returncode, ended.stdout) == (1, 'out\n')


def test_two_streams_to_one_place_keep_their_order():
    program = UNBLOCK + ('for n in range(1000):\n'
                         '    print(2 * n, flush=True); print(2 * n + 1, file=sys.stderr)\n')
    ended = subprocess.run([sys.executable, '-c', program], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=60)
    assert ended.stdout.split() == [str(number) for number in range(2000)]


def test_a_terminal_goes_on_being_one_for_colours(begin):
    reader, writer = pty.openpty()
    process = begin(UNBLOCK + 'import rclpy.logging\n'
                    'print(sys.stdout.isatty(), sys.stderr.isatty())\n'
                    'rclpy.logging.get_logger("me").error("red")\n', writer)
    text = read_to(reader)
    assert process.wait(20.0) == 0
    os.close(reader)
    assert text.startswith('True True\n') and re.search(r'\x1b\[31m.*red\x1b\[0m', text)


def test_a_file_and_what_is_closed_are_left_alone(tmp_path):
    program = UNBLOCK.replace('output.unblock', 'was = sys.stdout; output.unblock')
    program += 'print(sys.stdout is was)\n'
    with (tmp_path / 'file').open('w') as file:
        assert subprocess.run([sys.executable, '-c', program], stdout=file, timeout=60,
                              stderr=subprocess.DEVNULL).returncode == 0
    assert (tmp_path / 'file').read_text() == 'True\n'
    closed = subprocess.run(['sh', '-c', f"exec '{sys.executable}' -c '{UNBLOCK}' >&- 2>&-"],
                            timeout=60)
    assert closed.returncode == 0


def test_a_reader_who_goes_away_ends_nobody(begin):
    reader, writer = os.pipe()
    os.close(reader)
    process = begin(UNBLOCK + LINES, writer)
    assert process.wait(60.0) == 0


def test_what_is_said_after_a_terminal_s_ctrl_c_is_still_shown():
    program = UNBLOCK + ('signal.signal(signal.SIGINT, lambda *_: sys.exit("last words"))\n'
                         'os.killpg(0, signal.SIGINT)\n')
    ended = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                           start_new_session=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, 'last words\n')


def test_what_a_node_says_that_is_killed_is_shown():
    program = UNBLOCK + 'os.write(2, b"last words"); os.kill(os.getpid(), signal.SIGKILL)\n'
    ended = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                           timeout=60)
    assert (ended.returncode, ended.stderr) == (-signal.SIGKILL, 'last words')
