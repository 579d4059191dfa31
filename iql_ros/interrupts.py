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
How long work is ended: the first Ctrl-C is a request to save and end, the second one ends.

SIGTERM is the same request: schedulers such as Slurm send it before they take a machine away.
"""

import contextlib
import ctypes
import os
import signal
import threading

END_WITH_PARENT = 'IQL_ROS_END_WITH_PARENT'   # environment variable
_PR_SET_PDEATHSIG = 1   # of prctl(2)


@contextlib.contextmanager
def first_interrupt():
    """Yield an event that the first Ctrl-C or SIGTERM sets; a second one ends as ever."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def on_interrupt(number, frame):
        restore()
        event.set()

    def restore():
        for number, handler in previous.items():
            signal.signal(number, handler)

    previous = {number: signal.signal(number, on_interrupt)
                for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        restore()


def end_with_parent() -> None:
    """
    Be ended by SIGTERM when the parent is gone, where IQL_ROS_END_WITH_PARENT is 1.

    The launch files set it: a launch that is killed ends none of its nodes, and a robot whose
    operator has closed the terminal must not drive on. A sweep sets it for its trials.
    """
    if os.environ.get(END_WITH_PARENT) != '1':
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # it went before it was asked for
        os.kill(os.getpid(), signal.SIGTERM)
