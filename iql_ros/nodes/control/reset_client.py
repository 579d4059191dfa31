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

"""The client of a simulator's reset service, called from the control loop's thread."""

import threading
import time

from std_srvs.srv import Trigger

_LOOK = 0.1  # [s] how late a request to stop may be seen


class ResetClient:
    """Asks for the next episode; says whom it waits for and gives up when told to stop."""

    def __init__(self, node, service: str, timeout: float):
        """Take the service's name and the time [s] after which the log names it."""
        self._node, self._service, self._timeout = node, service, timeout
        self._client = node.create_client(Trigger, service)

    def call(self, stopping: threading.Event) -> int | None:
        """Return the stamp [ns] of the new episode's first step; None when there is none."""
        if not self._wait(self._client.wait_for_service, stopping, 'service'):
            return None
        answered = threading.Event()
        future = self._client.call_async(Trigger.Request())
        future.add_done_callback(lambda _: answered.set())
        if not self._wait(answered.wait, stopping, 'the answer of'):
            return None
        response = future.result()
        if response.success and response.message.isdecimal():
            return int(response.message)
        self._node.log(f"'{self._service}' answered {response.message!r}; expected success and a "
                       'stamp in nanoseconds')
        stopping.wait(1.0)
        return None

    def _wait(self, ready, stopping: threading.Event, what: str) -> bool:
        """Wait until `ready` (given a time [s]) says so; False when told to stop."""
        said_at = time.monotonic()
        while not stopping.is_set():
            if ready(_LOOK):
                return True
            if time.monotonic() - said_at >= self._timeout:
                said_at = time.monotonic()
                self._node.log(f"waiting for {what} '{self._service}'")
        return False

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self._node.destroy_client(self._client)
