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

"""Tests for minari_store.py."""

import json

from gymnasium import spaces
import h5py
import numpy as np
import pytest

from iql_ros.data.datasets import load_dataset
from iql_ros.data.minari_store import datasets_root
from iql_ros.data.minari_writer import write_minari
from iql_ros.files import InputError
from tests.data.small_datasets import BOX, buffer, counting_episode, write_foreign, write_one

pytestmark = pytest.mark.usefixtures('root')


def test_a_dataset_is_found_by_folder_outside_of_minaris_root(root, tmp_path):
    folder = write_minari('test/a-v0', [counting_episode(0, 3)], action_low=[-9],
                          action_high=[9])
    folder.rename(tmp_path / 'moved')
    by_folder = load_dataset(tmp_path / 'moved')
    assert len(by_folder.rewards) == 3
    assert load_dataset(tmp_path / 'moved' / 'data').fingerprint == by_folder.fingerprint


def test_dict_observations_become_the_declared_keys_in_their_order():
    space = spaces.Dict({'goal': spaces.Box(-9, 9, (1,), np.float64),
                         'pose': spaces.Box(-9, 9, (2,), np.float64),
                         'deep': spaces.Dict({'x': BOX})})
    rows = np.arange(4.0)
    observations = {'goal': rows[:, None], 'pose': np.stack([rows + 1, rows + 2], axis=1),
                    'deep': {'x': rows[:, None]}}
    write_foreign('test/dict-v0', [buffer(observations, 3)], space)
    dataset = load_dataset('test/dict-v0', ['pose', 'goal'])
    assert dataset.observations.tolist() == [[1, 2, 0], [2, 3, 1], [3, 4, 2]]
    assert dataset.observation_keys == ('pose', 'goal')
    for keys, message in (((), 'in order .--observation-keys., from: deep, goal, pose'),
                          (('poses',), "unknown key 'poses' .did you mean 'pose'"),
                          (('pose', 'pose'), 'each once'),
                          (('deep',), "observation 'deep' is Dict; supported: Box")):
        with pytest.raises(InputError, match=message):
            load_dataset('test/dict-v0', keys)


def test_an_old_episode_with_as_many_observations_as_actions_loses_its_last_step():
    rows = np.arange(3.0)[:, None]
    write_foreign('test/old-v0', [
        buffer(rows, 3),
        buffer(rows + 100, 3, terminations=np.array([False, False, True]))])
    dataset = load_dataset('test/old-v0')
    assert dataset.observations[:, 0].tolist() == [0, 1, 100, 101, 102]
    assert dataset.next_observations[:-1, 0].tolist() == [1, 2, 101, 102]
    assert np.flatnonzero(dataset.terminations).tolist() == [4]
    assert np.flatnonzero(dataset.truncations).tolist() == [1]
    assert dataset.notes[0].startswith('1 steps left out')


@pytest.mark.parametrize('change, message', [
    ({'rewards': np.zeros(2)}, r'episode 0: 3 actions with 4 observations and rewards'),
    ({'observations': np.zeros((6, 1))}, 'episode 0: 3 actions with 6 observations'),
    ({'observations': np.zeros((4, 2))}, r'observations have shape \(4, 2\); the space says 1'),
    ({'actions': np.zeros((3, 2))}, r'actions have shape \(3, 2\); the space says 1 values'),
    ({'actions': np.array([[0.0], [np.nan], [0]])}, 'actions of episode 0, row 1: got nan'),
    ({'observations': np.array([[0.0], [1], [2], [np.inf]])},
     'next_observations of episode 0, row 2: got inf'),
    ({'observations': np.array([[0.0], [1], [1e39], [2]])}, 'episode 0, row 2: got 1e.39'),
])
def test_arrays_that_do_not_fit_are_named(change, message):
    write_foreign('test/bad-v0', [buffer(**{'observations': np.zeros((4, 1)), 'steps': 3,
                                            **change})])
    with pytest.raises(InputError, match=message) as caught:
        load_dataset('test/bad-v0')
    assert 'test/bad-v0' in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize('name, shape, message', [
    ('actions', (), r'actions have shape \(\); the space says 1 values'),
    ('rewards', (), 'rewards'), ('observations', (), 'observations have shapes'),
    ('observations', (3_000_000, 4), 'observations: has 3000000 rows; expected at most 4'),
    ('actions', (10**12, 1), 'actions: says that it holds 8000000000000 bytes; 0 are stored'),
])
def test_an_array_that_cannot_be_is_refused_before_it_takes_memory(name, shape, message):
    write_foreign('test/bad-v0', [buffer(observations=np.zeros((4, 1)), steps=3)])
    with h5py.File(datasets_root() / 'test/bad-v0/data/main_data.hdf5', 'r+') as file:
        del file[f'episode_0/{name}']
        if shape and shape[0] < 10**7:
            file.create_dataset(f'episode_0/{name}', data=np.zeros(shape), compression='gzip')
        elif shape:
            file.create_dataset(f'episode_0/{name}', shape, 'f8', chunks=(1000, 1))
        else:
            file[f'episode_0/{name}'] = 1.0
    with pytest.raises(InputError, match=f'test/bad-v0: .*{message}') as error:
        load_dataset('test/bad-v0')
    assert str(error.value).isprintable()


@pytest.mark.parametrize('observation_space, action_space, message', [
    (BOX, spaces.Discrete(3), 'the action space is Discrete; only Box'),
    (spaces.Box(0, 1, (2, 2)), BOX, r'observation space is Box of shape \(2, 2\)'),
    (spaces.Discrete(3), BOX, 'observation space is Discrete; supported: Box'),
    (BOX, BOX, 'action space is unbounded; .*--action-low and --action-high, or --env ID'),
])
def test_spaces_that_cannot_be_learned_from_are_refused(observation_space, action_space,
                                                        message):
    write_foreign('test/spaces-v0', [buffer(np.zeros((4, 1)), 3)], observation_space,
                  action_space)
    with pytest.raises(InputError, match=message):
        load_dataset('test/spaces-v0')


def test_unknown_datasets_and_damaged_ones_are_refused_on_one_line(tmp_path, root):
    folder = write_one()
    with pytest.raises(InputError, match="unknown dataset 'test/two-v0' .*test/one-v0"):
        load_dataset('test/two-v0')
    with pytest.raises(InputError, match='no such file or folder, and not an id'):
        load_dataset('nowhere')
    with pytest.raises(InputError, match='no Minari dataset there'):
        load_dataset(tmp_path)
    data = folder / 'data' / 'main_data.hdf5'
    data.write_bytes(data.read_bytes()[:4000])
    with pytest.raises(InputError, match='cannot be read as a Minari dataset: OSError') as caught:
        load_dataset('test/one-v0')
    assert '\n' not in str(caught.value)
    (folder / 'data' / 'metadata.json').write_text('{"total_episodes": ')
    with pytest.raises(InputError, match='cannot be read as a Minari dataset: JSONDecodeError'):
        load_dataset('test/one-v0')


@pytest.mark.parametrize('told', ['7', '{"robot_config": 1}', '{"sources": [1]}',
                                  '{"sources": [{"file": "a"}]}'])
def test_a_dataset_whose_provenance_has_another_form_is_refused(told):
    folder = write_minari('test/odd-v0', [counting_episode(0, 5)], action_low=[-9],
                          action_high=[9])
    metadata = json.loads((folder / 'data' / 'metadata.json').read_text())
    (folder / 'data' / 'metadata.json').write_text(json.dumps({**metadata, 'iql_ros': told}))
    with pytest.raises(InputError, match="metadata 'iql_ros': got .*expected what iql_ros writes"):
        load_dataset('test/odd-v0')
