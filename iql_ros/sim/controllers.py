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

"""
What ros2_control's controllers of positions do with the commands that reach them.

Read in ros2_controllers 4.42.1, branch jazzy, at ed360c97 (2026-08-16). Both act on positions
alone, and know no topic: whoever decodes the messages hands on what they say.
"""

import numpy as np


class ForwardController:
    """
    A forward_command_controller: the last command goes to the joints, for ever.

    There is no timeout, and nothing between one command and the next
    (forward_command_controller/src/forward_controllers_base.cpp: update).
    """

    def __init__(self):
        """Command nothing yet."""
        self._setpoint = None

    def activate(self, position) -> None:
        """Leave the joints (dim,) where they are until the first command."""
        self._setpoint = np.array(position, np.float64)

    def take(self, position, now: float, seconds: float) -> bool:
        """Take a command (dim,); it knows of no time. What is not finite is dropped: False."""
        if not np.isfinite(position).all():
            return False
        self._setpoint = np.array(position, np.float64)
        return True

    def update(self, now: float, measured) -> np.ndarray:
        """Return what the joints (dim,) are told at a time [s]."""
        return self._setpoint


class TrajectoryController:
    """
    A joint_trajectory_controller that is sent trajectories of one point, without velocities.

    A new one replaces the old one whole. The way to its point is a straight line in time, from
    where the joints were told to be (`interpolate_from_desired_state: true`) or from where they
    are (false, the controller's default); after it the point is held. One that would end in the
    past is dropped, as one without a point is: the one before stays
    (joint_trajectory_controller/src: validate_trajectory_msg and update in
    joint_trajectory_controller.cpp, sample and interpolate_between_points in trajectory.cpp).
    """

    def __init__(self, period: float, from_desired: bool):
        """
        Command nothing yet.

        Args:
            period: Between updates of the controller [s].
            from_desired: What its parameter interpolate_from_desired_state says.

        """
        self._period, self._from_desired = period, from_desired

    def activate(self, position) -> None:
        """Hold the joints (dim,) where they are."""
        self._setpoint = self._point = np.array(position, np.float64)
        self._told = None           # [s] when `setpoint` was told
        self._begin = None          # [s] and (dim,): where the way to the point begins
        self._at = -np.inf          # [s] when the point is reached

    def take(self, position, now: float, seconds: float) -> bool:
        """
        Take a trajectory's point; return whether it counts.

        Args:
            position: (dim,).
            now: [s].
            seconds: From now until it is to be reached; below 0 it is past.

        """
        if seconds < 0 or not np.isfinite(position).all():
            return False
        self._point, self._at = np.array(position, np.float64), now + seconds
        self._begin = None
        return True

    def update(self, now: float, measured) -> np.ndarray:
        """Return what the joints (dim,) are told at a time [s] at which they are measured."""
        if self._begin is None:
            self._begin = ((now if self._told is None else self._told, self._setpoint)
                           if self._from_desired else (now, np.array(measured, np.float64)))
        start, origin = self._begin
        until = now + self._period           # it tells the joints where to be at its next update
        if until >= self._at:
            self._setpoint = self._point
        else:
            share = max(until - start, 0.0) / (self._at - start)
            self._setpoint = origin + share * (self._point - origin)
        self._told = now
        return self._setpoint
