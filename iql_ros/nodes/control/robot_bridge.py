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

"""Subscriptions and publishers of one robot on a host node, driven by its RobotInterface."""

import collections
import functools
import importlib
import threading
import time

import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from iql_ros.files import InputError
from iql_ros.nodes.control.lockstep import StepAssembler
from iql_ros.nodes.hosting.message_waiter import MessageWaiter
from iql_ros.robot import message_fields
from iql_ros.robot.robot_interface import ObservationBuffer, RobotInterface
from iql_ros.robot.task import Task

# A late joiner gets the current step, and a step is never dropped or queued behind another.
LOCKSTEP_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                          durability=DurabilityPolicy.TRANSIENT_LOCAL)
_KEPT = 10_000  # rewards and terminations that may wait for a tick
COMMAND_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


@functools.lru_cache(maxsize=None)
def message_class(type_name: str):
    """
    Return the class of `pkg/msg/Name`.

    Raises:
        InputError: when the package is not importable or has no such message.

    """
    package, _, name = type_name.partition('/msg/')
    try:
        return getattr(importlib.import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError):
        raise InputError(f"message type '{type_name}' is not installed; source the workspace "
                         'that has it') from None


def make_message(type_name: str):
    """Return an empty message of `pkg/msg/Name`."""
    return message_class(type_name)()


def stream_qos(stream, lockstep: bool) -> QoSProfile:
    """Return the QoS of a subscription; `auto` takes what reliable and best-effort offer."""
    if lockstep:
        return LOCKSTEP_QOS
    reliable = stream.qos == 'reliable'
    return QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE if reliable
                      else ReliabilityPolicy.BEST_EFFORT)


class RobotBridge:
    """
    The robot's topics as vectors; not a Node.

    In real time an executor puts samples into an ObservationBuffer; in lockstep `wait_step` puts
    them into a StepAssembler, one of every stream and the clock. `tap(topic, message, stamp_ns)`
    sees what goes either way, by the topic's full name and with the time that counts; in
    lockstep, messages without a header come once their step is complete.
    """

    def __init__(self, node, interface: RobotInterface, task: Task, lockstep: bool,
                 on_fault=None, tap=None):
        """Subscribe; publishers are made by `open`, so that nothing can be sent before."""
        self._node, self._interface, self._lockstep = node, interface, lockstep
        self._on_fault = on_fault or (lambda text: None)
        self._tap = tap or (lambda topic, message, stamp_ns: None)
        self._publishers = []
        self.lock = threading.Lock()         # of what has come
        self.buffer = ObservationBuffer(interface)
        self._sources = [(stream.topic, stream.type, stream.decode, stream)
                         for stream in interface.observation]
        self.reward_index = self._add_source(task.reward_source)
        self.terminated_index = self._add_source(task.terminated_source)
        names = [topic for topic, *_ in self._sources] + ['/clock']
        self._full_names = [node.resolve_topic_name(topic) for topic, *_ in self._sources]
        self._steps, self.clock_ns = StepAssembler(names), None
        self._without_stamp = {}    # by index, of the step that is being collected
        self._task_samples = collections.deque(maxlen=_KEPT)
        self._subscribe()

    def _add_source(self, source) -> int | None:
        if source is None:
            return None
        self._sources.append((source.topic, source.type, source.decode, None))
        return len(self._sources) - 1

    def _subscribe(self) -> None:
        self._subscriptions = []
        self._waiter = MessageWaiter(self._node) if self._lockstep else None
        for index, (topic, type_name, _, stream) in enumerate(self._sources):
            qos = LOCKSTEP_QOS if stream is None else stream_qos(stream, self._lockstep)
            if stream is None and not self._lockstep:
                qos = QoSProfile(depth=100)
            self._subscriptions.append(self._node.create_subscription(
                message_class(type_name), topic, functools.partial(self._on_message, index), qos,
                callback_group=self._waiter))
        if self._lockstep:
            self._subscriptions.append(self._node.create_subscription(
                Clock, '/clock', self._on_clock, LOCKSTEP_QOS, callback_group=self._waiter))
            for subscription in self._subscriptions:
                self._waiter.add(subscription)

    def _on_clock(self, message: Clock) -> None:
        stamp = message.clock.sec * 1_000_000_000 + message.clock.nanosec
        self.clock_ns = stamp
        self._steps.put(len(self._sources), None, stamp)

    def _on_message(self, index: int, message) -> None:
        _, _, decode, stream = self._sources[index]
        try:
            value = decode(message)
            stamp = self._stamp(message, stream)
        except InputError as error:
            self._on_fault(str(error))
            return
        with self.lock:
            if stamp is None:
                self._without_stamp[index] = message
            else:
                self._tap(self._full_names[index], message, stamp)
            if self._lockstep:
                self._steps.put(index, stamp, value)
            elif stream is None:
                self._task_samples.append((index, stamp, value))
            elif self._publishers:
                self.buffer.push(index, stamp, value)
            else:  # inactive: nobody samples, for hours perhaps
                self.buffer.replace(index, stamp, value)

    def _stamp(self, message, stream) -> int | None:
        if hasattr(message, 'header') and (stream is None or stream.stamp == 'header'):
            return message_fields.stamp_ns(message)
        return None if self._lockstep else self._node.get_clock().now().nanoseconds

    def step_ns(self) -> int:
        """Return the stamp [ns] of the newest lockstep step, 0 before the first."""
        return self.clock_ns or 0

    def wait_step(self, stamp_ns: int | None, timeout: float, stopping: threading.Event) -> bool:
        """
        Take messages until a lockstep step is complete; say whether it is.

        Args:
            stamp_ns: Of the step [ns]; None: any.
            timeout: How long to wait [s].
            stopping: Set, and followed by `wake`, it ends the wait.

        """
        end = time.monotonic() + timeout
        while self.missing(stamp_ns) and not stopping.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._waiter.wait(left)
        return not stopping.is_set()

    def wake(self) -> None:
        """Let `wait_step` look whether it is to stop, from any thread."""
        if self._waiter:
            self._waiter.wake()

    def missing(self, stamp_ns: int | None) -> list[str]:
        """Return whom a lockstep run waits for."""
        expected = self.clock_ns if stamp_ns is None else stamp_ns
        names = self._steps.missing(expected)
        return names or (['/clock'] if self.clock_ns != expected else [])

    def step(self) -> tuple[int, np.ndarray, dict]:
        """Return the complete step: stamp [ns], observation, task samples."""
        values = self._steps.values()
        for index, message in self._without_stamp.items():
            self._tap(self._full_names[index], message, self.clock_ns)
        self._without_stamp = {}
        count = len(self._interface.observation)
        samples = {index: values[index] for index in (self.reward_index, self.terminated_index)
                   if index is not None}
        return self.clock_ns, np.concatenate(values[:count]), samples

    def next_step(self) -> None:
        """Begin to wait for the next lockstep step; call it before the answer is sent."""
        self._steps.clear()
        self._without_stamp = {}

    @property
    def types(self) -> list[str]:
        """Return the types of the messages that go either way."""
        return [source[1] for source in self._sources] + [
            stream.type for stream in self._interface.action]

    def take_task_samples(self) -> list[tuple[int, int, float]]:
        """Return the reward and terminated samples since the last call; hold `lock`."""
        samples = list(self._task_samples)
        self._task_samples.clear()
        return samples

    def open(self) -> None:
        """Make the command publishers."""
        qos = LOCKSTEP_QOS if self._lockstep else COMMAND_QOS
        self._publishers = [self._node.create_publisher(message_class(stream.type), stream.topic,
                                                        qos)
                            for stream in self._interface.action]

    def publish(self, command: np.ndarray, stamp_ns: int) -> None:
        """Send a command (action_dim,): every message is made before the first one goes out."""
        vectors = self._interface.split_action(command)
        messages = [stream.encode(vector, stamp_ns, make_message)
                    for stream, vector in zip(self._interface.action, vectors)]
        for publisher, message in zip(self._publishers, messages):
            publisher.publish(message)
            self._tap(publisher.topic_name, message, stamp_ns)

    def close(self) -> None:
        """Destroy the command publishers: silence."""
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)
        self._publishers = []

    def destroy(self) -> None:
        """Leave the host node as it was."""
        self.close()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
