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
import signal
import sys
import threading
import traceback

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.signals import SignalHandlerOptions

from iql_ros.files import InputError
from iql_ros.nodes.hosting.executor import MessageExecutor


def run(name: str, make_node, args=None) -> int:
    """
    Run a node until it is done or a signal asks it to end; return the exit code.

    rclpy's own signal handlers would close the publishers before a stop could be sent, so
    signals only set an event here and `node.leave()` ends the node in order.
    `make_node(done)` gets that event, to end by itself; its attribute `exit_code` counts.
    """
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    node = None
    try:
        _init(args)
        node = make_node(done)
        with _spinning(node, done):
            node.begin()
            done.wait()
            node.leave()
        return node.exit_code
    except InputError as error:
        print(f'{name}: error: {error}', file=sys.stderr, flush=True)
        return 2
    finally:
        done.set()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _init(args) -> None:
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # rcl's: an argument or parameter file that it cannot read
        raise InputError(' '.join(str(error).split())) from None


@contextlib.contextmanager
def _spinning(node, done: threading.Event):
    """Spin a node in a thread; whatever happens, no callback runs once this is over."""
    executor = MessageExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=_spin, args=(executor, node, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown(timeout_sec=2.0)
        thread.join(timeout=2.0)


def _spin(executor, node, done: threading.Event) -> None:
    while rclpy.ok():
        try:
            executor.spin()
            return
        except ExternalShutdownException:
            break
        except Exception as error:  # such as rclpy's at a parameter of a type that is none
            log = node.get_logger()
            log.error(f'a callback failed: {error!r}', throttle_duration_sec=1.0)
            log.debug(traceback.format_exc())
    done.set()
