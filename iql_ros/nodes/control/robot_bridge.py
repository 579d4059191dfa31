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

"""What comes from a robot, on a host node, driven by its RobotInterface."""

import collections
import functools
import threading

import numpy as np
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import QoSProfile, ReliabilityPolicy

from iql_ros.files import InputError
from iql_ros.nodes.control.step_collector import LOCKSTEP_QOS, StepCollector
from iql_ros.nodes.control.transform_listener import TransformListener
from iql_ros.nodes.hosting.message_classes import message_class
from iql_ros.robot import message_fields
from iql_ros.robot.message_fields import OtherJointsError, UnseenError
from iql_ros.robot.observation_buffer import ObservationBuffer
from iql_ros.robot.observations import Transform
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.task import Task

_KEPT = 10_000  # rewards and terminations that may wait for a tick
_AHEAD = 0.1    # [s] a sample's stamp may be ahead of our clock, but at least a control period


def stream_qos(stream, lockstep: bool) -> QoSProfile:
    """Return the QoS of a subscription; `auto` takes what reliable and best-effort offer."""
    if lockstep:
        return LOCKSTEP_QOS
    reliable = stream.qos == 'reliable'   # else whoever publishes is heard
    return QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE if reliable
                      else ReliabilityPolicy.BEST_EFFORT)


class RobotBridge:
    """
    The robot's topics as vectors; not a Node.

    In real time an executor puts samples into an ObservationBuffer; in lockstep they go to
    `steps`, one of every stream and the clock. `tap(topic, message, stamp_ns)` sees what comes,
    by the topic's full name and with the time that counts; in lockstep, messages without a
    header come once their step is complete.
    """

    def __init__(self, node, interface: RobotInterface, task: Task, lockstep: bool,
                 on_fault=None, on_unfit=None, tap=None):
        """
        Subscribe.

        Args:
            node: The host.
            interface: Of the robot.
            task: Its reward and terminated may come on topics.
            lockstep: Whether a simulator is followed step by step.
            on_fault: Told of a message that is not taken.
            on_unfit: Told, in real time, of an observation with which nobody may drive on.
            tap: See above.

        """
        self._node, self._interface, self._lockstep = node, interface, lockstep
        self._on_fault = on_fault or (lambda text: None)
        self._on_unfit = on_unfit or (lambda text: None)
        self._tap = tap or (lambda topic, message, stamp_ns: None)
        self._ahead_ns = max(round(_AHEAD * 1e9), interface.period_ns)
        self._unfit: dict[int, str] = {}     # what is wrong with a stream's newest message
        self._misfits: dict[int, str] = {}   # of these, what cannot pass by itself
        self._unseen: dict[int, str] = {}    # why a stream's newest message is no sample
        self.refused = 0                     # samples from the future
        self.received = [0] * len(interface.observation)   # messages of every stream, ever
        self.sampled = False                 # somebody asks for samples, tick by tick
        self.lock = threading.Lock()         # of what has come
        self.buffer = ObservationBuffer(interface)
        self._sources = [(stream.topic, stream.type, stream.decode, stream)
                         for stream in interface.observation]
        self.reward_index = self._add_source(task.reward_source)
        self.terminated_index = self._add_source(task.terminated_source)
        self._full_names = [node.resolve_topic_name(topic) for topic, *_ in self._sources]
        names = [topic for topic, *_ in self._sources]
        self.steps = StepCollector(node, names) if lockstep else None
        self._goals = {}            # by index; the newest (message, stamp)
        self._task_samples = collections.deque(maxlen=_KEPT)
        self._subscribe()

    def _add_source(self, source) -> int | None:
        if source is None:
            return None
        self._sources.append((source.topic, source.type, source.decode, None))
        return len(self._sources) - 1

    def _subscribe(self) -> None:
        self._subscriptions = []
        waiter = self.steps.waiter if self.steps else None
        sharing = {}     # one topic may have several streams
        for index, name in enumerate(self._full_names):
            sharing.setdefault((name, self._sources[index][1]), []).append(index)
        self._listeners = []
        for indices in sharing.values():
            topic, type_name, _, stream = self._sources[indices[0]]
            if isinstance(stream, Transform):
                self._listeners.append(TransformListener(
                    self._node, stream, waiter,
                    functools.partial(self._take_edges, indices), self._refuse_edges))
                self._subscriptions += self._listeners[-1].subscriptions
                continue
            qos = LOCKSTEP_QOS if stream is None else stream_qos(stream, self._lockstep)
            if stream is None and not self._lockstep:
                qos = QoSProfile(depth=100)
            kept = not self._lockstep and any(
                getattr(self._sources[index][3], 'goal', False) for index in indices)
            for each in (qos, *((LOCKSTEP_QOS,) if kept else ())):
                self._subscriptions.append(self._node.create_subscription(
                    message_class(type_name), topic,
                    functools.partial(self._on_message, indices), each,
                    event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False)
                    if kept else None,     # one of two matches
                    callback_group=waiter))
        if self.steps:
            self._subscriptions.append(self.steps.subscription)
            for subscription in self._subscriptions:
                waiter.add(subscription)

    def _on_message(self, indices: list[int], message) -> None:
        seen = False
        for index in indices:
            seen = self._take(index, message, tap=not seen) or seen

    def _take(self, index: int, message, tap: bool) -> bool:
        """Take what a message says to a stream; say whether it said anything."""
        _, _, decode, stream = self._sources[index]
        try:
            if self._is_known(index, message, stream):
                return True
            if stream is not None:
                self.received[index] += 1
            value = decode(message)
            stamp = self._stamp(message, stream)
        except OtherJointsError:  # of another part of the robot, under the same topic
            return False
        except UnseenError as error:
            self._take_unseen(index, message, str(error), tap)
            return True
        except InputError as error:
            self._misfits[index] = str(error)
            self._refuse(index, str(error), self._on_unfit)
            return False
        self._misfits.pop(index, None)
        self._unseen.pop(index, None)
        ahead = self._is_ahead(index, stamp)
        with self.lock:
            if getattr(stream, 'goal', False) and not self._lockstep:
                self._goals[index] = message, stamp
            if tap:
                self._show(self._full_names[index], message, stamp)
            if self._lockstep:
                self.steps.put(index, stamp, value)
            elif not ahead:
                self._keep(index, stamp, value)
        if stream is not None and not self._lockstep and not ahead:
            self._check_finite(index, stream, value)
        return True

    def _show(self, name: str, message, stamp_ns: int | None) -> None:
        if stamp_ns is None:
            self.steps.keep(name, message)
        else:
            self._tap(name, message, stamp_ns)

    def _take_edges(self, indices: list[int], name: str, message, edges) -> None:
        """Take the edges of a message of /tf or /tf_static, for every transform of that tree."""
        now_ns = None if self._lockstep else self._node.get_clock().now().nanoseconds
        with self.lock:
            self._show(name, message, now_ns)
            for index in indices:
                self.received[index] += 1
                if not self._lockstep:
                    self._keep(index, now_ns, edges)
                    continue
                self.buffer.push(index, 0, edges)
                stamps = [edge.stamp_ns for edge in edges if edge.stamp_ns is not None]
                found = self.buffer.sample_of(index, max(stamps)) if stamps else None
                if found and found[0] == 0:     # the whole way is of this step
                    self.steps.put(index, max(stamps), found[1])

    def _refuse_edges(self, count: int, text: str) -> None:
        self.refused += count
        self._on_fault(text)

    def tap_kept(self) -> None:
        """Show goals and frames that came before anybody looked: a recording would lack them."""
        now_ns = self.steps.stamp_ns if self.steps else self._node.get_clock().now().nanoseconds
        with self.lock:   # of several streams on one topic, once
            for name, (message, stamp) in {
                    self._full_names[index]: goal for index, goal in self._goals.items()}.items():
                self._tap(name, message, stamp)
            for listener in self._listeners:
                for message in listener.static_messages():
                    self._tap(listener.static_name, message, now_ns)

    @property
    def kept_topics(self) -> list[str]:
        """Return the full names of topics whose messages stay in force: goals, static frames."""
        return [*(name for name, source in zip(self._full_names, self._sources)
                  if getattr(source[3], 'goal', False)),
                *(listener.static_name for listener in self._listeners)]

    def _is_known(self, index: int, message, stream) -> bool:
        """Say whether it is a goal that has come already: two subscriptions hear it."""
        known = self._goals.get(index)
        return known is not None and stream.stamp == 'header' and (
            message_fields.stamp_ns(message) == known[1])

    def _take_unseen(self, index: int, message, text: str, tap: bool) -> None:
        """Record a message that is no sample, and why it is none."""
        self._unseen[index] = text
        if self._lockstep:
            self._on_fault(text)
            return
        if tap:
            with self.lock:
                self._tap(self._full_names[index], message,
                          self._stamp(message, self._sources[index][3]))

    def _keep(self, index: int, stamp_ns: int, value) -> None:
        if self._sources[index][3] is None:
            self._task_samples.append((index, stamp_ns, value))
        elif self.sampled:
            self.buffer.push(index, stamp_ns, value)
        else:  # inactive: nobody asks for them, for hours perhaps
            self.buffer.replace(index, stamp_ns, value)

    def _refuse(self, index: int, text: str, tell) -> None:
        if index >= len(self._interface.observation) or self._lockstep:
            self._on_fault(text)
            return
        self._unfit[index] = text
        tell(text)

    def _is_ahead(self, index: int, stamp_ns: int | None) -> bool:
        """Refuse, in real time, a sample from the future: it would come into force some day."""
        if self._lockstep or stamp_ns is None:
            return False
        ahead_ns = stamp_ns - self._node.get_clock().now().nanoseconds
        if ahead_ns <= self._ahead_ns:
            return False
        self.refused += 1
        self._refuse(index, f"'{self._sources[index][0]}' is stamped {ahead_ns * 1e-9:.3f} s in "
                     f'the future; allowed: {self._ahead_ns * 1e-9:g} s', self._on_fault)
        return True

    def _check_finite(self, index: int, stream, value: np.ndarray) -> None:
        finite = np.isfinite(value)
        if finite.all():
            self._unfit.pop(index, None)
            return
        position = int(np.flatnonzero(~finite)[0])
        self._refuse(index, f'{stream.value_names[position]} is {value[position]}',
                     self._on_unfit)

    def stale(self, tick_ns: int) -> list[str]:
        """Return whom a tick [ns] lacks: streams without a young sample, and why; hold `lock`."""
        if not self.buffer.stale_streams(tick_ns):
            return []
        return [*self.buffer.stale(tick_ns), *self._unseen.values()]

    def unfit(self) -> list[str]:
        """Return what is wrong with the newest message of every stream where something is."""
        return list(self._unfit.values())

    def check_fits(self) -> None:
        """
        Refuse streams whose newest message is of another kind than the YAML says.

        Raises:
            InputError: naming joints, sizes, fields or frames.

        """
        if self._misfits:
            raise InputError('; '.join(self._misfits.values()))

    def ages(self) -> list[str]:
        """Return how old the newest sample of every stream is, in words."""
        if self._lockstep:
            return ['with the step' for _ in self._interface.observation]
        with self.lock:
            ages = self.buffer.ages_ns(self._node.get_clock().now().nanoseconds)
        return ['nothing received' if age is None else f'{age * 1e-9:.3f} s old' for age in ages]

    def stream_name(self, index: int) -> tuple[str, float]:
        """Return the full name of a stream's topic, and its max_age [s]."""
        return self._full_names[index], self._interface.observation[index].max_age

    def _stamp(self, message, stream) -> int | None:
        if hasattr(message, 'header') and (stream is None or stream.stamp == 'header'):
            return message_fields.stamp_ns(message)
        return None if self._lockstep else self._node.get_clock().now().nanoseconds

    def wake(self) -> None:
        """Let who waits for a step look whether it is to stop, from any thread."""
        if self.steps:
            self.steps.waiter.wake()

    def step(self) -> tuple[int, np.ndarray, dict]:
        """Return the complete step: stamp [ns], observation, task samples."""
        values, kept = self.steps.take()
        for name, message in kept.items():
            self._tap(name, message, self.steps.stamp_ns)
        count = len(self._interface.observation)
        samples = {index: values[index] for index in (self.reward_index, self.terminated_index)
                   if index is not None}
        return self.steps.stamp_ns, np.concatenate(values[:count]), samples

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

    def destroy(self) -> None:
        """Leave the host node as it was."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
