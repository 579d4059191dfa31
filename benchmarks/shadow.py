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
Says whether a policy in shadow tells what a replay of its recording tells, and sends nothing.

    python benchmarks/shadow.py [--minutes 10] [--checkpoint FILE] [--json FILE]

The scripted drivers of the sample recording drive the simulated diffbot over topics, ten commands
a second, from episode to episode, while the policy is in shadow and records. An outside listener
hears the command topic; the bag is replayed; and tick by tick what would have been sent is
compared, with what the driver commanded beside it.
"""

import argparse
import collections
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from iql_ros.data.bags.reader import Bag
from iql_ros.files import share_folder, write_atomic
from iql_ros.nodes.hosting.message_classes import make_message, message_class
from iql_ros.replay.replay import replay_bags
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.runs.policy import load_policy
from iql_ros.sim.drivers import RECORDINGS
from iql_ros.sim.node_command import node_command, simulation_environment
from iql_ros.tasks import docked

ROBOT = share_folder() / 'config' / 'robots' / 'diffbot.yaml'
CHECKPOINT = share_folder() / 'share' / 'diffbot.safetensors'
SHADOWED = '/sim/policy_node/shadow/cmd_vel'
_LONGEST = 100      # [ticks] of an episode
_PER_TICK = 2       # commands
_DOMAINS = 215      # 17 ROS domains from here on, which nothing else here uses


class Person(Node):
    """Drives by one scripted driver after the other, marks episodes, and hears who commands."""

    def __init__(self, interface):
        """Drive the robot of the interface, by its topics in /sim."""
        super().__init__('person', namespace='/sim',
                         parameter_overrides=[Parameter('use_sim_time', value=False)])
        self._interface, self._seen = interface, [None] * len(interface.observation)
        self.heard, self.commanders, self.said, self.diagnostics = [], set(), [], {}
        self._episode, self._ticks, self._driver, self._resetting = 0, 0, None, None
        for index, stream in enumerate(interface.observation):
            self.create_subscription(message_class(stream.type), stream.topic,
                                     lambda message, index=index: self._see(index, message), 10)
        self._commands = self.create_publisher(TwistStamped, 'cmd_vel', 10)
        self._events = self.create_publisher(Header, 'policy_node/event', 10)
        self.create_subscription(TwistStamped, 'cmd_vel', self._hear, 100)
        self.create_subscription(DiagnosticArray, 'diagnostics', self._read, 10)
        self._reset = self.create_client(Trigger, 'reset_world')
        self._clear = self.create_client(Trigger, 'policy_node/clear_trip')
        self.trips = 0
        self.create_subscription(Header, 'policy_node/shadow/event', self._on_event, 10)
        self.create_timer(1 / (_PER_TICK * interface.control_rate), self._drive)

    def _see(self, index, message):
        self._seen[index] = self._interface.observation[index].decode(message)

    def _hear(self, message):
        self.heard.append((message.twist.linear.x, message.twist.angular.z))

    def _read(self, message):
        for status in message.status:
            if 'policy_node' in status.name:
                self.diagnostics = {each.key: each.value for each in status.values}

    def _on_event(self, event):
        if event.frame_id == 'trip':      # of a machine that is busy; it looks on again
            self.trips += 1
            self._clear.call_async(Trigger.Request())

    def _mark(self, kind):
        message = Header(frame_id=kind, stamp=self.get_clock().now().to_msg())
        self._events.publish(message)

    def look_around(self):
        """Note who publishes the command topic."""
        self.commanders.update(info.node_name for info in self.get_publishers_info_by_topic(
            '/sim/cmd_vel'))

    def _drive(self):
        if self._resetting is not None:
            if not self._resetting.done():
                return
            self._resetting, self._ticks = None, 0
            recording = RECORDINGS[self._episode % len(RECORDINGS)]
            self._driver = recording.driver(np.random.default_rng([7, self._episode]))
            self._episode += 1
            self._seen = [None] * len(self._seen)
            self._mark('start')
        if any(part is None for part in self._seen) and self._driver is not None:
            return
        if self._driver is None or self._over():
            if not self._reset.service_is_ready():
                return
            self._driver = None
            if self._ticks:
                self._mark('end')
            self._say((0.0, 0.0))
            self._resetting = self._reset.call_async(Trigger.Request())
            return
        self._ticks += 1
        self._say(self._driver(np.concatenate(self._seen)))

    def _over(self):
        observation = np.concatenate(self._seen)
        return self._ticks >= _PER_TICK * _LONGEST or docked(observation, None, observation)

    def _say(self, command):
        action, = self._interface.action
        message = action.encode(command, self.get_clock().now().nanoseconds, make_message)
        self.said.append((message.twist.linear.x, message.twist.angular.z))
        self._commands.publish(message)


def drive(minutes, folder, checkpoint, interface):
    """Let the person drive beside a policy in shadow; return what the person knows."""
    os.environ.update(simulation_environment(), ROS_DOMAIN_ID=str(_DOMAINS + os.getpid() % 17))
    simulator = subprocess.Popen(node_command('sim_node', {
        'robot_config': ROBOT, 'publish_clock': False}))
    policy = subprocess.Popen(node_command('policy_node', {
        'robot_config': ROBOT, 'checkpoint': checkpoint, 'device': 'cpu', 'use_sim_time': False,
        'shadow': True, 'record': True, 'record_folder': folder}))
    rclpy.init()
    person, end = Person(interface), time.monotonic() + 60 * minutes
    try:
        looked = 0.0
        while time.monotonic() < end and policy.poll() is None:
            rclpy.spin_once(person, timeout_sec=0.1)
            if time.monotonic() - looked > 1.0:
                person.look_around()
                looked = time.monotonic()
    finally:
        for started in (policy, simulator):
            started.send_signal(signal.SIGINT)
            started.wait(timeout=60)
        person.destroy_node()
        rclpy.shutdown()
    return person


def shadowed(folder, interface):
    """Return tick [ns] -> what would have been sent then, as the node itself said."""
    action, = interface.action
    found = {}
    for path in sorted(folder.iterdir()):
        with Bag(path) as bag:
            decode, stamp = bag.deserializer(SHADOWED), bag.header_stamp(SHADOWED)
            for message in bag.messages([SHADOWED]):
                found.setdefault(stamp(message.data), []).append(
                    action.decode(decode(message.data)))
    return found


def compare(replay, said):
    """Count the ticks of a replay, and those in which the node had said something else."""
    counts, worst = collections.Counter(), 0.0
    for stamp_ns, sent in zip(replay.stamp_ns.tolist(), replay.sent):
        if stamp_ns not in said:
            counts['not said live'] += 1
            continue
        apart = min(np.abs(one - sent).max() for one in said[stamp_ns])
        worst = max(worst, float(apart))
        counts['equal' if apart == 0.0 else 'differing'] += 1
    return {**counts, 'largest difference': worst}


def main(argv=None):
    """Drive, replay, compare; print the figures."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=10.0)
    parser.add_argument('--checkpoint', default=str(CHECKPOINT))
    parser.add_argument('--json', type=Path)
    parser.add_argument('--keep', type=Path, help='folder for the bags')
    options = parser.parse_args(argv)
    interface = load_robot_interface(ROBOT)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        person = drive(options.minutes, folder, options.checkpoint, interface)
        replay = replay_bags([folder], load_policy(options.checkpoint, 'cpu'), interface)
        said = shadowed(folder, interface)
    unsaid = collections.Counter(person.heard) - collections.Counter(person.said)
    apart = np.abs(replay.sent - replay.commanded)
    figures = {
        'minutes': options.minutes, 'commands of the person': len(person.said),
        'commands heard': len(person.heard), 'heard, not of the person': sum(unsaid.values()),
        'trips': person.trips,
        'publishers of the command topic': sorted(person.commanders),
        'ticks of the replay': len(replay), **compare(replay, said),
        'mean difference by the replay': dict(zip(interface.action_names,
                                                  apart.mean(axis=0).round(4).tolist())),
        'by /diagnostics': {key: value for key, value in person.diagnostics.items()
                            if key.startswith(('difference', 'ticks', 'commanded', 'return'))}}
    print(json.dumps(figures, indent=1))
    if options.json:
        write_atomic(options.json, json.dumps(figures, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
