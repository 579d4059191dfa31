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

"""Tests for results.py."""

import numpy as np
import pytest

from iql_ros.sweeps.results import interquartile_mean, interval


@pytest.mark.parametrize('values, mean', [
    ([5.0], 5.0), ([1.0, 3.0], 2.0), ([1, 2, 3, 100], 2.5), ([-90, 1, 2, 3, 4, 5, 6, 900], 3.5)])
def test_the_mean_is_that_of_the_middle_half(values, mean):
    assert interquartile_mean(values) == mean


def test_of_nothing_there_is_no_mean_and_of_one_no_interval():
    assert np.isnan(interquartile_mean([])) and np.isnan(interval([3.0])).all()


def test_an_interval_holds_the_true_mean_about_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        low, high = interval(rng.normal(size=16))
        held += low <= 0 <= high
    assert 170 <= held <= 198  # 95 %, a bootstrap of few is somewhat too narrow
