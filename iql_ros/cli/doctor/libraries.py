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

"""Checks of Python and of the libraries: the base install, torch, the extras, drawing."""

import importlib.util
import os
import platform
import sys

from iql_ros.cli.doctor.finding import broken, Finding, missing, ok
from iql_ros.cli.doctor.probing import probe

BASE = ('numpy', 'yaml', 'safetensors')  # and torch, which has a check of its own
EXTRAS = {  # of setup.py: the libraries by the names that are imported, and what they are for
    'data': (('minari', 'h5py', 'rosbags'), 'training from datasets, HDF5 files and bags'),
    'sim': (('gymnasium', 'mujoco'), 'evaluating and fine-tuning in simulation'),
    'report': (('tensorboard', 'tqdm', 'matplotlib'), 'curves, progress and plots'),
}
_GPUS = ('/dev/nvidiactl', '/dev/nvhost-ctrl-gpu', '/dev/nvgpu')  # of a driver; of a Jetson's


def check_python() -> Finding:
    version = platform.python_version()
    text, facts = f'{version}, {sys.executable}', {'version': version, 'path': sys.executable}
    if sys.version_info < (3, 11):
        return missing('python', f'{text}; enough to drive a robot',
                       'training from Minari datasets needs Python 3.11 or newer', **facts)
    return ok('python', text, **facts)


def check_base() -> Finding:
    facts = probe('libraries', *BASE)
    absent = [_package(library) for library in BASE if facts.get(library) is None]
    return _libraries('base', facts, BASE) or broken(
        'base', _absent(facts, BASE), f'pip install {" ".join(absent)}', **facts)


def check_data() -> Finding:
    return _extra('data')


def check_sim() -> Finding:
    return _extra('sim', MUJOCO_GL=None)  # a bad one is the business of check_drawing


def check_report() -> Finding:
    return _extra('report')


def _extra(name: str, **variables) -> Finding:
    names, purpose = EXTRAS[name]
    facts = probe('libraries', *names, **variables)
    return _libraries(name, facts, names) or missing(
        name, f'{_absent(facts, names)}, for {purpose}', f"pip install 'iql_ros[{name}]'", **facts)


def _libraries(name: str, facts: dict, names) -> Finding | None:
    """Return the finding of libraries that all are there, or of which one is broken."""
    for library in names:
        version = facts.get(library, {'error': facts.get('error', 'was not looked at')})
        if isinstance(version, dict):
            return broken(name, f'{library} cannot be imported: {version["error"]}',
                          _reinstall(library), **facts)
    if None in facts.values():
        return None
    return ok(name, ', '.join(f'{library} {facts[library]}' for library in names), **facts)


def _package(library: str) -> str:
    return {'yaml': 'pyyaml'}.get(library, library)


def _absent(facts: dict, names) -> str:
    absent = [library for library in names if facts[library] is None]
    return f'{", ".join(absent)} {"is" if len(absent) == 1 else "are"} missing'


def _reinstall(library: str) -> str:
    """Return the cure of a broken library, which PYTHONPATH may put before the installed one."""
    cure = f'pip install --force-reinstall {_package(library)}'
    for folder in filter(None, os.environ.get('PYTHONPATH', '').split(os.pathsep)):
        if any(os.path.exists(os.path.join(folder, name)) for name in (library, f'{library}.py')):
            return f'take {folder} out of PYTHONPATH, or {cure}'
    return cure


def check_torch() -> Finding:
    facts = probe('torch')
    if 'gpus' not in facts:
        if importlib.util.find_spec('torch') is None:
            return broken('torch', 'it is missing', 'pip install torch')
        return broken('torch', f'it does not work: {facts["error"]}',
                      _reinstall('torch'), **facts)
    return judge_torch(facts, any(map(os.path.exists, _GPUS)))


def judge_torch(facts: dict, has_gpu: bool) -> Finding:
    """Return the finding of a torch that works, on a machine with or without an NVIDIA GPU."""
    seen = ', '.join(facts['gpus']) or 'no CUDA device'
    threads = facts['threads']
    text = f'{facts["version"]}, {seen}, {threads} thread{"s" if threads > 1 else ""}'
    if facts['gpus'] or not has_gpu:
        return ok('torch', text, **facts)
    cure = ('its driver does not fit this torch; see what nvidia-smi says' if facts['cuda'] else
            'install a torch with CUDA ("Get started" on pytorch.org)')
    return missing('torch', f'{text}; the GPU of this machine is not used', cure, **facts)


def check_drawing() -> Finding:
    """Check that MuJoCo can draw, which videos and windows need and training does not."""
    chosen, display = os.environ.get('MUJOCO_GL'), os.environ.get('DISPLAY')
    facts = {'MUJOCO_GL': chosen, 'DISPLAY': display}
    if importlib.util.find_spec('mujoco') is None:
        return missing('drawing', 'not looked at without mujoco', "pip install 'iql_ros[sim]'",
                       **facts)
    found = probe('drawing')
    if 'drawn' in found:
        return ok('drawing', f'MuJoCo draws by {chosen or "GLFW"}', **facts)
    reason = (found['error'] if chosen or display else
              'there is no display, and MUJOCO_GL is unset')
    if 'imported' not in found:
        return broken('drawing', f'mujoco cannot be imported: {reason}', _drawing_cure(), **facts)
    return missing('drawing', f'MuJoCo cannot draw: {reason}', _drawing_cure(), **facts)


def _drawing_cure() -> str:
    if 'drawn' in probe('drawing', MUJOCO_GL='egl'):
        return 'export MUJOCO_GL=egl (tried: it works)'
    if 'imported' in probe('drawing', MUJOCO_GL=None):
        return 'unset MUJOCO_GL; to draw without a display: apt install libegl1, MUJOCO_GL=egl'
    return 'see sim'
