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

from iql_ros.cli import cli
from tests.cli.command import flat_file, run


def test_help_names_the_commands_and_each_help_has_an_example(capsys):
    for arguments, text in ((['--help'], 'evaluate'), (['convert', '--help'], 'example:'),
                            (['inspect', '--help'], 'example:'),
                            (['train', '--help'], 'example:'),
                            (['finetune', '--help'], 'example:'),
                            (['evaluate', '--help'], 'example:')):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 0
        assert text in capsys.readouterr().out


def test_the_help_needs_no_heavy_import():
    code = ('import sys\nfrom iql_ros.cli import cli\ntry:\n    cli.main(["--help"])\n'
            'except SystemExit:\n    pass\n'
            'print(sorted({"torch", "h5py", "minari", "gymnasium"} & set(sys.modules)))')
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
