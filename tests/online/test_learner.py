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

"""Tests for learner.py and averaged_agent.py: what is learned, and its files."""

from pathlib import Path

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.online.experience_log import read_experience
from iql_ros.runs.checkpoint import load_agent, read_header
from tests.online.small_learner import assert_same, kill, learn_all, live, rows, start
from tests.small_run import experience, write_start

STEPS = 45
pytestmark = pytest.mark.usefixtures('workplace')


@pytest.mark.parametrize('update_ratio, warm_up, updates', [
    (1.0, 0, [1, 2, 3, 4, 5]), (1.0, 2, [0, 0, 1, 2, 3]), (0.5, 0, [0, 1, 1, 2, 2]),
    (3.0, 1, [0, 3, 6, 9, 12]), (0.0, 0, [0, 0, 0, 0, 0])])
def test_every_transition_brings_the_updates_that_it_owes(update_ratio, warm_up, updates):
    learner, done = start(update_ratio=update_ratio, warm_up=warm_up), []
    for step in range(5):
        live(learner, [step])
        done.append(learner.updates)
        assert learner.behind == 0
    assert done == updates and learner.position == 5


def test_update_j_sees_only_the_transitions_that_had_come_when_it_was_owed():
    learner, seen = start(update_ratio=0.5, warm_up=2), []
    update = learner._averaged.update
    learner._averaged.update = lambda buffer: seen.append(buffer.online) or update(buffer)
    for step in range(10):
        learner.add(experience(step))
    assert learner.behind == 4
    learn_all(learner)
    assert seen == [4, 6, 8, 10]


@pytest.mark.parametrize('changes', [
    {}, {'offline_ratio': 0.5}, {'update_ratio': 0.3, 'warm_up': 7}, {'actor_average': 0.0},
    {'capacity': 16}])
def test_when_it_learns_changes_nothing_in_what_it_learns(changes):
    at_once = live(start(**changes), range(STEPS))
    later = start(name='later', **changes)
    for step in range(STEPS):
        later.add(experience(step))
        if step % 17 == 0:
            learn_all(later)
    assert_same(at_once, learn_all(later))


@pytest.mark.parametrize('changes', [{}, {'offline_ratio': 0.25, 'capacity': 16}])
def test_a_learner_that_was_killed_goes_on_to_the_same_bits_wherever_it_was(changes):
    unbroken = live(start(name='unbroken', **changes), range(STEPS))
    for cut in (1, 19, 20, 44):
        name = f'cut_{cut}'
        first = live(start(name=name, **changes), range(cut))
        first.add(experience(cut))               # on disk, not yet learned from
        kill(first)
        second = start(name=name, resume=True, **changes)
        assert second.position == cut // 20 * 20 and second.received == cut + 1
        assert second.inbox.steps('', 7) == cut + 1
        live(second, range(STEPS))               # what is there already is dropped
        assert_same(unbroken, second)
        assert [row['step'] for row in rows(name)] == ['10', '20', '30', '40']
        assert len(read_experience(f'runs/{name}/experience.log')) == STEPS


def test_it_resumes_after_a_kill_before_anything_came():
    kill(start())
    second = live(start(resume=True), range(STEPS))
    assert_same(second, live(start(name='unbroken'), range(STEPS)))


def test_rewards_are_transformed_as_the_offline_ones_and_actions_scaled():
    write_start(transform={'kind': 'minus_one', 'scale': 2.0, 'shift': -1.0})
    learner = live(start(), [0], action=np.array([0.3, -0.75]), reward=5.0)
    batch = learner._buffer.batch([0, 60])
    assert batch.rewards.tolist() == [-3.0, 9.0]
    assert batch.actions[1].tolist() == pytest.approx([1.0, -0.5], abs=2e-5)
    assert read_experience('runs/run/experience.log')['reward'].tolist() == [5.0]


def test_only_a_termination_stops_the_bootstrap():
    learner = start()
    live(learner, [0], terminated=True)
    live(learner, [1], truncated=True)
    assert learner._buffer.batch([60, 61]).masks.tolist() == [0.0, 1.0]


def test_a_paused_learner_stores_and_learns_nothing_until_it_goes_on():
    learner = start()
    learner.paused = True
    live(learner, range(5))
    assert (learner.received, learner.updates, learner.behind) == (5, 0, 0)
    learner.paused = False
    assert learner.behind == 5
    assert learn_all(learner).updates == 5


def test_it_is_done_after_its_steps_and_learns_no_more():
    learner = live(start(steps=12), range(15))
    assert learner.done and learner.updates == learner.position == 12
    assert rows()[-1]['step'] == '12'
    assert read_header('runs/run/latest')['online']['position'] == 12


def test_training_that_diverges_is_said_on_one_line():
    with pytest.raises(InputError, match='training diverged'):
        live(start(), range(STEPS), reward=1e30)


def test_the_rows_of_its_metrics_say_what_came_and_where_it_stands():
    live(start(), range(20), intervention=True, success=True)
    last = rows()[-1]
    assert [row['step'] for row in rows()] == ['10', '20']
    assert {name: float(last[name]) for name in (
        'updates', 'episodes', 'episode/return', 'episode/length', 'episode/success',
        'episode/intervention_rate', 'buffer/size', 'learner/behind')} == {
        'updates': 20, 'episodes': 2, 'episode/return': -10, 'episode/length': 10,
        'episode/success': 1, 'episode/intervention_rate': 1, 'buffer/size': 80,
        'learner/behind': 0}
    assert float(last['critic/loss']) > 0


def test_what_was_learned_is_saved_on_the_way_and_the_end():
    learner = live(start(), range(25))
    learner.close()
    names = sorted(path.name for path in Path('runs/run/checkpoints').iterdir())
    assert names == ['step_0.safetensors', 'step_20.safetensors', 'step_25.safetensors']
    assert load_agent('runs/run/latest', 'cpu', resume=True).step == 25


def test_two_learners_on_one_run_are_refused_on_one_line():
    learner = start()
    with pytest.raises(InputError, match='another process is fine-tuning this run'):
        start(resume=True)
    live(learner, range(3))
    learner.close()
    assert start(resume=True).received == 3
