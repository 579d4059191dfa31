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
A process that does nothing but wait, on one core: by how much it is late, the machine is late.

A virtual machine's cores stand still one by one, for 15 ms now and then, when its host has others
to serve: so there is one on every core, and it looks often.
"""

import os
import time

from fault_campaign.helper import go_first

_KEPT = 120.0   # [s]
_WORTH = 0.0005  # [s] it is late by, to be kept


def run(pipe, core: int, period: float) -> None:
    """Wake every `period` [s]; answer a time with the late ticks (due, woke) since then."""
    os.sched_setaffinity(0, {core})
    go_first()
    ticks, due = [], time.monotonic()
    while True:
        due += period
        time.sleep(max(0.0, due - time.monotonic()))
        woke = time.monotonic()
        if woke - due > _WORTH:
            ticks.append((due, woke))
        due = max(due, woke - period)  # a machine that slept is late once
        if pipe.poll():
            since = pipe.recv()
            if since is None:
                return
            pipe.send([tick for tick in ticks if tick[1] >= since])
            ticks = [tick for tick in ticks if tick[1] >= woke - _KEPT]
