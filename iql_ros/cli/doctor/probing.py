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

"""Probes are run here: each in a process that may crash or hang, and leaves nothing behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile

_TIMEOUT = 60.0  # [s] in which a library should be loaded, also from a slow disk


def probe(name: str, *arguments: str, **variables: str | None) -> dict:
    """
    Return the facts of a probe; `error` among them says why there are no more.

    Args:
        name: One of probes.PROBES.
        arguments: For it.
        variables: Of its environment, over those of this process; None: unset.

    """
    with _scratch_folder() as scratch:
        command = [sys.executable, '-m', 'iql_ros.cli.doctor.probes', name, *arguments]
        try:
            done = subprocess.run(command, cwd=scratch, env=_environment(scratch, variables),
                                  stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=_TIMEOUT)
        except subprocess.TimeoutExpired as late:
            return {**_facts(late.stdout), 'error': f'no answer within {_TIMEOUT:g} s'}
    facts = _facts(done.stdout)
    if done.returncode:
        facts['error'] = _end(done.returncode, done.stderr)
    return facts


def _facts(said: bytes | None) -> dict:
    """Return the facts among the lines of a probe; others are a sitecustomize's."""
    facts = {}
    for line in (said or b'').splitlines():
        with contextlib.suppress(ValueError):
            if line.startswith(b'{'):
                facts.update(json.loads(line))
    return facts


def _scratch_folder():
    """Return a folder that goes again; on a full disk, where nothing can be written anyway."""
    try:
        return tempfile.TemporaryDirectory(prefix='iql-ros-doctor-')
    except OSError:
        return contextlib.nullcontext(os.sep)


def _environment(scratch: str, variables: dict) -> dict[str, str]:
    """Return an environment that finds the modules of this process, and caches in `scratch`."""
    environment = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(os.path.abspath(path) for path in sys.path),
        'PYTHONDONTWRITEBYTECODE': '1', 'CUDA_CACHE_DISABLE': '1',
        '__GL_SHADER_DISK_CACHE': '0', 'MESA_SHADER_CACHE_DISABLE': 'true',
        'MPLCONFIGDIR': scratch, 'ROS_LOG_DIR': scratch, 'XDG_CACHE_HOME': scratch, **variables}
    return {name: value for name, value in environment.items() if value is not None}


def _end(code: int, stderr: bytes) -> str:
    """Return in words how a process ended, with the last that it said."""
    said = [line.strip() for line in stderr.decode(errors='replace').splitlines()
            if line.strip()]
    last = f': {said[-1]}' if said else ''
    if code < 0:
        return f'ended by {signal.Signals(-code).name}{last}'
    return f'ended with code {code}{last}'
