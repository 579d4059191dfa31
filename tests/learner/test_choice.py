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

"""Tests for choice.py."""

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.learner.choice import Choice, Draw, mirrored_noise


@pytest.mark.parametrize(('changes', 'message'), [
    ({'kind': 'bst'}, "unknown choice 'bst'.*'best'.*allowed: mean, weighted, best"),
    ({'samples': 0}, 'samples: got 0; allowed: 1 to 1024'),
    ({'samples': 1025}, 'samples: got 1025'),
    ({'inverse_temperature': -1.0}, 'choice_temperature: got -1.0; allowed: a finite number >= 0'),
    ({'inverse_temperature': float('inf')}, 'choice_temperature: got inf')])
def test_what_cannot_be_chosen_by_is_refused_with_what_can(changes, message):
    with pytest.raises(InputError, match=message):
        Choice(**changes)


@pytest.mark.parametrize(('choice', 'words'), [
    (Choice(), 'mean'), (Choice('best', 8), 'best of 8 samples'),
    (Choice('weighted', 4, 2.0), 'weighted mean of 4 samples, temperature 2')])
def test_a_choice_has_words(choice, words):
    assert str(choice) == words


def test_noise_is_a_function_of_seed_episode_and_tick():
    drawn = {draw: mirrored_noise(Draw(*draw), 4, 2).tobytes() for draw in (
        (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 2**40, 3), (2**63 - 1, 0, 0))}
    assert len(set(drawn.values())) == len(drawn)
    for draw, noise in drawn.items():
        assert mirrored_noise(Draw(*draw), 4, 2).tobytes() == noise


def test_noise_is_standard_normal_and_has_the_mean_first():
    noise = np.concatenate([mirrored_noise(Draw(0, 0, tick), 32, 2)[1:] for tick in range(400)])
    assert abs(noise.std() - 1) < 0.02 and noise.dtype == np.float32
    assert not mirrored_noise(Draw(0, 0, 0), 32, 2)[0].any()


@pytest.mark.parametrize('samples', [2, 32])
def test_noise_comes_in_mirrored_pairs(samples):
    noise = mirrored_noise(Draw(3, 1, 2), samples, 3)
    assert noise.shape == (1 + samples, 3)
    half = samples // 2
    np.testing.assert_array_equal(noise[1:1 + half], -noise[1 + half:])


@pytest.mark.parametrize('samples', [1, 7])
def test_of_an_odd_number_the_last_has_no_mirror(samples):
    assert mirrored_noise(Draw(0, 0, 0), samples, 2).shape == (1 + samples, 2)
