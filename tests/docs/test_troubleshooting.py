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

"""Tests for docs/troubleshooting.md: every line that it quotes is one that the program prints."""

import ast
import functools
import re

import pytest

from tests.places import ROOT

PAGE = ROOT / 'docs' / 'troubleshooting.md'
ENOUGH = 12                          # fixed characters, below which a line says nothing
HOLE = '\0'                          # stands for what is filled in; no line holds it
_PLACEHOLDER = re.compile(r'<[a-z][a-z ]*>')
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def quoted_lines(markdown):
    """Return the lines inside ```text blocks, which hold what the program prints."""
    blocks = re.findall(r'^```text\n(.*?)^```', markdown, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def fixed_words(line):
    """Return what stands between the <placeholders> of a line."""
    return [part for part in _PLACEHOLDER.split(line) if part]


def text_of(node):
    """Return the text of a string expression, HOLE where something is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return ''.join(text_of(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return HOLE


def strings(source):
    """Return the texts of all string expressions of a module, its docstrings left out."""
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = {node.body[0].value for node in nodes if isinstance(node, _DOCUMENTED)
                  and node.body and isinstance(node.body[0], ast.Expr)}
    texts = {text_of(node) for node in nodes
             if isinstance(node, ast.expr) and node not in docstrings}
    return sorted(texts - {HOLE})


@functools.cache
def printed():
    """Return the texts of all string expressions of the program."""
    paths = [*(ROOT / 'iql_ros').rglob('*.py'), *(ROOT / 'launch').glob('*.py')]
    return [text for path in paths for text in strings(path.read_text())]


def says(text, line):
    """Say whether a text holds the fixed words of a line, in their order."""
    place = 0
    for words in fixed_words(line):
        found = text.find(words, place)
        if found < 0:
            return False
        place = found + len(words)
    return True


def nowhere(lines, texts):
    """Return the lines that are in none of the texts."""
    return [line for line in lines if not any(says(text, line) for text in texts)]


def test_every_line_that_the_page_quotes_is_printed_somewhere():
    assert nowhere(quoted_lines(PAGE.read_text()), printed()) == []


def test_every_line_has_enough_fixed_words_to_be_found_by():
    assert [line for line in quoted_lines(PAGE.read_text())
            if len(''.join(fixed_words(line))) < ENOUGH] == []


def test_the_page_quotes_no_line_twice_and_many():
    lines = quoted_lines(PAGE.read_text())
    assert len(lines) == len(set(lines))
    assert len(lines) >= 40


@pytest.mark.parametrize('line', [
    'TRIPPED: <reason>; sending the stop until somebody comes',  # other words
    "<robot>'s own robot:=real needs <name>:=FILE",              # another order
    'Return what `restore` takes, JSON.',                        # a docstring
    'as answered; expected success',                             # across what is filled in
])
def test_a_line_that_nobody_prints_is_noticed(line):
    assert nowhere([line], printed()) == [line]


def test_a_line_is_looked_for_in_one_string_only():
    texts = strings("first = 'the robot stops'\nsecond = 'and stays there'\n")
    assert nowhere(['the robot stops <why> and stays there'], texts)


@pytest.mark.parametrize('source', [
    "say('the robot '\n    'stops')", "say(f'the {name} stops')", "say('the robot' + ' stops')",
    "say(f'the robot ' + name)"])
def test_strings_are_put_together_as_python_does_it(source):
    line = 'the robot <what>' if source.endswith('name)') else 'the <robot> stops'
    assert nowhere([line], strings(source)) == []
