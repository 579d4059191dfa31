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

"""Tests for task_functions.py: what is no task function is refused, and never called."""

import functools
import os
import sys
import types

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot.task_functions import load_function

CALLS = []


def reward(observation, action, next_observation):
    CALLS.append((observation.shape, action.shape, next_observation.shape))
    return observation[0]


def with_options(observation, action, next_observation, scale=1.0, **others):
    return scale


def reciprocal(observation, action, next_observation):
    return 1 / (observation[0] - next_observation[0])


class Callable:
    def __call__(self, observation, action, next_observation):
        return 2.0


def module(monkeypatch, **functions):
    """Let a module 'mine' hold these."""
    monkeypatch.setitem(sys.modules, 'mine', types.ModuleType('mine'))
    for name, function in functions.items():
        setattr(sys.modules['mine'], name, function)


def load(name):
    return load_function(name, 'task: reward', 6, 2)


@pytest.mark.parametrize('function, value', [
    (reward, 0.25), (with_options, 1.0), (Callable(), 2.0),
    (functools.partial(lambda scale, a, b, c: scale, 3.0), 3.0),
    (functools.wraps(reward)(lambda *args: 4.0), 4.0)])
def test_a_function_of_three_arguments_is_taken(monkeypatch, function, value):
    module(monkeypatch, function=function)
    assert load('mine:function')(np.array([0.25]), np.zeros(2), np.zeros(1)) == value


def test_it_is_tried_once_on_vectors_of_the_robots_lengths(monkeypatch):
    module(monkeypatch, reward=reward)
    CALLS.clear()
    load('mine:reward')
    assert CALLS == [((6,), (2,), (6,))]


def test_a_formula_that_what_it_is_tried_on_does_not_suit_is_taken(monkeypatch):
    module(monkeypatch, reciprocal=reciprocal)
    with pytest.warns(RuntimeWarning):
        with pytest.raises(InputError, match='gave inf for an observation and action of 0.5'):
            load('mine:reciprocal')
    module(monkeypatch, reciprocal=lambda a, b, c: 1 / (float(a[0]) - 0.5))
    assert load('mine:reciprocal')([1.5], [0], [0]) == 1.0


@pytest.mark.parametrize('name', [
    'os:system', 'posix:system', 'subprocess:run', 'builtins:eval', 'builtins:print',
    'builtins:pow', 'shutil:copyfileobj', 'os.path:join', 'mine:system', 'mine:Popen', 'mine:pow',
    'mine:copy', 'mine:few', 'mine:many', 'mine:anything', 'mine:named', 'mine:number',
    'numpy:save', 'numpy:array', 'torch:save', 'iql_ros.tasks:math'])
def test_what_is_no_task_function_is_refused_and_not_called(monkeypatch, tmp_path, name):
    import shutil
    import subprocess
    monkeypatch.chdir(tmp_path)
    called = []
    module(monkeypatch, system=os.system, Popen=subprocess.Popen, pow=pow,
           copy=shutil.copyfileobj, few=lambda a, b: called.append(1),
           many=lambda a, b, c, d: called.append(1), anything=lambda *args: called.append(1),
           named=lambda a, b, *, c: called.append(1), number=5)
    for target in ('system', 'popen', 'remove'):
        monkeypatch.setattr(os, target, lambda *args: called.append(args))
    with pytest.raises(InputError, match=f"^task: reward: got '{name}', which ") as error:
        load(name)
    assert not called and not list(tmp_path.iterdir()) and str(error.value).isprintable()


@pytest.mark.parametrize('name', ['', ':', 'a', 'a:', ':b', 'a.:b', '../a:b', 'a b:c', 'a:b:c',
                                  'a:b.c', 'a\n:b', 'nowhere_at_all:f', 5000 * 'a' + ':b'])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(InputError, match='cannot be imported') as error:
        load(name)
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize('text, reason', [
    ('raise RuntimeError("no\\nway")', 'RuntimeError'), ('import sys; sys.exit(3)', 'SystemExit'),
    ('def (', 'SyntaxError')])
def test_a_module_that_fails_is_named_on_one_line(tmp_path, monkeypatch, text, reason):
    (tmp_path / 'failing_module.py').write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=rf'cannot be imported \({reason}') as error:
        load('failing_module:f')
    assert str(error.value).isprintable()


@pytest.mark.parametrize('function, reason', [
    (lambda a, b, c: None, 'raised TypeError'), (lambda a, b, c: a[6], 'raised IndexError'),
    (lambda a, b, c: 'far', 'raised ValueError'), (lambda a, b, c: float('nan'), 'gave nan'),
    (lambda a, b, c: 10 ** 5000, 'raised OverflowError')])
def test_what_gives_no_number_is_refused(monkeypatch, function, reason):
    module(monkeypatch, function=function)
    if reason in ('raised ValueError', 'raised OverflowError'):  # as a formula may
        with pytest.raises(InputError, match=reason):
            load('mine:function')([0] * 6, [0] * 2, [0] * 6)
        return
    with pytest.raises(InputError, match=reason):
        load('mine:function')
