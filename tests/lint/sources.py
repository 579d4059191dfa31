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

"""The Python files that the linters look at: the repository's own, not what was built from it."""

import os
from pathlib import Path

from tests.places import ROOT

# What a build, a run or a set-up leaves at the top of a checkout; see .gitignore.
LEFT_BEHIND = ('build', 'install', 'log', 'runs')


def python_files(root=ROOT):
    """Return the paths of a checkout's Python files."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name[0] not in '._'
                            and not (Path(folder) == root and name in LEFT_BEHIND))
        found += [Path(folder, name) for name in sorted(names) if name.endswith('.py')]
    return found
