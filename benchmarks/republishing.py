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
Commands as other people's controllers take them: a policy at 5 Hz, sent again at 50 Hz.

    python benchmarks/republishing.py [--seconds 60] [--json FILE]

A policy node drives a robot by MoveIt Servo's TwistStamped and by joint_trajectory_controller's
JointTrajectory (`publish_rate: 50`), over real topics. Every message is judged by what these two
look at, written down again in Python: Servo refuses a command without a frame, or with what is not
finite, and one older than 0.1 s at any time of its own 100 Hz loop; the trajectory controller
drops a trajectory whose end has passed. The gaps between commands stand beside those of a bare
publisher of 50 Hz in the same run. Then the policy node is killed: only the stop may follow.
"""

import argparse
import json
import multiprocessing
import os
from pathlib import Path
import signal
import sys
import tempfile
import time

from fault_campaign.setting import DATASET, make_agent, robot_yaml
from fault_campaign.stage import environment, Stage
from geometry_msgs.msg import TwistStamped
import numpy as np
import rclpy
from rclpy.signals import SignalHandlerOptions
from trajectory_msgs.msg import JointTrajectory
import yaml

from iql_ros.files import write_atomic
from iql_ros.runs.checkpoint import save_checkpoint

_RATE, _PUBLISH_RATE = 5.0, 50.0     # [Hz]
_OLD = 0.1           # [s] Servo's incoming_command_timeout, as it comes
_LOOP = 0.01         # [s] of Servo
_SLACK = 0.02        # [s] that a gap may exceed the bare publisher's
_AFTER_KILL = 2.0    # [s]
_TRAJECTORY = 'lift/joint_trajectory'


def robot() -> str:
    """Return the YAML of a base behind Servo with a lift behind the trajectory controller."""
    content = yaml.safe_load(robot_yaml(_RATE, lift=True, frame_id='base_link',
                                        publish_rate=_PUBLISH_RATE))
    lift = content['action'][1]
    for key in ('size', 'controls', 'stamp'):
        del lift[key]
    lift['gate'].pop('max_error'), lift['gate'].pop('error_time')
    lift.update(topic=_TRAJECTORY, type='trajectory_msgs/msg/JointTrajectory', joints=['lift'],
                fields=['positions'], time_from_start=2 / _RATE, publish_rate=_PUBLISH_RATE)
    return yaml.safe_dump(content, sort_keys=False)


def publish_bare(topic: str) -> None:
    """Publish at 50 Hz and nothing else, until it is terminated."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node('bare')
    publisher, message = node.create_publisher(TwistStamped, topic, 1), TwistStamped()
    due = time.monotonic()
    while True:
        due += 1 / _PUBLISH_RATE
        time.sleep(max(0.0, due - time.monotonic()))
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)


def listen(pipe) -> None:
    """Collect what comes, as (topic, when [s], message's facts), until it is asked for."""
    rclpy.init()
    node, heard = rclpy.create_node('listener'), []

    def note(topic, facts):
        return lambda message: heard.append((topic, time.time(), facts(message)))
    node.create_subscription(TwistStamped, 'cmd_vel', note('servo', _twist), 200)
    node.create_subscription(TwistStamped, 'bare', note('bare', _twist), 200)
    node.create_subscription(JointTrajectory, _TRAJECTORY, note('trajectory', _trajectory), 200)
    pipe.send('ready')
    while not pipe.poll():
        rclpy.spin_once(node, timeout_sec=0.05)
    pipe.send(heard)


def _seconds(time_) -> float:
    return time_.sec + time_.nanosec * 1e-9


def _twist(message) -> tuple:
    values = [getattr(part, axis) for part in (message.twist.linear, message.twist.angular)
              for axis in 'xyz']
    return message.header.frame_id, _seconds(message.header.stamp), values


def _trajectory(message) -> tuple:
    end = _seconds(message.points[-1].time_from_start)
    return (list(message.joint_names), _seconds(message.header.stamp) + end,
            list(message.points[-1].positions))


def refused_by_servo(heard) -> list[str]:
    """Return why Servo would refuse or drop what it heard."""
    found = [f'{facts} at {when:.3f}' for _, when, facts in heard
             if not facts[0] or not np.isfinite(facts[2]).all() or when - facts[1] > _OLD]
    came = np.array([when for _, when, _ in heard])
    stamps = np.array([facts[1] for _, _, facts in heard])
    for now in np.arange(came[0], came[-1], _LOOP):
        newest = stamps[np.searchsorted(came, now, side='right') - 1]
        if now - newest > _OLD:
            found.append(f'the newest command was {now - newest:.3f} s old')
    return found


def dropped_by_the_trajectory_controller(heard) -> list[str]:
    """Return the trajectories that had ended when they came, or were for other joints."""
    return [f'{facts} at {when:.3f}' for _, when, facts in heard
            if facts[0] != ['lift'] or facts[1] <= when or not np.isfinite(facts[2]).all()]


def run(seconds: float, folder: Path) -> dict:
    """Drive, kill, and return what was heard of each."""
    environment(folder)
    stage = Stage(folder / 'stage', _RATE, simulated=False)
    text = robot()
    (stage.folder / 'servo.yaml').write_text(text)
    save_checkpoint(stage.folder / 'servo.safetensors', make_agent(lift=True), training={},
                    robot_config=text,
                    dataset={**DATASET, 'action_low': [-0.5, -1.5, -1.0],
                             'action_high': [0.5, 1.5, 1.0]})
    spawn = multiprocessing.get_context('spawn')
    ours, theirs = spawn.Pipe()
    listener = spawn.Process(target=listen, args=(theirs,), daemon=True)
    bare = spawn.Process(target=publish_bare, args=('bare',), daemon=True)
    try:
        listener.start(), bare.start()
        ours.recv()
        stage.start_node({'robot_config': str(stage.folder / 'servo.yaml'),
                          'checkpoint': str(stage.folder / 'servo.safetensors')})
        stage.drive()
        time.sleep(1.0)
        began = time.time()
        time.sleep(seconds)
        ended = time.time()
        os.kill(stage.node.pid, signal.SIGKILL)
        time.sleep(_AFTER_KILL)
        ours.send('enough')
        heard = ours.recv()
    finally:
        bare.terminate(), listener.terminate()
        stage.close()
    within = [each for each in heard if began <= each[1] <= ended]
    return {'driven': {name: [each for each in within if each[0] == name]
                       for name in ('servo', 'trajectory', 'bare')},
            'after': [each for each in heard if each[0] == 'servo' and each[1] > ended],
            'killed': ended}


def gap(heard) -> float:
    """Return the longest time [s] between two messages."""
    return float(np.diff([when for _, when, _ in heard]).max())


def main() -> int:
    """Judge, print, and return 1 where something was refused."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=60.0)
    parser.add_argument('--json')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = run(options.seconds, Path(temporary))
    driven = found['driven']
    gaps = {name: gap(heard) for name, heard in driven.items()}
    stopped = [when for _, when, facts in found['after'] if not any(facts[2])]
    late = [when for _, when, facts in found['after'] if any(facts[2]) and (
        not stopped or when > stopped[0])]
    problems = {
        'refused by Servo': refused_by_servo(driven['servo']),
        'dropped by the trajectory controller':
            dropped_by_the_trajectory_controller(driven['trajectory']),
        'gaps': [f'{name}: {1e3 * gaps[name]:.1f} ms' for name in ('servo', 'trajectory')
                 if gaps[name] > gaps['bare'] + _SLACK],
        'after SIGKILL': [] if stopped and not late else [f'{len(stopped)} stops, {len(late)} '
                                                          'commands after the first']}
    counts = {name: len(heard) for name, heard in driven.items()}
    print(', '.join(f'{name}: {counts[name]} messages, longest gap {1e3 * gaps[name]:.1f} ms'
                    for name in driven))
    if stopped:
        print(f'SIGKILL: the first stop {1e3 * (stopped[0] - found["killed"]):.1f} ms after')
    for name, cases in problems.items():
        print(f'{name}: {len(cases)} {cases[:3] if cases else ""}')
    if options.json:
        write_atomic(options.json, json.dumps({'counts': counts, 'gaps': gaps,
                                               'problems': problems}, indent=1))
    return 1 if any(problems.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
