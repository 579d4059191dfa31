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

"""Tests for `iql-ros finetune`."""

import re

import numpy as np
import pytest
import yaml

from iql_ros.cli import cli
from iql_ros.files import share_folder
from iql_ros.online.experience_log import read_experience
from tests.cli.command import code_of, files_in, FINETUNE, flat_file


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
    ([*FINETUNE, '--allow', 'everything'], "unknown name 'everything'"),
]


@pytest.mark.parametrize('arguments, message', BAD_FINETUNING,
                         ids=[' '.join(arguments) for arguments, _ in BAD_FINETUNING])
def test_bad_input_of_finetuning_ends_alike(trained, capsys, arguments, message):
    (trained / 'runs' / 'tuned').mkdir()
    (trained / 'runs' / 'tuned' / 'config.yaml').write_text('{checkpoint: a, dataset: null}')
    before = files_in(trained)
    capsys.readouterr()
    code = code_of(arguments)
    error = capsys.readouterr().err
    assert code == 2 and re.search(message, error) and error.count('\n') == 1
    assert files_in(trained) == before
