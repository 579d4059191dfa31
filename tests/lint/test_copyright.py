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

"""Tests that every file says whose it is and under which licence, in ament_copyright's words."""

import re

import pytest

from tests.lint.sources import python_files
from tests.places import ROOT

HOLDER = re.compile(r'# Copyright 20\d\d(-20\d\d)? iql_ros contributors$')
LICENCE = """\
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

""".splitlines()


def complaint(path):
    """Return what is wrong with a file's header, None when nothing is; empty files need none."""
    lines = path.read_text().splitlines()
    if lines and lines[0].startswith('#!'):
        del lines[0]
    if not lines:
        return None
    if not HOLDER.match(lines[0]):
        return f'{path}:1: no line "# Copyright YEAR iql_ros contributors" at the top'
    for number, (line, wanted) in enumerate(zip(lines[1:], LICENCE, strict=False), 2):
        if line != wanted:
            return f'{path}:{number}: the licence is not in the words that ament_copyright knows'
    return None if len(lines) > len(LICENCE) else f'{path}: ends within its licence'


def words(path):
    """Return a text as one line with single blanks."""
    return ' '.join(path.read_text().split())


def test_every_file_has_its_header():
    found = [said for said in map(complaint, python_files()) if said]
    assert not found, '\n'.join(found)


@pytest.mark.parametrize('text, place', [
    ('import os\n', ':1:'),
    ('# Copyright 2026 somebody else\n' + '\n'.join(LICENCE) + '\n', ':1:'),
    ('# Copyright 2026 iql_ros contributors\n# SPDX-License-Identifier: Apache-2.0\n', ':2:'),
    ('# Copyright 2026 iql_ros contributors\n' + '\n'.join(LICENCE[:5]) + '\n', ': ends'),
])
def test_a_file_without_it_would_be_seen(tmp_path, text, place):
    path = tmp_path / 'wrong.py'
    path.write_text(text)
    assert complaint(path).startswith(f'{path}{place}')


def test_contributing_says_under_which_licence_a_change_comes():
    clause = re.search(r'5\. Submission of Contributions\..*?regarding such Contributions\.',
                       words(ROOT / 'LICENSE'))[0]
    assert clause in words(ROOT / 'CONTRIBUTING.md')


def test_ament_copyright_finds_nothing_where_ros_brings_it():
    ament = pytest.importorskip('ament_copyright.main')
    files = [*python_files(), ROOT / 'CONTRIBUTING.md', ROOT / 'LICENSE']
    assert ament.main(argv=[str(path) for path in files]) == 0
