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

"""Tests for files.py."""

import dataclasses

import pytest

from iql_ros.files import (
    check_new_file, from_mapping, InputError, parse_yaml, read_yaml, shown, unknown_name,
    write_atomic)
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.yaml_loader import StrictLoader


@dataclasses.dataclass(frozen=True)
class Inner:
    low: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Settings:
    rate: float
    count: int = 1
    limit: Inner | None = None
    rule: tuple[float, ...] | str = 'none'


def test_a_mapping_becomes_a_dataclass_with_its_types():
    settings = from_mapping(Settings, {'rate': 5, 'count': 2.0, 'limit': {'low': [1, 2]},
                                       'rule': [0.5]}, 'x.yaml')
    assert settings == Settings(5.0, 2, Inner((1.0, 2.0)), (0.5,))


def test_yaml_scientific_notation_without_a_dot_is_a_number():
    assert from_mapping(Settings, parse_yaml('rate: 3e-4', 'x.yaml'), 'x.yaml').rate == 3e-4


@pytest.mark.parametrize('mapping, text', [
    ({'rate': 5.0, 'cuont': 1}, "x.yaml: unknown key 'cuont' (did you mean 'count'?); allowed: "
                                'rate, count, limit, rule'),
    ({}, "x.yaml: key 'rate' is missing"),
    ({'rate': True}, 'x.yaml: rate: got True; expected float'),
    ({'rate': 1.0, 'count': 1.5}, 'x.yaml: count: got 1.5; expected int'),
    ({'rate': 1.0, 'rule': 3}, 'x.yaml: rule: got 3; expected a list of float or str'),
    ({'rate': 1.0, 'limit': {'lwo': [1]}}, "x.yaml: limit: unknown key 'lwo' (did you mean "
                                           "'low'?); allowed: low"),
    ({'rate': 1.0, 'count': float('inf')}, 'x.yaml: count: got inf; expected int'),
    ({'rate': 1.0, 'count': float('nan')}, 'x.yaml: count: got nan; expected int'),
    ({'rate': 1.0, 'count': 10 ** 30}, f'x.yaml: count: got {10 ** 30}; expected int'),
    ({'rate': 10 ** 400}, f'x.yaml: rate: got {10 ** 400}; expected float'),
])
def test_what_does_not_fit_is_named_with_what_is_allowed(mapping, text):
    with pytest.raises(InputError) as error:
        from_mapping(Settings, mapping, 'x.yaml')
    assert str(error.value) == text


@pytest.mark.parametrize('text', ['a: [1', 'a: 1\na: 2', '- 1', '', 'a: !!python/name:os.system',
                                  '? [1]\n: 2', 'a: ' + 5000 * '['])
def test_yaml_that_is_no_clean_mapping_is_refused_on_one_line(text):
    with pytest.raises(InputError) as error:
        parse_yaml(text, 'x.yaml')
    assert str(error.value).startswith('x.yaml: ') and '\n' not in str(error.value)


def bomb(*keys):
    """Return YAML whose last key stands for ten times as many values as the one before it."""
    lines = [f'{keys[0]}: &{keys[0]} x']
    for before, key in zip(keys, keys[1:]):
        lines.append(f'{key}: &{key} [{", ".join([f"*{before}"] * 10)}]')
    return '\n'.join(lines)


def test_yaml_that_stands_for_very_many_values_is_refused_on_one_short_line():
    text = bomb('task', 'action', 'observation', 'settle', 'control_rate', 'robot')
    with pytest.raises(InputError, match='text: not valid YAML: more than 5000 values') as error:
        parse_robot_interface(text, 'text')
    assert len(str(error.value)) < 1000
    few = parse_yaml(bomb('a', 'b', 'c', 'd'), 'text')['d']
    assert len(few) * len(few[0]) * len(few[0][0]) == 1000
    with pytest.raises(InputError, match='^text: rate: got .*; expected float$') as error:
        from_mapping(Settings, {'rate': few}, 'text')
    assert len(str(error.value)) < 1000
    assert shown([1.0, 'two']) == "[1.0, 'two']"


MERGES = '\n'.join(['a: &a {x: 1}', *(
    f'{key}: &{key} {{<<: [{", ".join([f"*{before}"] * 9)}], {key}: 1}}'
    for before, key in zip('abcdef', 'bcdefg'))])


@pytest.mark.parametrize('text, reason', [
    ('a: 1' + 100_000 * ':1', 'a number of 200001 characters'),         # of base 60: quadratic
    ('a: ' + 5000 * '1', 'a number of 5000 characters'),
    (f'a: {60 * "["}1{60 * "]"}', 'more than 50 levels'),
    (f'a: [{"1, " * 6000}]', 'more than 5000 values'),
    (MERGES, 'more than 5000 values'),
    ('a: &a [*a]', 'an alias stands inside its own anchor'),
    (f'a: {300_000 * "x"}', 'YAML of 300003 characters; allowed: 262144'),
    ('a: !!bool x', "'x'"), ("a: !!int ''", 'index out of range'), ('a: !!timestamp x', 'None'),
    ('a: \ud800', 'special characters'), (f'a: 1\n{"k" * 900}: 1\n{"k" * 900}: 2', 'twice'),
])
def test_yaml_that_would_cost_much_or_raise_something_else_is_refused_on_one_short_line(
        text, reason):
    with pytest.raises(InputError) as error:
        parse_yaml(text, 'text')
    assert reason in str(error.value) and len(str(error.value)) <= 1500


def test_a_mapping_of_many_keys_is_looked_at_once():
    class Key(int):
        compared = 0

        def __eq__(self, other):
            Key.compared += 1
            return int(self) == int(other)

        __hash__ = int.__hash__

    class Counting(StrictLoader):
        def construct_object(self, node, deep=False):
            value = super().construct_object(node, deep)
            return Key(value) if isinstance(value, int) else value

    Counting('\n'.join(f'{key}: x' for key in range(2000)), 5000).get_single_data()
    assert Key.compared < 20_000


@pytest.mark.parametrize('text', ['a\nb', '\x1b[2J', '\ud800', 5000 * 'x', 5000 * '\n'])
def test_an_error_is_one_line_that_every_terminal_can_show(text):
    for error in (InputError(f'x: got {text}'), unknown_name('key', text, ['a'])):
        assert str(error).isprintable() and len(str(error)) < 5000
        str(error).encode()


def test_a_number_that_python_refuses_to_write_is_shown_by_its_size():
    assert shown({'a': 10 ** 5000}) == "{'a': a number of 16610 bits}"


def test_a_file_larger_than_any_settings_is_refused(tmp_path):
    path = tmp_path / 'big.yaml'
    path.write_text((1 << 24) * ' ' + 'a: 1')
    with pytest.raises(InputError, match='big.yaml: is larger than 16777216 characters'):
        read_yaml(path)


def test_a_base_that_is_merged_in_may_be_overridden():
    text = 'base: &base {a: 1, b: 2}\nmine: {<<: *base, b: 3}'
    assert parse_yaml(text, 'x.yaml')['mine'] == {'a': 1, 'b': 3}


@pytest.mark.parametrize('name, text', [
    ('folder', '--csv folder: is a folder; expected a file'),
    ('absent/a.csv', '--csv absent/a.csv: its folder does not exist'),
    ('/proc/a.csv', '--csv /proc/a.csv: cannot be written: '),
])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch, name,
                                                                  text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'folder').mkdir()
    with pytest.raises(InputError) as error:
        check_new_file(name, '--csv')
    assert str(error.value).startswith(text)
    check_new_file('new.csv', '--csv')
    assert [path.name for path in tmp_path.iterdir()] == ['folder']


def test_an_unknown_name_is_told_shortly_whatever_exists():
    error = unknown_name('joint', 'left' * 1000, [f'joint_{n}' * 40 for n in range(100_000)])
    assert len(str(error)) < 13_000 and str(error).endswith(', and 99900 more')
    assert str(unknown_name('key', 'lefft', iter(['left', 'right']))) == (
        "unknown key 'lefft' (did you mean 'left'?); allowed: left, right")


def test_a_missing_and_a_binary_file_are_refused_on_one_line(tmp_path):
    (tmp_path / 'binary.yaml').write_bytes(b'\xff\xfe\x00')
    for name in ('absent.yaml', 'binary.yaml'):
        with pytest.raises(InputError, match=name):
            read_yaml(tmp_path / name)


def test_an_interrupted_write_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / 'file.txt'
    write_atomic(path, 'old')
    with pytest.raises(TypeError):
        write_atomic(path, 5)
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]
