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

"""Tests for run_engine.py, run_directory.py, train.py: a stopped run ends as any other does."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.learner.engine import Engine
from iql_ros.runs import run_engine, trainer
from iql_ros.runs.checkpoint import load_agent, read_header, strip_checkpoint
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.train import train
from tests.places import ROOT
from tests.runs.small_training import (
    assert_same_end, CONFIG, pendulum_robot, rows, settings, stop_after, write_data)

pytestmark = pytest.mark.usefixtures('workplace')


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


def test_a_run_goes_on_by_the_engine_that_it_was_begun_by():
    train(settings(name='whole', engine='autograd'), CONFIG)
    folder = train(settings(engine='autograd'), CONFIG, should_stop=stop_after(1))
    train(settings(), CONFIG, should_stop=stop_after(2), resume=True)
    (folder / 'engine.json').unlink()  # as of a run that is older than the choice
    train(settings(), CONFIG, resume=True)
    assert_same_end('whole', 'run')
    assert 'engine' not in read_header(folder / 'latest')['training']


def test_a_run_goes_on_with_the_threads_that_it_was_begun_with():
    train(settings(name='whole', threads=2), CONFIG)
    folder = train(settings(threads=2), CONFIG, should_stop=stop_after(1))
    assert json.loads((folder / 'engine.json').read_text()) == {'engine': 'fast', 'threads': 2}
    train(settings(), CONFIG, resume=True)
    assert_same_end('whole', 'run')


def test_a_run_of_before_there_was_a_precision_is_resumed():
    folder = train(settings(), CONFIG, should_stop=stop_after(1))
    lines = (folder / 'config.yaml').read_text().splitlines(keepends=True)
    (folder / 'config.yaml').write_text(''.join(
        line for line in lines if not line.startswith(('precision', 'threads', 'engine'))))
    assert load_agent(train(settings(), CONFIG, resume=True) / 'latest').step == 60
    with pytest.raises(InputError, match="'precision' is 'fp32' there and 'bf16' now"):
        train(settings(precision='bf16'), CONFIG, resume=True)


def test_a_run_that_another_process_trains_is_refused():
    train(settings(), CONFIG, should_stop=stop_after(1))
    with RunDirectory('run').held():
        with pytest.raises(InputError, match="run 'run': another process is training it"):
            train(settings(), CONFIG, resume=True)
    assert load_agent(train(settings(), CONFIG, resume=True) / 'latest').step == 60


def test_threads_are_looked_at_again_while_a_run_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(trainer, '_LOOK_AGAIN', 0.0)
    monkeypatch.setattr(trainer, 'WORTH', 1)
    chosen = iter([(Engine('fast', 1), 'one'), (Engine('fast', 2), 'two'),
                   (Engine('fast', 2), 'two')])
    for module in (run_engine, trainer):
        monkeypatch.setattr(module, 'choose', lambda *_, **__: next(chosen))
    folder = train(settings(), CONFIG)
    assert 'note: from update 25 on: two' in capsys.readouterr().out
    assert json.loads((folder / 'engine.json').read_text())['threads'] == 2


@pytest.mark.parametrize('text', ['', '[]', '{"engine": "jax"}',
                                  '{"engine": "fast", "threads": 0}'])
def test_an_engine_that_is_none_is_named_with_its_file(text):
    folder = train(settings(), CONFIG, should_stop=stop_after(1))
    (folder / 'engine.json').write_text(text)
    with pytest.raises(InputError, match='engine.json: does not hold an engine; expected'):
        train(settings(), CONFIG, resume=True)


def test_nothing_to_resume_is_said():
    with pytest.raises(InputError, match="run 'run': .* does not exist, so there is nothing"):
        train(settings(), CONFIG, resume=True)


def test_a_resume_of_a_finished_run_changes_nothing():
    folder = train(settings(), CONFIG)
    before = {path: path.read_bytes() for path in (folder / 'checkpoints').iterdir()}
    assert train(settings(), CONFIG, resume=True) == folder
    assert before == {path: path.read_bytes() for path in (folder / 'checkpoints').iterdir()}


def test_a_resume_clears_away_our_own_half_written_files_and_nobody_elses():
    folder = train(settings(), CONFIG, should_stop=stop_after(1))
    theirs = [folder / '.config.yaml.swp', folder / '.notes.txt', folder / 'checkpoints' / '.x.y']
    ours = [folder / '.config.yaml.ab1_cd.iql_tmp',
            folder / 'checkpoints' / '.step_1.safetensors.x.iql_tmp']
    for path in [*theirs, *ours]:
        path.write_text('')
    (folder / '.latest.iql_tmp').symlink_to('nowhere')
    train(settings(), CONFIG, resume=True)
    assert all(path.exists() for path in theirs) and not any(path.exists() for path in ours)
    assert not (folder / '.latest.iql_tmp').is_symlink()


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
import sys
from iql_ros.learner.iql import IQLConfig
from iql_ros.runs.settings import TrainSettings
from iql_ros.runs.train import train
train(TrainSettings(dataset='data.hdf5', name=sys.argv[1], updates=3000, log_every=40,
                    checkpoint_every=330, device='cpu', engine='fast', threads=1),
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
            line = process.stdout.readline()
            done = int(line.split('/')[0]) if line[0].isdigit() else done
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, moments
    finish(start('cut', 'resume'))
    assert_same_end('whole', 'cut')
    folder = RunDirectory('cut').path
    assert [path.name for path in folder.rglob('.*') if path.is_file()] == ['.lock']
    assert len(rows(folder)) == 1 + 3000 // 40


def test_a_run_killed_before_its_first_checkpoint_starts_anew():
    folder = RunDirectory('run').path
    folder.mkdir(parents=True)
    (folder / 'metrics.csv').write_text('step,value/loss\n20,1.0\n25,0.')
    (folder / '.config.yaml.abc.iql_tmp').write_text('half')
    train(settings(), CONFIG, resume=True)
    train(settings(name='whole'), CONFIG)
    assert_same_end('run', 'whole')
    assert not (folder / '.config.yaml.abc.iql_tmp').exists()
