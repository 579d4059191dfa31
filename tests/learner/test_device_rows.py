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

"""Tests for device_rows.py: the bits of replay_buffer.py."""

import pytest
import torch

from iql_ros.learner import device_rows
from iql_ros.learner.replay_buffer import random_words, sample_dropout, sample_rows


@pytest.mark.parametrize('seed, update, count', [
    (0, 0, 256), (7, 123_456, 30), (2**63 - 1, 2**40 + 3, 5)])
def test_words_are_those_of_the_host(seed, update, count):
    updates = torch.arange(update, update + 3)
    words = device_rows.words(torch.tensor([seed]), 1, updates, count)
    for index in range(3):
        expected = random_words(seed, 1, update + index, count)
        assert (words[index, 0].numpy().view('uint64') == expected).all()


@pytest.mark.parametrize('size', [1, 17, 2_000_000, 2**31 + 5])
def test_rows_of_several_seeds_are_those_of_each(size):
    seeds = [0, 5, 2**31]
    rows = device_rows.rows(torch.tensor(seeds), torch.arange(90, 94), 30, size)
    for index, seed in enumerate(seeds):
        assert (rows[:, index].numpy() == sample_rows(seed, 90, 4, 30, size)).all()


@pytest.mark.parametrize('rate', [0.1, 0.5])
def test_dropout_masks_are_those_of_the_host(rate):
    masks = device_rows.dropout(torch.tensor([3]), torch.arange(8, 10), rate, 5, (7, 4))
    for index in range(2):
        expected = sample_dropout(3, 8 + index, rate, 5, (7, 4))
        assert all(torch.equal(mask[index, 0], other) for mask, other in zip(masks, expected))
