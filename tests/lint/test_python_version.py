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

"""Tests that the package is written for Python 3.10 too, which JetPack 6 has."""

import pytest

from tests.places import ROOT

vermin = pytest.importorskip('vermin')

# Imported where Python has them, with another way beside; and bytes that are taken for a string.
GUARDED = ('compression', 'compression.zstd', 'str.decode')


def too_new(path):
    """Return one line for each thing in a file that Python 3.10 does not know."""
    config = vermin.Config()
    config.add_target('3.10', exact=False)
    config.set_verbose(3)  # with the line
    config.set_only_show_violations(True)
    config.set_ignore_incomp(True)  # with Python 2, say
    for name in GUARDED:
        config.add_exclusion(name)
    visitor = vermin.visit(path.read_text(), config, str(path))
    visitor.minimum_versions()
    return [f'{path}: {line}' for line in visitor.output_text().splitlines()]


def test_the_package_asks_for_nothing_newer():
    found = [line for path in sorted((ROOT / 'iql_ros').rglob('*.py')) for line in too_new(path)]
    assert not found, '\n'.join(found)


@pytest.mark.parametrize('text, word', [
    ('import tomllib\n', 'tomllib'),
    ('import hashlib\nprint(hashlib.file_digest)\n', 'file_digest'),
    ('from enum import StrEnum\n', 'StrEnum'),
    ('from datetime import UTC\n', 'UTC'),
    ('from typing import Self\n', 'Self'),
    ('try:\n    pass\nexcept* OSError:\n    pass\n', 'except*'),
])
def test_what_came_with_python_3_11_would_be_seen(tmp_path, text, word):
    path = tmp_path / 'new.py'
    path.write_text(text)
    (line,) = too_new(path)
    assert line.startswith(f'{path}: L') and word in line


def test_a_module_that_is_imported_behind_a_question_may_be_newer(tmp_path):
    path = tmp_path / 'guarded.py'
    path.write_text('from compression import zstd\n')
    assert too_new(path) == []
