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

"""Tests for train.py, run_directory.py, metrics_log.py and binding.py."""

import dataclasses
import itertools
import json
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import types

import h5py
import numpy as np
import pytest
from safetensors.torch import load_file
import torch
import yaml

from iql_ros.files import InputError
from iql_ros.learner.iql import IQLConfig, metric_names
from iql_ros.runs.checkpoint import load_agent, read_header, strip_checkpoint
from iql_ros.runs.evaluate import Evaluator
from iql_ros.runs.policy import load_policy
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.train import settings_from_mapping, train, TrainSettings
from tests.places import ROOT
from tests.robot.test_robot_interface import TEXT

CONFIG = IQLConfig(hidden_dims=(8, 8), batch_size=8, dropout_rate=0.1)
SETTINGS = TrainSettings(dataset='data.hdf5', name='run', updates=60, log_every=20,
                         checkpoint_every=25, device='cpu', evaluation_episodes=2)


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Work in a folder of its own that holds data.hdf5 and gets the runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IQL_RUNS', str(tmp_path / 'runs'))
    write_data('data.hdf5')
    return tmp_path


def write_data(path, episodes=6, length=10, dims=(3, 1), **changes):
    rng = np.random.default_rng(0)
    steps = episodes * length
    walks = rng.normal(3, 2, size=(episodes, length + 1, dims[0])).astype(np.float32)
    contents = {'observations': walks[:, :-1].reshape(steps, -1),
                'next_observations': walks[:, 1:].reshape(steps, -1),
                'actions': rng.uniform(-1, 1, (steps, dims[1])).astype(np.float32),
                'rewards': -rng.random(steps), 'terminals': np.zeros(steps, bool),
                'timeouts': np.arange(1, steps + 1) % length == 0, **changes}
    with h5py.File(path, 'w') as file:
        for name, values in contents.items():
            file[name] = values


def settings(**changes):
    return dataclasses.replace(SETTINGS, **changes)


def checkpoints(folder):
    return sorted(path.name for path in (folder / 'checkpoints').iterdir())


def rows(folder):
    return [line.split(',') for line in (folder / 'metrics.csv').read_text().splitlines()]


def stop_after(count):
    """Return a should_stop that says so at the given look."""
    looks = itertools.count(1)
    return lambda: next(looks) > count


def assert_same_end(one, two):
    """Compare the newest checkpoints' tensors to the bit, and the metrics as text."""
    ours, theirs = (load_file(RunDirectory(name).latest()) for name in (one, two))
    assert set(ours) == set(theirs)
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
    texts = [(RunDirectory(name).path / 'metrics.csv').read_text() for name in (one, two)]
    assert texts[0] == texts[1]


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


def test_a_run_that_exists_is_refused_without_resume():
    train(settings(updates=2), CONFIG)
    before = (RunDirectory('run').path / 'config.yaml').read_text()
    with pytest.raises(InputError, match="run 'run': .*exists already; --resume"):
        train(settings(updates=4), CONFIG)
    assert (RunDirectory('run').path / 'config.yaml').read_text() == before


def test_a_resume_with_another_setting_is_refused_by_its_name():
    train(settings(), CONFIG, should_stop=stop_after(1))
    with pytest.raises(InputError, match="'seed' is 0 there and 1 now"):
        train(settings(seed=1), CONFIG, resume=True)
    with pytest.raises(InputError, match="'expectile' is 0.9 there and 0.7 now"):
        train(settings(), dataclasses.replace(CONFIG, expectile=0.7), resume=True)


def test_a_resume_with_other_data_or_another_robot_is_refused():
    train(settings(), CONFIG, should_stop=stop_after(1))
    write_data('data.hdf5', rewards=-np.ones(60))
    with pytest.raises(InputError, match='dataset fingerprint is not that of'):
        train(settings(), CONFIG, resume=True)
    write_data('data.hdf5')
    with pytest.raises(InputError, match='robot_config is not that of'):
        train(settings(), CONFIG, robot_config=pendulum_robot(), resume=True)


def test_a_run_begun_under_the_first_name_of_a_function_is_resumed_under_the_new_one():
    text = pendulum_robot()
    before = text.replace('iql_ros.tasks:', 'iql_ros.task:')
    assert before != text
    train(settings(), CONFIG, robot_config=before, should_stop=stop_after(1))
    folder = train(settings(), CONFIG, robot_config=text, resume=True)
    assert load_agent(folder / 'latest').step == 60


def test_nothing_to_resume_is_said():
    with pytest.raises(InputError, match="run 'run': .* does not exist, so there is nothing"):
        train(settings(), CONFIG, resume=True)


def test_a_resume_of_a_finished_run_changes_nothing():
    folder = train(settings(), CONFIG)
    before = {path: path.read_bytes() for path in (folder / 'checkpoints').iterdir()}
    assert train(settings(), CONFIG, resume=True) == folder
    assert before == {path: path.read_bytes() for path in (folder / 'checkpoints').iterdir()}


def test_a_checkpoint_without_optimisers_is_not_resumed_from(workplace):
    folder = train(settings(), CONFIG, should_stop=stop_after(1))
    newest = RunDirectory('run').latest()
    strip_checkpoint(newest, newest)
    with pytest.raises(InputError, match='no optimiser state'):
        train(settings(), CONFIG, resume=True)
    newest.unlink()
    with pytest.raises(InputError, match='cannot be read: No such file'):
        train(settings(), CONFIG, resume=True)
    assert folder.is_dir()


def test_stopped_and_resumed_is_the_unbroken_run_to_the_bit():
    train(settings(name='whole', log_every=7), CONFIG)
    for looks in (1, 4, 2):  # each time inside another block
        train(settings(name='cut', log_every=7), CONFIG, should_stop=stop_after(looks),
              resume=looks != 1)
    train(settings(name='cut', log_every=7), CONFIG, resume=True)
    assert_same_end('whole', 'cut')


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


def test_the_first_ctrl_c_saves_and_goes_on_as_keyboard_interrupt():
    def interrupt(step, metrics):
        if step == 20:
            os.kill(os.getpid(), signal.SIGINT)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(settings(), CONFIG, on_progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
    assert load_agent(RunDirectory('run').path / 'latest').step == 20
    train(settings(), CONFIG, resume=True)
    train(settings(name='whole'), CONFIG)
    assert_same_end('whole', 'run')


KILLED = """
import sys, torch
torch.set_num_threads(1)
from iql_ros.learner.iql import IQLConfig
from iql_ros.runs.train import train, TrainSettings
train(TrainSettings(dataset='data.hdf5', name=sys.argv[1], updates=3000, log_every=40,
                    checkpoint_every=330, device='cpu'),
      IQLConfig(hidden_dims=(8,), batch_size=4, dropout_rate=0.1), resume=sys.argv[2] == 'resume')
"""


def start(name, how):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    return subprocess.Popen([sys.executable, '-c', KILLED, name, how], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def test_kill_9_at_a_random_moment_and_resume_gives_the_same_bits():
    finish(start('whole', 'new'))
    random.seed()
    moments = [random.randrange(1, 35), random.randrange(38, 70)]  # of 75 lines of output
    for moment, how in zip(moments, ('new', 'resume')):
        process = start('cut', how)
        done = 0
        while done < moment * 40:
            done = int(process.stdout.readline().split('/')[0])
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, moments
    finish(start('cut', 'resume'))
    assert_same_end('whole', 'cut')
    folder = RunDirectory('cut').path
    assert [path for path in folder.rglob('.*') if path.is_file()] == []
    assert len(rows(folder)) == 1 + 3000 // 40


def test_a_run_killed_before_its_first_checkpoint_starts_anew():
    folder = RunDirectory('run').path
    folder.mkdir(parents=True)
    (folder / 'metrics.csv').write_text('step,value/loss\n20,1.0\n25,0.')
    (folder / '.config.yaml.abc').write_text('half')
    train(settings(), CONFIG, resume=True)
    train(settings(name='whole'), CONFIG)
    assert_same_end('run', 'whole')
    assert not (folder / '.config.yaml.abc').exists()


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


@pytest.mark.parametrize('name', ['', '../x', 'a/b', '.hidden'])
def test_a_name_that_is_no_folder_name_is_refused(name):
    with pytest.raises(InputError, match='name: got .*; allowed: letters'):
        train(settings(name=name), CONFIG)


def test_cloning_runs_through_the_same_job():
    header, *values = rows(train(settings(), dataclasses.replace(CONFIG, algorithm='bc')))
    assert 'critic/loss' not in header and len(values) == 3


# Pendulum-v1 takes what data.hdf5 holds.
EVALUATED = settings(evaluate_every=30, environment='Pendulum-v1', action_low=(-2.0,),
                     action_high=(2.0,))


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


def test_an_environment_that_only_the_data_names_may_be_missing(capsys):
    data = types.SimpleNamespace(environment='Nowhere-v0')
    assert Evaluator.find(data, None, 1, required=False) is None
    assert 'no evaluation while training: ' in capsys.readouterr().out
    with pytest.raises(InputError, match="environment 'Nowhere-v0'"):
        Evaluator.find(data, None, 1, required=True)


def pendulum_robot(high=1.0, failure='failure_reward: -1.0e+6, '):
    text = TEXT.replace('fields: [position.x, position.y]', 'fields: [position.x]')
    text = text.replace('joints: [l, r]', 'joints: [l]')
    text = text.replace('fields: [twist.linear.x, twist.angular.z]', 'fields: [twist.linear.x]')
    text = text.replace('low: [-0.3, -1.5]', f'low: [-{high}]')
    text = text.replace('high: [0.3, 1.5]', f'high: [{high}]')
    return text.replace('task: {', f'task: {{{failure}')


def test_a_robot_binds_data_without_one_and_travels_in_the_checkpoint(capsys):
    folder = train(settings(updates=2), CONFIG, robot_config=pendulum_robot())
    assert "the policy is bound to robot 'toy'" in capsys.readouterr().out
    assert load_policy(folder / 'latest').interface.robot == 'toy'


def test_a_robot_of_other_dimensions_or_range_is_refused():
    with pytest.raises(InputError, match="robot 'toy': observation values: 6; .* has 3"):
        train(settings(), CONFIG, robot_config=TEXT)
    with pytest.raises(InputError, match=r"robot 'toy': action low: \[-2.0\]; .* has \[-1.0\]"):
        train(settings(), CONFIG, robot_config=pendulum_robot(high=2.0))
    assert not RunDirectory('run').path.exists()


@pytest.mark.parametrize(('failure', 'warned'), [
    ('failure_reward: -1.0, ', True), ('failure_reward: -100.0, ', False), ('', True)])
def test_it_is_warned_of_when_failing_pays(failure, warned, capsys):
    write_data('data.hdf5', rewards=-np.ones(60))  # for ever: -100
    train(settings(updates=1), CONFIG, robot_config=pendulum_robot(failure=failure))
    errors = capsys.readouterr().err
    assert ('failing pays' in errors) == warned


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_training_runs_on_a_gpu_and_its_checkpoint_acts_on_a_cpu():
    folder = train(settings(device='cuda'), CONFIG)
    agent = load_agent(folder / 'latest', 'cuda')
    policy = load_policy(folder / 'latest', 'cpu')
    assert agent.device.type == 'cuda'
    np.testing.assert_allclose(policy.act([1.0, 2.0, 3.0]), agent.act([1.0, 2.0, 3.0]), atol=1e-5)
