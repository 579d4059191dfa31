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

"""Tests for nodes/control/observation_limit.py."""

from types import SimpleNamespace

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.nodes.control.observation_limit import ObservationLimit

RANGE = np.array([0.0, -1.0]), np.array([4.0, 1.0]), np.array([2.0, 0.5])
NAMES = ('odom x', 'odom yaw')


def limit(mode, margin=1.0, known=True):
    return ObservationLimit(SimpleNamespace(observation_range=RANGE if known else None), NAMES,
                            mode, margin)


@pytest.mark.parametrize('mode, margin, observation, trips, remarks', [
    ('trip', 1.0, [6.0, 0.0], False, False), ('trip', 1.0, [6.1, 0.0], True, True),
    ('warn', 1.0, [0.0, -1.6], False, True), ('off', 1.0, [100.0, 0.0], False, False),
    ('trip', 0.0, [4.1, 0.0], True, True), ('trip', 50.0, [100.0, 0.0], False, False)])
def test_what_leaves_the_range_by_more_than_the_margin_is_named_or_trips(
        mode, margin, observation, trips, remarks):
    found = limit(mode, margin)
    assert bool(found(np.array(observation))) == trips and bool(found.remark) == remarks


def test_the_words_say_which_value_and_what_it_was_trained_on():
    found = limit('trip')
    said = "observation 'odom yaw' is 3; the policy was trained on -1 to 1"
    assert found(np.array([0.0, 3.0])) == said and found.remark == said


def test_a_mode_may_change_while_it_runs():
    found = limit('off')
    found.set('trip', 0.0)
    assert found(np.array([5.0, 0.0]))


def test_a_checkpoint_that_tells_no_range_cannot_promise_a_trip():
    found = limit('warn', known=False)
    assert not found(np.array([1e9, 0.0])) and not found.remark
    with pytest.raises(InputError, match="'observation_limit': got 'trip'; the checkpoint is old"):
        found.check('trip')
    with pytest.raises(InputError):
        limit('trip', known=False)
