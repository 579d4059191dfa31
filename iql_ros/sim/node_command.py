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

"""How a node of this package is started as a process in a simulation that nobody else hears."""

import os
from pathlib import Path
import shutil
import sys

from iql_ros.files import InputError

NAMESPACE = 'sim'


def node_command(executable: str, parameters: dict) -> list[str]:
    """
    Return the command line of a node in the namespace `sim`, its clock in there too.

    Raises:
        InputError: when the executable is not installed.

    """
    beside = [str(Path(program).parent) for program in (sys.argv[0], sys.executable)]
    path = shutil.which(executable, path=os.pathsep.join([*beside, os.environ.get('PATH', '')]))
    if path is None:
        raise InputError(f"executable '{executable}' is not installed; pip install -e . in the "
                         "package's folder, or source the workspace's setup.bash")
    command = [path, '--ros-args', '-r', f'__ns:=/{NAMESPACE}', '-r', '/clock:=clock',
               '-r', '/diagnostics:=diagnostics']
    for name, value in parameters.items():
        command += ['-p', f'{name}:={_yaml(value)}']
    return command


def _yaml(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def simulation_environment() -> dict[str, str]:
    """Return a simulated node's environment: nobody else hears it, and it ends with who asks."""
    return {**os.environ, 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'IQL_ROS_END_WITH_PARENT': '1'}
