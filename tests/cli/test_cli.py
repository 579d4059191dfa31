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

"""Tests for cli.py and commands.py."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import yaml

from iql_ros.cli import cli
from iql_ros.data.datasets import load_dataset
from iql_ros.files import share_folder
from iql_ros.online.experience_log import read_experience


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Give every test its own working folder, Minari root and runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
    monkeypatch.setenv('IQL_RUNS', str(tmp_path / 'runs'))
    return tmp_path


def flat_file(path='a.hdf5', steps=40, high=1.0, **changes):
    """Write four episodes in the shape of Pendulum-v1's data."""
    rng = np.random.default_rng(0)
    contents = {'observations': rng.normal(size=(steps, 3)).astype(np.float32),
                'actions': np.linspace(-high, high, steps, dtype=np.float32)[:, None],
                'rewards': rng.normal(size=steps), 'terminals': np.zeros(steps, bool),
                'timeouts': np.arange(1, steps + 1) % 10 == 0, **changes}
    with h5py.File(path, 'w') as file:
        for name, values in contents.items():
            file[name] = values
    return path


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*'))


def run(*arguments):
    """Run the command in a process of its own."""
    return subprocess.run([sys.executable, '-m', 'iql_ros.cli', *arguments],
                          capture_output=True, text=True, timeout=120)


def test_help_names_the_commands_and_each_help_has_an_example(capsys):
    for arguments, text in ((['--help'], 'evaluate'), (['convert', '--help'], 'example:'),
                            (['inspect', '--help'], 'example:'),
                            (['train', '--help'], 'example:'),
                            (['finetune', '--help'], 'example:'),
                            (['evaluate', '--help'], 'example:')):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 0
        assert text in capsys.readouterr().out


def test_the_help_needs_no_heavy_import():
    code = ('import sys\nfrom iql_ros.cli import cli\ntry:\n    cli.main(["--help"])\n'
            'except SystemExit:\n    pass\n'
            'print(sorted({"torch", "h5py", "minari", "gymnasium"} & set(sys.modules)))')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == '[]'


def test_a_file_is_converted_and_inspected(capsys):
    flat_file(high=1.05)
    assert cli.main(['convert', 'a.hdf5', '--dataset', 'test/a-v0']) == 0
    out = capsys.readouterr().out
    assert 'test/a-v0: 36 transitions in 4 episodes, 3 observation and 1 action values' in out
    assert 'of the action values lie outside of their range: clipped' in out
    assert 'note: 4 steps left out' in out
    assert cli.main(['inspect', 'test/a-v0']) == 0
    assert '36 in 4 episodes' in capsys.readouterr().out
    assert cli.main(['inspect', 'a.hdf5', '--action-low', '-2', '--action-high', '3']) == 0
    assert '-1 and +1 mean [-2, 3]' in capsys.readouterr().out


def test_train_resume_inspect_and_evaluate_follow_each_other(workplace, capsys):
    flat_file()
    train = ['train', '--dataset', 'a.hdf5', '--action-low', '-2', '--action-high', '2',
             '--set', 'updates=4', '--set', 'hidden_dims=[8, 8]', '--set', 'batch_size=8']
    assert cli.main(train) == 0
    assert 'note: 4 steps left out' in capsys.readouterr().out
    folder = workplace / 'runs' / 'a_iql'
    settings = yaml.safe_load((folder / 'config.yaml').read_text())
    assert settings['updates'] == 4 and settings['hidden_dims'] == [8, 8]
    assert 'data:image/png' in (folder / 'report.html').read_text()
    assert cli.main(['train', '--resume', '--name', 'a_iql']) == 0
    capsys.readouterr()
    assert cli.main(['inspect', 'runs/a_iql']) == 0
    out = capsys.readouterr().out
    assert 'algorithm' in out and 'step_4.safetensors' in out and 'unbound' in out
    evaluate = ['evaluate', 'runs/a_iql', '--env', 'Pendulum-v1', '--episodes', '2', '--seed', '7']
    assert cli.main([*evaluate, '--csv', 'results.csv']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(':')[0] for line in lines] == ['episode 0', 'episode 1', '2 episodes']
    header, *rows = (workplace / 'results.csv').read_text().splitlines()
    assert header.startswith('episode,seed,return,length')
    assert [row.split(',')[:2] for row in rows] == [['0', '7'], ['1', '8']]


def test_a_setting_of_the_config_file_gives_way_to_the_options(workplace):
    flat_file()
    (workplace / 'mine.yaml').write_text(
        'updates: 2\nbatch_size: 8\nhidden_dims: [4]\nalgorithm: bc\nname: mine\nseed: 1\n')
    assert cli.main(['train', '--dataset', 'a.hdf5', '--config', 'mine.yaml',
                     '--set', 'seed=2']) == 0
    settings = yaml.safe_load((workplace / 'runs' / 'mine' / 'config.yaml').read_text())
    assert (settings['seed'], settings['algorithm'], settings['updates']) == (2, 'bc', 2)


@pytest.fixture(scope='module')
def trained_once(tmp_path_factory):
    """Return a folder with a run `a_iql` of four updates."""
    folder = tmp_path_factory.mktemp('trained')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv('IQL_RUNS', str(folder / 'runs'))
        flat_file()
        assert cli.main(['train', '--dataset', 'a.hdf5', '--set', 'updates=4',
                         '--set', 'hidden_dims=[8, 8]', '--set', 'batch_size=8']) == 0
    return folder


@pytest.fixture
def trained(workplace, trained_once):
    """Leave that run behind."""
    shutil.copytree(trained_once, workplace, symlinks=True, dirs_exist_ok=True)
    return workplace


FINETUNE = ['finetune', 'runs/a_iql', '--env', 'Pendulum-v1', '--config', 'paper',
            '--set', 'evaluation_episodes=1']


def test_a_run_is_finetuned_resumed_inspected_and_evaluated(trained, capsys):
    assert cli.main([*FINETUNE, '--set', 'steps=30', '--set', 'actor_average=0.001']) == 0
    assert re.search('fine-tuned: .*a_iql_finetuned, report: .*report.html',
                     capsys.readouterr().out)
    folder = trained / 'runs' / 'a_iql_finetuned'
    settings = yaml.safe_load((folder / 'config.yaml').read_text())
    assert settings['checkpoint'] == str(trained / 'runs/a_iql/checkpoints/step_4.safetensors')
    assert (settings['steps'], settings['weights_at'], settings['environment']) == (
        30, 'step', 'Pendulum-v1')
    assert 'At the start, return was' in (folder / 'report.html').read_text()
    assert len(read_experience(folder / 'experience.log')) == 30
    for resume in (['finetune', '--name', 'a_iql_finetuned'], ['finetune', 'runs/a_iql']):
        assert cli.main([*resume, '--resume']) == 0  # its own settings; it is done
    assert len(read_experience(folder / 'experience.log')) == 30
    capsys.readouterr()
    assert cli.main(['inspect', 'runs/a_iql_finetuned']) == 0
    assert ('on 30 transitions of its own, by 30 updates after 4 offline; acts by an average of '
            'the actor') in capsys.readouterr().out
    assert cli.main(['evaluate', 'runs/a_iql_finetuned', '--env', 'Pendulum-v1',
                     '--episodes', '1']) == 0
    assert capsys.readouterr().out.startswith('episode 0: return -')


def test_finetuning_is_bound_to_the_robot_of_the_options_also_when_resumed(workplace, capsys):
    robot = (share_folder() / 'config' / 'robots' / 'diffbot.yaml').read_text()
    (workplace / 'robot.yaml').write_text(robot)
    rng = np.random.default_rng(0)
    flat_file(observations=rng.normal(size=(40, 6)),
              actions=rng.uniform([-0.3, -1.5], [0.3, 1.5], (40, 2)))
    assert cli.main(['train', '--dataset', 'a.hdf5', '--set', 'updates=4', '--action-low', '-0.3',
                     '-1.5', '--action-high', '0.3', '1.5', '--set', 'hidden_dims=[8]']) == 0
    finetune = ['finetune', 'runs/a_iql', '--env', 'iql_ros/Diffbot-v0', '--set', 'steps=20',
                '--set', 'evaluation_episodes=1', '--name', 'mine']
    assert cli.main([*finetune, '--robot-config', 'robot.yaml']) == 0
    (workplace / 'robot.yaml').write_text(robot.replace('time_limit: 20.0', 'time_limit: 10.0'))
    resume = ['finetune', '--resume', '--name', 'mine']
    assert cli.main(resume) == 0
    capsys.readouterr()
    assert cli.main([*resume, '--robot-config', 'robot.yaml']) == 2
    assert "'task' is" in capsys.readouterr().err


BAD_FINETUNING = [
    (['finetune'], 'CHECKPOINT is missing'),
    (['finetune', '--resume'], 'CHECKPOINT is missing'),
    (['finetune', 'absent', '--env', 'Pendulum-v1'], 'absent: cannot be read'),
    (['finetune', 'runs/a_iql'], r'environment: got none; .*\(--env ID\)'),
    (['finetune', 'runs/a_iql', '--env', 'Absent-v0'], 'Absent-v0'),
    (['finetune', 'runs/a_iql', '--env', 'Hopper-v5'], 'observation values'),
    (['finetune', 'runs/a_iql', '--resume'], 'nothing to resume'),
    (['finetune', '--resume', '--name', 'a_iql'], "'a_iql' is one of `iql-ros train`"),
    (['train', '--resume', '--name', 'tuned'], "'tuned' is one of `iql-ros finetune`"),
    (['finetune', 'runs/a_iql', '--name', 'a_iql', '--env', 'Pendulum-v1'], 'exists already'),
    ([*FINETUNE, '--set', 'stps=5'], "did you mean 'steps'"),
    ([*FINETUNE, '--set', 'guard=2'], 'guard: got 2; expected bool'),
    ([*FINETUNE, '--dataset', 'absent.hdf5'], 'absent.hdf5: no such file'),
    ([*FINETUNE[:-4], '--config', 'papr'], "did you mean 'paper'"),
    ([*FINETUNE, '--allow', 'everything'], "invalid choice: 'everything'"),
]


@pytest.mark.parametrize('arguments, message', BAD_FINETUNING,
                         ids=[' '.join(arguments) for arguments, _ in BAD_FINETUNING])
def test_bad_input_of_finetuning_ends_alike(trained, capsys, arguments, message):
    (trained / 'runs' / 'tuned').mkdir()
    (trained / 'runs' / 'tuned' / 'config.yaml').write_text('{checkpoint: a, dataset: null}')
    before = files_in(trained)
    capsys.readouterr()
    try:
        code = cli.main(arguments)
    except SystemExit as ended:
        code = ended.code
    error = capsys.readouterr().err
    assert code == 2 and re.search(message, error) and error.count('\n') == 1
    assert files_in(trained) == before


BAD_INPUTS = [
    ([], 'required: COMMAND'),
    (['fly'], "invalid choice: 'fly'"),
    (['convert', 'a.hdf5'], 'required: --dataset'),
    (['convert', 'a.hdf5', '--dataset', 'a'], "dataset id 'a': expected NAME/x-v0"),
    (['convert', 'absent.h5', '--dataset', 'test/a-v0'], 'absent.h5: no such file'),
    (['convert', 'wide.hdf5', '--dataset', 'test/a-v0'], '--env ID or --action-low'),
    (['convert', 'nan.hdf5', '--dataset', 'test/a-v0'], 'rewards of episode 1, row 2: got nan'),
    (['convert', 'cut.hdf5', '--dataset', 'test/a-v0'], 'cut.hdf5: cannot be read as HDF5'),
    (['convert', 'a.hdf5', 'nan.hdf5', '--dataset', 'test/a-v0'], 'is converted alone'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--env', 'Pendulm-v1'], 'Pendulum-v1'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--env', 'MountainCarContinuous-v0'],
     'has 3 observation and 1 action values; MountainCarContinuous-v0 has 2 and 1'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--action-low', 'x'], 'invalid float value'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--action-low', '0', '0',
      '--action-high', '1'], '--action-low: got 2 values; expected 1 or 1'),
    (['convert', 'a.hdf5', '--dataset', 'test/a-v0', '--robot-config', 'task.yaml'],
     '--robot-config is for bags'),
    (['convert', 'a_bag', '--dataset', 'test/a-v0'], 'a_bag: bags need --robot-config'),
    (['inspect', 'cut.hdf5'], 'cannot be read as HDF5'),
    (['inspect', 'test/absent-v0'], "unknown dataset 'test/absent-v0'"),
    (['inspect', 'text.safetensors'], 'text.safetensors: is not a checkpoint'),
    (['train'], '--dataset ID is missing'),
    (['train', '--dataset', 'cut.hdf5'], 'cannot be read as HDF5'),
    (['train', '--dataset', 'a.hdf5', '--set', 'expectil=0.8'], "did you mean 'expectile'"),
    (['train', '--dataset', 'a.hdf5', '--set', 'expectile=high'], "got 'high'; expected float"),
    (['train', '--dataset', 'a.hdf5', '--set', 'expectile=1.5'], '0 < expectile < 1'),
    (['train', '--dataset', 'a.hdf5', '--set', 'expectile'], 'expected KEY=VALUE'),
    (['train', '--dataset', 'a.hdf5', '--config', 'robt'], "did you mean 'robot'"),
    (['train', '--dataset', 'a.hdf5', '--config', 'absent.yaml'], 'absent.yaml: cannot be read'),
    (['train', '--dataset', 'a.hdf5', '--name', '../x'], "name: got '../x'"),
    (['train', '--dataset', 'a.hdf5', '--resume'], 'nothing to resume'),
    (['train', '--resume', '--name', 'absent'], "run 'absent': .* nothing to resume"),
    (['train', '--resume'], '--dataset ID is missing'),
    (['train', '--dataset', 'a.hdf5', '--env', 'Absent-v0'], 'Absent-v0'),
    (['train', '--dataset', 'a.hdf5', '--robot-config', 'absent.yaml'], 'absent.yaml: cannot be'),
    (['train', '--dataset', 'a.hdf5', '--robot-config', 'task.yaml'], "unknown key 'rewrd'"),
    (['train', '--dataset', 'a.hdf5', '--set', 'seed=.inf'], 'seed: got inf; expected int'),
    (['inspect', 300 * 'a'], 'File name too long'),
    (['inspect', 'narrow.hdf5'], 'has 0 observation and 1 action values; expected at least one'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--seed', '-1'], 'whole number, 0 or more'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--csv', '.'], 'is a folder; expected a file'),
    (['benchmark', '--json', 'no/a.json'], 'folder does not exist'),
    (['evaluate', 'text.safetensors', '--env', 'Pendulum-v1'], 'is not a checkpoint'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1'], 'absent: cannot be read'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--episodes', '0'], 'number, 1 or more'),
    (['evaluate', 'absent', '--env', 'Pendulum-v1', '--csv', 'no/a.csv'], 'folder does not exist'),
]


@pytest.mark.parametrize('arguments, message', BAD_INPUTS,
                         ids=[' '.join(arguments) or 'nothing' for arguments, _ in BAD_INPUTS])
def test_bad_input_ends_with_one_line_and_code_2_and_nothing_written(workplace, capsys,
                                                                     arguments, message):
    flat_file()
    flat_file('wide.hdf5', high=3.0)
    flat_file('narrow.hdf5', observations=np.zeros((40, 0)))
    robot = (share_folder() / 'config' / 'robots' / 'diffbot.yaml').read_text()
    (workplace / 'task.yaml').write_text(robot.replace('  reward:', '  rewrd:'))
    flat_file('nan.hdf5', rewards=np.where(np.arange(40) == 12, np.nan, 1.0))
    (workplace / 'cut.hdf5').write_bytes((workplace / 'a.hdf5').read_bytes()[:2500])
    (workplace / 'text.safetensors').write_text('not a checkpoint')
    before = files_in(workplace)
    try:
        code = cli.main(arguments)
    except SystemExit as ended:  # argparse's own
        code = ended.code
    error = capsys.readouterr().err
    assert code == 2
    assert re.search(message, error) and error.count('\n') == 1
    assert error.startswith('iql-ros')
    assert set(files_in(workplace)) - set(before) <= {'minari'}


def test_the_process_ends_with_code_2_and_no_traceback():
    done = run('inspect', 'absent.h5')
    assert done.returncode == 2
    assert done.stderr == 'iql-ros: error: absent.h5: no such file\n' and done.stdout == ''


def test_a_reader_that_has_seen_enough_makes_no_noise(workplace):
    flat_file()
    done = subprocess.run(f'{sys.executable} -m iql_ros.cli inspect a.hdf5 | true', shell=True,
                          capture_output=True, text=True)
    assert done.stderr == ''


def interrupted(arguments, metrics):
    """Run a command until its run has written some rows, press Ctrl-C; return code and words."""
    there = metrics.read_text().count('\n') if metrics.exists() else 0
    process = subprocess.Popen([sys.executable, '-m', 'iql_ros.cli', *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.read_text().count('\n') > there + 2):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    return process.returncode, out, error


def test_ctrl_c_saves_and_ends_with_one_line(workplace):
    flat_file()
    code, out, error = interrupted(
        ['train', '--dataset', 'a.hdf5', '--name', 'long', '--set', 'updates=1000000',
         '--set', 'log_every=50', '--set', 'hidden_dims=[8]'],
        workplace / 'runs' / 'long' / 'metrics.csv')
    assert code == 130
    assert error.splitlines()[-1] == 'iql-ros: interrupted' and 'Traceback' not in error
    assert '--resume' in out
    assert (workplace / 'runs' / 'long' / 'latest').exists()


def test_ctrl_c_saves_finetuning_and_it_goes_on(trained):
    folder = trained / 'runs' / 'a_iql_finetuned'
    code, out, error = interrupted([*FINETUNE, '--set', 'steps=100000', '--set', 'log_every=20'],
                                   folder / 'metrics.csv')
    assert code == 130
    assert error.splitlines()[-1] == 'iql-ros: interrupted' and 'Traceback' not in error
    assert re.search('saved, --resume goes on with it: .*a_iql_finetuned, report: ', out)
    stored = len(read_experience(folder / 'experience.log'))
    code, out, error = interrupted(['finetune', '--resume', '--name', 'a_iql_finetuned'],
                                   folder / 'metrics.csv')
    assert code == 130 and len(read_experience(folder / 'experience.log')) > stored


def test_a_bug_is_no_input_error(monkeypatch):
    monkeypatch.setattr('iql_ros.data.datasets.read_flat', lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(['inspect', 'a.hdf5'])


def test_provenance_of_a_converted_file_names_it(workplace):
    flat_file()
    cli.main(['convert', 'a.hdf5', '--dataset', 'test/a-v0'])
    metadata = json.loads((workplace / 'minari/test/a-v0/data/metadata.json').read_text())
    assert json.loads(metadata['iql_ros'])['sources'][0]['file'] == 'a.hdf5'
    assert load_dataset('test/a-v0').robot_config is None
    assert os.environ['MINARI_DATASETS_PATH'] == str(workplace / 'minari')
