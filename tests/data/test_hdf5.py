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

"""Tests for hdf5.py."""

import h5py
import numpy as np
import pytest

from iql_ros.data.hdf5 import read_flat
from iql_ros.files import InputError


def flat_file(path, terminals, **arrays):
    """Write rows whose observation is 10 * row and whose action and reward are the row."""
    rows = np.arange(len(terminals), dtype=np.float32)
    contents = {'observations': 10 * rows[:, None], 'actions': rows[:, None] / 10,
                'rewards': rows, 'terminals': np.array(terminals, dtype=bool), **arrays}
    with h5py.File(path, 'w') as file:
        for name, values in contents.items():
            if values is not None:
                file[name] = values
    return path


def column(values):
    return np.array(values, dtype=np.float32)[:, None]


def rows(episodes, name):
    return [np.ravel(getattr(episode, name)).tolist() for episode in episodes]


def test_a_timeout_bootstraps_from_its_true_next_observation(tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0, 0, 0, 0], timeouts=np.array([0, 1, 0, 1]),
                     next_observations=column([10, 15, 30, 35]))
    episodes = read_flat(path).episodes
    assert rows(episodes, 'observations') == [[0, 10, 15], [20, 30, 35]]
    assert rows(episodes, 'rewards') == [[0, 1], [2, 3]]
    assert rows(episodes, 'truncations') == [[False, True], [False, True]]
    assert rows(episodes, 'terminations') == [[False, False], [False, False]]


def test_flags_among_the_observations_become_numbers(tmp_path):
    flags = np.array([[0], [1], [1]], dtype=bool)
    path = flat_file(tmp_path / 'a.hdf5', [0, 0, 1], observations=flags,
                     next_observations=np.roll(flags, -1, axis=0))
    episode, = read_flat(path).episodes
    assert episode.observations.dtype == np.float64
    assert episode.observations[:, 0].tolist() == [0, 1, 1, 0]


def test_a_file_that_says_it_is_larger_than_memory_is_refused(tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0, 0, 1], observations=None)
    with h5py.File(path, 'a') as file:
        file.create_dataset('observations', (10 ** 13, 3), 'f4', chunks=(1000, 3))
    with pytest.raises(InputError, match='observations: says that it holds 1200.* bytes; 0 are'):
        read_flat(path)


def test_without_next_observations_a_truncated_episode_loses_its_last_step(tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0, 0, 0, 0, 1, 0, 0],
                     timeouts=np.array([0, 0, 1, 0, 0, 0, 0]))
    recording = read_flat(path)
    assert rows(recording.episodes, 'observations') == [[0, 10, 20], [30, 40, 40], [50, 60]]
    assert rows(recording.episodes, 'rewards') == [[0, 1], [3, 4], [5]]
    assert rows(recording.episodes, 'terminations') == [[False, False], [False, True], [False]]
    assert rows(recording.episodes, 'truncations') == [[False, True], [False, False], [True]]
    assert recording.notes[0].startswith('2 steps left out')


def test_without_timeouts_an_episode_ends_where_the_next_observation_is_not_the_next_row(
        tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0, 0, 0, 1, 0],
                     next_observations=column([10, 11, 30, 31, 50]))
    episodes = read_flat(path).episodes
    assert rows(episodes, 'observations') == [[0, 10, 11], [20, 30, 31], [40, 50]]
    assert rows(episodes, 'terminations') == [[False, False], [False, True], [False]]
    assert rows(episodes, 'truncations') == [[False, True], [False, False], [True]]


def test_a_row_that_jumps_ends_an_episode_also_where_the_file_has_timeouts(tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0, 0, 0], timeouts=np.array([0, 0, 1]),
                     next_observations=column([10, 11, 30]))
    recording = read_flat(path)
    assert rows(recording.episodes, 'observations') == [[0, 10, 11], [20, 30]]
    assert 'not the next row' in recording.notes[0]


def test_episodes_of_the_old_d3rlpy_layout_are_in_episode_terminals(tmp_path):
    path = flat_file(tmp_path / 'a.h5', [0, 0, 0, 0, 0, 0], discrete_action=np.array(False),
                     episode_terminals=np.array([0.0, 0, 1, 0, 0, 1]))
    episodes = read_flat(path).episodes
    assert rows(episodes, 'observations') == [[0, 10, 20], [30, 40, 50]]
    assert rows(episodes, 'truncations') == [[False, True], [False, True]]


def test_a_terminal_wins_over_a_timeout_in_the_same_row(tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0, 1], timeouts=np.array([0, 1]))
    episode, = read_flat(path).episodes
    assert episode.terminations.tolist() == [False, True]
    assert episode.truncations.tolist() == [False, False]


def test_a_known_time_limit_cuts_a_file_without_timeouts_and_is_said(tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0, 1, 0, 0, 0, 0, 0])
    recording = read_flat(path, time_limit=3)
    assert rows(recording.episodes, 'observations') == [[0, 10, 10], [20, 30, 40], [50, 60]]
    assert 'after 3 steps' in recording.notes[0]
    assert 'terminals only' in read_flat(path).notes[0]


def test_groups_and_attributes_beside_the_arrays_are_ignored(tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0, 1])
    with h5py.File(path, 'a') as file:
        file['infos/qpos'] = np.zeros((2, 3))
        file['metadata/algorithm'] = 'SAC'
        file.attrs['env_id'] = 'Hopper-v5'
    recording = read_flat(path)
    assert recording.environment == 'Hopper-v5'
    assert rows(recording.episodes, 'rewards') == [[0, 1]]


@pytest.mark.parametrize('name, values, message', [
    ('actions', None, "array 'actions' is missing; expected observations, actions"),
    ('actions', np.zeros((3, 1), dtype=np.int64), 'type int64; expected continuous'),
    ('actions', np.zeros(3), r'actions have shape \(3,\); expected \(3, size\)'),
    ('rewards', np.zeros(2), r'rewards have shape \(2,\); expected \(3,\)'),
    ('next_observations', np.zeros((3, 2)), 'next_observations have 2 values; observations 1'),
    ('observations', np.array([[0], [1], [np.nan]]), 'observations of episode 1, row 0: got nan'),
    ('rewards', np.array([0, np.inf, 0]), 'rewards of episode 0, row 1: got inf'),
    ('timeouts', np.array([0, np.nan, 0]), 'timeouts of episode 0, row 1: got nan'),
    ('observations', np.array(['a', 'b', 'c'], dtype=h5py.string_dtype()), 'expected numbers'),
    ('next_observations', np.full((3, 1), np.inf), 'next_observations of episode 0, row 0: got'),
])
def test_what_does_not_fit_is_named_on_one_line(tmp_path, name, values, message):
    path = flat_file(tmp_path / 'a.hdf5', [0, 1, 0], **{name: values})
    with pytest.raises(InputError, match=message) as caught:
        read_flat(path)
    assert str(path) in str(caught.value) and '\n' not in str(caught.value)


def test_a_cut_file_is_refused(tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0] * 500)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match='cannot be read as HDF5: .*truncated file'):
        read_flat(path)


def test_numbers_of_a_type_that_nobody_has_are_refused(tmp_path):
    path = flat_file(tmp_path / 'a.hdf5', [0] * 4)
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_ebias(30_000)
    with h5py.File(path, 'a') as file:
        del file['rewards']
        h5py.h5d.create(file.id, b'rewards', kind, h5py.h5s.create_simple((4,)))
    with pytest.raises(InputError, match='cannot be read as HDF5'):
        read_flat(path)


def test_a_text_file_and_an_absent_one_are_refused(tmp_path):
    path = tmp_path / 'a.hdf5'
    with pytest.raises(InputError, match='no such file'):
        read_flat(path)
    path.write_text('version https://git-lfs.github.com/spec/v1')
    with pytest.raises(InputError, match='cannot be read as HDF5'):
        read_flat(path)


def test_the_data_file_of_a_minari_dataset_is_recognised(tmp_path):
    path = tmp_path / 'main_data.hdf5'
    with h5py.File(path, 'w') as file:
        file['episode_0/actions'] = np.zeros((2, 1))
    with pytest.raises(InputError, match="give the dataset's id or folder"):
        read_flat(path)


@pytest.mark.parametrize('name', ['observations', 'rewards', 'terminals', 'timeouts'])
@pytest.mark.parametrize('make', [
    lambda file, name: file.create_dataset(name, data=h5py.Empty('f')),
    lambda file, name: file.create_dataset(name, data=1.0),
    lambda file, name: file.create_group(name),
    lambda file, name: file.create_dataset(name, data=np.zeros(3, 'c8')),
    lambda file, name: file.create_dataset(name, (10 ** 6, 1), 'f4', chunks=(1000, 1)),
])
def test_what_is_no_array_of_the_files_length_is_refused_before_it_is_read(tmp_path, name, make):
    path = flat_file(tmp_path / 'a.hdf5', [0, 0, 1])
    with h5py.File(path, 'a') as file:
        if name in file:
            del file[name]
        make(file, name)
    with pytest.raises(InputError, match='a.hdf5: ') as error:
        read_flat(path)
    assert str(error.value).isprintable()


@pytest.mark.parametrize('dtype', [np.float32, np.float16])
def test_next_observations_of_another_precision_end_no_episode(tmp_path, dtype):
    observations = np.random.default_rng(0).normal(size=(12, 3))
    following = np.roll(observations, -1, axis=0)
    following[[3, 11]] += 1.0                       # the ends of two episodes
    path = flat_file(tmp_path / 'a.hdf5', [0] * 12, observations=observations,
                     next_observations=following.astype(dtype))
    assert [len(episode.actions) for episode in read_flat(path).episodes] == [4, 8]


def test_terminals_that_are_timeouts_too_are_read_as_time_where_episodes_are_equally_long(
        tmp_path):
    flags = np.array([0, 0, 1, 0, 0, 1, 0, 0, 1, 0], dtype=bool)  # and one that the file cuts
    recording = read_flat(flat_file(tmp_path / 'a.hdf5', flags, timeouts=flags))
    assert not any(episode.terminations.any() for episode in recording.episodes)
    assert 'at all 3 ends, and the episodes are all 3 steps long: read as ended by time' in (
        recording.notes[0])


def test_terminals_that_are_timeouts_too_are_read_as_terminals_where_lengths_differ(tmp_path):
    flags = np.array([0, 0, 1, 0, 1, 0, 0, 0, 1], dtype=bool)
    recording = read_flat(flat_file(tmp_path / 'a.hdf5', flags, timeouts=flags))
    assert [episode.terminations[-1] for episode in recording.episodes] == [True] * 3
    assert 'at all 3 ends: read as terminated' in recording.notes[0]


def test_terminals_beside_timeouts_get_no_remark(tmp_path):
    recording = read_flat(flat_file(tmp_path / 'a.hdf5', [0, 0, 1, 0, 0, 0, 0, 0, 1],
                                    timeouts=np.array([0, 0, 0, 0, 0, 1, 0, 0, 0], dtype=bool)))
    assert [episode.terminations[-1] for episode in recording.episodes] == [True, False, True]
    assert not any('the same' in note for note in recording.notes)
