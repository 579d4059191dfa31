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
Drive the simulated arm by a policy over its topics, and see whether a command ever leaps.

    python benchmarks/arm_drive.py CHECKPOINT [--controller forward] [--rounds N]

A round: activate, drive (episodes end and begin as they will), end an episode, press the e_stop,
release and clear, deactivate; at the end SIGTERM while it drives. In real time, simulator and
policy in two processes; a third one that shares no code with gate or sentry notes every command
and where the arm stood. Everything is in units of max_rate * period, in the worst joint;
allowed: 1.
"""

import argparse
import contextlib
import os
from pathlib import Path
import signal
import sys
import tempfile
import time

from fault_campaign.helper import Helper
from fault_campaign.node import NodeProcess
from fault_campaign.person import People, Refused
from fault_campaign.stage import environment
import numpy as np
import yaml

_ROBOTS = Path(__file__).resolve().parents[1] / 'config' / 'robots'
SETTINGS = {'trajectory': ('arm', 'iql_ros/Arm-v0'),
            'forward': ('arm_forward', 'iql_ros/ArmForward-v0')}
_RESET = 0.1         # [rad] from one sample to the next: the arm was put somewhere else
_ARRIVAL = 0.005     # [s] by which a command may be quicker than the one before
_CROSSING = 0.15     # [s] in which a stop may still come that was sent before a reset
_ROUNDING = 1e-3     # of a first command: the gate's sample of the pose may be another than ours
_DRIVE = 6.0         # [s]
_STAND = 1.0         # [s] that a stop is watched


class Judge:
    """
    Judges every command by the one before, or by the pose where there is none.

    A reset puts the simulated arm somewhere else. What was sent before may arrive after it, and
    is then judged by the command before it.
    """

    def __init__(self, max_rate, rate: float):
        """Take the gate's max_rate (6,) [rad/s], and the control rate [Hz]."""
        self._max_rate, self._period = np.array(max_rate), 1 / rate
        self._pose = self._last = self._when = self._before = None
        self._reset_at = -np.inf
        self.worst, self.commands, self.resets = {'first': 0.0, 'next': 0.0}, 0, 0

    def forget(self) -> None:
        """Judge the next command by the pose: nobody has commanded for a while."""
        self._last = None

    def take(self, heard: list) -> None:
        """Judge what was heard."""
        for when, kind, values in heard:
            values = np.array(values)
            if kind == 'pose':
                if self._pose is not None and np.abs(values - self._pose).max() > _RESET:
                    self.resets += 1
                    self._reset_at, self._before = when, self._last
                    self.forget()
                self._pose = values
            elif self._pose is not None:
                self._judge(when, values)

    def _judge(self, when: float, command) -> None:
        first = self._last is None
        if (first and self._before is not None and when - self._reset_at < _CROSSING
                and self._leap(command, self._before, self._period) <= 1):
            return
        elapsed = self._period if first else max(self._period, when - self._when + _ARRIVAL)
        name = 'first' if first else 'next'
        self.worst[name] = max(self.worst[name], self._leap(
            command, self._pose if first else self._last, elapsed))
        self._last, self._when = command, when
        self.commands += 1

    def _leap(self, command, before, elapsed: float) -> float:
        return float((np.abs(command - before) / (self._max_rate * elapsed)).max())


class Scene:
    """Simulator, policy node, observer and a person."""

    def __init__(self, folder: Path, checkpoint: Path, controller: str):
        """Start all; the environment is set."""
        robot, env_id = SETTINGS[controller]
        config = _ROBOTS / f'{robot}.yaml'
        content = yaml.safe_load(config.read_text())
        gate = content['action'][0]['gate']
        self.judge = Judge(gate['max_rate'], content['control_rate'])
        self.observer = Helper('arm_observer')
        self.observer.receive()
        self.people = People()
        self.person = self.people.person
        self.simulator = NodeProcess('sim_node', folder, {
            'robot_config': str(config), 'env_id': env_id, 'publish_clock': False, 'seed': 30_000},
            folder / 'sim_node.log')
        self.node = NodeProcess('policy_node', folder, {
            'checkpoint': str(checkpoint.resolve()), 'device': 'cpu', 'autostart': False,
            'robot_config': str(config), 'seed': 30_000}, folder / 'policy_node.log')
        self.person.change('configure', 60.0)
        self.person.press(False)

    def watch(self, seconds: float) -> None:
        """Let it go on, and judge what is said meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.05)
            self.judge.take(self.observer.ask('now'))

    def round(self) -> None:
        """Go through all once."""
        self.person.change('activate')
        self.watch(_DRIVE)
        with contextlib.suppress(Refused):      # one may just have ended by itself
            self.person.trigger('end_episode')
        self.watch(_DRIVE)
        self.person.press(True)
        self.watch(_STAND)
        self.person.press(False)
        self.person.trigger('clear_trip')
        self.watch(_DRIVE / 2)
        self.person.change('deactivate')
        self.watch(_STAND)
        self.judge.forget()

    def end(self) -> None:
        """End the node while it drives, and watch that too."""
        self.person.change('activate')
        self.watch(_DRIVE / 2)
        self.node.signal(signal.SIGTERM)
        self.node.wait(10.0)
        self.watch(_STAND)

    def close(self) -> None:
        """End all."""
        self.node.close()
        self.simulator.close()
        self.observer.close()
        self.people.close()


def main() -> int:
    """Run all rounds, print the worst, return 1 when something leapt."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('checkpoint', type=Path, metavar='CHECKPOINT')
    parser.add_argument('--controller', choices=SETTINGS, default='trajectory')
    parser.add_argument('--rounds', type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment(Path(folder))
        scene = Scene(Path(folder), arguments.checkpoint, arguments.controller)
        judge = scene.judge
        try:
            for number in range(arguments.rounds):
                scene.round()
                print(f'{number + 1}/{arguments.rounds}: {judge.commands} commands, '
                      f'{judge.resets} resets, {judge.worst}', flush=True)
            scene.end()
        except Refused as refusal:
            raise SystemExit(f'{refusal}: {scene.node.words()}') from None
        finally:
            scene.close()
    said = ', '.join(f'{name} {value:.6f}' for name, value in judge.worst.items())
    print(f'{arguments.controller}: {judge.commands} commands, {judge.resets} resets: {said} of '
          'max_rate * period')
    return int(max(judge.worst.values()) > 1 + _ROUNDING)


if __name__ == '__main__':
    code = main()
    sys.stdout.flush()
    os._exit(code)   # whatever still spins
