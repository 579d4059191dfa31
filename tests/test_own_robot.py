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

"""Tests that every command of docs/how-to/own-robot.md works on a real bag."""

import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

import pytest

from tests.places import BAGS, ROOT

PAGE = ROOT / 'docs' / 'how-to' / 'own-robot.md'
BAG = BAGS / 'turtlebot3.bag'


def blocks(text, language):
    return re.findall(rf'```{language}\n(.*?)```', text, re.DOTALL)


def run(command, folder):
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        ['bash', '-c', command], cwd=folder, capture_output=True, text=True, timeout=300,
        env={**os.environ, 'PATH': f'{scripts}:{os.environ["PATH"]}', 'IQL_RUNS': 'runs',
             'MINARI_DATASETS_PATH': str(folder / 'datasets')})
    assert done.returncode == 0, f'{command}\n{done.stderr}'
    return done.stdout


@pytest.mark.skipif(not BAG.is_file(), reason='../shared is absent')
def test_every_command_of_the_page_works_in_order(tmp_path):
    text = PAGE.read_text()
    shutil.copy(BAG, tmp_path)
    (task,), (function,) = blocks(text, 'yaml'), blocks(text, 'python')
    (tmp_path / 'turtlebot3_task.py').write_text(function)
    labels = re.search(r'(?:^    .*\n)+', text[text.index('    bag,start'):], re.MULTILINE)[0]
    (tmp_path / 'labels.csv').write_text(re.sub('^    ', '', labels, flags=re.MULTILINE))
    commands = re.findall(r'^    ((?:PYTHONPATH=\. )?iql-ros .*)$', text, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        run(command.replace('updates=5000', 'updates=40'), tmp_path)
        robot = tmp_path / 'turtlebot3.yaml'
        if 'TODO' in robot.read_text():  # filled in as the page says
            draft = robot.read_text()
            robot.write_text(draft[:draft.index('task:')] + task)
        if ' convert ' in command:  # with labels too
            run(command.replace('drive-v0', 'labelled-v0').replace('quality', 'labelled')
                + ' --labels labels.csv', tmp_path)
    assert (tmp_path / 'quality.html').stat().st_size > 10_000
    assert (tmp_path / 'runs' / 'drive-v0_iql' / 'latest').exists()
