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

"""Tests for onlooker.py: what it proposes is what an EpisodeRunner in its place sends."""

import numpy as np
import pytest
import yaml

from iql_ros.robot.episode_runner import EpisodeRunner
from iql_ros.robot.onlooker import Onlooker
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from tests.robot.arm import arm
from tests.robot.test_robot_interface import TEXT

PERIOD = 20_000_000  # [ns]
ARM = parse_robot_interface(
    yaml.safe_dump(arm(blend_in=0.2, max_step=[0.3] * 6)), 'arm.yaml')


def toy(**gate):
    """Return an interface of two velocities whose gate has the values given."""
    content = yaml.safe_load(TEXT)
    content['action'][0]['gate'].update(gate)
    return parse_robot_interface(yaml.safe_dump(content), 'toy.yaml')


def test_beside_a_policy_that_drives_it_proposes_what_is_sent():
    rng = np.random.default_rng(0)
    wanted = rng.uniform(-2.0, 2.0, (3, 20, 6))
    runner = EpisodeRunner(lambda observation: wanted[episode, tick], ARM, Task(ARM))
    onlooker = Onlooker(lambda observation: wanted[episode, tick], ARM)
    runner.gate.blend_in()
    onlooker.enter()
    pose, stamp_ns = np.array([1.2, -0.8, 0.9, 0.1, -0.2, 0.3]), 0
    for episode in range(3):
        runner.start()
        onlooker.start()
        for tick in range(20):
            sensed = np.concatenate([pose, np.zeros(6)])
            sent = runner.tick(stamp_ns, sensed)
            proposal = onlooker.tick(stamp_ns, sensed, sensed)
            assert proposal.trip == '' and (proposal.action == wanted[episode, tick]).all()
            assert proposal.command.tobytes() == sent.command.tobytes()
            assert proposal.changed.tolist() == sent.changed.tolist()
            onlooker.commanded(stamp_ns, sent.command)
            pose, stamp_ns = pose + 0.5 * (sent.command - pose), stamp_ns + PERIOD
        runner.request('end')
        assert runner.tick(stamp_ns, np.concatenate([pose, np.zeros(6)])).ended == 'end'
        stamp_ns += 100 * PERIOD


def test_the_rate_is_limited_from_what_another_commanded_the_tick_before():
    interface = toy(max_rate=[0.5, 5.0])
    onlooker = Onlooker(lambda observation: np.array([0.3, -1.5]), interface)
    onlooker.enter()
    onlooker.start()
    period = interface.period_ns
    sensed = np.zeros(interface.sensed_dim)
    first = onlooker.tick(0, sensed, sensed)
    assert first.command.tolist() == [0.1, -1.0] and first.changed.tolist() == [True, True]
    onlooker.commanded(0, np.array([0.25, 0.2]))
    second = onlooker.tick(period, sensed, sensed)
    assert second.command.tolist() == [0.3, -0.8] and second.changed.tolist() == [False, True]


def test_limits_are_scaled_as_for_a_first_drive():
    interface = toy(max_rate='none')
    onlooker = Onlooker(lambda observation: np.array([0.3, -1.5]), interface, 0.1)
    onlooker.enter()
    sensed = np.zeros(interface.sensed_dim)
    assert onlooker.tick(0, sensed, sensed).command == pytest.approx([0.03, -0.15])


def test_a_trip_is_told_at_its_tick_and_the_next_one_goes_on():
    interface = toy()
    wanted = [np.array([np.nan, 0.0]), np.array([0.1, 0.2])]
    onlooker = Onlooker(lambda observation: wanted.pop(0), interface)
    onlooker.enter()
    onlooker.start()
    sensed = np.zeros(interface.sensed_dim)
    tripped = onlooker.tick(0, sensed, sensed)
    assert tripped.trip.endswith('is nan') and tripped.command.tolist() == [0.0, 0.0]
    onlooker.commanded(0, np.array([0.1, 0.2]))
    following = onlooker.tick(interface.period_ns, sensed, sensed)
    assert following.trip == '' and following.command.tolist() == [0.1, 0.2]
