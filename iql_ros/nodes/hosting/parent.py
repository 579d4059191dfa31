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

"""The end of the process that started a node."""

import ctypes
import os
import signal

_ASKED = 'IQL_ROS_END_WITH_PARENT'
_PR_SET_PDEATHSIG = 1   # of prctl(2)


def end_with_parent() -> None:
    """
    Be ended by SIGTERM when the parent is gone, where IQL_ROS_END_WITH_PARENT is 1.

    The launch files set it: a launch that is killed ends none of its nodes, and a robot whose
    operator has closed the terminal must not drive on.
    """
    if os.environ.get(_ASKED) != '1':
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # it went before it was asked for
        os.kill(os.getpid(), signal.SIGTERM)
