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

"""Tests for which files the linters look at."""

from tests.lint.sources import python_files
from tests.places import ROOT


def test_every_room_and_the_build_itself_are_looked_at():
    found = {str(path.relative_to(ROOT)) for path in python_files()}
    assert {'setup.py', 'iql_ros/__init__.py', 'iql_ros/runs/train.py', 'launch/sim.launch.py',
            'benchmarks/updates.py', 'share/record_diffbot.py', 'tests/lint/sources.py'} <= found


def test_what_was_built_or_installed_is_not(tmp_path):
    for name in ('build/a.py', 'install/a.py', 'log/a.py', 'runs/a.py', '.venv/lib/a.py',
                 '__pycache__/a.py', 'docs/_build/a.py'):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.touch()
    ours = tmp_path / 'iql_ros' / 'runs' / 'a.py'
    ours.parent.mkdir(parents=True)
    ours.touch()
    assert python_files(tmp_path) == [ours]
