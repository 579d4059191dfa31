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

"""
The reward function of the campaign's robot, which does what the file `flag` beside it says.

Installed beside the robot's YAML as fault_task.py: this runs inside the policy node.
"""

import ctypes
import mmap
from pathlib import Path
import struct
import time

with open(Path(__file__).with_name('flag'), 'r+b') as _file:
    _FLAG = mmap.mmap(_file.fileno(), 64)
_libc = ctypes.PyDLL(None)  # its calls keep the interpreter's lock


def reward(observation, action, next_observation):
    """Return 0, after what was ordered."""
    order, seconds = struct.unpack_from('<qd', _FLAG, 0)
    if order:
        struct.pack_into('<d', _FLAG, 16, time.monotonic())
        struct.pack_into('<q', _FLAG, 0, 0)
        if order == 1:
            raise RuntimeError('burnt')
        if order == 2:
            time.sleep(seconds)
        if order == 3:
            _libc.usleep(int(seconds * 1e6))
    return 0.0
