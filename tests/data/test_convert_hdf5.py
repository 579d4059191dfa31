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

"""Tests for convert.py: flat HDF5 files."""

import pytest

from iql_ros.data.convert import convert_hdf5
from iql_ros.data.datasets import load_dataset
from iql_ros.files import InputError
from tests.data.small_datasets import flat_file

pytestmark = pytest.mark.usefixtures('root')


def test_a_converted_file_loads_to_the_transitions_of_the_file_itself(tmp_path, root):
    path = flat_file(tmp_path / 'a.hdf5')
    direct = load_dataset(path, action_low=-2.2, action_high=2.1)
    converted = convert_hdf5(path, 'test/flat-v0', -2.2, 2.1)
    loaded = load_dataset('test/flat-v0')
    assert len(loaded.rewards) == 16
    assert direct.fingerprint == converted.fingerprint == loaded.fingerprint
    provenance = loaded.metadata['iql_ros']
    assert provenance['sources'][0]['file'] == 'a.hdf5'
    assert len(provenance['sources'][0]['sha256']) == 64
    assert '4 steps left out' in provenance['settings']['notes'][0]
    assert not (root / '.iql_ros').exists()


def test_the_same_input_gives_the_same_data_file(tmp_path, root):
    path = flat_file(tmp_path / 'a.hdf5')
    for dataset_id in ('test/a-v0', 'test/b-v0'):
        convert_hdf5(path, dataset_id, -2, 2)
    files = [root / f'test/{name}-v0/data/main_data.hdf5' for name in 'ab']
    assert files[0].read_bytes() == files[1].read_bytes()


def test_nothing_is_written_when_the_data_is_refused(tmp_path, root):
    path = flat_file(tmp_path / 'a.hdf5')
    with pytest.raises(InputError, match='of the action values lie outside'):
        convert_hdf5(path, 'test/flat-v0')
    assert not list(root.rglob('*'))
