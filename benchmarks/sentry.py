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

"""What it costs that another process sends the commands: with and without the sentry, in turns."""

import argparse
import json
import multiprocessing
import os
from pathlib import Path
import time

import numpy as np

from iql_ros.files import share_folder
from iql_ros.robot.robot_interface import parse_robot_interface

ROBOT = share_folder() / 'config' / 'robots' / 'diffbot.yaml'
TOPIC = 'cmd_vel'


def observe(pipe):
    """Note when each command comes; its speed says which it is."""
    import rclpy
    from geometry_msgs.msg import TwistStamped
    from rclpy.node import Node
    rclpy.init()
    node, heard = Node('observer'), {}
    node.create_subscription(TwistStamped, TOPIC, lambda message: heard.setdefault(
        message.header.stamp.sec, time.monotonic_ns()), 100)
    pipe.send('ready')
    while not pipe.poll():
        rclpy.spin_once(node, timeout_sec=0.1)
    pipe.send(heard)


class Direct:
    """This process publishes."""

    def __init__(self, node, interface):
        from iql_ros.nodes.sentry.publishers import CommandPublishers
        self._publishers = CommandPublishers(node, interface)

    def send(self, number, action):
        """Send a command whose stamp is its number [s]."""
        self._publishers.send(action, number * 10**9)

    def close(self):
        """Be silent."""
        self._publishers.destroy()


class Guarded:
    """The sentry publishes."""

    def __init__(self, node, interface):
        from iql_ros.nodes.sentry.link import SentryLink
        self.trips = []
        self.link = SentryLink(interface, {
            'robot_config': interface.text, 'name': 'sentry', 'namespace': '/',
            'topics': [f'/{TOPIC}'], 'e_stops': ['/e_stop'], 'e_stop_timeout': 0.0,
            'trip_memory': None}, self.trips.append)
        self.link.open(0, '')

    def send(self, number, action):
        """Say that somebody watches, and have a command sent."""
        from iql_ros.nodes.sentry.channel import Kind, Message
        now = time.monotonic_ns()
        self.link.looked(np.full(2, np.nan), number * 10**9)
        self.link.send(Message(Kind.DRIVE, now, number * 10**9, action=action))

    def close(self):
        """Be silent."""
        self.link.destroy()


def usage(pid):
    """Return the processor time [s] and the memory [MB] of a process so far."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    ticks, pages = int(fields[11]) + int(fields[12]), int(fields[21])
    return ticks / os.sysconf('SC_CLK_TCK'), pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def measure(way, first, count, period):
    """Send commands at a rate; return when each was sent."""
    sent, due = {}, time.monotonic()
    for number in range(first, first + count):
        due += period
        time.sleep(max(0.0, due - time.monotonic()))
        sent[number] = time.monotonic_ns()
        way.send(number, np.array([0.02, 0.0]))
    return sent


def main(argv=None):
    """Print and optionally write the delays from sending to the observer's callback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rate', type=float, default=100.0, help='[Hz]')
    parser.add_argument('--seconds', type=float, default=10.0, help='of each of the turns')
    parser.add_argument('--turns', type=int, default=3)
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args(argv)
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    ours, theirs = multiprocessing.Pipe()
    observer = multiprocessing.get_context('spawn').Process(target=observe, args=(theirs,))
    observer.start()
    ours.recv()
    import rclpy
    from rclpy.node import Node
    rclpy.init()
    text = ROBOT.read_text().replace('control_rate: 5.0', f'control_rate: {arguments.rate}')
    interface, node = parse_robot_interface(text, str(ROBOT)), Node('driver')
    sent, figures, number = {'direct': {}, 'sentry': {}}, {}, 1
    count = round(arguments.seconds * arguments.rate)
    for _ in range(arguments.turns):
        for name, kind in (('direct', Direct), ('sentry', Guarded)):
            way = kind(node, interface)
            time.sleep(1.0)  # until they have found each other
            before = usage(way.link.pid) if name == 'sentry' else None
            sent[name].update(measure(way, number, count, 1 / arguments.rate))
            number += count
            if before:
                after = usage(way.link.pid)
                figures['sentry_core_share'] = (after[0] - before[0]) / arguments.seconds
                figures['sentry_memory_mb'] = after[1]
                figures['trips'] = figures.get('trips', 0) + len(way.trips)
            way.close()
    ours.send('end')
    heard = ours.recv()
    for name, times in sent.items():
        delays = np.array([heard[key] - at for key, at in times.items() if key in heard]) / 1e3
        figures[name] = {'heard': len(delays), 'sent': len(times),
                         'median_us': float(np.median(delays)),
                         'p99_us': float(np.percentile(delays, 99))}
        print(f'{name:>7}: median {figures[name]["median_us"]:.0f} us, p99 '
              f'{figures[name]["p99_us"]:.0f} us, {len(delays)} of {len(times)} heard')
    figures['ratio'] = figures['sentry']['median_us'] / figures['direct']['median_us']
    print(f'ratio {figures["ratio"]:.2f}; the sentry takes {figures["sentry_core_share"]:.1%} of '
          f'a core and {figures["sentry_memory_mb"]:.0f} MB; {figures["trips"]} trips')
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))
    rclpy.shutdown()


if __name__ == '__main__':
    main()
