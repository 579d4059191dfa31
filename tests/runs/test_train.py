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

"""Tests for train.py, run_directory.py and metrics_log.py."""

import dataclasses
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.torch import load_file
import torch
import yaml

from iql_ros.files import InputError
from iql_ros.learner.choice import Choice, CHOICES
from iql_ros.learner.iql import metric_names
from iql_ros.runs.checkpoint import load_agent, read_header
from iql_ros.runs.policy import load_policy
from iql_ros.runs.report import write_run_report
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.settings import settings_from_mapping
from iql_ros.runs.train import train
from tests.runs.small_training import (
    assert_same_end, checkpoints, CONFIG, rows, settings, stop_after, write_data)

pytestmark = pytest.mark.usefixtures('workplace')
# Pendulum-v1 takes what data.hdf5 holds.
EVALUATED = settings(evaluate_every=30, environment='Pendulum-v1', action_low=(-2.0,),
                     action_high=(2.0,))


def test_a_run_directory_holds_all_that_it_should():
    folder = train(settings(), CONFIG)
    assert folder == Path(os.environ['IQL_RUNS']) / 'run'
    assert checkpoints(folder) == ['step_25.safetensors', 'step_50.safetensors',
                                   'step_60.safetensors']
    assert RunDirectory('run').latest() == (folder / 'checkpoints' / 'step_60.safetensors')
    assert load_policy(folder / 'latest').header['step'] == 60
    resolved = yaml.safe_load((folder / 'config.yaml').read_text())
    assert settings_from_mapping(resolved, 'config.yaml') == (settings(), CONFIG)
    facts = json.loads((folder / 'dataset.json').read_text())
    assert (facts['transitions'], facts['episodes'], len(facts['returns'])) == (60, 6, 6)
    assert facts['fingerprint'] == read_header(folder / 'latest')['dataset']['fingerprint']
    assert list(folder.glob('events.out.tfevents.*'))


def test_metrics_have_a_row_a_logged_step_and_every_metric():
    header, *values = rows(train(settings(), CONFIG))
    assert header[0] == 'step' and [row[0] for row in values] == ['20', '40', '60']
    for name in metric_names(CONFIG):
        assert all(np.isfinite(float(row[header.index(name)])) for row in values)


def test_only_the_last_three_checkpoints_stay():
    folder = train(settings(updates=12, checkpoint_every=2), CONFIG)
    assert checkpoints(folder) == ['step_10.safetensors', 'step_12.safetensors',
                                   'step_8.safetensors']


def test_the_normaliser_is_that_of_the_data_and_frozen():
    agent = load_agent(train(settings(), CONFIG) / 'latest')
    with h5py.File('data.hdf5') as file:
        observations = file['observations'][()].astype(np.float64)
    np.testing.assert_allclose(agent.actor.normaliser.mean, observations.mean(0), rtol=1e-6)
    np.testing.assert_allclose(agent.actor.normaliser.std, observations.std(0) + 1e-3, rtol=1e-6)


def test_a_stop_saves_where_it_is_and_progress_is_reported_on_the_way():
    seen = []
    folder = train(settings(), CONFIG, should_stop=stop_after(2),
                   on_progress=lambda step, metrics: seen.append((step, set(metrics))))
    assert [step for step, _ in seen] == [20, 25]
    assert all(names >= set(metric_names(CONFIG)) for _, names in seen)
    assert load_agent(folder / 'latest').step == 25


def test_a_checkpoint_is_saved_when_asked_for():
    asked = iter([False, True, False, False])
    train(settings(updates=40, log_every=10, checkpoint_every=1000), CONFIG,
          should_save=lambda: next(asked))
    assert checkpoints(RunDirectory('run').path) == ['step_20.safetensors', 'step_40.safetensors']


def test_the_best_episodes_alone_are_trained_on():
    rewards = np.repeat([-1.0, -5.0, -2.0, -3.0, -4.0, -6.0], 10)
    write_data('data.hdf5', rewards=rewards)
    folder = train(settings(best_episodes=0.3, updates=2), CONFIG)
    facts = json.loads((folder / 'dataset.json').read_text())
    assert (facts['episodes'], facts['trained_episodes'], facts['trained_transitions']) == (
        6, 2, 20)


@pytest.mark.parametrize(('kind', 'scale', 'shift'), [
    ('none', 1.0, 0.0), ('minus_one', 1.0, -1.0), ('return_range', 1000 / 50, 0.0)])
def test_the_reward_transform_is_kept_in_the_checkpoint(kind, scale, shift):
    write_data('data.hdf5', rewards=np.repeat([-1.0, -2.0, -3.0, -4.0, -5.0, -6.0], 10))
    folder = train(settings(updates=2), dataclasses.replace(CONFIG, reward_transform=kind))
    header = read_header(folder / 'latest')
    assert header['reward_transform'] == {
        'kind': kind, 'scale': pytest.approx(scale), 'shift': shift}


def test_a_diverged_training_ends_with_one_line_and_keeps_the_last_good_checkpoint():
    write_data('data.hdf5', rewards=np.full(60, 3e37))
    with pytest.raises(InputError, match='critic/loss is (inf|nan) after update 20: .* diverged'):
        train(settings(), CONFIG)
    assert checkpoints(RunDirectory('run').path) == []


def test_bad_data_and_settings_leave_nothing_behind(workplace):
    write_data('nan.hdf5', rewards=np.full(60, np.nan))
    for bad, message in ((settings(dataset='nan.hdf5'), 'rewards of episode 0, row 0: got nan'),
                         (settings(dataset='absent.hdf5'), 'absent.hdf5: no such file'),
                         (settings(environment='Nowhere-v0'), "environment 'Nowhere-v0'"),
                         (settings(environment='Pendulum-v1', dataset='wide.hdf5'),
                          'has 4 observation')):
        write_data('wide.hdf5', dims=(4, 1))
        with pytest.raises(InputError, match=message) as error:
            train(bad, CONFIG)
        assert '\n' not in str(error.value)
    assert not (workplace / 'runs').exists()


@pytest.mark.parametrize(('mapping', 'message'), [
    ({'expectil': 0.7}, r"unknown key 'expectil' \(did you mean 'expectile'\?\); allowed: "),
    ({'updates': 0}, 'updates: got 0; allowed: >= 1'),
    ({'updates': 'many'}, "updates: got 'many'; expected int"),
    ({'seed': -1}, 'seed: got -1; allowed: 0 to'),
    ({'best_episodes': 0}, 'best_episodes: got 0.0; allowed: 0 < share <= 1'),
    ({'evaluate_every': -1}, 'evaluate_every: got -1; allowed: >= 0'),
    ({'expectile': 2}, 'expectile: got 2.0; allowed')])
def test_settings_are_read_strictly(mapping, message):
    with pytest.raises(InputError, match='mine.yaml: .*' + message):
        settings_from_mapping({'dataset': 'd', 'name': 'n', **mapping}, 'mine.yaml')


@pytest.mark.parametrize('name', ['', '../x', 'a/../b', 'a/b/c', '/a', 'a/', 'a/.b', '.hidden'])
def test_a_name_that_is_no_folder_name_is_refused(name):
    with pytest.raises(InputError, match='name: got .*; allowed: letters'):
        train(settings(name=name), CONFIG)


def test_cloning_runs_through_the_same_job():
    header, *values = rows(train(settings(), dataclasses.replace(CONFIG, algorithm='bc')))
    assert 'critic/loss' not in header and len(values) == 3


def test_evaluations_are_rows_and_the_best_is_kept():
    folder = train(EVALUATED, CONFIG)
    header, *values = rows(folder)
    column = header.index('evaluation/return_mean')
    returns = {row[0]: float(row[column]) for row in values if row[column]}
    assert set(returns) == {'30', '60'} and [row[0] for row in values] == ['20', '30', '40', '60']
    best = read_header(folder / 'checkpoints' / 'best.safetensors')
    assert best['evaluation']['return_mean'] == max(returns.values())
    assert str(best['step']) == max(returns, key=returns.get)
    assert best['evaluation']['episodes'] == 2


def test_evaluation_changes_neither_training_nor_a_resume():
    blind = dataclasses.replace(EVALUATED, name='blind', environment=None)
    whole = dataclasses.replace(EVALUATED, name='whole')
    train(EVALUATED, CONFIG, should_stop=stop_after(3))
    train(EVALUATED, CONFIG, resume=True)
    one, two = (load_file(train(run, CONFIG) / 'latest') for run in (blind, whole))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    assert_same_end('run', 'whole')


def test_at_the_end_the_way_of_choosing_is_measured_for_the_newest_and_the_best(capsys):
    folder = train(EVALUATED, CONFIG)
    for path in (folder / 'latest', folder / 'checkpoints' / 'best.safetensors'):
        said = read_header(path)['choice']
        assert said['measured']['episodes'] == 2 and said['choice'] in CHOICES
    assert 'step_60.safetensors: acts by the ' in capsys.readouterr().out
    text = write_run_report(folder).read_text()
    assert 'How it chooses' in text and 'Each way drove 2 episodes from the same starts' in text


def test_a_run_that_is_stopped_while_ways_are_measured_measures_them_when_it_is_resumed():
    looks = []
    folder = train(EVALUATED, CONFIG, should_stop=lambda: looks.append(0) or len(looks) > 8)
    assert load_agent(folder / 'latest').step == 60
    assert read_header(folder / 'latest')['choice']['measured'] is None
    train(EVALUATED, CONFIG, resume=True)
    assert read_header(folder / 'latest')['choice']['measured']['episodes'] == 2


def test_a_choice_that_is_said_is_kept_and_nothing_is_measured():
    said = dataclasses.replace(EVALUATED, choice='weighted', samples=4, choice_temperature=0.5)
    assert load_policy(train(said, CONFIG) / 'latest').choice == Choice('weighted', 4, 0.5)


def test_without_an_environment_the_mean_acts_and_the_log_says_so(capsys):
    assert load_policy(train(settings(), CONFIG) / 'latest').choice.kind == 'mean'
    assert 'the recorded episodes are too few to tell by' in capsys.readouterr().out


def test_cloning_has_no_critic_to_choose_by():
    cloning = dataclasses.replace(CONFIG, algorithm='bc')
    with pytest.raises(InputError, match="choice: got 'best', but algorithm bc trains no critic"):
        train(settings(choice='best'), cloning)
    assert load_policy(train(EVALUATED, cloning) / 'latest').critic is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_training_runs_on_a_gpu_and_its_checkpoint_acts_on_a_cpu():
    folder = train(settings(device='cuda'), CONFIG)
    agent = load_agent(folder / 'latest', 'cuda')
    policy = load_policy(folder / 'latest', 'cpu')
    assert agent.device.type == 'cuda'
    np.testing.assert_allclose(policy.act([1.0, 2.0, 3.0]), agent.act([1.0, 2.0, 3.0]), atol=1e-5)
