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

"""Messages that a thread waits for itself, and that no executor serves."""

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import InvalidHandle
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.subscription import Subscription


class MessageWaiter(ReentrantCallbackGroup):
    """
    The callback group of subscriptions whose callbacks run in the thread that calls `wait`.

    Handing messages over from an executor's thread made lockstep 7 % slower. Before anybody
    waits, the middleware keeps as many messages as the QoS says. What an executor serves
    besides, such as warnings of QoS that does not match, it goes on serving.
    """

    def __init__(self, node):
        """Wait for messages of a node; which ones comes with `add`."""
        super().__init__()
        self._context, self._subscriptions = node.context, []
        self._woken = rclpy_implementation.GuardCondition(self._context.handle)
        self._set = None

    def can_execute(self, entity) -> bool:
        """Refuse executors the subscriptions."""
        return not isinstance(entity, Subscription)

    def add(self, subscription) -> None:
        """Wait for a subscription of this group, too; before the first `wait`."""
        self._subscriptions.append(subscription)
        self._set = rclpy_implementation.WaitSet(
            len(self._subscriptions), 1, 0, 0, 0, 0, self._context.handle)

    def wake(self) -> None:
        """Let `wait` return now, or the next time; from any thread."""
        self._woken.trigger_guard_condition()

    def wait(self, timeout: float) -> None:
        """Wait up to `timeout` [s], or until `wake`, and call back for the messages there are."""
        self._set.clear_entities()
        self._set.add_guard_condition(self._woken)
        for subscription in self._subscriptions:
            self._set.add_subscription(subscription.handle)
        self._set.wait(round(timeout * 1e9))
        ready = self._set.get_ready_entities('subscription')
        for subscription in self._subscriptions:
            if subscription.handle.pointer in ready:
                take_message(subscription)


def take_message(subscription) -> None:
    """Take a message, where there still is one, and call back for it."""
    try:
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
    except InvalidHandle:  # a callback before this one has destroyed it
        return
    if taken is not None:
        subscription.callback(taken[0])
