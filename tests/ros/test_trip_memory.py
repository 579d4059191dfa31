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

"""Tests for nodes/sentry/trip_memory.py."""

import os
import resource
import threading

import pytest

from iql_ros.nodes.sentry import trip_memory
from iql_ros.nodes.sentry.trip_memory import TripMemory


def memory(folder, robot='diffbot', node='/fleet/policy_node'):
    return TripMemory(robot, node, folder)


def test_a_trip_is_found_by_the_next_start_until_it_is_forgotten(tmp_path):
    first = memory(tmp_path / 'a' / 'b')
    assert first.load() is None
    first.keep('e_stop')
    assert first.flush(5.0) and first.trouble == ''
    assert first.path == tmp_path / 'a' / 'b' / 'diffbot.fleet.policy_node.json'
    assert memory(tmp_path / 'a' / 'b').load().startswith('e_stop (kept since 20')
    assert memory(tmp_path / 'a' / 'b', node='/other/policy_node').load() is None
    first.forget()
    assert first.flush(5.0) and memory(tmp_path / 'a' / 'b').load() is None


def test_it_lies_below_ros_home(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_HOME', str(tmp_path))
    assert TripMemory('toy', '/node').path == tmp_path / 'iql_ros' / 'trips' / 'toy.node.json'
    monkeypatch.delenv('ROS_HOME')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert TripMemory('toy', '/node').path.parent == tmp_path / '.ros' / 'iql_ros' / 'trips'


@pytest.mark.parametrize('content', ['', '{"reason": "e_st', 'null', '[]', '{"reason": 1}', '7',
                                     '{"reason": "e_stop"}', '[' * 5000, '1' * 5000,
                                     '{"reason": 1, "time": 2}', '"' + 'x' * 200_000 + '"'])
def test_a_damaged_file_is_a_trip_in_words_of_its_own(tmp_path, content):
    kept = memory(tmp_path)
    kept.path.write_text(content)
    assert kept.load() == f"the kept trip '{kept.path}' is damaged"
    kept.forget()
    assert kept.flush(5.0) and kept.load() is None


@pytest.mark.parametrize('make', [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_a_trip_and_nobody_waits_for_it(tmp_path, make):
    kept = memory(tmp_path)
    make(kept.path)
    assert kept.load() == f"the kept trip '{kept.path}' is damaged"


@pytest.mark.parametrize('robot, node', [
    ('../../etc/passwd', '/node'), ('a/b', '/../../node'), ('.', '/..'), ('', ''),
    ('x' * 5000, '/n' * 5000), ('roboter \u00e4\u0000', '/node'), ('..', '')])
def test_no_name_leads_out_of_the_folder_and_each_has_a_file_of_its_own(tmp_path, robot, node):
    kept, other = memory(tmp_path, robot, node), memory(tmp_path, robot + '_', node)
    kept.keep('late')
    assert kept.flush(5.0) and kept.trouble == '' and other.load() is None
    assert [path.name for path in tmp_path.iterdir()] == [kept.path.name]
    assert not kept.path.name.startswith('.') and kept.load().startswith('late ')


def test_a_folder_that_cannot_be_written_is_said_and_disturbs_nobody(tmp_path):
    (tmp_path / 'file').write_text('')
    kept = memory(tmp_path / 'file' / 'trips')
    kept.keep('e_stop')
    assert not kept.flush(5.0)
    assert kept.trouble == f"the trip memory '{kept.path}' cannot be written: Not a directory"
    assert 'cannot be read' in memory(tmp_path / 'file' / 'trips').load()


def test_a_trip_is_kept_without_its_reason_where_a_file_may_hold_nothing(tmp_path):
    kept, limits = memory(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        kept.keep('e_stop')
        assert not kept.flush(5.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert kept.trouble == f"the trip memory '{kept.path}' cannot be written: File too large"
    assert memory(tmp_path).load() == f"the kept trip '{kept.path}' is damaged"
    assert list(tmp_path.iterdir()) == [kept.path]


def test_a_disk_that_is_stuck_is_not_waited_for_and_the_newest_wins(tmp_path, monkeypatch):
    moves, writes = threading.Event(), []

    def write(path, content):
        writes.append(content)
        moves.wait(10.0)

    monkeypatch.setattr(trip_memory, 'write_atomic', write)
    kept = memory(tmp_path)
    for number in range(100):
        kept.keep(f'trip {number}')
    assert not kept.flush(0.01) and kept.load().startswith('trip 99 ')
    moves.set()
    assert kept.flush(5.0) and len(writes) <= 2 and 'trip 99' in writes[-1]


def test_a_reason_without_end_is_kept_shortly(tmp_path):
    kept = memory(tmp_path)
    kept.keep('late\n' * 100_000)
    assert kept.flush(5.0) and len(memory(tmp_path).load()) < 2100
