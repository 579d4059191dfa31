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

"""Tests for replay_commands.py: a recording, the page and the rows, and what is refused."""

import csv
import json
import shutil

import pytest

from iql_ros.cli import cli
from iql_ros.cli.json_output import REPLAY_KEYS
from iql_ros.files import share_folder
from tests.cli.command import code_of, files_in
from tests.small_run import TEXT, write_start

SHARE = share_folder() / 'share'
BAG = str(SHARE / 'diffbot_recording' / 'dock_good')
POLICY = str(SHARE / 'diffbot.safetensors')
TICKS = 388   # of the bag, as `convert` counts them


def refused(capsys, *arguments):
    """Return the line by which a command is refused."""
    capsys.readouterr()
    assert code_of(['replay', *arguments]) == 2
    out, error = capsys.readouterr()
    assert out == '' and error.count('\n') == 1
    return error


def test_the_page_and_the_rows_are_written_and_the_document_has_its_keys(workplace, capsys):
    pytest.importorskip('matplotlib')
    assert cli.main(['replay', POLICY, BAG, '--report', 'a.html', '--csv', 'a.csv',
                     '--json']) == 0
    out, error = capsys.readouterr()
    facts = json.loads(out)
    assert list(facts) == list(REPLAY_KEYS) and error == 'wrote a.html\nwrote a.csv\n'
    assert (facts['ticks'], facts['episodes'], facts['robot']) == (TICKS, 30, 'diffbot')
    assert facts['acting'] == {'seed': 0, 'first_episode': 0, 'limit_scale': 1.0}
    assert 'What the policy would have sent' in (workplace / 'a.html').read_text()
    rows = list(csv.DictReader((workplace / 'a.csv').open()))
    assert len(rows) == TICKS and rows[0]['bag'] == 'dock_good'
    assert files_in(workplace) == ['a.csv', 'a.html']


def test_without_files_it_says_in_words_what_it_found(workplace, capsys):
    assert cli.main(['replay', POLICY, BAG, '--choice', 'best', '--samples', '4',
                     '--limit-scale', '0.1']) == 0
    out = capsys.readouterr().out
    assert out.startswith('At half of the ticks it would have sent what was commanded to within ')
    assert 'The gate would have changed its command at ' in out
    assert files_in(workplace) == []


def test_other_topics_are_said_by_a_yaml_of_the_same_contract(workplace, capsys):
    (workplace / 'other.yaml').write_text(TEXT.replace('topic: cmd_vel', 'topic: drive'))
    assert "unknown topic '/sim/drive'" in refused(
        capsys, POLICY, BAG, '--robot-config', 'other.yaml')
    (workplace / 'same.yaml').write_text(TEXT)
    assert cli.main(['replay', POLICY, BAG, '--robot-config', 'same.yaml']) == 0


@pytest.mark.parametrize('arguments, words', [
    ([POLICY, 'absent'], "bag 'absent' does not exist"),
    ([POLICY, BAG, '--robot-config', 'quick.yaml'],
     "is for another robot interface: 'control_rate' is 5.0 there and 10.0 in robot 'diffbot'"),
    (['unbound.safetensors', BAG], 'unbound.safetensors: is bound to no robot; say which'),
    (['named.safetensors', BAG], "'os:getcwd' is named by a file from elsewhere"),
    ([BAG, POLICY], 'dock_good'),
    ([POLICY, BAG, '--limit-scale', '2'], '--limit-scale: got 2; allowed: 0.05 to 1'),
    ([POLICY, BAG, '--report', 'a.txt'], 'expected a name that ends in .html'),
    ([POLICY, BAG, '--csv', 'none/a.csv'], '--csv none/a.csv: its folder does not exist')])
def test_what_cannot_be_used_is_refused_in_one_line_and_nothing_is_written(
        workplace, capsys, arguments, words):
    (workplace / 'quick.yaml').write_text(TEXT.replace('control_rate: 5.0', 'control_rate: 10.0'))
    for name, text in (('unbound', None), ('named', TEXT.replace(
            'reward: iql_ros.tasks:docking_cost', 'reward: os:getcwd'))):
        write_start(robot_config=text)
        shutil.move('start.safetensors', f'{name}.safetensors')
    before = files_in(workplace)
    files = ['--csv', 'b.csv'] if '--csv' not in arguments else []
    assert words in refused(capsys, *arguments, *files)
    assert files_in(workplace) == before


def test_a_bag_of_another_robot_is_refused_by_the_first_stream_that_it_lacks(workplace, capsys):
    from tests.data.toy_bags import drive, write_bag
    write_bag(workplace / 'toy', drive(0, [5.0, 6.0]))
    assert "bag 'toy': unknown topic '/robot_pose'" in refused(capsys, POLICY, 'toy')
