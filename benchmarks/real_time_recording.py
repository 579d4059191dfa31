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

"""Says whether the bag of a real-time run, converted, is what the policy node saw live."""

import argparse
import bisect
import collections
import functools
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from iql_ros.data.rosbag import read_episodes
from iql_ros.files import share_folder
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.runs.checkpoint import save_checkpoint
from iql_ros.sim.node_command import node_command, simulation_environment

ROBOT_CONFIG = share_folder() / 'config' / 'robots' / 'diffbot.yaml'
CHECKPOINT = share_folder() / 'share' / 'diffbot.safetensors'
# The same robot in words that the other YAML does not use.
OTHERWISE = """
robot: diffbot
control_rate: 5.0
observation:
  - {transform: {of: base, in: arena}, topic: tf, type: geometry_msgs/msg/TransformStamped,
     max_age: 0.2, fields: [translation.x, translation.y, yaw_cos(rotation), yaw_sin(rotation)]}
  - {topic: wheels, type: sensor_msgs/msg/JointState, max_age: 0.2, joints: [left, right],
     fields: [velocity], history: 3}
  - {previous: action, history: 2}
action:
  - {topic: drive, type: std_msgs/msg/Float64MultiArray, stamp: receive,
     fields: ['data[3]', 'data[1]'], set: {'data[0]': .nan}, publish_rate: 20.0,
     low: [-0.3, -1.5], high: [0.3, 1.5], max_age: 0.5, rule: mean, controls: velocity,
     gate: {max_rate: [3.0, 15.0], stop: zero, downstream_timeout: 0.5}}
task: {reward: iql_ros.tasks:docking_cost, terminated: iql_ros.tasks:docked, time_limit: 20.0,
       episode: {topic: policy_node/event}, reset: {service: reset_world}}
"""
SUCCESS_AT, END_AT = 3, 5    # the episode that a person ends by ~/success, by ~/end_episode
PERSON_WAITS = 3.0           # [s] from its start
_DOMAINS = 215               # 17 ROS domains from here on, which nothing else here uses
FIELDS = ('observation', 'action', 'reward', 'next_observation', 'terminated', 'truncated')


class Log:
    """What the policy node knows: its transitions, when it sampled, when every message came."""

    def __init__(self):
        self.transitions, self.samples, self.arrivals = [], [], []

    def make_node(self, done):
        """Return a policy node that is listened to."""
        from iql_ros.nodes.policy_node import PolicyNode
        log = self

        class Logged(PolicyNode):
            """Keeps the transitions."""

            def on_transition(self, transition):
                super().on_transition(transition)
                log.transitions.append(transition)

            def _configure(self):
                super()._configure()
                buffer = self._bridge.buffer
                buffer.sample = functools.partial(log.note_sample, buffer.sample)

        return Logged(done, tap=self.tap)

    def note_sample(self, sample, tick_ns):
        """Sample a tick and note when."""
        self.samples.append((tick_ns, time.monotonic_ns()))
        return sample(tick_ns)

    def tap(self, topic, message, stamp_ns):
        """Note when a message came."""
        self.arrivals.append((topic, stamp_ns, time.monotonic_ns()))

    def write(self, path):
        """Write all of it."""
        steps = {name: np.array([getattr(step, name) for step in self.transitions])
                 for name in ('tick_ns', *FIELDS)}
        np.savez(path, samples=np.array(self.samples, np.int64),
                 topics=np.array([topic for topic, *_ in self.arrivals]),
                 arrivals=np.array([times for _, *times in self.arrivals], np.int64), **steps)


def policy_process(path, arguments):
    """Run the policy node with its log, as its own executable would."""
    from iql_ros.nodes.hosting import process
    log = Log()
    code = process.run('policy_node', log.make_node, arguments)
    log.write(path)
    return code


def act_as_a_person(minutes, policy):
    """
    End one episode by ~/success, one by ~/end_episode, and clear trips, for a time.

    Returns how many episodes began, what the services answered, and how many trips there were.
    """
    import rclpy
    from std_msgs.msg import Header
    from std_srvs.srv import Trigger
    rclpy.init(args=['--ros-args', '-r', '__ns:=/sim'])
    node, starts = rclpy.create_node('person'), []
    clients = {SUCCESS_AT: node.create_client(Trigger, 'policy_node/success'),
               END_AT: node.create_client(Trigger, 'policy_node/end_episode')}
    clear_trip, trips = node.create_client(Trigger, 'policy_node/clear_trip'), []

    def on_event(event):
        if event.frame_id == 'start':
            starts.append(time.monotonic())
        elif event.frame_id == 'trip':
            trips.append(clear_trip.call_async(Trigger.Request()))
    node.create_subscription(Header, 'policy_node/event', on_event, 10)
    stop_at, answers = time.monotonic() + 60 * minutes, {}
    while time.monotonic() < stop_at and policy.poll() is None:
        rclpy.spin_once(node, timeout_sec=0.1)
        client = clients.get(len(starts))
        if client and time.monotonic() - starts[-1] > PERSON_WAITS:
            del clients[len(starts)]
            answers[len(starts)] = client.call_async(Trigger.Request())
    node.destroy_node()
    rclpy.shutdown()
    answers = {number: future.result().success for number, future in answers.items()}
    return len(starts), answers, len(trips)


def untrained(folder, interface):
    """Write a policy of random weights for a robot; return its path."""
    agent = IQLAgent(interface.observation_dim, interface.action_dim, IQLConfig())
    scaling = interface.action_scaling
    save_checkpoint(folder / 'untrained.safetensors', agent, training={},
                    robot_config=interface.text, dataset={
                        'name': 'none', 'fingerprint': 'none', 'observation_keys': [],
                        'action_low': scaling.low.tolist(), 'action_high': scaling.high.tolist(),
                        'environment': None})
    return folder / 'untrained.safetensors'


def record(minutes, folder, system_time, robot_config, checkpoint):
    """Run simulator and policy for a while; return what act_as_a_person does."""
    os.environ.update(simulation_environment(), ROS_DOMAIN_ID=str(_DOMAINS + os.getpid() % 17))
    simulator = subprocess.Popen(node_command('sim_node', {
        'robot_config': robot_config, 'publish_clock': not system_time}))
    policy = subprocess.Popen([sys.executable, __file__, '--policy', str(folder / 'live.npz'),
                               *node_command('policy_node', {
                                   'robot_config': robot_config, 'checkpoint': checkpoint,
                                   'device': 'cpu', 'use_sim_time': not system_time,
                                   'record': True, 'record_folder': folder / 'bags'})[1:]])
    try:
        return act_as_a_person(minutes, policy)
    finally:
        for started in (policy, simulator):
            started.send_signal(signal.SIGINT)
            if started.wait(timeout=60):
                raise SystemExit('a node failed')


def converted(folder, interface):
    """Return tick -> what the bag says of its transition, and the report."""
    episodes, report = read_episodes([folder], interface)
    starts = [end['start'] for bag in report['bags'] for end in bag['episodes']]
    steps = {}
    for start, episode in zip(starts, episodes):
        first = interface.tick_index(round(start * 1e9) + interface.period_ns // 2)
        for step in range(len(episode.actions)):
            steps[interface.tick_ns(first + step)] = (
                episode.observations[step], episode.actions[step], episode.rewards[step],
                episode.observations[step + 1], episode.terminations[step],
                episode.truncations[step])
    return steps, report


class Comparison:
    """Counts the ticks in which bag and live differ, and says why."""

    def __init__(self, live, steps, interface):
        self._live, self._interface = live, interface
        self._sampled = dict(live['samples'].tolist())
        self._arrivals = collections.defaultdict(list)
        for topic, (stamp_ns, came_ns) in zip(live['topics'], live['arrivals'].tolist()):
            self._arrivals[str(topic)].append((stamp_ns, came_ns))
        for arrivals in self._arrivals.values():
            arrivals.sort()
        self.counts, self.reasons = collections.Counter(), collections.Counter()
        ticks = live['tick_ns'].tolist()
        for tick_ns in sorted(set(steps) - set(ticks)):
            self.counts['only in the bag'] += 1
            last_one = tick_ns - interface.period_ns in steps
            self.reasons['a trip or the end of the run came before the next tick' if last_one
                         else 'not seen live'] += 1
        for index, tick_ns in enumerate(ticks):
            self._compare(index, tick_ns, steps.get(tick_ns))

    def _compare(self, index, tick_ns, recorded):
        if recorded is None:
            self.counts['only live'] += 1
            self.reasons['not in the bag'] += 1
            return
        differing = [name for name, value in zip(FIELDS, recorded)
                     if not np.array_equal(self._live[name][index], value)]
        self.counts['differing' if differing else 'equal'] += 1
        for name in differing:
            self.counts[f'differing {name}'] += 1
        if 'observation' in differing:
            self.reasons[self._why(tick_ns)] += 1
        elif differing == ['next_observation']:
            self.reasons['the next tick differs'] += 1
        elif differing == ['truncated'] and index == len(self._live['tick_ns']) - 1:
            self.reasons['the run ended before the episode did'] += 1
        elif differing:
            self.reasons['not the observation'] += 1

    def _why(self, tick_ns):
        late = []
        for stream in self._interface.observation:
            arrivals = self._arrivals[f'/sim/{stream.topic}']
            position = bisect.bisect_right(arrivals, (tick_ns, float('inf'))) - 1
            stamp_ns, came_ns = arrivals[position]
            delay = (came_ns - self._sampled.get(tick_ns, came_ns)) * 1e-6
            if delay > 0:
                late.append(f'{stream.topic} stamped {(tick_ns - stamp_ns) * 1e-6:.0f} ms before '
                            f'the tick came {delay:.1f} ms after it was sampled')
        return '; '.join(late) or 'not a late message'


def main(argv=None):
    """Record, convert, compare; print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=10.0)
    parser.add_argument('--system-time', action='store_true',
                        help='stamps by the system clock, as on a robot, and no /clock')
    parser.add_argument('--otherwise', action='store_true',
                        help='the robot in other words: frames, a past, commands sent again')
    parser.add_argument('--folder', type=Path, help='keep bags and log there')
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        robot_config, checkpoint = ROBOT_CONFIG, CHECKPOINT
        if arguments.otherwise:
            robot_config = folder / 'otherwise.yaml'
            robot_config.write_text(OTHERWISE)
            checkpoint = untrained(folder, load_robot_interface(robot_config))
        interface = load_robot_interface(robot_config)
        load = [os.getloadavg()[0]]
        began, answers, trips = record(arguments.minutes, folder, arguments.system_time,
                                       robot_config, checkpoint)
        load.append(os.getloadavg()[0])
        live = dict(np.load(folder / 'live.npz'))
        steps, report = converted(folder / 'bags', interface)
    comparison = Comparison(live, steps, interface)
    ended = collections.Counter()
    for bag in report['bags']:
        ended.update(bag['ended'])
    figures = {
        'minutes': arguments.minutes, 'load_average': load, 'bags': len(report['bags']),
        'episodes_begun': began, 'episodes_converted': report['episodes'], 'ended': dict(ended),
        'person': answers, 'trips': trips, 'ticks_live': len(live['tick_ns']), **comparison.counts,
        'differing_share': 1 - comparison.counts['equal'] / max(1, len(live['tick_ns'])),
        'why': dict(comparison.reasons.most_common())}
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == '__main__':
    if sys.argv[1:2] == ['--policy']:
        sys.exit(policy_process(sys.argv[2], sys.argv[3:]))
    main()
