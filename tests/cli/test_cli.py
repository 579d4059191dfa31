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

"""Tests for cli.py: help, and how the command ends."""

import subprocess
import sys

import pytest

import iql_ros
from iql_ros.cli import cli
from tests.cli.command import code_of, flat_file, run


COMMANDS = ('convert', 'inspect', 'train', 'sweep', 'finetune', 'evaluate', 'compare', 'replay',
            'benchmark', 'doctor', 'demo')


def test_help_names_every_command(capsys):
    assert code_of(['--help']) == 0
    shown = capsys.readouterr().out
    assert all(f'    {command}' in shown for command in COMMANDS)
    assert code_of(['absent']) == 2
    assert f'allowed: {", ".join(COMMANDS)} (see' in capsys.readouterr().err


@pytest.mark.parametrize('command', COMMANDS)
def test_each_help_has_an_example(capsys, command):
    assert code_of([command, '--help']) == 0
    assert f'example:\n  iql-ros {command}' in capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys):
    assert code_of(['--version']) == 0
    assert capsys.readouterr().out == f'iql_ros {iql_ros.__version__}\n'


@pytest.mark.parametrize('option', ['--help', '--version'])
def test_help_and_version_need_no_heavy_import(option):
    code = (f'import sys\nfrom iql_ros.cli import cli\ntry:\n    cli.main(["{option}"])\n'
            'except SystemExit:\n    pass\n'
            'print(sorted({"torch", "numpy", "h5py", "minari", "gymnasium"} & set(sys.modules)))')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == '[]'


def test_the_process_ends_with_code_2_and_no_traceback():
    done = run('inspect', 'absent.h5')
    assert done.returncode == 2
    assert done.stderr == 'iql-ros: error: absent.h5: no such file\n' and done.stdout == ''


def test_a_reader_that_has_seen_enough_makes_no_noise(workplace):
    flat_file()
    done = subprocess.run(f'{sys.executable} -m iql_ros.cli inspect a.hdf5 | true', shell=True,
                          capture_output=True, text=True)
    assert done.stderr == ''


def test_a_bug_is_no_input_error(monkeypatch):
    monkeypatch.setattr('iql_ros.data.datasets.read_flat', lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(['inspect', 'a.hdf5'])
