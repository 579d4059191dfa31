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

"""An executor that no callback ends, and that gathers what it waits for once, not every time."""

import contextlib
import re
import time
import traceback

from rclpy.exceptions import InvalidHandle
from rclpy.executors import (
    ExternalShutdownException, ShutdownException, SingleThreadedExecutor, TimeoutException)
from rclpy.impl.implementation_singleton import rclpy_implementation

from iql_ros.nodes.hosting.message_waiter import MessageWaiter, take_message

_FOREVER = -1  # [ns]
_PRIVATE = ('_guard', '_is_shutdown', '_sigint_gc', '_tasks')
_QUIET = 1.0   # [s] between two lines about callbacks of one thing
_LONGEST = 300  # [character] of an exception in a line
_TRIES = 10    # of rclpy's own failures one after another; what hears nothing must not look alive


class MessageExecutor(SingleThreadedExecutor):
    """
    Serves messages, timers and services itself, and leaves all else to rclpy's own executor.

    That one makes a wait set of all there is, twice for every callback. Here it is kept until
    something else is ready; rclpy triggers a guard condition when an entity comes or goes.
    Callbacks must be plain functions: of a message, of nothing, of a request and a response.
    Waitables, which are the warnings of QoS that does not match, are looked at with every timer.
    What a callback raises is logged, and nobody else hears of it.
    """

    def __init__(self):
        """Wait for nodes."""
        super().__init__()
        self._said = {}  # when, by what failed

    def spin(self) -> None:
        """
        Execute callbacks until shutdown.

        Raises:
            ExternalShutdownException: when it is the context that was shut down.
            BaseException: one that is no Exception, such as SystemExit, of a callback.
            Exception: when rclpy itself fails again and again.

        """
        failures = 0
        while self.context.ok() and not self._is_shutdown:
            try:
                self._serve()
                failures = 0
            except ExternalShutdownException:
                raise
            except Exception as error:  # such as of an entity that was destroyed meanwhile
                if not self.context.ok():
                    raise ExternalShutdownException from None
                if self._is_shutdown:
                    return
                failures += 1
                if failures == _TRIES:
                    raise
                self._say('the executor failed', error)

    def _serve(self) -> None:
        """Serve what is served here until something else is ready, and that too."""
        if not all(hasattr(self, name) for name in _PRIVATE):  # of another rclpy
            with contextlib.suppress(ShutdownException):
                self._serve_next(None)
            return
        guards = [guard for guard in (self._guard, self._sigint_gc) if guard]
        with contextlib.ExitStack() as held:
            waiting = _Waiting(self.get_nodes(), guards, self.context, held, self._on_failure)
            while not self._is_shutdown and waiting.serve():
                pass
        if not self.context.ok():
            raise ExternalShutdownException
        self._serve_rest()

    def _serve_rest(self) -> None:
        """Let rclpy execute all that is ready now."""
        served = []
        while True:
            try:
                served.append(self._serve_next(0))
            except ShutdownException:
                return
            except TimeoutException:  # a task may have come before it waited, and have woken it
                if all(task in served for task, _, _ in list(self._tasks)):
                    return

    def _serve_next(self, timeout_sec):
        """Let rclpy execute what is ready next; return the task that this is."""
        handler, entity, _ = self.wait_for_ready_callbacks(timeout_sec=timeout_sec)
        handler()
        if handler.exception() is not None:
            _release(entity)
            self._on_failure(entity, handler.exception())
        return handler

    def _on_failure(self, entity, error: Exception) -> None:
        self._say(f'a callback failed ({_name(entity)})', error)

    def _say(self, what: str, error: Exception) -> None:
        now = time.monotonic()
        if now - self._said.get(what, -_QUIET) < _QUIET:
            return
        self._said[what] = now
        for node in self.get_nodes()[:1]:
            node.get_logger().error(f'{what}: {words(error)}')
            node.get_logger().debug(''.join(traceback.format_exception(error)))


class _Waiting:
    """The wait set of some nodes; what is in it is not destroyed while `held` is open."""

    def __init__(self, nodes, guards, context, held: contextlib.ExitStack, on_failure):
        self._on_failure = on_failure
        entities = {  # in the order in which a wait set counts them
            'subscription': [entity for node in nodes for entity in node.subscriptions
                             if not isinstance(entity.callback_group, MessageWaiter)],
            'guard_condition': guards + [entity for node in nodes for entity in node.guards],
            'timer': [entity for node in nodes for entity in node.timers],
            'client': [entity for node in nodes for entity in node.clients],
            'service': [entity for node in nodes for entity in node.services]}
        self._entities = {kind: {entity.handle.pointer: entity for entity in found
                                 if _hold(entity.handle, held)}
                          for kind, found in entities.items()}
        held.enter_context(context.handle)
        sizes = [len(found) for found in self._entities.values()]
        self._set = rclpy_implementation.WaitSet(*sizes, 0, context.handle)
        self._entries = [(getattr(self._set, f'add_{kind}'), entity.handle)
                         for kind, found in self._entities.items() for entity in found.values()]

    def serve(self) -> bool:
        """Wait, and serve what is ready; say whether nothing else is."""
        self._set.clear_entities()
        for add, handle in self._entries:
            add(handle)
        self._set.wait(_FOREVER)
        ready = {kind: self._set.get_ready_entities(kind) for kind in self._entities}
        messages, requests = ready.pop('subscription'), ready.pop('service')
        for pointer in ready['guard_condition']:  # the wait has taken that it was triggered
            self._entities['guard_condition'][pointer]._executor_triggered = True
        if ready['guard_condition']:  # a shutdown, perhaps
            return False
        for pointer in ready['timer']:
            self._attempt(_call_timer, self._entities['timer'][pointer])
        for pointer in messages:
            self._attempt(take_message, self._entities['subscription'][pointer])
        for pointer in requests:
            self._attempt(_answer, self._entities['service'][pointer])
        return not any(ready.values())

    def _attempt(self, serve, entity) -> None:
        try:
            serve(entity)
        except Exception as error:
            self._on_failure(entity, error)


def _name(entity) -> str:
    kind = re.sub('(?<!^)(?=[A-Z])', ' ', type(entity).__name__).lower() if entity else 'task'
    try:
        name = getattr(entity, 'topic_name', None) or getattr(entity, 'srv_name', None)
    except InvalidHandle:  # its callback has destroyed it
        name = None
    return f"{kind} '{name}'" if name else kind


def words(error: BaseException) -> str:
    """Return what a line says of an exception."""
    try:
        text = repr(error)
    except Exception:  # it is not ours
        text = type(error).__name__
    return ' '.join(text[:_LONGEST].split())


def _release(entity) -> None:
    """Let an entity be served again whose data could not be taken: rclpy waits for its end."""
    if entity is None:
        return
    entity._executor_event = False
    if getattr(entity.callback_group, '_active_entity', None) is entity:
        entity.callback_group.ending_execution(entity)


def _hold(handle, held: contextlib.ExitStack) -> bool:
    """Keep a handle from being destroyed; say whether it has not been already."""
    try:
        held.enter_context(handle)
    except InvalidHandle:
        return False
    return True


def _call_timer(timer) -> None:
    try:
        with timer.handle:
            if not timer.handle.is_timer_ready():  # it has been cancelled
                return
            timer.handle.call_timer()
    except InvalidHandle:  # a callback before this one has destroyed it
        return
    timer.callback()


def _answer(service) -> None:
    """Take a request, where there still is one, and answer it."""
    try:
        with service.handle:
            request, header = service.handle.service_take_request(service.srv_type.Request)
            if header is None:
                return
            response = service.callback(request, service.srv_type.Response())
            service.send_response(response, header)
    except InvalidHandle:  # a callback before this one has destroyed it
        return
