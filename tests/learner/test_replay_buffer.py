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

"""Tests for replay_buffer.py."""

import numpy as np
import pytest
import torch

from iql_ros.files import InputError
from iql_ros.learner.networks import Normaliser
from iql_ros.learner.replay_buffer import (Batch, random_words, ReplayBuffer, sample_dropout,
                                           sample_rows)

ROWS = {'observations': np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
        'actions': np.array([[0.1], [0.2], [0.3]]), 'rewards': np.array([1.0, 2.0, 3.0]),
        'terminations': np.array([False, True, False]),
        'next_observations': np.array([[2.0, 3.0], [9.0, 9.0], [6.0, 7.0]])}


def test_a_batch_is_the_rows_asked_for_in_their_order():
    batch = ReplayBuffer(**ROWS).batch(np.array([2, 0, 2]))
    assert batch.observations.tolist() == [[4, 5], [0, 1], [4, 5]]
    assert batch.actions.shape == (3, 1)
    assert batch.rewards.tolist() == [3, 1, 3]
    assert batch.next_observations.tolist() == [[6, 7], [2, 3], [6, 7]]


def test_only_a_termination_masks():
    assert ReplayBuffer(**ROWS).batch(np.arange(3)).masks.tolist() == [1, 0, 1]


def test_the_buffer_is_float32_and_a_copy():
    rows = {name: values.copy() for name, values in ROWS.items()}
    buffer = ReplayBuffer(**rows)
    rows['rewards'][:] = 77
    batch = buffer.batch(np.arange(3))
    assert {str(getattr(batch, name).dtype) for name in Batch._fields} == {'torch.float32'}
    assert batch.rewards.tolist() == [1, 2, 3]
    assert (buffer.size, buffer.observation_dim, buffer.action_dim) == (3, 2, 1)


@pytest.mark.parametrize(('name', 'values', 'message'), [
    ('rewards', np.array([1.0, np.nan, 3.0]), r'rewards\[1\] is nan; expected finite'),
    ('actions', np.array([[0.1], [0.2], [np.inf]]), r'actions\[2\] is \[inf\]'),
    ('actions', np.array([0.1, 0.2, 0.3]), r'actions: got shape \(3,\)'),
    ('observations', np.zeros((2, 2)), r'observations: got shape \(2, 2\).* 3 rewards'),
    ('rewards', np.zeros(0), 'the data holds no transition')])
def test_unfit_arrays_are_refused_by_name(name, values, message):
    with pytest.raises(InputError, match=message):
        ReplayBuffer(**{**ROWS, name: values})


def test_random_words_are_a_function_of_seed_stream_and_update():
    words = random_words(1, 0, 5, 8)
    assert words.tolist() == random_words(1, 0, 5, 8).tolist()
    others = [random_words(*key, 8).tolist() for key in ((2, 0, 5), (1, 1, 5), (1, 0, 6))]
    assert words.tolist() not in others
    assert random_words(1, 0, 5, 4).tolist() == words[:4].tolist()


def test_rows_are_uniform_over_the_buffer():
    rows = sample_rows(3, 0, 40, 250, 7)
    assert rows.shape == (40, 250) and rows.dtype == np.int64
    assert rows.min() == 0 and rows.max() == 6
    counts = np.bincount(rows.ravel())  # of 10,000; the standard deviation is 35
    assert np.abs(counts - 10_000 / 7).max() < 5 * 35


def test_the_rows_of_an_update_do_not_depend_on_how_many_are_drawn():
    np.testing.assert_array_equal(sample_rows(3, 0, 5, 16, 99)[2:], sample_rows(3, 2, 3, 16, 99))


def test_no_row_is_ever_beyond_the_end():
    for size in (1, 3, 2**20 + 1):
        assert sample_rows(0, 0, 1, 4096, size).max() < size


def test_dropout_keeps_the_expectation():
    masks = sample_dropout(0, 4, 0.25, 128, (64, 32))
    assert [tuple(mask.shape) for mask in masks] == [(128, 64), (128, 32)]
    for mask in masks:
        assert sorted(set(mask.flatten().tolist())) == [0.0, pytest.approx(4 / 3)]
        assert mask.mean() == pytest.approx(1, abs=0.05)
    again = sample_dropout(0, 4, 0.25, 128, (64, 32))
    assert all((one == two).all() for one, two in zip(masks, again))
    assert not (sample_dropout(0, 5, 0.25, 128, (64, 32))[0] == masks[0]).all()


def online(*rewards):
    """Return n online rows, arrays as for the offline ones."""
    count = len(rewards)
    return (np.zeros((count, 2)), np.zeros((count, 1)), np.array(rewards),
            np.zeros(count, bool), np.zeros((count, 2)))


def test_online_rows_follow_the_offline_ones_however_they_come():
    one, two = ReplayBuffer(**ROWS), ReplayBuffer(**ROWS)
    for buffer in (one, two):
        buffer.open_online(1_000_000)
    one.append(*online(*range(10, 5000)))
    for reward in range(10, 5000):
        two.append(*online(reward))
    assert one.size == two.size == 3 + 4990 and one.online == 4990
    for buffer in (one, two):
        rewards = buffer.batch(np.arange(buffer.size)).rewards
        assert rewards[:3].tolist() == [1, 2, 3]
        assert rewards[3:].tolist() == list(range(10, 5000))


@pytest.mark.parametrize('parts', [[7], [3, 4], [1] * 7, [0, 6, 1]])
def test_when_it_is_full_only_the_oldest_online_rows_give_way(parts):
    buffer, rewards = ReplayBuffer(**ROWS), iter(range(10, 17))
    buffer.open_online(4)
    for count in parts:
        buffer.append(*online(*(next(rewards) for _ in range(count))))
    assert (buffer.size, buffer.online) == (7, 7)
    kept = buffer.batch(np.arange(7)).rewards.tolist()
    assert kept[:3] == [1, 2, 3] and sorted(kept[3:]) == [13, 14, 15, 16]


def test_an_offline_ratio_is_the_share_of_every_batch_and_the_rest_is_uniform():
    buffer = ReplayBuffer(**ROWS)
    buffer.open_online(100, offline_ratio=0.25)
    assert buffer.rows(0, 0, 1, 8).max() < 3          # nothing has come yet
    buffer.append(*online(*range(5)))
    rows = buffer.rows(0, 0, 500, 8)
    assert ((rows < 3).sum(axis=1) == 2).all() and rows.max() == 7
    counts = np.bincount(rows.ravel(), minlength=8)
    assert np.allclose(counts[:3], 1000 / 3, rtol=0.2)
    assert np.allclose(counts[3:], 3000 / 5, rtol=0.2)


def test_without_a_ratio_rows_are_uniform_over_offline_and_online_together():
    buffer = ReplayBuffer(**ROWS)
    buffer.open_online(100)
    buffer.append(*online(*range(5)))
    counts = np.bincount(buffer.rows(0, 0, 500, 8).ravel(), minlength=8)
    assert np.allclose(counts, 500, rtol=0.2)


def test_online_rows_are_normalised_as_the_offline_ones():
    normaliser = Normaliser(2)
    normaliser.fit(ROWS['observations'])
    buffer = ReplayBuffer(**ROWS, normalise=normaliser)
    buffer.open_online(10)
    buffer.append(*(np.asarray(ROWS[name])[:1] for name in (
        'observations', 'actions', 'rewards', 'terminations', 'next_observations')))
    batch = buffer.batch(np.array([0, 3]))
    for values in batch:
        assert torch.equal(values[0], values[1])
    assert batch.observations.dtype == torch.float32
