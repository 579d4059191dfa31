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

"""Tests that flake8 with the settings of ament_flake8 (setup.cfg has them) finds nothing."""

import re

import pytest

from tests.lint.sources import python_files
from tests.places import ROOT

cli = pytest.importorskip('flake8.main.cli')

SETTINGS = f'--config={ROOT / "setup.cfg"}'
WRONG = '"""A module. """\nimport yaml\nimport os\nname = "x"\n'


def complaints(files, folder):
    """Return flake8's lines about files; `folder` is where it may write them."""
    output = folder / 'complaints.txt'
    cli.main([SETTINGS, '--jobs=1', '--no-show-source', '--format=default',
              f'--output-file={output}', *map(str, files)])
    lines = output.read_text().splitlines() if output.exists() else []
    return [line for line in lines if re.match(r'.+:\d+:\d+: ', line)]  # not the statistics


def test_every_file_is_clean(tmp_path):
    found = complaints(python_files(), tmp_path)
    assert not found, '\n'.join(found)


def test_order_quotes_docstrings_and_names_are_looked_at(tmp_path):
    path = tmp_path / 'wrong.py'
    path.write_text(WRONG)
    found = {line.split()[1]: line.split()[0] for line in complaints([path], tmp_path)}
    assert found == {'D210': f'{path}:1:1:', 'F401': f'{path}:3:1:', 'I100': f'{path}:3:1:',
                     'I201': f'{path}:3:1:', 'Q000': f'{path}:4:8:'}


def test_the_settings_are_those_of_ament(tmp_path):
    path = tmp_path / 'long.py'
    path.write_text(f"a = '{93 * 'x'}'\nb = '{94 * 'x'}'\n")
    assert [line.split(':')[1] for line in complaints([path], tmp_path)] == ['2']


def test_ament_flake8_finds_nothing_where_ros_brings_it():
    ament = pytest.importorskip('ament_flake8.main')
    code, errors = ament.main_with_errors(
        argv=['--config', str(ROOT / 'setup.cfg'), *map(str, python_files())])
    assert code == 0, '\n'.join(errors)
