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

"""Tests for commands.py: train and evaluate; test_finetune.py has the rest."""

import yaml

from iql_ros.cli import cli
from tests.cli.command import flat_file


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
