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

"""Checks of the folders that are written to: datasets and runs."""

import importlib.util
import os
from pathlib import Path
import shutil
import tempfile

from iql_ros.cli.doctor.finding import broken, Finding, missing, ok
from iql_ros.cli.doctor.probing import probe

_LITTLE = 2**30      # [bytes] free; a run and a dataset take some hundred MB
_TRIED = 2**20       # [bytes] that are written into a file without a name


def check_datasets() -> Finding:
    """Check Minari's folder, without making it."""
    folder = Path(os.environ.get('MINARI_DATASETS_PATH')
                  or Path.home() / '.minari' / 'datasets').absolute()
    count, noun = None, 'not made yet'
    if folder.is_dir() and importlib.util.find_spec('minari'):
        found = probe('minari', MINARI_DATASETS_PATH=str(folder))
        if 'datasets' not in found:
            return broken('datasets', f'{folder}: {found["error"]}', 'see data')
        count = len(found['datasets'])
        noun = f'{count} dataset{"" if count == 1 else "s"}'
    elif folder.is_dir():
        noun = 'not looked into without minari'
    return _place('datasets', folder, 'MINARI_DATASETS_PATH', noun, datasets=count)


def check_runs() -> Finding:
    folder = Path(os.environ.get('IQL_RUNS') or 'runs').absolute()
    count = sum(1 for _ in folder.glob('*/config.yaml'))
    noun = f'{count} run{"" if count == 1 else "s"}' if folder.is_dir() else 'not made yet'
    return _place('runs', folder, 'IQL_RUNS', noun, runs=count)


def _place(name: str, folder: Path, variable: str, noun: str, **facts) -> Finding:
    """Return the finding of a folder that is to be written to: whether it can be, and how much."""
    elsewhere = f'export {variable}=FOLDER'
    facts = {'folder': str(folder), **facts}
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(_TRIED))
        free = shutil.disk_usage(there).free
    except OSError as error:
        return broken(name, f'{folder} cannot be written: {error.strerror}',
                      f'{elsewhere}, another one', **facts)
    text = f'{folder}, {noun}, {free / 2**30:.1f} GiB free'
    facts['free_bytes'] = free
    if free < _LITTLE:
        return missing(name, text, f'make room, or {elsewhere} on another disk', **facts)
    return ok(name, text, **facts)
