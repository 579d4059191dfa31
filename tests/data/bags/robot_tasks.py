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

"""Rewards and terminations of the robots in data/robots/."""


def forward_speed(observation, action, next_observation):
    """Return the speed ahead [m/s] of the TurtleBot."""
    return next_observation[4]


def backwards(observation, action, next_observation):
    """Say whether the TurtleBot drives back."""
    return next_observation[4] < -0.05


def clearance(observation, action, next_observation):
    """Return the distance [m] to the nearest thing that the scan saw."""
    return min(next_observation)


def near_zero(observation, action, next_observation):
    """Return minus the distance of the first value from zero."""
    return -abs(next_observation[0])


def at_zero(observation, action, next_observation):
    """Say whether the first value is near zero."""
    return abs(next_observation[0]) < 0.02
