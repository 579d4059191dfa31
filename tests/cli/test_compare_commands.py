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

"""Tests for compare_commands.py: policies judged by recordings."""

import json

import pytest

from iql_ros.cli import cli
from iql_ros.cli.json_output import COMPARE_KEYS
from tests.cli.command import code_of, flat_file


def refused(capsys, *arguments):
    """Return the line by which a command is refused."""
    capsys.readouterr()
    assert code_of(['compare', *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    return error


def test_every_way_of_a_run_is_judged_and_the_page_written(trained, capsys):
    capsys.readouterr()
    assert cli.main(['compare', 'runs/a_iql', '--report', 'a.html', '--json']) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == list(COMPARE_KEYS)
    assert [(policy['name'], policy['choice']) for policy in facts['policies']] == [
        ('runs/a_iql', 'mean'), ('runs/a_iql', 'weighted'), ('runs/a_iql', 'best')]
    assert facts['taken'] is None and 'cannot be told' in facts['words'][0]
    assert 'Which policy to take' in (trained / 'a.html').read_text()


def test_every_checkpoint_of_a_run_is_named_with_its_step(trained, capsys):
    assert cli.main(['train', '--dataset', 'a.hdf5', '--name', 'b', '--set', 'updates=4', '--set',
                     'checkpoint_every=2', '--set', 'hidden_dims=[8, 8]']) == 0
    assert cli.main(['compare', 'runs/b', '--every-checkpoint', '--choice', 'mean']) == 0
    out = capsys.readouterr().out
    assert '1 of 2: runs/b at 2 (mean)' in out and '2 of 2: runs/b at 4 (mean)' in out


def test_one_policy_is_no_comparison(trained, capsys):
    assert 'RUN: got one policy, runs/a_iql (mean); comparing takes two' in refused(
        capsys, 'runs/a_iql', '--choice', 'mean')


def test_a_choice_without_a_critic_is_refused(trained, capsys):
    assert cli.main(['train', '--dataset', 'a.hdf5', '--name', 'clone', '--set', 'algorithm=bc',
                     '--set', 'updates=2', '--set', 'hidden_dims=[8, 8]']) == 0
    assert "clone: choice: got 'best', but there is no critic" in refused(
        capsys, 'runs/a_iql', 'runs/clone', '--choice', 'best')


@pytest.mark.parametrize('arguments, words', [
    (['--data', 'absent.hdf5'], 'absent.hdf5: no such file'),
    (['--data', 'wide.hdf5'], 'runs/a_iql: observation values: 3; dataset wide.hdf5 has 4')])
def test_data_that_does_not_fit_is_refused(trained, capsys, arguments, words):
    import numpy as np
    flat_file('wide.hdf5', observations=np.zeros((40, 4)))
    assert words in refused(capsys, 'runs/a_iql', *arguments)
