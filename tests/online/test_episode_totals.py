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

"""Tests for episode_totals.py."""

import pytest

from iql_ros.online.episode_totals import EpisodeTotals, FinishedEpisode
from iql_ros.online.experience_log import ExperienceLog
from tests.small_run import experience


@pytest.fixture(name='record')
def record_of(tmp_path):
    log = ExperienceLog(tmp_path / 'log', {}, 6, 2)
    yield lambda *given, **changes: log.append(experience(*given, **changes))[0]
    log.close()


def test_an_episode_ends_with_what_it_brought(record):
    totals = EpisodeTotals()
    assert totals.add(record(0, robot='/r1', reward=-1.5)) is None
    assert totals.add(record(1, robot='/r1', reward=2.0, terminated=True, success=True)
                      ) == FinishedEpisode((b'/r1', 7), 0.5, 2, True, False)
    assert totals.episodes == 1


def test_the_episodes_of_several_robots_and_sessions_do_not_mix(record):
    totals = EpisodeTotals()
    for robot, session in (('/r1', 1), ('/r2', 1), ('/r1', 2)):
        assert totals.add(record(0, robot=robot, session=session)) is None
    assert totals.add(record(1, robot='/r2', session=1, truncated=True)).length == 2


def test_an_episode_whose_end_was_lost_is_not_added_to_the_next(record):
    totals = EpisodeTotals()
    totals.add(record(3, episode=0))
    assert totals.add(record(12, episode=1, truncated=True)).length == 1


def test_figures_are_of_what_came_since_they_were_taken(record):
    totals = EpisodeTotals()
    for step in range(4):
        totals.add(record(step, length=2, intervention=step == 0, success=step == 1))
    assert totals.take() == {'episodes': 2, 'episode/return': -2.0, 'episode/length': 2.0,
                             'episode/intervention_rate': 0.25, 'episode/success': 0.5}
    assert totals.take() == {'episodes': 2}


def test_episodes_of_which_nobody_knows_the_success_have_none(record):
    totals = EpisodeTotals()
    totals.add(record(0, truncated=True))
    assert 'episode/success' not in totals.take()
    totals.add(record(1, episode=1, truncated=True, success=True))
    totals.add(record(2, episode=2, truncated=True))
    assert totals.take()['episode/success'] == 1.0


def test_evaluations_are_told_apart_from_what_was_tried(record):
    totals = EpisodeTotals()
    assert totals.add(record(0, truncated=True, evaluation=True)).evaluation
    assert totals.episodes == 0 and 'episode/return' not in totals.take()
