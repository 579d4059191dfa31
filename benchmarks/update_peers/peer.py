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

"""A side of updates.py as a process of its own, and the virtual environments that some need."""

import json
import os
from pathlib import Path
import subprocess
import sys
import venv

import torch

# Name -> its script, and what a virtual environment of its own must have
PEERS = {
    'fast': ('ours.py', ()), 'bf16': ('ours.py', ()), 'autograd': ('ours.py', ()),
    'plain': ('plain.py', ()), 'compiled': ('plain.py', ()), 'products': ('products.py', ()),
    'xla': ('xla.py', ('jax==0.10.2',)),
    'd3rlpy': ('d3rlpy_iql.py', ('d3rlpy==2.8.1',)),
    'torchrl': ('torchrl_iql.py', ('torchrl==0.14.1', 'tensordict==0.14.3')),
}
_HERE = Path(__file__).parent


class Peer:
    """A process that works only while it is asked to."""

    def __init__(self, name, setting):
        """
        Start it.

        Args:
            name: One of PEERS.
            setting: Sizes, threads, and the numbers of the cores that it may use.

        Raises:
            OSError: when it does not start.
            subprocess.CalledProcessError: when its environment cannot be made.

        """
        script, requirements = PEERS[name]
        threads = str(setting['threads'])
        environment = {**os.environ, 'OMP_NUM_THREADS': threads, 'MKL_NUM_THREADS': threads}
        self._process = subprocess.Popen(
            [_python_with(requirements), _HERE / script, json.dumps({**setting, 'peer': name})],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=environment)
        # On as many cores as it may have threads: XLA has two, whatever it is told
        os.sched_setaffinity(self._process.pid, setting['cores'])
        for line in self._process.stdout:  # libraries print too
            if line.strip() == 'ready':
                return
        self.close()
        raise OSError('it does not start')

    def run(self, updates):
        """Return updates a second, by name."""
        self._process.stdin.write(f'{updates}\n')
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise OSError('it ended')
        return json.loads(answer)

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def _python_with(requirements):
    """Return a Python that has some packages: this one, or one in the user's cache."""
    if not requirements:
        return sys.executable
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'iql_ros'
    folder = cache / f'{requirements[0].replace("==", "-")}-torch-{torch.__version__}'
    python = folder / 'bin' / 'python'
    if not (folder / 'ready').exists():
        print(f'setting up {", ".join(requirements)} in {folder}', flush=True)
        venv.create(folder, clear=True, with_pip=True)
        packages, = (folder / 'lib').glob('python*/site-packages')
        # the PyTorch of this one, so that all run on the same build
        (packages / 'torch_of_iql_ros.pth').write_text(f'{Path(torch.__file__).parents[1]}\n')
        subprocess.run([python, '-m', 'pip', 'install', '--quiet', *requirements], check=True,
                       stderr=subprocess.DEVNULL)
        (folder / 'ready').touch()
    return str(python)
