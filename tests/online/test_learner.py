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

"""Tests for learner.py and averaged_agent.py: the learner of a fine-tuning run, without ROS."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from iql_ros.files import InputError
from iql_ros.online.experience_log import read_experience
from iql_ros.online.finetune import open_run
from iql_ros.online.weights import read_weights
from iql_ros.runs.checkpoint import load_agent, read_file, read_header
from iql_ros.runs.policy import load_policy
from tests.small_run import experience, INTERFACE, settings, write_start

STEPS = 45


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Work in a folder of its own that holds the offline data and a checkpoint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IQL_RUNS', str(tmp_path / 'runs'))
    write_start()


def start(resume=False, said=None, **changes):
    return open_run(settings(**changes), resume=resume,
                    on_say=[].append if said is None else said.append).learner


def kill(learner):
    """Let nothing of a learner be but its files, as they are."""
    learner.inbox._log._file.close()


def learn_all(learner):
    while learner.learn():
        pass
    return learner


def live(learner, steps, session=7, **changes):
    """Let a learner have the steps of a session one by one, learning from each at once."""
    for step in steps:
        learner.add(experience(step, session=session, **changes))
        learn_all(learner)
    return learner


def state(learner):
    average = learner._averaged.average
    return {**learner._agent.state(),
            **({} if average is None else {f'average.{name}': tensor for name, tensor
                                           in average.state_dict().items()})}


def assert_same(one, two):
    ours, theirs = state(one), state(two)
    assert set(ours) == set(theirs) and one.updates == two.updates
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def rows(name='run'):
    with open(Path('runs') / name / 'metrics.csv', newline='') as file:
        return list(csv.DictReader(file))


# What is learned -------------------------------------------------------------------------------

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


# What is sent ----------------------------------------------------------------------------------

def test_what_is_sent_is_an_average_that_lags_behind_the_actor():
    learner = start(actor_average=0.25)
    before = [parameter.clone() for parameter in learner.acting.parameters()]
    live(learner, [0])
    for old, new, sent in zip(before, learner._agent.actor.parameters(),
                              learner.acting.parameters()):
        assert torch.allclose(sent, 0.75 * old + 0.25 * new, atol=1e-7)
    assert not torch.equal(next(learner.acting.parameters()), before[0])


def test_without_an_average_the_actor_itself_is_sent():
    learner = live(start(actor_average=0.0), range(3))
    assert learner.acting is learner._agent.actor
    policy = load_policy('start.safetensors', 'cpu')
    weights = read_weights(learner.take_weights(), policy, INTERFACE)
    policy.load(weights.tensors, 'weights')
    observation = np.ones(6)
    assert np.array_equal(policy.act(observation), learner._agent.act(observation))
    assert weights.updates == 3


def test_the_checkpoint_of_a_run_acts_by_what_was_sent():
    learner = live(start(), range(20))
    observation = np.ones(6)
    ours = load_policy('runs/run/latest', 'cpu').act(observation)
    assert np.array_equal(ours, learner.acting.act(observation))
    assert not np.array_equal(ours, learner._agent.act(observation))


def test_a_run_that_begins_where_another_ended_begins_with_what_acted_there():
    first = live(start(), range(20))
    first.close()
    second = start(name='next', checkpoint='runs/run/latest')
    for ours, theirs in ((first.acting, second.acting),
                         (first._agent.actor, second._agent.actor)):
        for name, tensor in ours.state_dict().items():
            assert torch.equal(tensor, theirs.state_dict()[name]), name


def test_weights_are_due_at_the_start_and_at_the_ends_of_episodes():
    learner, due = start(), []
    for step in range(20):
        due.append(learner.weights_due)
        if learner.weights_due:
            learner.take_weights()
        live(learner, [step])
    assert [step for step in range(20) if due[step]] == [0, 10] and learner.weights_due


def test_weights_every_so_many_steps_come_within_episodes_too():
    learner = start(weights_every=3)
    learner.take_weights()
    for step, due in zip(range(6), (False, False, True, False, False, True)):
        live(learner, [step])
        assert learner.weights_due == due
        if due:
            learner.take_weights()


def test_versions_of_weights_go_on_after_a_kill_though_updates_go_back():
    first = live(start(), range(15))
    sent = [read(first) for _ in range(3)]
    said = first.acknowledgement('', 7)
    kill(first)
    second = start(resume=True)
    again, ours = read(second), second.acknowledgement('', 7)
    assert again.version > max(weights.version for weights in sent)
    assert again.run == sent[0].run == said.run == ours.run
    assert (again.updates, ours.updates, ours.behind) == (0, 0, 15)
    assert (said.steps, ours.steps) == (15, 15) and ours.weights_version == again.version


def read(learner):
    return read_weights(learner.take_weights(), load_policy('start.safetensors', 'cpu'),
                        INTERFACE)


# How it is watched over ------------------------------------------------------------------------

def judged(learner, episode, success):
    """Let a learner have an evaluation episode of five steps."""
    for step in range(5 * episode, 5 * episode + 5):
        live(learner, [step], length=5, evaluation=True, success=success)


@pytest.mark.parametrize('guard', [True, False])
def test_after_a_fall_it_goes_back_to_the_best_weights_where_it_is_guarded(guard):
    said = []
    learner = start(said=said, guard=guard, guard_evaluations=1, max_drop=0.1)
    for episode in (0, 1):
        judged(learner, episode, True)
    best = [tensor.clone() for tensor in learner.acting.state_dict().values()]
    live(learner, range(10, 20))
    learner.take_weights()
    critic = learner._agent.critic.state_dict()
    judged(learner, 4, False)
    before = {name: tensor.clone() for name, tensor in critic.items()}
    judged(learner, 5, False)
    same = all(torch.equal(one, two) for one, two in
               zip(best, learner.acting.state_dict().values()))
    assert same == guard == any('back to the best weights' in line for line in said)
    assert learner.weights_due
    assert any(not torch.equal(tensor, before[name]) for name, tensor in critic.items())


def test_evaluations_of_a_robot_are_judged_in_rounds_and_logged():
    learner = start(evaluation_episodes=2)
    for episode, success in enumerate((True, False, True)):
        judged(learner, episode, success)
    row, = (row for row in rows() if row['evaluation/success_rate'])
    assert (row['step'], row['evaluation/success_rate']) == ('10', '0.5')
    assert row['evaluation/return_mean'] == '-5.0'
    assert learner.episodes == 0


def test_the_best_weights_are_kept_with_their_figures():
    learner = start()
    for episode in (0, 1):
        judged(learner, episode, True)
    evaluation = read_header('runs/run/checkpoints/best.safetensors')['evaluation']
    assert (evaluation['step'], evaluation['success_rate']) == (10, 1.0)


def test_a_guarded_learner_that_was_killed_still_knows_its_best_weights():
    guarded = {'guard': True, 'guard_evaluations': 1, 'checkpoint_every': 10}
    first = start(**guarded)
    for episode in (0, 1):
        judged(first, episode, True)
    best = read_file('runs/run/checkpoints/best.safetensors')[1]
    kill(first)
    second = start(resume=True, **guarded)
    for episode in (2, 3):
        judged(second, episode, False)
    for name, tensor in second.acting.state_dict().items():
        assert torch.equal(tensor, best[f'average.{name}']), name


# Its files -------------------------------------------------------------------------------------

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
