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

"""Tests for nodes/hosting/latest_writer.py."""

import threading

from iql_ros.nodes.hosting.latest_writer import LatestWriter, why


class Disk:
    """Notes what is written; may be full, and stuck until it moves."""

    def __init__(self):
        self.written, self.full = [], False
        self.moves = threading.Event()
        self.moves.set()

    def write(self, content):
        assert self.moves.wait(10.0)
        if self.full:
            raise OSError(28, 'No space left on device')
        self.written.append(content)


def test_the_newest_is_written_and_nobody_waits_for_a_stuck_disk():
    disk = Disk()
    writer = LatestWriter('test', disk.write)
    disk.moves.clear()
    for number in range(1000):
        writer.put(number)
    assert writer.waiting() == (True, 999) and not writer.flush(0.01)
    disk.moves.set()
    assert writer.flush(5.0) and disk.written[-1] == 999 and len(disk.written) <= 2
    assert writer.waiting() == (False, 999)


def test_what_fails_is_said_until_a_write_succeeds():
    disk, said = Disk(), []
    writer = LatestWriter('test', disk.write, said.append)
    disk.full = True
    writer.put('a')
    assert not writer.flush(5.0)
    assert why(writer.error) == 'No space left on device' and said == [writer.error]
    disk.full = False
    writer.put('b')
    assert writer.flush(5.0) and writer.error is None and disk.written == ['b']


def test_who_waits_for_the_last_does_not_wait_for_the_rest():
    disk = Disk()
    writer = LatestWriter('test', disk.write, rest=1e9)
    for number in range(3):
        writer.put(number)
        assert writer.flush(5.0)
    assert disk.written == [0, 1, 2]


def test_an_exception_without_words_is_said_by_its_name():
    assert why(KeyError()) == 'KeyError()'
