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

"""Tests for evaluate_commands.py: choices, and two policies until one is the better."""

import json

import pytest

from iql_ros.cli import cli
from iql_ros.cli.json_output import SEQUENTIAL_KEYS
from iql_ros.runs.evaluate import EpisodeResult, write_results
from tests.cli.command import code_of

PENDULUM = ['--env', 'Pendulum-v1']


def results(path, successes):
    write_results(path, [EpisodeResult(number, number, -1.0, 10, True, False, success)
                         for number, success in enumerate(successes)])


def test_a_choice_is_said_and_changes_what_is_done(trained, capsys):
    evaluate, seen = ['evaluate', 'runs/a_iql', *PENDULUM, '--episodes', '1'], {}
    for choice, words in ((['mean'], 'mean'), (['best', '--samples', '4'], 'best of 4 samples'),
                          (['weighted', '--choice-temperature', '9'],
                           'weighted mean of 32 samples, temperature 9')):
        assert cli.main([*evaluate, '--choice', *choice]) == 0
        *_, last = capsys.readouterr().out.splitlines()
        assert last.endswith(f'acting by the {words}')
        seen[words] = last.split()[3]
    assert len(set(seen.values())) > 1


def test_a_policy_and_itself_cannot_be_told_apart(trained, capsys):
    assert cli.main(['evaluate', 'runs/a_iql', 'runs/a_iql', '--sequential', *PENDULUM,
                     '--episodes', '2']) == 0
    *pairs, last = capsys.readouterr().out.splitlines()
    assert len(pairs) == 2 and pairs[0].startswith('runs/a_iql: episode 0: return ')
    assert last == ('cannot be told apart: runs/a_iql was better in 0 of 2 pairs of episodes, '
                    'runs/a_iql in 0')


def test_results_of_a_robot_are_compared_until_it_is_sure(workplace, capsys):
    results('a.csv', [True] * 20)
    results('b.csv', [False] * 20)
    capsys.readouterr()
    assert cli.main(['evaluate', '--sequential', '--results', 'a.csv', 'b.csv', '--json']) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == list(SEQUENTIAL_KEYS)
    assert facts['better'] == 'a.csv' and facts['wins'] == [7, 0] and len(facts['pairs']) == 7
    assert facts['evidence'] >= 20


def test_the_better_policy_is_found_in_an_environment(trained, capsys, monkeypatch):
    from iql_ros.sim import envs
    make = envs.make_env

    def generous(env_id):  # to whoever is evaluated second
        env = make(env_id)
        step, bonus = env.step, 100.0 * len(made)
        made.append(env)

        def paid(action):
            observation, reward, *rest = step(action)
            return observation, float(reward) + bonus, *rest
        monkeypatch.setattr(env, 'step', paid)
        return env
    made = []
    monkeypatch.setattr(envs, 'make_env', generous)
    assert cli.main(['evaluate', 'runs/a_iql', 'runs/a_iql/latest', '--sequential',
                     *PENDULUM]) == 0
    *pairs, last = capsys.readouterr().out.splitlines()
    assert last.startswith('runs/a_iql/latest is better: ') and len(pairs) == 7


@pytest.mark.parametrize(('line', 'message'), [
    ('0,0,-1.0,10,1,0', 'b.csv:2: is no row of results: 0,0,-1.0,10,1,0'),
    ('0,0,-1.0,10,1,0,yes', 'b.csv:2: is no row of results'),
    ('0,0,high,10,1,0,1', 'b.csv:2: is no row of results')])
def test_a_damaged_file_of_results_is_named_with_its_line(workplace, capsys, line, message):
    results('a.csv', [True])
    header, _ = (workplace / 'a.csv').read_text().split('\n', 1)
    (workplace / 'b.csv').write_text(f'{header}\n{line}\n')
    assert code_of(['evaluate', '--sequential', '--results', 'a.csv', 'b.csv']) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
