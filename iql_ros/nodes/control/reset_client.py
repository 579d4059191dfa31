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

from iql_ros.files import shown

_LOOK = 0.1     # [s] how late a request to stop may be seen
_AGAIN = 1.0    # [s] after an answer that is none
_LONGEST = 19   # digits of a stamp: int64, as ROS has its times


class ResetClient:
    """Asks for the next episode; says whom it waits for and gives up when told to stop."""

    def __init__(self, node, service: str, timeout: float):
        """Take the service's name and the time [s] after which the log names it."""
        self._node, self._service, self._timeout = node, service, timeout
        self._client = node.create_client(Trigger, service)

    def call(self, stopping: threading.Event) -> int | None:
        """
        Return the stamp [ns] of the new episode's first step; None when there is none.

        However slow the answer is, it is waited for. Who goes without one is called again when
        it is back.
        """
        while self._wait(self._is_ready, stopping, 'service'):
            response = self._ask(stopping)
            if response is not None:
                return self._stamp_ns(response, stopping)
        return None

    def _is_ready(self, seconds: float) -> bool:
        if self._client.service_is_ready():
            return True
        time.sleep(seconds)
        return False

    def _ask(self, stopping: threading.Event) -> Trigger.Response | None:
        """Return the answer; None when told to stop, or when who was asked has gone."""
        answered, most = threading.Event(), max(1, self._servers())
        future = self._client.call_async(Trigger.Request())
        future.add_done_callback(lambda _: answered.set())
        gone = False

        def is_over(seconds: float) -> bool:
            nonlocal most, gone
            if answered.wait(seconds):
                return True
            # of two, as while one is started anew, nobody knows which has gone
            count = self._servers()
            most, gone = max(most, count), count < most
            return gone

        self._wait(is_over, stopping, 'the answer of')
        if answered.is_set():
            return future.result()
        self._client.remove_pending_request(future)  # its late answer is not the next one's
        if gone:
            self._node.log(f"'{self._service}' has gone without an answer; calling it again when "
                           'it is back')
        return None

    def _servers(self) -> int:
        return self._node.count_services(self._client.service_name)

    def _stamp_ns(self, response: Trigger.Response, stopping: threading.Event) -> int | None:
        text = response.message
        if response.success and text.isascii() and text.isdecimal() and len(text) <= _LONGEST:
            stamp_ns = int(text)
            if stamp_ns < 2 ** 63:
                return stamp_ns
        self._node.log(f"'{self._service}' answered {shown(text)}; expected success and a stamp "
                       'in nanoseconds')
        stopping.wait(_AGAIN)
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
