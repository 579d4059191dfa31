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

"""Tests for datasets.py."""

import numpy as np
import pytest

from iql_ros.data.datasets import ACTION_LIMIT, load_dataset, reward_transform, RewardTransform
from iql_ros.data.minari_writer import write_minari
from iql_ros.files import InputError
from iql_ros.robot.transitions import Episode
from tests.data.small_datasets import BOX, buffer, counting_episode, write_foreign, write_one
from tests.places import DATA

needs_shared = pytest.mark.skipif(not DATA.is_dir(), reason='../shared is absent')
pytestmark = pytest.mark.usefixtures('root')


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
    assert dataset.observations.dtype == np.float64    # as recorded
    assert dataset.actions.dtype == dataset.rewards.dtype == np.float32


def test_terminated_and_truncated_stay_apart_and_terminated_wins():
    both = counting_episode(2, 2, 'truncated')
    both.terminations[-1] = True
    unmarked = counting_episode(3, 2, 'cut')
    write_minari('test/ends-v0', [counting_episode(0, 2, 'terminated'), counting_episode(1, 2),
                                  both, unmarked], action_low=[-1000], action_high=[1000])
    dataset = load_dataset('test/ends-v0')
    assert np.flatnonzero(dataset.terminations).tolist() == [1, 5]
    assert np.flatnonzero(dataset.truncations).tolist() == [3, 7]


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
