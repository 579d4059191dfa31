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

"""Tests for episode_cutter.py."""

import numpy as np
import pytest

from iql_ros.data.bags.episode_cutter import EpisodeCutter
from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.order import Sample
from iql_ros.data.bags.robot_streams import ACTION, EVENT, OBSERVATION
from iql_ros.files import InputError
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from tests.robot.test_robot_interface import TEXT

PERIOD = 200_000_000  # [ns]
TOY = parse_robot_interface(
    TEXT[:TEXT.index('observation:')] + """
observation:
  - {topic: pose, type: geometry_msgs/msg/PointStamped, max_age: 0.2, fields: [point.x, point.y]}
""" + TEXT[TEXT.index('action:'):TEXT.index('task:')] + """
task: {reward: -1.0, time_limit: 1.0, success_reward: 7.0, failure_reward: -9.0}
""", 'toy.yaml')


def samples(*rows):
    """Return Samples of (tick, kind, value); a pose is its x, a command its speed."""
    vectors = {OBSERVATION: lambda x: np.array([x, 0.0]), ACTION: lambda x: np.array([x, 0.0]),
               EVENT: lambda name: name}
    return [None if row is None else Sample(
        round(row[0] * PERIOD), number, 0, row[1], 0, vectors[row[1]](row[2]))
        for number, row in enumerate(rows)]


def drive(start, count):
    """Return a pose and a command a tick; both say the tick's number."""
    return [row for tick in range(start, start + count)
            for row in ((tick, OBSERVATION, float(tick)), (tick, ACTION, float(tick)))]


def mark(tick, kind):
    return tick, EVENT, kind


def cut(rows, allow=()):
    cutter = EpisodeCutter(TOY, Task(TOY), Allowed(allow), 0)
    cutter.cut(samples(*sorted(rows, key=lambda row: row[0])) if None not in rows
               else samples(*rows))
    return cutter


def test_every_tick_is_used_or_dropped_for_a_reason():
    cutter = cut(drive(10, 4) + drive(20, 3))
    assert [end['steps'] for end in cutter.ends] == [4, 2]
    assert [end['start'] for end in cutter.ends] == [2.0, 4.0]
    used, starts = sum(end['steps'] for end in cutter.ends), len(cutter.ends)
    assert cutter.ticks == used + starts + sum(cutter.dropped.values())


def test_the_ages_of_the_streams_are_kept_at_every_tick_that_is_used():
    late = [(tick + 0.75, kind, value) for tick, kind, value in drive(0, 4)]
    kept, = cut(late).ages
    assert kept.values().tolist() == 3 * [PERIOD // 4]


def test_an_observation_that_waits_is_decoded_by_the_tick_that_takes_it_alone():
    asked = []

    def waiting(tick):
        return lambda: asked.append(tick) or np.array([tick, 0.0])
    rows = [Sample(round(tick * PERIOD), number, 0, OBSERVATION, 0, waiting(tick))
            for number, tick in enumerate((0.5, 0.75, 1.75))]
    rows.append(Sample(PERIOD * 9 // 10, 3, 0, ACTION, 0, np.array([0.1, 0.0])))
    cutter = EpisodeCutter(TOY, Task(TOY), Allowed(), 0)
    cutter.cut([*sorted(rows), Sample(2 * PERIOD, 4, 0, EVENT, 0, 'end')])
    assert asked == [0.75, 1.75]
    assert cutter.episodes[0].observations[:, 0].tolist() == [0.75, 1.75]


def test_an_end_and_a_start_at_one_tick_are_two_episodes():
    cutter = cut([mark(0, 'start'), *drive(0, 5), mark(2, 'end'), mark(2, 'start'),
                  mark(4, 'failure')])
    assert [(end['steps'], end['ended']) for end in cutter.ends] == [(2, 'end'), (2, 'failure')]
    assert [episode.observations[0, 0] for episode in cutter.episodes] == [0.0, 2.0]
    assert cutter.episodes[0].truncations[-1] and cutter.episodes[1].terminations[-1]
    assert cutter.episodes[1].rewards.tolist() == [-1.0, -9.0]


def test_what_lies_before_the_first_start_is_no_episode():
    cutter = cut(drive(0, 4) + [mark(1, 'start')])
    assert [episode.observations[0, 0] for episode in cutter.episodes] == [1.0]


def test_without_starts_a_success_ends_one_episode_and_the_drive_goes_on():
    cutter = cut(drive(0, 5) + [mark(2, 'success')])
    assert [(end['steps'], end['ended']) for end in cutter.ends] == [
        (2, 'success'), (2, 'end of bag')]


def test_a_success_outside_of_any_episode_is_noted():
    cutter = cut([mark(0, 'start'), *drive(0, 5), mark(2, 'end'), mark(4, 'success')])
    assert cutter.notes == ["'success' at 0.800 s ended no episode"]


def test_a_success_that_no_command_led_to_is_noted():
    poses = [(tick, OBSERVATION, float(tick)) for tick in range(9)]
    cutter = cut([*poses, (0, ACTION, 0.0), (1, ACTION, 1.0), mark(7, 'success')])
    assert [end['ended'] for end in cutter.ends] == ['no command in force']
    assert cutter.notes == ["'success' at 1.400 s ended no episode"]


def test_the_actions_of_an_operator_are_flagged():
    cutter = cut(drive(0, 5) + [mark(1, 'intervention_start'), mark(3, 'intervention_end')])
    assert cutter.episodes[0].interventions.tolist() == [False, True, True, False]


def test_an_operator_who_had_control_for_a_part_of_a_tick_flags_all_of_it():
    cutter = cut(drive(0, 6) + [mark(1.5, 'intervention_start'), mark(1.7, 'intervention_end'),
                                mark(3.9, 'intervention_start'), mark(4, 'intervention_end')])
    assert cutter.episodes[0].interventions.tolist() == [False, True, False, True, False]


def test_a_clock_set_back_truncates_and_begins_anew():
    cutter = cut([*drive(100, 3), None, *drive(0, 3)])
    assert [(end['steps'], end['ended']) for end in cutter.ends] == [
        (2, 'clock set back'), (2, 'end of bag')]
    assert cutter.episodes[0].truncations[-1]


def test_the_time_limit_truncates_and_its_last_observation_begins_the_next_episode():
    cutter = cut(drive(0, 9))
    assert [end['ended'] for end in cutter.ends] == ['time limit', 'end of bag']
    assert cutter.episodes[0].observations[-1, 0] == cutter.episodes[1].observations[0, 0] == 5.0


@pytest.mark.parametrize('kind, name', [(OBSERVATION, "observation 'pose point.x'"),
                                        (ACTION, "action 'cmd_vel twist.linear.x'")])
def test_a_value_that_is_not_finite_is_refused_by_name_or_ends_the_episode(kind, name):
    rows = [(tick, what, np.nan if (tick, what) == (3, kind) else value)
            for tick, what, value in drive(0, 7)]
    with pytest.raises(InputError, match=f'{name} is NaN or infinite, 0.*--allow non'):
        cut(rows)
    cutter = cut(rows, ['non-finite'])
    assert len(cutter.episodes) == 2 and all(
        np.isfinite(episode.actions).all() and np.isfinite(episode.observations).all()
        for episode in cutter.episodes)
