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

"""Tests for nodes/hosting/real_time.py."""

import os
import threading

import pytest

from iql_ros.nodes.hosting.real_time import ask_for_real_time, give_back_real_time


def test_every_thread_goes_before_ordinary_ones_until_it_is_given_back():
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    if not ask_for_real_time(1, first=[thread.native_id]):
        end.set()
        pytest.skip('no real-time scheduling for this user')
    found = [os.sched_getscheduler(number) & ~os.SCHED_RESET_ON_FORK
             for number in (0, thread.native_id)]
    priorities = [os.sched_getparam(number).sched_priority for number in (0, thread.native_id)]
    give_back_real_time()
    after = [os.sched_getscheduler(number) for number in (0, thread.native_id)]
    end.set()
    assert (found, after) == ([os.SCHED_RR] * 2, [os.SCHED_OTHER] * 2)
    assert priorities == [1, 2]
