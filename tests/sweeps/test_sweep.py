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

"""Tests for sweep.py, processes.py and page.py: real trainings, small ones."""

import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys

import pytest
from safetensors.torch import load_file
import torch

from iql_ros.cli.cli import main
from iql_ros.files import InputError
from iql_ros.runs.run_directory import RunDirectory
from tests.runs.small_training import write_data
from tests.waiting import wait_until

SMALL = ['--set', 'updates=40', '--set', 'hidden_dims=[8,8]', '--set', 'batch_size=8',
         '--set', 'log_every=20', '--set', 'evaluate_every=20', '--set', 'evaluation_episodes=1',
         '--set', 'choice_episodes=2']
EVALUATED = ['--env', 'Pendulum-v1', '--action-low', '-2', '--action-high', '2']
TWO = ['--set', 'expectile=0.7,0.9']
NAMES = ['small/expectile0.7_seed0', 'small/expectile0.9_seed0']


@pytest.fixture(scope='module')
def swept(tmp_path_factory):
    """Return a folder with a sweep that is done, and what it printed."""
    folder = tmp_path_factory.mktemp('swept')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_data('data.hdf5')
        done = command('sweep', '--dataset', 'data.hdf5', *SMALL, *EVALUATED, *TWO, '--name',
                       'small')
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch, swept):
    """Work in a folder of its own that holds data.hdf5 and that sweep."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IQL_RUNS', 'runs')
    shutil.copytree(swept[0], tmp_path, symlinks=True, dirs_exist_ok=True)


def command(*words):
    """Run `iql-ros`."""
    return subprocess.run([sys.executable, '-m', 'iql_ros.cli', *words], capture_output=True,
                          text=True, timeout=300, env={**os.environ, 'IQL_RUNS': 'runs'})


def tensors(name):
    """Return those of a run's newest checkpoint."""
    return load_file(RunDirectory(name).latest())


def assert_equal(one, other):
    """Compare checkpoints, to the bit."""
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def is_free(name):
    """Say whether no process trains a run."""
    try:
        with RunDirectory(name).held():
            return True
    except InputError:
        return False


def test_a_sweep_trains_all_and_says_which_was_best(swept):
    _, out = swept
    assert [RunDirectory(name).latest().name for name in NAMES] == 2 * ['step_40.safetensors']
    table = out[out.index('return (IQM)'):]
    assert 'expectile 0.7 ' in table and 'expectile 0.9 ' in table and '1 seed' in table
    assert 'Best by its last evaluations: expectile 0.' in table
    assert 'With one seed it may be luck' in table and 'Best single run: runs/small/' in table
    page = Path('runs', 'small', 'report.html').read_text().replace('<wbr>', '')
    assert page.count('<figure>') == 2 and 'expectile0.9_seed0' in page


def test_every_trial_equals_its_single_run_to_the_bit():
    assert main(['train', '--dataset', 'data.hdf5', *SMALL, *EVALUATED, '--set', 'expectile=0.9',
                 '--set', 'threads=1', '--set', 'engine=fast', '--name', 'single']) == 0
    assert_equal(tensors('single'), tensors(NAMES[1]))


def test_the_printed_commands_train_the_same(capsys):
    assert main(['sweep', '--dataset', 'data.hdf5', *SMALL, *EVALUATED, *TWO, '--name', 'printed',
                 '--print']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and not Path('runs', 'printed', 'expectile0.7_seed0').exists()
    program = f'{sys.executable} -m iql_ros.cli'
    subprocess.run(['sh', '-c', lines[1].replace('iql-ros', program, 1)], check=True,
                   stdout=subprocess.DEVNULL)
    assert_equal(tensors('printed/expectile0.9_seed0'), tensors(NAMES[1]))
    assert main(['sweep', '--resume', '--name', 'printed', '--print']) == 0
    assert capsys.readouterr().out.splitlines() == lines[:1]


def test_a_sweep_that_is_there_goes_on_only_with_resume_and_may_grow(capsys):
    first = RunDirectory(NAMES[0]).latest().stat().st_mtime_ns
    assert main(['sweep', '--dataset', 'data.hdf5', *SMALL, *TWO, '--name', 'small']) == 2
    assert '--resume goes on with it' in capsys.readouterr().err
    assert main(['sweep', '--resume', '--name', 'small', '--seeds', '2']) == 0
    out = capsys.readouterr().out
    assert '4 trials, 2 of them done before' in out and 'These seeds do not tell it' in out
    assert RunDirectory('small/expectile0.9_seed1').latest().name == 'step_40.safetensors'
    assert RunDirectory(NAMES[0]).latest().stat().st_mtime_ns == first


@pytest.mark.parametrize('words, error', [
    (['--dataset', 'other.hdf5'], "run 'small/expectile0.7_seed0': 'dataset' is '"),
    (['--set', 'updates=80'], "run 'small/expectile0.7_seed0': 'updates' is 40 there and 80 now")])
def test_a_trial_of_another_dataset_or_setting_is_named(capsys, words, error):
    write_data('other.hdf5')
    assert main(['sweep', '--resume', '--name', 'small', *words]) == 2
    captured = capsys.readouterr().err
    assert error in captured and captured.count('\n') == 1


def test_a_trial_that_fails_is_named_and_the_others_go_on(capsys):
    assert main(['sweep', '--dataset', 'data.hdf5', *SMALL, '--set',
                 'learning_rate=0.0003,1.0e+30', '--name', 'failing']) == 2
    captured = capsys.readouterr()
    assert '1 of 2 trials failed; failing/learning_rate1e-30_seed0: ' in captured.err
    assert 'training diverged' in captured.err and captured.err.count('error:') == 1
    assert RunDirectory('failing/learning_rate0.0003_seed0').latest().name.startswith('step_40')
    assert 'Trials that failed' in Path('runs', 'failing', 'report.html').read_text()
    assert 'Which is best cannot be told: nothing was evaluated' in captured.out


def test_seeds_of_one_setting_have_a_report_together(capsys):
    assert main(['train', '--dataset', 'data.hdf5', *SMALL, *EVALUATED, '--seeds', '4-5',
                 '--name', 'pair']) == 0
    out = capsys.readouterr().out
    assert [RunDirectory(f'pair/seed{seed}').latest().name for seed in (4, 5)] == [
        'step_40.safetensors'] * 2
    assert 'all seeds' in out and 'Best single run: runs/pair/seed' in out


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_a_sweep_ends_its_trials_too_and_they_go_on(number):
    long = [word.replace('updates=40', 'updates=100000') for word in SMALL]
    with subprocess.Popen(
            [sys.executable, '-m', 'iql_ros.cli', 'sweep', '--dataset', 'data.hdf5', *long, *TWO,
             '--jobs', '1', '--name', 'long'],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        first, second = 'long/expectile0.7_seed0', 'long/expectile0.9_seed0'
        metrics = Path('runs', first, 'metrics.csv')
        wait_until(lambda: metrics.exists() and metrics.read_text().count('\n') > 2)
        process.send_signal(number)
        code, error = process.wait(timeout=60), process.stderr.read()
    if number == signal.SIGKILL:
        assert code == -number
    else:
        assert (code, error.splitlines()[-1]) == (130, 'iql-ros: interrupted')
        assert is_free(first)  # it waited for its trial
    wait_until(lambda: is_free(first))
    assert int(RunDirectory(first).latest().stem.removeprefix('step_')) > 0
    assert not Path('runs', second, 'config.yaml').exists()
