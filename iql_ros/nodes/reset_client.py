"""The client of a simulator's reset service, called from the control loop's thread."""

import threading

from std_srvs.srv import Trigger


class ResetClient:
    """Asks for the next episode; says whom it waits for and gives up when told to stop."""

    def __init__(self, node, service: str, timeout: float):
        """Take the service's name and the time [s] after which the log names it."""
        self._node, self._service, self._timeout = node, service, timeout
        self._client = node.create_client(Trigger, service)

    def call(self, stopping: threading.Event) -> int | None:
        """Return the stamp [ns] of the new episode's first step; None when there is none."""
        while not self._client.wait_for_service(self._timeout):
            if stopping.is_set():
                return None
            self._node.log(f"waiting for service '{self._service}'")
        answered = threading.Event()
        future = self._client.call_async(Trigger.Request())
        future.add_done_callback(lambda _: answered.set())
        while not answered.wait(self._timeout):
            if stopping.is_set():
                return None
            self._node.log(f"waiting for the answer of '{self._service}'")
        response = future.result()
        if response.success and response.message.isdecimal():
            return int(response.message)
        self._node.log(f"'{self._service}' answered {response.message!r}; expected success and a "
                       'stamp in nanoseconds')
        stopping.wait(1.0)
        return None

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self._node.destroy_client(self._client)
