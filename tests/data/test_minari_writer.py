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

"""Tests for minari_writer.py."""

import json
import os
import signal
import subprocess
import sys
import time

from gymnasium import spaces
import minari
import numpy as np
import pytest

from iql_ros.data.convert import convert_hdf5
from iql_ros.data.datasets import load_dataset
from iql_ros.data.minari_writer import write_minari
from iql_ros.files import InputError
from tests.data.small_datasets import counting_episode, write_one

pytestmark = pytest.mark.usefixtures('root')


def test_what_is_written_is_a_dataset_that_minari_itself_lists_and_reads(root):
    write_minari('test/mine-v0', [counting_episode(0, 3)], action_low=[-2], action_high=[4],
                 sources=[{'file': 'a.mcap', 'sha256': '00'}], robot_config='robot: r2d2',
                 settings={'namespace': 'sim'}, environment='Pendulum-v1')
    assert list(minari.list_local_datasets()) == ['test/mine-v0']
    dataset = minari.load_dataset('test/mine-v0')
    assert dataset.action_space == spaces.Box(-2.0, 4.0, (1,), np.float64)
    assert dataset.env_spec.id == 'Pendulum-v1'
    assert dataset[0].observations[:, 0].tolist() == [0, 1, 2, 3]
    metadata = json.loads((root / 'test/mine-v0/data/metadata.json').read_text())
    provenance = json.loads(metadata['iql_ros'])
    assert provenance['sources'] == [{'file': 'a.mcap', 'sha256': '00'}]
    assert provenance['settings'] == {'namespace': 'sim'}
    loaded = load_dataset('test/mine-v0')
    assert loaded.robot_config == 'robot: r2d2' and loaded.environment == 'Pendulum-v1'


@pytest.mark.parametrize('dataset_id', ['x', 'x-v', '../x-v0', '/x-v0', 'a b-v0', 'n/x-v0',
                                        'name/x', 'name//x-v0', '-x-v0'])
def test_a_dataset_id_of_another_form_is_refused(dataset_id):
    with pytest.raises(InputError, match='expected NAME/x-v0'):
        convert_hdf5('absent.hdf5', dataset_id)


def test_an_existing_id_is_refused_before_anything_is_read(root):
    write_one()
    with pytest.raises(InputError, match="dataset id 'test/one-v0': .* exists already"):
        convert_hdf5('absent.hdf5', 'test/one-v0')


def test_a_kill_while_writing_leaves_no_dataset_and_the_next_try_succeeds(root):
    script = (
        'import numpy as np\n'
        'from iql_ros.data.minari_writer import write_minari\n'
        'from iql_ros.robot.transitions import Episode\n'
        'flags = np.zeros(50, bool)\n'
        'episode = Episode(np.zeros((51, 3)), np.zeros((50, 1)), np.zeros(50), flags, flags)\n'
        'print("writing", flush=True)\n'
        'write_minari("test/big-v0", [episode] * 20_000, action_low=[-1], action_high=[1])\n')
    process = subprocess.Popen([sys.executable, '-c', script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'writing\n'
    partial = root / '.iql_ros' / 'test~big-v0' / 'data' / 'main_data.hdf5'
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size > 100_000):
        assert process.poll() is None and time.monotonic() < deadline
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert minari.list_local_datasets() == {}
    assert not (root / 'test').exists()
    write_minari('test/big-v0', [counting_episode(0, 3)], action_low=[-9], action_high=[9])
    assert len(load_dataset('test/big-v0').rewards) == 3
    assert not (root / '.iql_ros').exists()
