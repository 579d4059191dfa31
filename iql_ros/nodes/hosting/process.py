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

"""How the process of every node of this package runs and ends."""

import contextlib
import faulthandler
import os
import queue
import signal
import sys
import threading
import traceback

import rclpy
from rclpy.logging import get_logger_level, LoggingSeverity, set_logger_level
from rclpy.signals import SignalHandlerOptions

from iql_ros.files import InputError
from iql_ros.nodes.hosting.executor import MessageExecutor, words
from iql_ros.nodes.hosting.ros_errors import as_input_errors, one_line

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# [s] Beside a thread that computes, one that wakes waits for the GIL as long, and an actor's
# every operation may: beside 1,000 messages at once a tick took up to 27 ms with 1 ms, 12 with
# this.
_SWITCH_INTERVAL = 0.0001
_LEAVE_TIMEOUT = 10.0  # [s] of a node that does not say
_LARGEST_PARAMETERS = 1 << 18  # bytes of a file: rcl reads 200,000 entries for 108 s


def run(name: str, make_node, args=None) -> int:
    """
    Run a node until it is done or a signal asks it to end; return the exit code.

    rclpy's own signal handlers would close the publishers before a stop could be sent, so
    signals only set an event here, however many come, and `node.leave()` ends the node in order.
    So does whatever else ends it, such as the end of its executor, which counts as a failure.
    `make_node(done)` gets that event, to end by itself; its attribute `exit_code` counts. A node
    that has not left after its `leave_timeout` [s] is ended by force.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    done, node, deadline = threading.Event(), None, _Deadline(name)
    try:
        with _set_by_signals(done):
            _init(args)
            with as_input_errors():
                node = make_node(done)
            with _spinning(node, done):
                _live(node, done, deadline)
            return node.exit_code
    except InputError as error:
        print(f'{name}: error: {error}', file=sys.stderr, flush=True)
        return 2
    finally:
        done.set()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        deadline.end()


def _init(args) -> None:
    _check_parameter_files(sys.argv if args is None else args)
    set_logger_level('rcl', LoggingSeverity.FATAL)  # it says in lines of its own what it raises
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # rcl's: an argument or parameter file that it cannot read
        raise InputError(one_line(error)) from None
    finally:
        if get_logger_level('rcl') == LoggingSeverity.FATAL:  # not what the arguments say
            set_logger_level('rcl', LoggingSeverity.UNSET)


def _check_parameter_files(args) -> None:
    for name, path in zip(args, args[1:]):
        size = os.path.getsize(path) if name == '--params-file' and os.path.exists(path) else 0
        if size > _LARGEST_PARAMETERS:
            raise InputError(f'--params-file {path}: {size} bytes; allowed: {_LARGEST_PARAMETERS}')


def _live(node, done: threading.Event, deadline) -> None:
    try:
        if not done.is_set():
            with as_input_errors():
                node.begin()
        done.wait()
    finally:
        deadline.begin(getattr(node, 'leave_timeout', _LEAVE_TIMEOUT))
        node.leave()
        deadline.met = not getattr(node, 'hung', False)


@contextlib.contextmanager
def _set_by_signals(done: threading.Event):
    """Let signals set an event: in a thread, since a handler may interrupt who holds its lock."""
    asked = queue.SimpleQueue()
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as nohup does
            signal.signal(number, lambda *_: asked.put(True))

    def wait():
        while asked.get():
            done.set()

    threading.Thread(target=wait, name='signals', daemon=True).start()
    try:
        yield
    finally:
        asked.put(False)


@contextlib.contextmanager
def _spinning(node, done: threading.Event):
    """Spin a node in a thread; whatever happens, no callback runs once this is over."""
    executor, over = MessageExecutor(), threading.Event()
    executor.add_node(node)
    thread = threading.Thread(target=_spin, args=(executor, node, done, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        executor.shutdown(timeout_sec=2.0)
        thread.join(timeout=2.0)


def _spin(executor, node, done: threading.Event, over: threading.Event) -> None:
    """Serve until that is over; a node that hears nothing any more must not live on."""
    how, trace = 'it returned', ''
    try:
        executor.spin()
    except BaseException as error:  # SystemExit, too, which a thread ends by without a word
        how, trace = words(error), traceback.format_exc()
    if over.is_set():
        return
    node.exit_code = node.exit_code or 1
    done.set()
    node.get_logger().fatal(f'the executor has ended ({how}): leaving')
    node.get_logger().debug(trace)


class _Deadline:
    """Ends a process by force that does not end by itself."""

    def __init__(self, name: str):
        self._name, self._timer, self.met = name, None, False

    def begin(self, timeout: float) -> None:
        """Wait for the node to leave."""
        self._timer = threading.Timer(timeout, self._kill, [timeout])
        self._timer.daemon = True
        self._timer.start()
        # needs no GIL, should a function in C hold it for good; says where every thread is
        faulthandler.dump_traceback_later(timeout + 1.0, exit=True, file=2)

    def end(self) -> None:
        """Wait no longer, unless leaving failed: who knows which thread still runs."""
        if self._timer and self.met:
            self._timer.cancel()
            faulthandler.cancel_dump_traceback_later()

    def _kill(self, timeout: float) -> None:
        running = [thread.name for thread in threading.enumerate() if not thread.daemon]
        print(f'{self._name}: error: has not ended within {timeout:g} s, and is ended by force; '
              f"threads: {', '.join(running)}", file=sys.stderr, flush=True)
        os._exit(1)
