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

In turns: without it, with nobody who listens, and with a listener of observation, action and
markers in a process of its own. Times of a tick's showing, which begins when its command has
gone out, and of how long after t_k + settle the commands went out.
"""

import argparse
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
_COMING = 2.0        # [s] until listener and publisher have found or lost each other
_STARTING = 60.0     # [s] for the first command


def listen(pipe) -> None:
    """Listen while told to; answer how many messages came on each topic."""
    import rclpy
    from rclpy.node import Node
    from sensor_msgs.msg import JointState
    from visualization_msgs.msg import MarkerArray
    rclpy.init()
    node = Node('listener')
    while (wanted := pipe.recv()) is not None:
        counts, subscriptions = dict.fromkeys(TOPICS, 0), []
        for topic in TOPICS if wanted else ():
            def count(message, topic=topic):
                counts[topic] += 1
            subscriptions.append(node.create_subscription(
                MarkerArray if topic == 'markers' else JointState,
                f'policy_node/debug/{topic}', count, 10))
        while not pipe.poll():
            rclpy.spin_once(node, timeout_sec=0.05)
        for subscription in subscriptions:
            node.destroy_subscription(subscription)
        pipe.recv()
        pipe.send(counts)


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
        self._show = self.node._debug.show
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

    def turn(self, way: str, seconds: float) -> tuple[list[int], list[int]]:
        """Return the times [ns] of showing and of sending, of so many seconds."""
        self.node._debug.show = (lambda result, told: None) if way == WAYS[0] else self._timed
        self.shown.clear()
        self.sent.clear()
        time.sleep(seconds)
        return list(self.shown), list(self.sent)

    def close(self) -> None:
        """Stop the robot."""
        import rclpy
        self.node.leave()
        self._executor.shutdown()
        rclpy.try_shutdown()


def measure(arguments, folder: Path, pipe) -> dict:
    """Return the times [us] of every way, and what the listener heard."""
    write_setting(folder, arguments.rate)
    sys.path.insert(0, str(folder))      # the task's functions
    robot = Helper('robot', 200.0, False)
    robot.receive()
    measured = Measured(folder, arguments.rate)
    times = {way: ([], []) for way in WAYS}
    heard = dict.fromkeys(TOPICS, 0)
    try:
        for _ in range(arguments.turns):
            for way in WAYS:
                pipe.send(way == WAYS[2])
                time.sleep(_COMING)
                for kept, new in zip(times[way], measured.turn(way, arguments.seconds)):
                    kept += new
                pipe.send('count')
                for topic, count in pipe.recv().items():
                    heard[topic] += count
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
        ours, theirs = multiprocessing.Pipe()
        listener = multiprocessing.get_context('spawn').Process(
            target=listen, args=(theirs,), daemon=True)
        listener.start()
        figures = measure(arguments, Path(temporary), ours)
        ours.send(None)
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
