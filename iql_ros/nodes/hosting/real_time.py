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

"""What keeps a process in time: real-time scheduling where that may be, no long collection."""

import gc
import os

# Among real-time threads, low; the sentry's is above all of the process it watches.
CONTROL, SENTRY = 10, 12


def set_garbage_aside() -> None:
    """
    Collect garbage now, and look no more at what there is.

    With PyTorch imported, a full collection stops every thread of Python for 0.2 s.
    """
    gc.collect()
    gc.freeze()


def ask_for_real_time(priority: int, first=()) -> bool:
    """
    Let every thread of this process go before ordinary ones; say whether that may be.

    It may where limits.conf gives the user an rtprio. What this process starts is ordinary.

    Args:
        priority: Of them, 1 to 98.
        first: Native ids of threads that go before the others: they get one more.

    """
    policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
    if not _schedule(policy, priority, _threads()):
        return False
    return _schedule(policy, priority + 1, first)


def give_back_real_time() -> None:
    """Let every thread of this process be ordinary again, and garbage be garbage."""
    gc.unfreeze()
    _schedule(os.SCHED_OTHER, 0, _threads())


def _threads() -> list[int]:
    """Return the native ids of this process's threads, this one's first."""
    return [0, *map(int, os.listdir('/proc/self/task'))]


def _schedule(policy: int, priority: int, threads) -> bool:
    """Say whether that may be."""
    for thread in threads:
        try:
            os.sched_setscheduler(thread, policy, os.sched_param(priority))
        except ProcessLookupError:
            continue  # it has ended
        except OSError:
            return False
    return True
