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

"""Tests for json_output.py and --json: one strict document, whose keys are those written down."""

import json

import numpy as np
import pytest

from iql_ros.cli import cli
from iql_ros.cli.json_output import (
    COMPARE_KEYS, DOCTOR_KEYS, EVALUATE_KEYS, INSPECT_KEYS, json_text, REPLAY_KEYS,
    SEQUENTIAL_KEYS)
from iql_ros.files import share_folder
from tests.cli.command import code_of, flat_file

BAG = str(share_folder() / 'share' / 'diffbot_recording' / 'approach')


def strict(text):
    """Read JSON as a strict reader does, which knows no NaN."""
    def refuse(word):
        raise AssertionError(word)
    return json.loads(text, parse_constant=refuse)


def document(capsys, *arguments):
    """Run a command with --json; return its document and what went to standard error."""
    capsys.readouterr()
    assert cli.main([*arguments, '--json']) == 0
    out, error = capsys.readouterr()
    return strict(out), error


def test_nan_is_null_and_arrays_are_lists():
    text = json_text({'a': np.array([1.5, np.nan]), 'b': np.float32(0.5), 'c': np.int64(3),
                      'd': (np.bool_(True), -np.inf), 7: None, 'e': np.float64(np.inf)})
    assert strict(text) == {'a': [1.5, None], 'b': 0.5, 'c': 3, 'd': [True, None], '7': None,
                            'e': None}


def test_a_dataset_has_the_keys_that_are_written_down(capsys):
    flat_file(high=1.05)
    assert cli.main(['convert', 'a.hdf5', '--dataset', 'test/a-v0']) == 0
    facts, error = document(capsys, 'inspect', 'test/a-v0')
    assert list(facts) == list(INSPECT_KEYS['dataset']) and facts['kind'] == 'dataset'
    assert (facts['transitions'], facts['episodes']) == (36, 4)
    assert facts['action'] == {'values': 1, 'low': [-1.0], 'high': [1.0]}
    assert facts['sources'][0]['file'] == 'a.hdf5' and len(facts['fingerprint']) == 64
    assert sum(facts['returns']['histogram']['counts']) == 4
    assert facts['robot'] is None and error == ''


def test_a_robots_checkpoint_has_the_keys_that_are_written_down(capsys):
    facts, _ = document(capsys, 'inspect', str(share_folder() / 'share' / 'diffbot.safetensors'))
    assert list(facts) == list(INSPECT_KEYS['checkpoint']) and facts['kind'] == 'checkpoint'
    assert facts['robot']['control_rate'] == 5.0 and facts['robot']['action'][0]['low'] == -0.3
    assert facts['header']['algorithm'] == 'iql' and facts['online'] is None
    assert facts['networks']['actor'] > 1000 and 'robot_config' not in facts['header']


def test_a_bag_is_surveyed_once_and_reported_beside_the_document(capsys, workplace):
    facts, error = document(capsys, 'inspect', BAG, '--report', 'bag.html',
                            '--write-robot', 'my.yaml')
    assert list(facts) == list(INSPECT_KEYS['bags']) and facts['kind'] == 'bags'
    survey, = facts['bags']
    assert survey['file'] == 'approach' and survey['messages'] == sum(
        topic['messages'] for topic in survey['topics'])
    assert (workplace / 'bag.html').is_file() and (workplace / 'my.yaml').is_file()
    assert error == 'wrote my.yaml; fill in its lines with TODO\n'
    assert cli.main(['inspect', BAG]) == 0
    assert f'bag approach: {survey["messages"]} messages' in capsys.readouterr().out


def test_an_evaluation_has_its_episodes_and_its_summary(trained, capsys):
    evaluate = ['evaluate', 'runs/a_iql', '--env', 'Pendulum-v1', '--episodes', '2', '--seed', '7']
    facts, error = document(capsys, *evaluate, '--csv', 'a.csv')
    assert list(facts) == list(EVALUATE_KEYS)
    assert [episode['seed'] for episode in facts['episodes']] == [7, 8]
    first, second = facts['episodes']
    assert facts['summary'] == {
        'episodes': 2, 'return_mean': pytest.approx((first['return'] + second['return']) / 2),
        'return_std': pytest.approx(abs(first['return'] - second['return']) / 2),
        'length_mean': 200.0, 'success_rate': None}
    assert first['success'] is None and first['truncated'] is True and facts['robot'] is None
    assert [line.split(':')[0] for line in error.splitlines()] == ['episode 0', 'episode 1']
    assert f'{first["return"]!r}' in (trained / 'a.csv').read_text()


@pytest.mark.parametrize('arguments', [
    ['inspect', 'absent.h5'], ['evaluate', 'absent', '--env', 'Pendulum-v1'],
    ['inspect', 'a.hdf5', '--report', 'a.html']])
def test_bad_input_prints_no_document(capsys, arguments):
    flat_file()
    assert code_of([*arguments, '--json']) == 2
    out, error = capsys.readouterr()
    assert out == '' and error.count('\n') == 1


def test_every_key_is_explained():
    for keys in (*INSPECT_KEYS.values(), EVALUATE_KEYS, SEQUENTIAL_KEYS, COMPARE_KEYS,
                 REPLAY_KEYS, DOCTOR_KEYS):
        assert all(keys.values())
