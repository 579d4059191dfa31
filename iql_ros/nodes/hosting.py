"""How every node of this package declares its parameters, runs and ends."""

import contextlib
import dataclasses
import signal
import sys
import threading
import types

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.signals import SignalHandlerOptions

from iql_ros.files import InputError
from iql_ros.nodes.executor import MessageExecutor


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A row of a node's parameter table; the default's type is the parameter's."""

    name: str
    default: object
    description: str
    range: tuple | None = None           # inclusive (lowest, highest)
    choices: tuple[str, ...] = ()


def declare(node, table: tuple[Parameter, ...]) -> None:
    """Declare the parameters of a table, with descriptions and ranges."""
    for row in table:
        descriptor = ParameterDescriptor(description=row.description, read_only=True)
        if row.choices:
            descriptor.additional_constraints = f"one of: {', '.join(row.choices)}"
        if row.range and isinstance(row.default, float):
            descriptor.floating_point_range = [FloatingPointRange(
                from_value=float(row.range[0]), to_value=float(row.range[1]))]
        elif row.range:
            descriptor.integer_range = [IntegerRange(
                from_value=row.range[0], to_value=row.range[1], step=1)]
        try:
            node.declare_parameter(row.name, row.default, descriptor)
        except rclpy.exceptions.ParameterException as error:
            raise InputError(f"parameter '{row.name}': {error}") from None
        except rclpy.exceptions.InvalidParameterTypeException as error:
            raise InputError(f"parameter '{row.name}': {error}") from None


def values(node, table: tuple[Parameter, ...]) -> types.SimpleNamespace:
    """
    Return the values of a table's parameters by name.

    Raises:
        InputError: for a value that is none of the choices, or none at all.

    """
    try:
        found = {row.name: node.get_parameter(row.name).value for row in table}
    except rclpy.exceptions.ParameterUninitializedException as error:  # [] is of no type
        raise InputError(f'parameter without a value: {error}') from None
    for row in table:
        if row.choices and found[row.name] not in row.choices:
            raise InputError(f"parameter '{row.name}': got '{found[row.name]}'; allowed: "
                             f"{', '.join(row.choices)}")
    return types.SimpleNamespace(**found)


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
    thread = threading.Thread(target=_spin, args=(executor, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown(timeout_sec=2.0)
        thread.join(timeout=2.0)


def _spin(executor, done: threading.Event) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        done.set()
