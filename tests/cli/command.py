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

"""What the tests of the command have in common: a small recording, and how to run it."""

import subprocess
import sys

import h5py
import numpy as np

from iql_ros.cli import cli

FINETUNE = ['finetune', 'runs/a_iql', '--env', 'Pendulum-v1', '--config', 'paper',
            '--set', 'evaluation_episodes=1']


def flat_file(path='a.hdf5', steps=40, high=1.0, **changes):
    """Write four episodes in the shape of Pendulum-v1's data."""
    rng = np.random.default_rng(0)
    contents = {'observations': rng.normal(size=(steps, 3)).astype(np.float32),
                'actions': np.linspace(-high, high, steps, dtype=np.float32)[:, None],
                'rewards': rng.normal(size=steps), 'terminals': np.zeros(steps, bool),
                'timeouts': np.arange(1, steps + 1) % 10 == 0, **changes}
    with h5py.File(path, 'w') as file:
        for name, values in contents.items():
            file[name] = values
    return path


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*'))


def code_of(arguments):
    """Run the command here; return its exit code, argparse's own too."""
    try:
        return cli.main(arguments)
    except SystemExit as ended:
        return ended.code


def run(*arguments):
    """Run the command in a process of its own."""
    return subprocess.run([sys.executable, '-m', 'iql_ros.cli', *arguments],
                          capture_output=True, text=True, timeout=120)
