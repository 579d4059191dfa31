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

"""Tests for nodes/control/episode_log.py: what cannot be written disturbs nobody."""

import os
from types import SimpleNamespace

from rclpy.node import Node

from iql_ros.nodes.control import episode_log
from iql_ros.nodes.control.episode_log import EpisodeLog
from iql_ros.runs.evaluate import write_results

SUMMARY = SimpleNamespace(return_=-2.5, length=7, terminated=True, truncated=False, success=None,
                          interventions=0)


def log(graph, path):
    return EpisodeLog(graph.add(Node('host')), SimpleNamespace(
        results=str(path), seed=3, lockstep=False, record=False, shadow=False))


def test_the_results_so_far_are_written_after_every_episode(graph, tmp_path):
    results = log(graph, tmp_path / 'results.csv')
    for number in (1, 2):
        results.episode(SUMMARY)
        results._writer.flush(5.0)
        write_results(tmp_path / 'expected.csv', results.results)
        expected = (tmp_path / 'expected.csv').read_text()
        assert (tmp_path / 'results.csv').read_text() == expected
        assert expected.count('\n') == number + 1 and results.trouble == ''


def test_a_folder_that_has_gone_ends_no_episode_and_what_it_lacks_comes_when_it_is_back(
        graph, tmp_path, wait_for):
    folder = tmp_path / 'here'
    folder.mkdir()
    results = log(graph, folder / 'results.csv')
    results.episode(SUMMARY)
    assert results._writer.flush(5.0)
    (folder / 'results.csv').unlink()
    folder.rmdir()
    results.episode(SUMMARY)
    wait_for(lambda: results.trouble, what='the remark')
    assert results.trouble == (f"results '{folder / 'results.csv'}' cannot be written: No such "
                               'file or directory; trying again with the next episode')
    folder.mkdir()
    results.episode(SUMMARY)
    results.close()
    assert results.trouble == ''
    assert len((folder / 'results.csv').read_text().splitlines()) == 4


def test_closing_tries_again(graph, tmp_path, wait_for):
    results = log(graph, tmp_path / 'here' / 'results.csv')
    results.episode(SUMMARY)
    wait_for(lambda: results.trouble, what='the remark')
    (tmp_path / 'here').mkdir()
    results.close()
    assert results.trouble == '' and (tmp_path / 'here' / 'results.csv').exists()


def test_a_disk_that_is_stuck_holds_up_neither_an_episode_nor_for_long_the_end(
        graph, tmp_path, monkeypatch):
    monkeypatch.setattr(episode_log, '_CLOSING', 0.05)
    read, write = os.pipe()
    monkeypatch.setattr(episode_log, 'write_atomic', lambda path, text: os.read(read, 1))
    results = log(graph, tmp_path / 'results.csv')
    for _ in range(100):
        results.episode(SUMMARY)
    results.close()
    os.write(write, b'go')
    assert results._writer.flush(5.0)
