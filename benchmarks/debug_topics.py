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

"""
What it costs a control loop at 100 Hz to show what the policy sees, on ~/debug.

In turns: without it (a function that does nothing in its place), with nobody who listens, and
with a listener of observation, action and markers in a process of its own. Times of a tick's
showing, which begins when its command has gone out, and of how long after t_k + settle the
commands went out.
"""

import argparse
import contextlib
import functools
import json
import multiprocessing
import os
from pathlib import Path
import sys
import tempfile
import threading
import time

from fault_campaign.helper import Helper
from fault_campaign.setting import settle, write_setting
from fault_campaign.stage import environment
import numpy as np

WAYS = ('without', 'nobody listens', 'a listener')
TOPICS = ('observation', 'action', 'markers')
_COMING = 5.0        # [s] until a listener has gone, and the publisher knows
_STARTING = 60.0     # [s] for the first command


def listen(pipe) -> None:
    """Listen until told to end; answer how many messages came on each topic."""
    import rclpy
    from rclpy.node import Node
    from sensor_msgs.msg import JointState
    from visualization_msgs.msg import MarkerArray
    rclpy.init()
    node, counts = Node('listener'), dict.fromkeys(TOPICS, 0)

    def count(message, topic):
        counts[topic] += 1
    for topic in TOPICS:
        node.create_subscription(MarkerArray if topic == 'markers' else JointState,
                                 f'policy_node/debug/{topic}',
                                 functools.partial(count, topic=topic), 10)
    while not pipe.poll():
        rclpy.spin_once(node, timeout_sec=0.05)
    pipe.send(counts)
    node.destroy_node()    # else it counts as a listener for as long as DDS remembers it
    rclpy.shutdown()


class Listener:
    """A process that listens, while this is entered; `heard` then says what it heard."""

    def __enter__(self):
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context('spawn').Process(
            target=listen, args=(theirs,), daemon=True)
        self._process.start()
        return self

    def __exit__(self, *error):
        self._pipe.send('end')
        self.heard = self._pipe.recv() if self._pipe.poll(_COMING) else {}
        self._process.join(_COMING)
        self._process.kill()


class Measured:
    """A policy node in this process, whose ticks are timed."""

    def __init__(self, folder: Path, rate: float):
        """Start it; the robot is there."""
        import rclpy
        from rclpy.parameter import Parameter
        from iql_ros.nodes.hosting.executor import MessageExecutor
        from iql_ros.nodes.policy_node import PolicyNode
        rclpy.init()
        self.shown, self.sent, self._settle_ns = [], [], round(settle(rate) * 1e9)
        values = {'checkpoint': str(folder / 'policy.safetensors'), 'device': 'cpu',
                  'robot_config': str(folder / 'robot.yaml')}
        self.node = PolicyNode(threading.Event(), tap=self._on_message, overrides=[
            Parameter(name, value=value) for name, value in values.items()])
        self._executor = MessageExecutor()
        self._executor.add_node(self.node)
        threading.Thread(target=self._executor.spin, daemon=True).start()
        self.node.begin()
        self._shows, self.node._debug.show = self.node._debug.show, self._timed
        self._show = self._shows
        deadline = time.monotonic() + _STARTING
        while not self.sent and time.monotonic() < deadline:
            time.sleep(0.1)
        if not self.sent:
            raise SystemExit(f'no command: {self.node._describe()[1]}')

    def _on_message(self, topic: str, message, stamp_ns: int) -> None:
        if topic == '/cmd_vel':
            self.sent.append(time.time_ns() - stamp_ns - self._settle_ns)

    def _timed(self, result, told) -> None:
        began = time.perf_counter_ns()
        self._show(result, told)
        self.shown.append(time.perf_counter_ns() - began)

    def wait_for_listener(self) -> None:
        """Wait until all that is shown is listened to."""
        while len(self.node._debug._heard) < len(self.node._debug._publishers):
            time.sleep(0.1)

    def turn(self, way: str, seconds: float) -> tuple[list[int], list[int]]:
        """Return the times [ns] of showing and of sending, of so many seconds."""
        self.node._clear_trip()     # of a busy machine, where there is one
        self._show = (lambda result, told: None) if way == WAYS[0] else self._shows
        self.shown.clear()
        self.sent.clear()
        time.sleep(seconds)
        return list(self.shown), list(self.sent)

    def close(self) -> None:
        """Stop the robot."""
        self.node.leave()
        self._executor.shutdown()


def measure(arguments, folder: Path) -> dict:
    """Return the times [us] of every way, and what the listener heard."""
    write_setting(folder, arguments.rate)
    robot_yaml = folder / 'robot.yaml'   # a busy machine is not what is measured
    robot_yaml.write_text(robot_yaml.read_text().replace('max_age: 0.2', 'max_age: 1.0'))
    sys.path.insert(0, str(folder))      # the task's functions
    robot = Helper('robot', 200.0, False)
    robot.receive()
    measured = Measured(folder, arguments.rate)
    times = {way: ([], []) for way in WAYS}
    heard = dict.fromkeys(TOPICS, 0)
    try:
        for _ in range(arguments.turns):
            for way in WAYS:
                with Listener() if way == WAYS[2] else contextlib.nullcontext() as listener:
                    if listener:
                        measured.wait_for_listener()
                    found = measured.turn(way, arguments.seconds)
                for kept, new in zip(times[way], found):
                    kept += new
                for topic, count in (listener.heard if listener else {}).items():
                    heard[topic] += count
                time.sleep(_COMING if listener else 0.0)
        figures = {way: {'ticks': len(sent), **_figures('shown', shown), **_figures('sent', sent)}
                   for way, (shown, sent) in times.items()}
        return {**figures, 'heard': heard, 'trips': measured.node._runner.gate.trip_reason}
    finally:
        measured.close()
        robot.close()


def _figures(what: str, times) -> dict[str, float]:
    if not times:
        return {}
    p50, p99 = np.percentile(times, (50, 99)) / 1e3
    return {f'{what}_median_us': float(p50), f'{what}_p99_us': float(p99)}


def main(argv=None) -> int:
    """Measure; return 1 where a tick's showing takes more than 0.3 ms at the median."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rate', type=float, default=100.0, help='[Hz]')
    parser.add_argument('--seconds', type=float, default=10.0, help='of each turn')
    parser.add_argument('--turns', type=int, default=3)
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        environment(Path(temporary))
        figures = measure(arguments, Path(temporary))
    for way in WAYS:
        row = figures[way]
        print(f'{way:>15}: {row["ticks"]} ticks', *(
            f'{key} {value:.1f}' for key, value in row.items() if key != 'ticks'), sep=', ')
    print(f'the listener heard {figures["heard"]}; trips: {figures["trips"]}')
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + '\n')
    return 0 if figures[WAYS[2]]['shown_median_us'] <= 300.0 else 1


if __name__ == '__main__':
    code = main()
    sys.stdout.flush()
    os._exit(code)      # whatever still spins
