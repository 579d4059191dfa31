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

"""Tests that the docstrings are in the form that ament_pep257 wants."""

import pytest

from tests.lint.sources import python_files

pydocstyle = pytest.importorskip('pydocstyle')

# What ament_pep257 leaves out: that everything has a docstring, and one form of every choice.
AMENT = ('D100', 'D101', 'D102', 'D103', 'D104', 'D105', 'D106', 'D107', 'D203', 'D212', 'D404')
# These two ask for numpy's sections; ours are Google's.
OURS = ('D406', 'D407')


def complaints(files):
    """Return one line for each docstring that is not as it should be."""
    return [f'{error.filename}:{error.line} {error.message}' for error in
            pydocstyle.check([str(path) for path in files], ignore=[*AMENT, *OURS])]


def test_every_docstring_is_as_it_should_be():
    found = complaints(python_files())
    assert not found, '\n'.join(found)


@pytest.mark.parametrize('docstring, code', [
    ('"""Returns nothing."""', 'D401'), ('"""Return nothing"""', 'D400'),
    ('"""Return nothing.\n\n    At all.\n    """', 'D213'),
    ("'''Return nothing.'''", 'D300'),
])
def test_one_that_is_not_would_be_seen(tmp_path, docstring, code):
    path = tmp_path / 'wrong.py'
    path.write_text(f'def nothing():\n    {docstring}\n')
    lines = complaints([path])
    assert lines and all(line.startswith(f'{path}:2 ') for line in lines)
    assert any(f' {code}: ' in line for line in lines)


def test_ament_pep257_finds_nothing_where_ros_brings_it():
    ament = pytest.importorskip('ament_pep257.main')
    assert ament.main(argv=[*map(str, python_files()), '--add-ignore', *OURS]) == 0
