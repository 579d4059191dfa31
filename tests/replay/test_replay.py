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

"""Tests for replay.py: the ticks of a conversion, and what a policy makes of them."""

import numpy as np
import pytest

from iql_ros.data.rosbag import read_episodes
from iql_ros.files import InputError
from iql_ros.replay.replay import Acting, replay_bags
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.data.toy_bags import command, drive, event, PERIOD, pose, TOY, toy, write_bag
from tests.replay.small_replay import Driver, Judge

FAR = [5.0 + tick for tick in range(6)]   # nowhere near the dock


def marked(*episodes):
    """Return drives between marks; an empty one is tripped at its first tick."""
    messages = []
    for start, positions in episodes:
        last = start + max(len(positions) - 1, 0)
        messages += [event(start * PERIOD, 'start'), *drive(start, positions or [9.0]),
                     event(last * PERIOD, 'end' if positions else 'trip')]
    return messages


def test_its_ticks_observations_and_commands_are_those_of_a_conversion(tmp_path):
    bag = write_bag(tmp_path / 'a', marked((3, FAR), (12, FAR[:4])))
    found = replay_bags([bag], Driver(), TOY)
    episodes, _ = read_episodes([bag], TOY)
    assert found.observations.tolist() == [
        row for episode in episodes for row in episode.observations[:-1].tolist()]
    assert found.commanded.tolist() == [
        row for episode in episodes for row in episode.actions.tolist()]
    assert found.stamp_ns.tolist() == [PERIOD * tick for tick in (*range(3, 8), 12, 13, 14)]
    assert found.tick.tolist() == [0, 1, 2, 3, 4, 0, 1, 2] and len(found) == 8
    assert found.seconds.tolist() == pytest.approx((found.stamp_ns / 1e9 - 0.6).tolist())


def test_the_policy_is_asked_once_a_tick_by_what_it_sees_and_the_noise_of_that_tick(tmp_path):
    first = write_bag(tmp_path / 'a', marked((0, FAR[:3]), (9, []), (20, FAR[:2])))
    second = write_bag(tmp_path / 'b', drive(0, FAR[:2]))
    driver = Driver()
    found = replay_bags([first, second], driver, TOY, Acting(seed=7, first_episode=3))
    assert driver.asked == [([5.0, 0.0], (7, 3, 0)), ([6.0, 0.0], (7, 3, 1)),
                            ([5.0, 0.0], (7, 5, 0)), ([5.0, 0.0], (7, 6, 0))]
    assert found.episode.tolist() == [3, 3, 5, 6] and found.bag.tolist() == [0, 0, 0, 1]
    assert found.bags == ('a', 'b')


def test_actions_are_scaled_and_pass_the_gate_from_what_was_commanded_before(tmp_path):
    robot = toy('gate: {', 'gate: {max_rate: [0.5, 5.0], ')
    messages = []
    for tick, (x, speed) in enumerate(zip(FAR, (0.0, 0.25, -0.3, 0.1, 0.1))):
        messages += [pose(tick * PERIOD, x), command(tick * PERIOD, speed)]
    found = replay_bags([write_bag(tmp_path / 'a', messages)], Driver(lambda seen: (1.0, 0.1)),
                        robot)
    assert found.wanted.tolist() == [[0.3, pytest.approx(0.15)]] * 4
    # each 0.1 m/s from what was commanded at the tick before it, and not from what was sent
    assert found.sent[:, 0].tolist() == pytest.approx([0.1, 0.1, 0.3, -0.2])
    assert found.gated.tolist() == [[True, False], [True, False], [False, False], [True, False]]


def test_where_a_drive_goes_on_after_the_time_limit_so_do_its_commands(tmp_path):
    robot = toy('gate: {', 'gate: {max_rate: [0.5, 5.0], ')
    bag = write_bag(tmp_path / 'a', drive(20, [5.0] * 14))
    found = replay_bags([bag], Driver(lambda seen: (1.0, 0.0)), robot)
    assert found.tick.tolist() == [*range(10), 0, 1, 2]
    assert found.commanded[9, 0] == pytest.approx(0.29)
    assert found.sent[0, 0] == pytest.approx(0.1) and found.sent[10, 0] == 0.3


def test_a_tick_at_which_the_gate_would_trip_is_told_and_the_next_one_goes_on(tmp_path):
    driver = Driver(lambda seen: (np.nan if seen[0] == 6.0 else 0.5, 0.0))
    found = replay_bags([write_bag(tmp_path / 'a', drive(0, FAR))], driver, TOY)
    assert [bool(reason) for reason in found.trip] == [False, True, False, False, False]
    assert found.trip[1] == "action 'cmd_vel twist.linear.x' is nan"
    assert found.sent[:, 0].tolist() == [0.15, 0.0, 0.15, 0.15, 0.15]


def test_what_the_policy_remembers_is_what_was_commanded(tmp_path):
    text = TOY.text.replace('fields: [point.x, point.y]}', 'fields: [point.x], history: 2}\n'
                            '  - {previous: action}')
    driver = Driver()
    bag = write_bag(tmp_path / 'a', drive(4, FAR[:4]))
    replay_bags([bag], driver, parse_robot_interface(text, 'toy.yaml'))
    assert [seen for seen, _ in driver.asked] == [
        [5.0, 5.0, 0.0, 0.0], [6.0, 5.0, 0.04, 0.0], [7.0, 6.0, 0.05, 0.0]]


def test_a_goal_is_that_of_the_episodes_start(tmp_path):
    text = TOY.text.replace('action:', '  - {topic: goal, type: geometry_msgs/msg/PointStamped, '
                            'goal: true, fields: [point.x]}\naction:', 1)
    messages = drive(1, FAR[:4])
    for place, (stamp_ns, x) in ((0, (0, 1.0)), (4, (2 * PERIOD, 2.0))):
        messages.insert(place, ('goal', pose(stamp_ns, x)[1]))
    driver = Driver()
    replay_bags([write_bag(tmp_path / 'a', messages)], driver,
                parse_robot_interface(text, 'toy.yaml'))
    assert [seen for seen, _ in driver.asked] == [[x, 0.0, 1.0] for x in FAR[:3]]


def test_the_critic_says_how_much_it_prefers_and_the_training_data_what_lies_outside(tmp_path):
    bag = write_bag(tmp_path / 'a', drive(15, [1.0, 2.0, 3.0, 4.0]))
    found = replay_bags([bag], Judge(lambda seen: (1.0, 0.0)), TOY)
    assert found.advantage.tolist() == pytest.approx([10 - 5, 10 - 16 / 3, 10 - 17 / 3])
    assert found.outside.tolist() == [[False, False], [False, False], [True, False]]
    without = replay_bags([bag], Driver(), TOY)
    assert (without.advantage, without.outside, without.trained_on) == (None, None, None)


def test_limits_are_scaled(tmp_path):
    bag = write_bag(tmp_path / 'a', drive(0, FAR))
    found = replay_bags([bag], Driver(lambda seen: (1.0, 0.5)), TOY, Acting(limit_scale=0.1))
    assert found.sent[-1].tolist() == pytest.approx([0.03, 0.15])


def test_bags_without_a_transition_are_refused_with_the_reason(tmp_path):
    messages = [pose(0, 1.0), pose(9 * PERIOD, 1.0), command(9 * PERIOD, 0.1)]
    bag = write_bag(tmp_path / 'a', messages)
    with pytest.raises(InputError, match='a: no transition: .*: no .*pose young enough'):
        replay_bags([bag], Driver(), TOY)
