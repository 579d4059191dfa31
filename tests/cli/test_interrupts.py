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

"""Tests for Ctrl-C while a command works: it saves, and the run goes on."""

import re
import signal
import subprocess
import sys

from iql_ros.online.experience_log import read_experience
from tests.cli.command import FINETUNE, flat_file
from tests.waiting import wait_until


def interrupted(arguments, metrics):
    """Run a command until its run has written some rows, press Ctrl-C; return code and words."""
    there = metrics.read_text().count('\n') if metrics.exists() else 0
    process = subprocess.Popen([sys.executable, '-m', 'iql_ros.cli', *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: metrics.exists() and metrics.read_text().count('\n') > there + 2)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    return process.returncode, out, error


def test_ctrl_c_saves_and_ends_with_one_line(workplace):
    flat_file()
    code, out, error = interrupted(
        ['train', '--dataset', 'a.hdf5', '--name', 'long', '--set', 'updates=1000000',
         '--set', 'log_every=50', '--set', 'hidden_dims=[8]'],
        workplace / 'runs' / 'long' / 'metrics.csv')
    assert code == 130
    assert error.splitlines()[-1] == 'iql-ros: interrupted' and 'Traceback' not in error
    assert '--resume' in out
    assert (workplace / 'runs' / 'long' / 'latest').exists()


def test_ctrl_c_saves_finetuning_and_it_goes_on(trained):
    folder = trained / 'runs' / 'a_iql_finetuned'
    code, out, error = interrupted([*FINETUNE, '--set', 'steps=100000', '--set', 'log_every=20'],
                                   folder / 'metrics.csv')
    assert code == 130
    assert error.splitlines()[-1] == 'iql-ros: interrupted' and 'Traceback' not in error
    assert re.search('saved, --resume goes on with it: .*a_iql_finetuned, report: ', out)
    stored = len(read_experience(folder / 'experience.log'))
    code, out, error = interrupted(['finetune', '--resume', '--name', 'a_iql_finetuned'],
                                   folder / 'metrics.csv')
    assert code == 130 and len(read_experience(folder / 'experience.log')) > stored
