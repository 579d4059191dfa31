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

"""Tests for controllers.py."""

import numpy as np
import pytest

from iql_ros.sim.controllers import ForwardController, TrajectoryController

PERIOD = 0.01    # [s]


def told(controller, first, count, measured=(0.0,)):
    """Return what one joint is told at so many updates from a time on."""
    return [float(controller.update(first + PERIOD * index, np.array(measured))[0])
            for index in range(count)]


def trajectory(from_desired=True, at=0.0):
    """Return a controller that holds one joint."""
    controller = TrajectoryController(PERIOD, from_desired)
    controller.activate([at])
    return controller


@pytest.mark.parametrize('controller', [ForwardController(), TrajectoryController(PERIOD, True),
                                        TrajectoryController(PERIOD, False)])
def test_until_the_first_command_the_joints_stay_where_they_were(controller):
    controller.activate([0.3])
    assert told(controller, 0.0, 3, measured=[0.29]) == [0.3, 0.3, 0.3]


def test_a_forward_controller_holds_the_last_command_for_ever():
    controller = ForwardController()
    controller.activate([0.0])
    assert controller.take([0.5], 0.0, 0.2)
    assert told(controller, 0.0, 2) == told(controller, 1e6, 2) == [0.5, 0.5]


def test_a_trajectory_leads_in_a_straight_line_to_its_point_and_stays_there():
    controller = trajectory()
    told(controller, 0.0, 1)
    assert controller.take([0.4], PERIOD, 0.04)
    assert told(controller, PERIOD, 6) == pytest.approx([0.16, 0.24, 0.32, 0.4, 0.4, 0.4])


def test_from_the_desired_state_a_new_trajectory_goes_on_where_the_old_one_was():
    controller = trajectory()
    told(controller, 0.0, 1)
    controller.take([1.0], PERIOD, 0.1)
    before = told(controller, PERIOD, 4, measured=[0.0])[-1]
    controller.take([1.0], 5 * PERIOD, 0.1)
    assert 0.0 < before < told(controller, 5 * PERIOD, 1, measured=[0.0])[0] < 1.0


def test_from_the_measured_state_it_begins_where_the_joint_is():
    controller = trajectory(from_desired=False)
    controller.take([1.0], 0.0, 0.1)
    assert told(controller, 0.0, 4, measured=[0.0]) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    controller.take([1.0], 4 * PERIOD, 0.1)
    assert told(controller, 4 * PERIOD, 2, measured=[0.2]) == pytest.approx([0.28, 0.36])


def test_a_trajectory_that_ends_in_the_past_is_dropped_and_the_one_before_goes_on():
    controller = trajectory()
    controller.take([0.4], 0.0, 0.04)
    told(controller, 0.0, 2)
    assert not controller.take([-0.4], 2 * PERIOD, -0.001)
    assert told(controller, 2 * PERIOD, 3)[-1] == 0.4


def test_a_late_point_is_reached_at_its_time_by_a_faster_way():
    late, early = trajectory(), trajectory()
    for controller in (late, early):
        told(controller, 0.0, 1)
    early.take([0.4], PERIOD, 0.04)
    told(early, PERIOD, 2)
    late.take([0.4], 3 * PERIOD, 0.02)
    told(late, PERIOD, 2)
    assert told(late, 3 * PERIOD, 2)[-1] == told(early, 3 * PERIOD, 2)[-1] == 0.4


@pytest.mark.parametrize('controller', [ForwardController(), TrajectoryController(PERIOD, True)])
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_what_is_not_finite_is_dropped(controller, value):
    controller.activate([0.3])
    assert not controller.take([value], 0.0, 0.1)
    assert told(controller, 0.0, 1) == [0.3]
