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

"""A working folder for every test of the command, and a run to go on from."""

import shutil

import pytest

from iql_ros.cli import cli
from tests.cli.command import flat_file


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Give every test its own working folder, Minari root and runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
    monkeypatch.setenv('IQL_RUNS', str(tmp_path / 'runs'))
    return tmp_path


@pytest.fixture(scope='session')
def trained_once(tmp_path_factory):
    """Return a folder with a run `a_iql` of four updates."""
    folder = tmp_path_factory.mktemp('trained')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv('IQL_RUNS', str(folder / 'runs'))
        flat_file()
        assert cli.main(['train', '--dataset', 'a.hdf5', '--set', 'updates=4',
                         '--set', 'hidden_dims=[8, 8]', '--set', 'batch_size=8']) == 0
    return folder


@pytest.fixture
def trained(workplace, trained_once):
    """Leave that run behind."""
    shutil.copytree(trained_once, workplace, symlinks=True, dirs_exist_ok=True)
    return workplace
