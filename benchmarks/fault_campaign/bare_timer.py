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

"""A process that does nothing but wait: by how much it is late, the machine is late."""

import time

_KEPT = 120.0  # [s]


def run(pipe, period: float) -> None:
    """Wake every `period` [s]; answer a time with the ticks (due, woke) since then."""
    ticks, due = [], time.monotonic()
    while True:
        due += period
        time.sleep(max(0.0, due - time.monotonic()))
        woke = time.monotonic()
        ticks.append((due, woke))
        due = max(due, woke - period)  # a machine that slept is late once
        if pipe.poll():
            since = pipe.recv()
            if since is None:
                return
            pipe.send([tick for tick in ticks if tick[1] >= since])
            ticks = [tick for tick in ticks if tick[1] >= woke - _KEPT]
