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

"""Tests for parser.py: numbers below zero, and what is nearest to a name that is unknown."""

import pytest

from iql_ros.cli import cli
from iql_ros.cli.subcommands import make_parser
from tests.cli.command import code_of, flat_file


@pytest.mark.parametrize('words, values', [
    ('-1e-3 2 3', [-1e-3, 2.0, 3.0]), ('-1', [-1.0]), ('-.5E+2 -1e3', [-50.0, -1000.0]),
    ('-0.25 -1.5e-4 -7', [-0.25, -1.5e-4, -7.0])])
def test_numbers_below_zero_need_no_equals_sign(words, values):
    options = make_parser().parse_args(
        ['inspect', 'a.hdf5', '--action-low', *words.split(), '--action-high', '1', '--json'])
    assert (options.action_low, options.action_high) == (values, [1.0])
    assert options.target == 'a.hdf5' and options.as_json


def test_one_with_an_equals_sign_is_read_as_ever():
    options = make_parser().parse_args(['train', '--set', 'x=-1', '--set', 'y=-1e-3',
                                        '--action-low=-1e-3'])
    assert (options.set, options.action_low) == (['x=-1', 'y=-1e-3'], [-1e-3])


@pytest.mark.parametrize('line, message', [
    ('inspect a --action-low -inf 1', '--action-low: got -inf; expected a finite number'),
    ('inspect a --action-low -NaN', '--action-low: got -NaN; expected a finite number'),
    ('inspect a --action-high -1e', '--action-high: got -1e; expected a finite number'),
    ('evaluate a --env b --seed -1e3', '--seed: got -1e3; expected a whole number, 0 or more'),
    ('trian', "unknown command 'trian' (did you mean 'train'?); allowed: convert, inspect"),
    ('train --datset a', "unknown option '--datset' (did you mean '--dataset'?); allowed: --help"),
    ('inspect a --jsno', "iql-ros inspect: error: unknown option '--jsno' (did you mean '--json'"),
    ('inspect a --env=b --xy=c', "unknown option '--xy'; allowed:"),
    ('inspect a b', 'unrecognized arguments: b (see iql-ros inspect --help)'),
    ('convert a --dataset x --allow clock', "unknown name 'clock' (did you mean 'clocks'?)")])
def test_what_cannot_be_read_is_told_on_one_line_with_the_nearest_name(capsys, line, message):
    assert code_of(line.split()) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


def test_a_range_below_zero_reaches_the_data(capsys):
    flat_file(high=0.001)
    assert cli.main(['inspect', 'a.hdf5', '--action-low', '-1e-3', '--action-high', '1e-3']) == 0
    assert '-1 and +1 mean [-0.001, 0.001]' in capsys.readouterr().out


@pytest.mark.parametrize('text, found', [
    ('3', [0, 1, 2]), ('4-6', [4, 5, 6]), ('7,', None), ('1,5,8-9', [1, 5, 8, 9]), ('0', None),
    ('9-9', [9]), ('2-1', None), ('-3', None), ('a', None), ('1.5', None), ('', None),
    ('0-9999999999999999999', None), ('9' * 5000, None), ('3,3,2', [2, 3]), ('20000', None)])
def test_seeds_are_how_many_or_a_range_or_a_list(capsys, text, found):
    line = ['sweep', f'--seeds={text}']
    if found is not None:
        assert make_parser().parse_args(line).seeds == found
        return
    assert code_of(line) == 2
    error = capsys.readouterr().err
    assert 'expected how many (3), a range (0-15) or a list (1,5,8-9)' in error
    assert error.count('\n') == 1


@pytest.mark.parametrize('text, found', [
    ('CPU=1,GPU=0.5', {'CPU': 1.0, 'GPU': 0.5}), ('fast=2', {'fast': 2.0}), ('CPU', None),
    ('CPU=-1', None), ('CPU=nan', None), ('=1', None), ('', None)])
def test_resources_are_names_and_amounts(capsys, text, found):
    line = ['sweep', f'--resources={text}']
    if found is not None:
        assert make_parser().parse_args(line).resources == found
        return
    assert code_of(line) == 2
    assert 'expected NAME=AMOUNT,NAME=AMOUNT' in capsys.readouterr().err
