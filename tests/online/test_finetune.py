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

"""Tests for finetune.py and settings.py: a whole run in process."""

import csv
import itertools
from pathlib import Path
import sys
import types

import numpy as np
import pytest
import torch
import yaml

from iql_ros.files import InputError, share_folder
from iql_ros.online.experience_log import read_experience
from iql_ros.online.finetune import finetune, settings_from_mapping
from iql_ros.online.settings import FinetuneSettings
from iql_ros.runs.checkpoint import load_agent, read_header
from iql_ros.tasks import docking_cost
from tests.small_run import settings, TEXT, write_start

DIFFBOT = 'iql_ros/Diffbot-v0'
SHORT = {'robot_config': TEXT.replace('time_limit: 20.0', 'time_limit: 2.0'),
         'allow_task': True}                 # ten steps an episode


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Work in a folder of its own that holds the offline data and a checkpoint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('IQL_RUNS', str(tmp_path / 'runs'))
    write_start()


def run(name='run', resume=False, stop_after=None, robot_config=None, allow_task=False,
        **changes):
    looks = itertools.count(1)
    return finetune(
        settings(**{'name': name, 'steps': 30, 'environment': DIFFBOT, 'checkpoint_every': 50,
                    'evaluation_episodes': 1, 'log_every': 50, **changes}),
        robot_config=robot_config, resume=resume, allow_task=allow_task,
        should_stop=stop_after and (lambda: next(looks) > stop_after))


def rows(folder):
    with open(folder / 'metrics.csv', newline='') as file:
        return list(csv.DictReader(file))


def test_a_run_learns_its_steps_and_leaves_all_that_it_should():
    folder = run(steps=130, evaluate_every=100)
    assert folder == Path.cwd() / 'runs' / 'run'
    assert [row['step'] for row in rows(folder)] == ['0', '50', '100', '130']
    judged = [row['step'] for row in rows(folder) if row['evaluation/success_rate']]
    assert judged == ['0', '100', '130']
    assert len(read_experience(folder / 'experience.log')) == 130
    online = read_header(folder / 'latest')['online']
    assert online['position'] == load_agent(folder / 'latest', 'cpu').step == 130
    config = yaml.safe_load((folder / 'config.yaml').read_text())
    assert config['steps'] == 130 and config['environment'] == DIFFBOT
    assert (folder / 'checkpoints' / 'best.safetensors').exists()


@pytest.mark.parametrize('changes', [{}, {'weights_at': 'step'}])
def test_the_same_seed_gives_the_same_run_to_the_bit(changes):
    one, two = (run(name, **changes, **SHORT) for name in ('one', 'two'))
    ours, theirs = (read_experience(folder / 'experience.log') for folder in (one, two))
    for name in ('observation', 'action', 'reward', 'tick_ns', 'success'):
        assert np.array_equal(ours[name], theirs[name]), name
    other = read_experience(run('other', seed=1, **changes, **SHORT) / 'experience.log')
    assert not np.array_equal(ours['action'], other['action'])
    ours, theirs = (load_agent(folder / 'latest', 'cpu').state() for folder in (one, two))
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_new_weights_act_at_the_next_step_or_the_next_episode():
    at_step, at_episode = (read_experience(
        run(kind, weights_at=kind, learning_rate=0.01, actor_average=0.0, **SHORT)
        / 'experience.log') for kind in ('step', 'episode'))
    frozen = read_experience(run('frozen', update_ratio=0.0, **SHORT) / 'experience.log')
    first = int(np.argmax(at_episode['truncated'])) + 1
    assert first == 10
    assert np.array_equal(frozen['action'][:first], at_episode['action'][:first])
    assert not np.array_equal(frozen['action'][first:], at_episode['action'][first:])
    assert np.array_equal(frozen['action'][0], at_step['action'][0])
    assert not np.array_equal(frozen['action'][1:first], at_step['action'][1:first])


def test_without_exploration_it_drives_by_the_mean():
    actions = read_experience(run(exploration_scale=0.0, update_ratio=0.0) /
                              'experience.log')['action']
    tried = read_experience(run('tried', update_ratio=0.0) / 'experience.log')['action']
    assert np.abs(np.diff(actions[5:15], axis=0)).mean() < 0.2 * np.abs(
        np.diff(tried[5:15], axis=0)).mean()


def test_a_run_that_was_stopped_goes_on_with_a_new_episode():
    folder = run(stop_after=14)
    stopped = len(read_experience(folder / 'experience.log'))
    assert 0 < stopped < 20
    run(resume=True, log_every=25)
    records = read_experience(folder / 'experience.log')
    assert len(records) == 30 and len(np.unique(records['session'])) == 2
    assert records['step'][stopped] == records['episode'][stopped] == 0
    assert load_agent(folder / 'latest', 'cpu').step == 30
    assert [row['step'] for row in rows(folder)] == ['0', '25', '30']


def test_a_run_that_is_done_can_be_given_more_steps():
    run(steps=20)
    folder = run(steps=30, resume=True)
    assert len(read_experience(folder / 'experience.log')) == 30


def test_without_any_robot_config_the_environments_own_reward_and_ends_count():
    write_start(robot_config=None)
    folder = run(steps=110)
    records = read_experience(folder / 'experience.log')
    assert set(records['reward']) == {-1.0}
    assert np.flatnonzero(records['truncated']).tolist() == [99]
    assert read_header(folder / 'latest')['robot_config'] is None


@pytest.mark.parametrize('given, message', [
    ({'environment': None}, 'environment: got none; expected a Gymnasium id'),
    ({'environment': 'Hopper-v5'}, 'Hopper-v5.* has 11 observation values; the policy has 6'),
    ({'environment': 'iql_ros/Nothing-v0'}, "unknown environment 'iql_ros/Nothing-v0'"),
    ({'checkpoint': 'nothing.safetensors'}, 'nothing.safetensors: cannot be read'),
    ({'dataset': 'nothing.hdf5'}, 'nothing.hdf5'),
    ({'resume': True}, 'nothing to resume'),
    ({'robot_config': TEXT.replace('time_limit: 20.0', 'time_limit: 30.0')},
     'the checkpoint is of another task than robot .diffbot. here'),
    ({'robot_config': (share_folder() / 'config/robots/hopper.yaml').read_text()}, 'hopper'),
])
def test_what_cannot_be_is_refused_on_one_line_and_writes_nothing(given, message):
    with pytest.raises(InputError, match=message) as error:
        run(**given)
    assert '\n' not in str(error.value)
    assert not Path('runs').exists()


@pytest.mark.parametrize('key', ['reward', 'terminated', 'success'])
def test_a_checkpoint_from_elsewhere_does_not_choose_what_runs_here(key):
    shipped = next(line for line in TEXT.splitlines() if line.startswith(f'  {key}: '))
    theirs = TEXT.replace(shipped, f'  {key}: antigravity:geohash')
    write_start(robot_config=theirs)
    with pytest.raises(InputError, match=f"task: {key}: 'antigravity:geohash' is named by a file"):
        run()
    assert 'antigravity' not in sys.modules and not Path('runs').exists()
    assert run(robot_config=TEXT, allow_task=True).is_dir()


def test_a_run_from_elsewhere_does_not_choose_what_runs_here_when_it_is_resumed(monkeypatch):
    shipped = next(line for line in TEXT.splitlines() if line.startswith('  reward: '))
    mine = TEXT.replace(shipped, '  reward: mine:cost')
    monkeypatch.setitem(sys.modules, 'mine', types.SimpleNamespace(cost=docking_cost))
    latest = run(robot_config=mine, allow_task=True, steps=20) / 'latest'
    monkeypatch.delitem(sys.modules, 'mine')
    with pytest.raises(InputError, match="step_.*task: reward: 'mine:cost' is named by a file"):
        run(resume=True, allow_task=True, steps=30)
    assert 'mine' not in sys.modules and latest.exists()


def test_an_empty_yaml_does_not_stand_for_the_checkpoints():
    with pytest.raises(InputError, match='robot_config: expected a mapping of keys, got NoneType'):
        run(robot_config='')


def test_a_cloned_policy_has_no_critic_to_go_on_with():
    write_start(algorithm='bc')
    with pytest.raises(InputError, match="algorithm is 'bc', which trains no critic"):
        run()
    assert not Path('runs').exists()


def test_another_task_is_taken_when_it_is_allowed():
    records = read_experience(run(**SHORT) / 'experience.log')
    assert np.flatnonzero(records['truncated']).tolist() == [9, 19, 29]


def test_a_run_that_is_there_is_neither_overwritten_nor_gone_on_with_otherwise():
    run(steps=20)
    with pytest.raises(InputError, match='exists already'):
        run(steps=20)
    with pytest.raises(InputError, match="'update_ratio' is 1.0 there and 0.5 now"):
        run(steps=20, update_ratio=0.5, resume=True)


@pytest.mark.parametrize('name, value, message', [
    ('update_ratio', -0.5, 'update_ratio: got -0.5; allowed: 0 to 100'),
    ('offline_ratio', 1.5, 'offline_ratio: got 1.5; allowed: 0 to 1, or null'),
    ('actor_average', 2.0, 'actor_average: got 2.0; allowed: 0 to 1'),
    ('learning_rate', 0.0, 'learning_rate: got 0.0; allowed: a finite number > 0'),
    ('capacity', 0, 'capacity: got 0; allowed: >= 1'),
    ('weights_at', 'tick', "unknown weights_at 'tick'"),
    ('max_drop', float('nan'), 'max_drop: got nan'),
    ('steps', 'many', "steps: got 'many'; expected int"),
    ('update_rate', 1.0, "unknown key 'update_rate'"),
])
def test_settings_that_cannot_be_are_refused_by_name(name, value, message):
    with pytest.raises(InputError) as error:
        settings_from_mapping({'checkpoint': 'c', 'name': 'n', name: value}, 'mine.yaml')
    assert message in str(error.value) and str(error.value).startswith('mine.yaml')


@pytest.mark.parametrize('file_name', ['robot.yaml', 'paper.yaml'])
def test_the_shipped_settings_can_be_read(file_name):
    mapping = yaml.safe_load((share_folder() / 'config' / 'finetune' / file_name).read_text())
    found = settings_from_mapping({'checkpoint': 'c', 'name': 'n', **mapping}, file_name)
    if file_name == 'robot.yaml':
        assert found == FinetuneSettings('c', 'n')
