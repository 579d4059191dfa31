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

"""What a trajectory message says of time, by duck typing: no message package is imported."""

from iql_ros.robot.message_fields import stamp_ns

_SECOND = 1_000_000_000  # [ns]


def seconds_left(message, now_ns: int) -> float | None:
    """
    Return how long it is until a trajectory's last point [s]; None: a message of another kind.

    Below 0 that is past. A stamp of zero means now, as joint_trajectory_controller takes it.
    """
    points = getattr(message, 'points', None)
    if not points:
        return None
    duration = points[-1].time_from_start
    begins_ns = stamp_ns(message) or now_ns
    return (begins_ns + duration.sec * _SECOND + duration.nanosec - now_ns) / _SECOND
