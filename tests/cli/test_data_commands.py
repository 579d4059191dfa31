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

"""Tests for data_commands.py."""

import json
import os

from iql_ros.cli import cli
from iql_ros.data.datasets import load_dataset
from tests.cli.command import flat_file


def test_a_file_is_converted_and_inspected(capsys):
    flat_file(high=1.05)
    assert cli.main(['convert', 'a.hdf5', '--dataset', 'test/a-v0']) == 0
    out = capsys.readouterr().out
    assert 'test/a-v0: 36 transitions in 4 episodes, 3 observation and 1 action values' in out
    assert 'of the action values lie outside of their range: clipped' in out
    assert 'note: 4 steps left out' in out
    assert cli.main(['inspect', 'test/a-v0']) == 0
    assert '36 in 4 episodes' in capsys.readouterr().out
    assert cli.main(['inspect', 'a.hdf5', '--action-low', '-2', '--action-high', '3']) == 0
    assert '-1 and +1 mean [-2, 3]' in capsys.readouterr().out


def test_provenance_of_a_converted_file_names_it(workplace):
    flat_file()
    cli.main(['convert', 'a.hdf5', '--dataset', 'test/a-v0'])
    metadata = json.loads((workplace / 'minari/test/a-v0/data/metadata.json').read_text())
    assert json.loads(metadata['iql_ros'])['sources'][0]['file'] == 'a.hdf5'
    assert load_dataset('test/a-v0').robot_config is None
    assert os.environ['MINARI_DATASETS_PATH'] == str(workplace / 'minari')
