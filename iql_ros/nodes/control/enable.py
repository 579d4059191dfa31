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

"""A dead man's switch on ~/enable: the robot is driven while somebody holds it."""

import threading
import time

from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool

# Matches every publisher; whether it is held now is all that counts.
_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class Enable:
    """Whether the switch is held: true, and not longer ago than a time; not a Node."""

    def __init__(self, node, timeout: float):
        """Take for how long a true counts [s]; 0: there is no switch, and all is enabled."""
        self._node, self._timeout = node, timeout
        self._lock, self._held_until = threading.Lock(), 0.0
        self._subscription = None

    def subscribe(self, on_release) -> None:
        """Listen; `on_release` is called without arguments when a false comes."""
        self._on_release = on_release
        if self._timeout:
            self._subscription = self._node.create_subscription(
                Bool, '~/enable', self._on_message, _QOS)

    def _on_message(self, message: Bool) -> None:
        with self._lock:
            self._held_until = time.monotonic() + self._timeout if message.data else 0.0
        if not message.data:
            self._on_release()

    def held(self) -> bool:
        """Say whether the robot may be driven."""
        with self._lock:
            return not self._timeout or time.monotonic() <= self._held_until

    def destroy(self) -> None:
        """Leave the host node as it was."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
