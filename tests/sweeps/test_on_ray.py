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

"""Tests for on_ray.py and ray_cluster.py: a real cluster of this machine."""

import contextlib
import importlib.util
import os
from pathlib import Path
import signal
import sys

import pytest
from safetensors.torch import load_file
import torch

from iql_ros.cli.cli import main
from iql_ros.files import InputError
from iql_ros.ray_cluster import connected
from iql_ros.runs.run_directory import RunDirectory
from tests.runs.small_training import write_data
from tests.waiting import wait_until

if not importlib.util.find_spec('ray'):
    pytest.skip('Ray is not installed', allow_module_level=True)
SWEEP = ['sweep', '--dataset', 'data.hdf5', '--set', 'hidden_dims=[8,8]', '--set', 'batch_size=8',
         '--set', 'checkpoint_every=100']
_LISTENS = '0A'


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Work in a folder of its own that holds data.hdf5 and gets the runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IQL_RUNS', str(tmp_path / 'runs'))
    monkeypatch.delenv('RAY_ADDRESS', raising=False)
    write_data('data.hdf5')


def tensors(name):
    """Return those of a run's newest checkpoint."""
    return load_file(RunDirectory(name).latest())


def processes(word):
    """Return the processes that have a word in their command line, and their parents."""
    found = {}
    for folder in Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            if word in (folder / 'cmdline').read_bytes().decode(errors='replace').split('\0'):
                parent = (folder / 'stat').read_text().rpartition(')')[2].split()[1]
                found[int(folder.name)] = int(parent)
    return found


def listening():
    """Return the addresses, in hexadecimal, on which something of this machine listens."""
    rows = [line.split() for name in ('tcp', 'tcp6')
            for line in Path('/proc/net', name).read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == _LISTENS}


def test_a_trial_whose_worker_is_killed_goes_on_and_ends_as_if_nothing_had_happened(capsys):
    long = [*SWEEP, '--set', 'updates=2000', '--seeds', '1']
    assert main(['train', *long[1:-2], '--set', 'expectile=0.7', '--set', 'threads=1', '--set',
                 'engine=fast', '--name', 'alone']) == 0
    name = 'ray/expectile0.7_seed0'

    def kill_worker():
        wait_until(lambda: (RunDirectory(name).latest() or Path()).is_file())
        (_, worker), = processes(name).items()
        os.kill(worker, signal.SIGKILL)

    child = os.fork()
    if not child:
        kill_worker()
        os._exit(0)
    capsys.readouterr()
    assert main([*long, '--set', 'expectile=0.7,0.9', '--name', 'ray', '--on', 'ray']) == 0
    assert os.waitpid(child, 0)[1] == 0
    one, other = tensors('alone'), tensors(name)
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert RunDirectory('ray/expectile0.9_seed0').latest().name == 'step_2000.safetensors'


def test_a_cluster_of_our_own_is_reached_by_this_machine_alone():
    before = listening()
    with connected(None) as ray:
        assert ray.get(ray.remote(lambda: 7).remote()) == 7
        new = listening() - before
    assert new and all(address.startswith(('0100007F:', '0000000000000000FFFF00000100007F:',
                                           '00000000000000000000000001000000:'))
                       for address in new), new


@pytest.mark.parametrize('address, words', [
    ('127.0.0.1:9', 'nothing answers there'), ('nowhere', 'expected HOST:PORT, or auto'),
    ('127.0.0.1:99999', 'expected HOST:PORT, or auto')])
def test_an_address_without_a_cluster_is_said_soon(address, words):
    with pytest.raises(InputError, match=f'Ray address .*{words}'):
        with connected(address):
            pass


def test_without_ray_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(InputError, match=r"needs Ray: pip install 'iql_ros\[ray\]'"):
        with connected(None):
            pass
