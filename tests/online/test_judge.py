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

"""Tests for judge.py."""

import types

import pytest

from iql_ros.online.episode_totals import FinishedEpisode
from iql_ros.online.judge import Judge
from tests.small_run import settings


def judge(evaluator=None, said=None, **changes):
    return Judge(settings(**changes), evaluator, [].append if said is None else said.append)


def episode(success, robot='/r1', evaluation=True, return_=-10.0):
    return FinishedEpisode((robot, 1), return_, 10, success, evaluation)


def test_a_robots_evaluation_episodes_make_a_round():
    ours = judge(evaluation_episodes=3)
    assert [ours.add(episode(success)) for success in (True, False)] == [None, None]
    figures = ours.add(episode(False, return_=-40.0))
    assert (figures['episodes'], figures['return_mean']) == (3, -20.0)
    assert figures['success_rate'] == pytest.approx(1 / 3)
    assert ours.add(episode(True)) is None           # of the next round


def test_a_round_is_over_when_its_robot_explores_again():
    ours = judge(evaluation_episodes=5)
    assert ours.add(episode(False, evaluation=False)) is None
    ours.add(episode(True))
    ours.add(episode(True))
    figures = ours.add(episode(False, evaluation=False))
    assert (figures['episodes'], figures['success_rate']) == (2, 1.0)
    assert ours.add(episode(False, evaluation=False)) is None


def test_the_rounds_of_several_robots_do_not_mix():
    ours = judge(evaluation_episodes=2)
    assert ours.add(episode(True, '/r1')) is None
    assert ours.add(episode(False, '/r2')) is None
    assert ours.add(episode(False, '/r2', evaluation=False))['success_rate'] == 0.0
    assert ours.add(episode(True, '/r1'))['success_rate'] == 1.0


@pytest.mark.parametrize('every, due', [(4, [4, 8, 9]), (0, [9])])
def test_in_simulation_it_evaluates_by_itself_at_its_times_and_at_the_end(every, due):
    evaluator = types.SimpleNamespace(evaluate=lambda policy: {'return_mean': policy})
    ours = judge(evaluator, evaluate_every=every)
    assert [step for step in range(1, 10) if ours.due(step, last=step == 9)] == due
    assert ours.evaluate(-3.0) == {'return_mean': -3.0}
    assert ours.add(episode(True)) is None


def test_it_says_what_it_saw_and_drops_only_where_it_guards():
    for guard in (True, False):
        said = []
        ours = judge(said=said, guard=guard, guard_evaluations=1, max_drop=0.1)
        figures = {'episodes': 2, 'return_mean': -5.0, 'return_std': 1.0, 'success_rate': 0.5}
        assert ours.verdict(figures, 10) == 'best'
        assert ours.verdict({**figures, 'success_rate': 0.2}, 20) == ('drop' if guard else None)
        assert said[0] == 'step 10: return -5.00 +- 1.00 over 2 episodes, success 50%'
        assert len(said) == 2 + guard
