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

"""Tests for trajectories.py."""

from types import SimpleNamespace

import pytest

from iql_ros.robot.trajectories import seconds_left

NOW = 5_000_000_000    # [ns]


def trajectory(sec, nanosec, *from_start):
    """Return a trajectory of a stamp, with a point for every duration [s, ns]."""
    return SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec)),
        points=[SimpleNamespace(time_from_start=SimpleNamespace(sec=sec, nanosec=nanosec))
                for sec, nanosec in from_start])


@pytest.mark.parametrize('message, seconds', [
    (trajectory(5, 0, (0, 200_000_000)), 0.2),
    (trajectory(4, 900_000_000, (0, 200_000_000)), 0.1),
    (trajectory(4, 500_000_000, (0, 200_000_000)), -0.3),
    (trajectory(5, 0, (0, 100_000_000), (1, 500_000_000)), 1.5)])
def test_a_trajectory_ends_with_its_last_point_after_its_stamp(message, seconds):
    assert seconds_left(message, NOW) == pytest.approx(seconds)


def test_a_stamp_of_zero_means_now():
    assert seconds_left(trajectory(0, 0, (0, 200_000_000)), NOW) == pytest.approx(0.2)


@pytest.mark.parametrize('message', [SimpleNamespace(data=[0.1]), trajectory(5, 0)])
def test_a_message_without_points_has_no_end(message):
    assert seconds_left(message, NOW) is None
