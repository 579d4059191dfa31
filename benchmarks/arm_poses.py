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
Drive an arm that holds positions from many poses, and see whether a command ever leaps.

From every pose: activate, drive, take new weights, end the episode and start the next, press the
e_stop, release and clear, deactivate; at the end SIGTERM while it drives. A robot that shares no
code with gate or sentry notes every command and where it stood itself. Everything is in units of
max_rate * period, in the worst joint; allowed: 1.
"""

import argparse
import os
from pathlib import Path
import signal
import sys
import tempfile
import time

from fault_campaign.arm_robot import JOINTS
from fault_campaign.helper import Helper
from fault_campaign.node import NodeProcess
from fault_campaign.person import People, Refused
from fault_campaign.stage import environment
import numpy as np
import torch
import yaml

from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.runs.checkpoint import make_header, pack, save_checkpoint

LOW, HIGH = np.full(6, -2.5), np.full(6, 2.5)       # [rad]
MAX_RATE = np.array([1.0, 1.0, 1.5, 2.0, 2.0, 3.0])  # [rad/s]
DATASET = {'name': 'none', 'fingerprint': 'none', 'action_low': LOW.tolist(),
           'action_high': HIGH.tolist(), 'observation_keys': [], 'environment': None}
_RUN = 78
_ROUNDING = 1e-6
_PATIENCE = 20.0     # [s] for commands
_SETTLED = 0.3       # [s] until the arm stands, and its samples say so


def robot_yaml(trajectory: bool, rate: float) -> str:
    """Return the arm's YAML."""
    how = {'type': 'trajectory_msgs/msg/JointTrajectory', 'joints': list(JOINTS),
           'fields': ['positions'], 'time_from_start': 2 / rate} if trajectory else {
        'type': 'std_msgs/msg/Float64MultiArray', 'size': 6, 'fields': ['data'],
        'stamp': 'receive', 'controls': 'position'}
    return yaml.safe_dump({
        'robot': 'arm', 'control_rate': rate,
        'observation': [{'topic': 'joint_states', 'type': 'sensor_msgs/msg/JointState',
                         'max_age': 0.2, 'joints': list(JOINTS), 'fields': ['position']}],
        'action': [{'topic': 'arm/command', **how, 'max_age': 0.5, 'rule': 'last',
                    'low': LOW.tolist(), 'high': HIGH.tolist(),
                    'measured': [f'joint_states position[{joint}]' for joint in JOINTS],
                    'gate': {'max_rate': MAX_RATE.tolist(), 'stop': 'hold',
                             'downstream_timeout': 0.5}}],
        'task': {'reward': 'iql_ros.tasks:docking_cost', 'time_limit': 3600.0}}, sort_keys=False)


def make_agent(seed: int) -> IQLAgent:
    """Return an agent that wants to be somewhere, far from where it is."""
    agent = IQLAgent(6, 6, IQLConfig(hidden_dims=(16, 16), batch_size=8), seed=seed)
    with torch.no_grad():
        agent.actor.mlp.layers[-1].weight.mul_(30.0)
    agent.fit_normaliser(np.array([[-1.0] * 6, [1.0] * 6]))
    return agent


def weights(text: str, version: int) -> bytes:
    """Return a message of weights of another agent."""
    agent = make_agent(100 + version)
    header = make_header(agent, training={}, dataset=DATASET, robot_config=text,
                         reward_transform=None)
    said = {'run': _RUN, 'version': version, 'updates': 10}
    return pack({**header, 'weights': said}, {
        f'actor.{name}': tensor for name, tensor in agent.actor.state_dict().items()})


class Arm:
    """Robot, node and person; `worst` is the largest leap of every phase."""

    def __init__(self, folder: Path, trajectory: bool, rate: float):
        """Start all; the environment is set."""
        self.rate, self.text = rate, robot_yaml(trajectory, rate)
        (folder / 'arm.yaml').write_text(self.text)
        save_checkpoint(folder / 'policy.safetensors', make_agent(1), training={},
                        robot_config=self.text, dataset=DATASET)
        self.robot = Helper('arm_robot', trajectory)
        self.robot.receive()
        self.people = People()
        self.person = self.people.person
        self.node = NodeProcess('policy_node', folder, {
            'checkpoint': str(folder / 'policy.safetensors'), 'device': 'cpu',
            'robot_config': str(folder / 'arm.yaml'), 'autostart': False,
            'learner': 'finetune_node', 'weights_at': 'step', 'evaluate_every': 0,
            'exploration_scale': 0.3}, folder / 'policy_node.log')
        self.person.change('configure', 60.0)
        self.person.press(False)
        self.worst = {'first': 0.0, 'step': 0.0, 'stop': 0.0}
        self.commands, self.trips, self._version, self._last = 0, 0, 0, None

    def take(self, count: int = 0) -> list:
        """Wait for so many commands; return all since the last time."""
        found, deadline = self.robot.ask({}), time.monotonic() + _PATIENCE
        while len(found) < count:
            if time.monotonic() > deadline:
                raise Refused(f'{len(found)} commands within {_PATIENCE:g} s; expected {count}')
            time.sleep(1 / self.rate)
            found += self.robot.ask({})
        return found

    def judge(self, count: int, kind: str) -> None:
        """Judge the commands since the last time, at least so many; the first by the pose."""
        for _, command, pose in self.take(count):
            kind_of, start = (kind, self._last) if self._last is not None else ('first', pose)
            leap = np.abs(np.subtract(command, start)) * self.rate / MAX_RATE
            self.worst[kind_of] = max(self.worst[kind_of], leap.max())
            self._last = command
            self.commands += 1

    def pose(self, pose) -> None:
        """Go through all from a pose."""
        self.robot.ask({'pose': pose.tolist()})
        self._last = None
        time.sleep(_SETTLED)
        self.person.change('activate')
        self.judge(10, 'step')
        self._version += 1
        self.person.send_weights(weights(self.text, self._version))
        self.judge(10, 'step')
        self.person.trigger('end_episode')
        self.judge(5, 'stop')
        self.person.trigger('start_episode')
        self.judge(10, 'step')
        self.person.press(True)
        self.judge(20, 'stop')
        self.person.press(False)
        self.person.trigger('clear_trip')
        self.judge(10, 'step')
        self.person.change('deactivate')
        self.judge(0, 'stop')

    def recover(self) -> None:
        """Come back from a trip that nobody asked for: a busy machine."""
        self.trips += 1
        self.person.press(False)
        self.judge(5, 'stop')
        self.person.trigger('clear_trip')
        self.person.change('deactivate')
        self.judge(0, 'stop')

    def end(self) -> None:
        """End the node while it drives, and judge that too."""
        self._last = None
        time.sleep(_SETTLED)
        self.person.change('activate')
        self.judge(10, 'step')
        self.node.signal(signal.SIGTERM)
        self.node.wait(10.0)
        self.judge(0, 'stop')

    def close(self) -> None:
        """End all."""
        self.node.close()
        self.robot.close()
        self.people.close()


def main() -> int:
    """Run all poses, print the worst, return 1 when something leapt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--poses', type=int, default=200)
    parser.add_argument('--rate', type=float, default=50.0, help='control rate [Hz]')
    parser.add_argument('--type', choices=('trajectory', 'array'), default='trajectory')
    arguments = parser.parse_args()
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        environment(Path(folder))
        arm = Arm(Path(folder), arguments.type == 'trajectory', arguments.rate)
        try:
            for number in range(arguments.poses):
                try:
                    arm.pose(draw.uniform(0.95 * LOW, 0.95 * HIGH))
                except Refused:
                    arm.recover()
                said = ', '.join(f'{name} {value:.6f}' for name, value in arm.worst.items())
                print(f'\r{number + 1}/{arguments.poses} poses, {arm.commands} commands: {said}',
                      end='', flush=True)
            arm.end()
        except Refused as refusal:
            raise SystemExit(f'\n{refusal}: {arm.node.words()}') from None
        finally:
            arm.close()
    said = ', '.join(f'{name} {value:.6f}' for name, value in arm.worst.items())
    print(f'\n{arguments.type} at {arguments.rate:g} Hz: {said} of max_rate * period; '
          f'{arm.trips} trips of themselves')
    return int(max(arm.worst.values()) > 1 + _ROUNDING)


if __name__ == '__main__':
    code = main()
    sys.stdout.flush()
    os._exit(code)   # whatever still spins
