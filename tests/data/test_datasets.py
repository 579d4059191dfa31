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

"""Tests for datasets.py, minari_store.py, minari_writer.py and convert.py."""

import json
import os
import signal
import subprocess
import sys
import time

from gymnasium import spaces
import h5py
import minari
from minari.data_collector import EpisodeBuffer
import numpy as np
import pytest

from iql_ros.data.convert import convert_hdf5
from iql_ros.data.datasets import ACTION_LIMIT, load_dataset, reward_transform, RewardTransform
from iql_ros.data.minari_writer import write_minari
from iql_ros.files import InputError
from iql_ros.robot.transitions import Episode
from tests.places import DATA

needs_shared = pytest.mark.skipif(not DATA.is_dir(), reason='../shared is absent')
BOX = spaces.Box(-np.inf, np.inf, (1,), np.float64)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Give every test a folder of Minari datasets of its own."""
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
    return tmp_path / 'minari'


def counting_episode(index, steps, ends='truncated', scale=1.0):
    """Return observation = 100 * episode + t and the action the same, times scale."""
    numbers = 100.0 * index + np.arange(steps + 1)
    last = np.arange(steps) == steps - 1
    return Episode(numbers[:, None], scale * numbers[:steps, None], numbers[:steps],
                   terminations=last & (ends == 'terminated'),
                   truncations=last & (ends == 'truncated'))


def write_foreign(dataset_id, buffers, observation_space=BOX,
                  action_space=spaces.Box(-1000.0, 1000.0, (1,), np.float64)):
    """Write a dataset as others do, through Minari's own function."""
    with pytest.warns(UserWarning):
        minari.create_dataset_from_buffers(dataset_id, buffers, action_space=action_space,
                                           observation_space=observation_space)


def buffer(observations, steps, **changes):
    last = np.arange(steps) == steps - 1
    return EpisodeBuffer(**{
        'observations': observations, 'actions': np.arange(steps, dtype=float)[:, None],
        'rewards': np.arange(steps, dtype=float), 'terminations': np.zeros(steps, bool),
        'truncations': last, **changes})


def test_observations_actions_and_next_observations_stay_aligned():
    episodes = [counting_episode(index, steps) for index, steps in enumerate([3, 5, 2])]
    write_minari('test/counting-v0', episodes, action_low=[-1000], action_high=[1000])
    dataset = load_dataset('test/counting-v0')
    assert dataset.observations[:, 0].tolist() == [0, 1, 2, 100, 101, 102, 103, 104, 200, 201]
    np.testing.assert_array_equal(dataset.next_observations - dataset.observations, 1)
    np.testing.assert_allclose(1000 * dataset.actions, dataset.observations, atol=1e-4)
    assert dataset.rewards.tolist() == dataset.observations[:, 0].tolist()
    assert dataset.episode_starts.tolist() == [0, 3, 8, 10]
    assert np.flatnonzero(dataset.truncations).tolist() == [2, 7, 9]
    assert dataset.returns().tolist() == [3, 510, 401]
    assert dataset.observations.dtype == dataset.actions.dtype == np.float32


def test_terminated_and_truncated_stay_apart_and_terminated_wins():
    both = counting_episode(2, 2, 'truncated')
    both.terminations[-1] = True
    unmarked = counting_episode(3, 2, 'cut')
    write_minari('test/ends-v0', [counting_episode(0, 2, 'terminated'), counting_episode(1, 2),
                                  both, unmarked], action_low=[-1000], action_high=[1000])
    dataset = load_dataset('test/ends-v0')
    assert np.flatnonzero(dataset.terminations).tolist() == [1, 5]
    assert np.flatnonzero(dataset.truncations).tolist() == [3, 7]


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
    ({'observations': np.array([[0.0], [1], [1e39], [2]])}, 'episode 0, row 2: got inf'),
])
def test_arrays_that_do_not_fit_are_named(change, message):
    write_foreign('test/bad-v0', [buffer(**{'observations': np.zeros((4, 1)), 'steps': 3,
                                            **change})])
    with pytest.raises(InputError, match=message) as caught:
        load_dataset('test/bad-v0')
    assert 'test/bad-v0' in str(caught.value) and '\n' not in str(caught.value)


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


def test_an_unbounded_space_is_scaled_by_the_given_range_or_the_environments():
    write_foreign('test/free-v0', [buffer(np.zeros((4, 1)), 3)], BOX, BOX)
    given = load_dataset('test/free-v0', action_low=0, action_high=4)
    np.testing.assert_allclose(given.actions[:, 0], [-ACTION_LIMIT, -0.5, 0.0])
    with pytest.raises(InputError, match='has 1 observation and 1 action values; Pendulum-v1 '
                                         'has 3 and 1'):
        load_dataset('test/free-v0', environment='Pendulum-v1')
    for low, high, message in (([0, 1], 4, '--action-low: got 2 values; expected 1 or 1'),
                               (4, 0, r'action\[0\]: low 4.0 and high 0.0'),
                               (0, None, 'go together')):
        with pytest.raises(InputError, match=message):
            load_dataset('test/free-v0', action_low=low, action_high=high)


def test_few_actions_outside_are_clipped_and_counted_and_many_are_refused():
    episode = counting_episode(0, 20)
    write_minari('test/few-v0', [episode], action_low=[-18], action_high=[18])
    dataset = load_dataset('test/few-v0')
    assert dataset.clipped == pytest.approx(1 / 20)
    assert dataset.actions.max() == np.float32(ACTION_LIMIT) < 1
    write_minari('test/many-v0', [episode], action_low=[-16.5], action_high=[16.5])
    with pytest.raises(InputError, match=r'15.0% of the action values lie outside \[-16.5, 16.5'
                                         r'\] \(they cover .*--env ID or --action-low'):
        load_dataset('test/many-v0')


def test_float32_values_on_the_edge_of_the_range_are_not_outside():
    episode = counting_episode(0, 4)
    actions = np.array([[-0.3], [0.3], [0.3], [-0.3]], dtype=np.float32)
    write_minari('test/edge-v0', [Episode(episode.observations, actions, episode.rewards,
                                          episode.terminations, episode.truncations)],
                 action_low=[-0.3], action_high=[0.3])
    assert load_dataset('test/edge-v0').clipped == 0


def test_the_best_episodes_are_kept_in_their_order():
    episodes = [counting_episode(index, 3) for index in (2, 0, 3, 1)]
    write_minari('test/best-v0', episodes, action_low=[-1000], action_high=[1000])
    dataset = load_dataset('test/best-v0')
    best = dataset.best(0.3)
    assert best.observations[:, 0].tolist() == [200, 201, 202, 300, 301, 302]
    assert best.episode_starts.tolist() == [0, 3, 6]
    assert best.fingerprint != dataset.fingerprint == dataset.best(1).fingerprint
    with pytest.raises(InputError, match='best_episodes: got 0; allowed: 0 < fraction <= 1'):
        dataset.best(0)


def test_reward_transforms_are_those_of_the_paper():
    write_minari('test/r-v0', [counting_episode(0, 2), counting_episode(1, 2)],
                 action_low=[-1000], action_high=[1000])
    dataset = load_dataset('test/r-v0')  # returns 1 and 201
    assert reward_transform(dataset, 'none') == RewardTransform(1.0, 0.0)
    assert reward_transform(dataset, 'minus_one').apply(np.array([0.0, 1.0])).tolist() == [-1, 0]
    assert reward_transform(dataset, 'return_range').scale == 5.0
    with pytest.raises(InputError, match='every episode returns 1; it needs at least two'):
        reward_transform(load_dataset(write_one()), 'return_range')
    with pytest.raises(InputError, match="unknown reward transform 'half'.*allowed: none"):
        reward_transform(dataset, 'half')


def write_one():
    return write_minari('test/one-v0', [counting_episode(0, 2)], action_low=[-9],
                        action_high=[9])


def flat_file(path, steps=20, **arrays):
    contents = {'observations': np.arange(steps, dtype=np.float32)[:, None],
                'actions': np.linspace(-2, 2, steps, dtype=np.float32)[:, None],
                'rewards': np.ones(steps), 'terminals': np.zeros(steps, bool),
                'timeouts': np.arange(1, steps + 1) % 5 == 0, **arrays}
    with h5py.File(path, 'w') as file:
        for name, values in contents.items():
            file[name] = values
    return path


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


@pytest.mark.parametrize('dataset_id', ['x', 'x-v', '../x-v0', '/x-v0', 'a b-v0', 'n/x-v0',
                                        'name/x', 'name//x-v0', '-x-v0'])
def test_a_dataset_id_of_another_form_is_refused(dataset_id):
    with pytest.raises(InputError, match='expected NAME/x-v0'):
        convert_hdf5('absent.hdf5', dataset_id)


def test_an_existing_id_is_refused_before_anything_is_read(root):
    write_one()
    with pytest.raises(InputError, match="dataset id 'test/one-v0': .* exists already"):
        convert_hdf5('absent.hdf5', 'test/one-v0')


def test_nothing_is_written_when_the_data_is_refused(tmp_path, root):
    path = flat_file(tmp_path / 'a.hdf5')
    with pytest.raises(InputError, match='of the action values lie outside'):
        convert_hdf5(path, 'test/flat-v0')
    assert not list(root.rglob('*'))


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


@needs_shared
def test_the_published_door_demonstrations_load_alike_from_hdf5_and_minari():
    flat = load_dataset(DATA / 'd4rl' / 'door-human.hdf5')
    published = load_dataset(DATA / 'minari' / 'D4RL' / 'door' / 'human-v2')
    assert flat.clipped == pytest.approx(0.0562, abs=1e-3) and published.clipped == 0
    assert (flat.episode_lengths == published.episode_lengths - 1).all()
    kept = np.delete(np.arange(len(published.rewards)), published.episode_starts[1:] - 1)
    np.testing.assert_array_equal(flat.actions, published.actions[kept])
    for name in ('observations', 'next_observations'):  # replayed in another version of MuJoCo
        ours, theirs = getattr(flat, name), getattr(published, name)[kept]
        shifted = np.roll(theirs, 1, axis=0)
        assert np.median(np.abs(ours - theirs)) < 2e-3
        assert np.median(np.abs(ours - theirs)) < 0.5 * np.median(np.abs(ours - shifted))
    assert np.median(np.abs(flat.rewards - published.rewards[kept])) < 1e-2
    assert not flat.terminations.any() and flat.truncations.sum() == 25


@needs_shared
@pytest.mark.parametrize('name, range_, steps, episodes', [
    ('hdf5/nao_trajectories.hdf5', {'action_low': -3, 'action_high': 3.5}, 20_000, 10),
    ('hdf5/pendulum.h5', {'environment': 'Pendulum-v1'}, 99_000, 500),
])
def test_unusual_files_load_with_their_range_only(name, range_, steps, episodes):
    with pytest.raises(InputError, match='--env ID or --action-low and --action-high'):
        load_dataset(DATA / name)
    dataset = load_dataset(DATA / name, **range_)
    assert (len(dataset.rewards), len(dataset.episode_lengths)) == (steps, episodes)
    assert dataset.clipped == 0
    jump = np.abs(dataset.next_observations[:-1] - dataset.observations[1:]).max(axis=1)
    assert (jump[~(dataset.terminations | dataset.truncations)[:-1]] == 0).all()


@needs_shared
def test_the_cut_minari_file_is_refused():
    with pytest.raises(InputError, match='cannot be read as HDF5: .*truncated'):
        load_dataset(DATA / 'bags_damaged' / 'door_human_cut2M.hdf5')


@pytest.mark.parametrize('told', ['7', '{"robot_config": 1}', '{"sources": [1]}',
                                  '{"sources": [{"file": "a"}]}'])
def test_a_dataset_whose_provenance_has_another_form_is_refused(told):
    folder = write_minari('test/odd-v0', [counting_episode(0, 5)], action_low=[-9],
                          action_high=[9])
    metadata = json.loads((folder / 'data' / 'metadata.json').read_text())
    (folder / 'data' / 'metadata.json').write_text(json.dumps({**metadata, 'iql_ros': told}))
    with pytest.raises(InputError, match="metadata 'iql_ros': got .*expected what iql_ros writes"):
        load_dataset('test/odd-v0')
