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

"""Tests for trials.py."""

import shlex

import pytest
import torch

from iql_ros.cli.cli import main
from iql_ros.files import InputError
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.sweeps.trials import read_sweep, Sweep

VARIED = {'expectile': [0.7, 0.9], 'hidden_dims': [[8], [8, 8]]}


def sweep(**changes):
    """Return a small sweep of data.hdf5."""
    return Sweep(**{'name': 'small', 'config': 'robot', 'robot_config': None,
                    'settings': {'dataset': 'data.hdf5', 'updates': 4, 'checkpoint_every': 2},
                    'vary': {}, 'seeds': [0], **changes})


def test_every_combination_is_a_trial_for_every_seed():
    trials = sweep(vary=VARIED, seeds=[0, 3]).trials()
    assert [trial.name for trial in trials] == [
        f'small/expectile{expectile}_hidden_dims{hidden}_seed{seed}'
        for expectile in ('0.7', '0.9') for hidden in ('8', '8-8') for seed in (0, 3)]
    assert [trial.config.expectile for trial in trials] == 4 * [0.7] + 4 * [0.9]
    assert trials[-1].config.hidden_dims == (8, 8) and trials[-1].settings.seed == 3


def test_a_trial_is_told_in_whole_by_its_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = {'dataset': 'my data.hdf5', 'learning_rate': 1e-05, 'action_low': [-1.0, 0.5],
             'action_high': [1.0, 2.0], 'environment': None, 'updates': 4}
    trial, = sweep(settings=given, vary={}, seeds=[7]).trials()
    words = shlex.split(trial.command_line())
    assert words[:3] == ['iql-ros', 'train', '--begin-or-resume']
    assert main(words[1:]) == 2  # and not for any of its settings
    assert capsys.readouterr().err == 'iql-ros: error: my data.hdf5: no such file\n'
    assert trial.config.learning_rate == 1e-5 and trial.settings.action_low == (-1.0, 0.5)


@pytest.mark.parametrize('device, cuda, engine', [
    ('auto', False, 'fast'), ('cpu', True, 'fast'), ('auto', True, 'auto'),
    ('cuda', False, 'auto')])
def test_only_on_a_cpu_are_threads_and_engine_said(monkeypatch, device, cuda, engine):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    trial, = sweep(settings={'dataset': 'data.hdf5', 'device': device}).trials()
    assert trial.settings.engine == engine
    assert trial.settings.device == ('cpu' if engine == 'fast' else device)
    assert trial.settings.threads == (1 if engine == 'fast' else 0)


def test_a_sweep_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setenv('IQL_RUNS', str(tmp_path))
    written = sweep(vary=VARIED, seeds=[1, 2])
    written.write()
    assert read_sweep('small') == written


@pytest.mark.parametrize('text, words', [
    ('name: small', 'settings: got None'), ('seed: 1', "unknown key 'seed'"), ('[', 'not valid')])
def test_a_sweep_file_that_is_none_is_named(tmp_path, monkeypatch, text, words):
    monkeypatch.setenv('IQL_RUNS', str(tmp_path))
    sweep().write()
    (tmp_path / 'small' / 'sweep.yaml').write_text(text)
    with pytest.raises(InputError, match=f'sweep.yaml: .*{words}'):
        read_sweep('small')


def test_too_many_trials_are_refused():
    with pytest.raises(InputError, match='a sweep of 20,000 trials; allowed: 10,000'):
        sweep(vary={'batch_size': list(range(1, 2001))}, seeds=list(range(10))).trials()


def test_a_trial_is_done_when_its_newest_checkpoint_is_its_last(tmp_path, monkeypatch):
    monkeypatch.setenv('IQL_RUNS', str(tmp_path))
    trial, = sweep().trials()
    run = RunDirectory(trial.name)
    run.best.parent.mkdir(parents=True)
    done = []
    for step in (2, 4):
        run.checkpoint(step).touch()
        run.publish(step)
        done.append(trial.done)
    assert done == [False, True]
