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

"""Tests for observation_buffer.py."""

import numpy as np
import pytest

from iql_ros.robot.observation_buffer import ObservationBuffer
from tests.robot.test_robot_interface import toy


def push_all(buffer, *samples):
    for index, stamp, values in samples:
        buffer.push(index, stamp, np.array(values, dtype=float))


def test_a_tick_sees_the_latest_sample_at_or_before_it():
    buffer = ObservationBuffer(toy())
    push_all(buffer, (0, 100, [1, 1]), (0, 200, [2, 2]), (0, 201, [3, 3]),
             (1, 150, [4, 5, 6, 7]))
    assert buffer.sample(200).tolist() == [2, 2, 4, 5, 6, 7]
    assert buffer.sample(201).tolist() == [3, 3, 4, 5, 6, 7]


def test_a_sample_that_replaces_leaves_no_other():
    buffer = ObservationBuffer(toy())
    for stamp_ns in (5, 3, 4):
        buffer.replace(0, stamp_ns, np.zeros(2))
    assert buffer.ages_ns(10)[0] == 6


def test_samples_that_come_late_are_put_where_they_belong():
    buffer = ObservationBuffer(toy())
    push_all(buffer, (0, 200, [2, 2]), (0, 100, [1, 1]), (1, 100, [0, 0, 0, 0]))
    assert buffer.sample(150).tolist()[:2] == [1, 1]


@pytest.mark.parametrize('stamps', [range(50_000), range(50_000, 0, -1), [7] * 50_000])
def test_a_flood_between_two_ticks_leaves_the_newest_and_no_more_than_some_thousands(stamps):
    buffer = ObservationBuffer(toy())
    push_all(buffer, (1, 0, [0, 0, 0, 0]), *((0, stamp, [stamp, 0]) for stamp in stamps))
    track = buffer._tracks[0]
    assert len(track._values) == len(track._stamps) == 4000
    assert buffer.sample(60_000)[0] == max(stamps)


def test_a_flood_of_the_past_does_not_displace_the_sample_in_force():
    buffer = ObservationBuffer(toy())
    push_all(buffer, (1, 9000, [0, 0, 0, 0]), (0, 9000, [1, 1]))
    assert buffer.sample(9000).tolist()[:2] == [1, 1]
    push_all(buffer, *((0, stamp, [2, 2]) for stamp in range(8000)))
    assert buffer.sample(9001).tolist()[:2] == [1, 1]


def test_a_stream_older_than_its_max_age_gives_no_observation_and_is_named():
    buffer = ObservationBuffer(toy())
    push_all(buffer, (0, 0, [1, 1]), (1, 0, [0, 0, 0, 0]))
    assert buffer.sample(100_000_000) is not None       # the joints' max_age is 0.1 s
    assert buffer.sample(100_000_001) is None
    assert buffer.stale(100_000_001) == ["'joint_states' (0.100 s old; max_age 0.1 s)"]


def test_an_empty_buffer_names_every_stream():
    assert [text.split(' (')[0] for text in ObservationBuffer(toy()).stale(0)] == [
        "'pose'", "'joint_states'"]
