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

"""All processes of a run: robot, observer, bare timers, policy node, and the people here."""

import os
from pathlib import Path
import socket
import struct
import time

from fault_campaign import judge
from fault_campaign.helper import Helper
from fault_campaign.judge import Command
from fault_campaign.node import NodeProcess
from fault_campaign.person import E_STOP, People, Refused, wait_for
from fault_campaign.setting import allowed, write_setting

SAMPLE_RATE = 100.0    # [Hz] of the robot's streams, or twice the control rate
_TIMED = 0.002         # [s] between two ticks of the bare timers
STREAMS = ('robot_pose', 'joint_states')
_PATIENCE = 40.0       # [s] for a node to drive
_DRIVING = 5           # commands in a row that are not the stop
_LOOK = 0.02           # [s]
_DOMAINS = range(215, 232)   # which nothing else here uses
_UDP = Path(__file__).resolve().parents[2] / 'config' / 'fastdds_loopback.xml'
_held = []
_RAISE, _STALL, _HOLD = 1, 2, 3
FLAGS = {'raise': _RAISE, 'stall': _STALL, 'hold': _HOLD}


def environment(folder: Path) -> None:
    """Let every process from here on be in a graph of its own, on this machine only."""
    # not by Fast DDS's shared memory: a process that is killed can deafen the others there
    os.environ.update(
        ROS_AUTOMATIC_DISCOVERY_RANGE='SUBNET', ROS_STATIC_PEERS='127.0.0.1',
        FASTRTPS_DEFAULT_PROFILES_FILE=str(_UDP), FASTDDS_DEFAULT_PROFILES_FILE=str(_UDP))
    os.environ['ROS_HOME'] = str(folder / 'ros_home')
    os.environ['IQL_RUNS'] = str(folder / 'runs')
    os.environ.setdefault('ROS_DOMAIN_ID', str(_free_domain()))
    os.environ.setdefault('OMP_NUM_THREADS', '1')


def _free_domain() -> int:
    """Return a ROS domain that no other campaign here has while this process lives."""
    for domain in _DOMAINS:
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f'\0fault_campaign_domain_{domain}')
        except OSError:
            continue
        _held.append(holder)
        return domain
    raise SystemExit(f'{len(_DOMAINS)} campaigns run on this machine already')


class Stage:
    """Everything but the policy node lives as long as this; the node is started as asked."""

    def __init__(self, folder: Path, rate: float, simulated: bool):
        """Start robot, observer and timer in a folder of their own; the environment is set."""
        self.folder, self.rate, self.simulated = folder, rate, simulated
        self.allowed = allowed(rate)
        folder.mkdir(parents=True, exist_ok=True)
        write_setting(folder, rate)
        self._robot_arguments = max(SAMPLE_RATE, 2 * rate), simulated
        self.observer = Helper('observer')
        self._timers = [Helper('bare_timer', core, _TIMED)
                        for core in os.sched_getaffinity(0)]
        self.robot = Helper('robot', *self._robot_arguments)
        for helper in (self.observer, self.robot):
            helper.receive()
        self.people, self.node, self._left, self.variant = People(), None, [], None
        self.person, self._reset_server = self.people.person, None

    # The policy node -------------------------------------------------------------------------

    def start_node(self, variant: dict | None = None) -> None:
        """Start a policy node, with parameters besides the usual; None: those of the last."""
        if self.node is not None:
            self.end_node()
        self.forget_trips()
        self.variant = self.variant if variant is None else variant
        self._start()

    def respawn(self) -> None:
        """Start the policy node once more after a kill, as launch would: what it left stays."""
        self._left.append(self.node)
        self._start()

    def _start(self) -> None:
        results = self.folder / 'results'
        results.mkdir(exist_ok=True)
        for path in results.iterdir():
            path.unlink()
        parameters = dict(self.variant)
        arguments = parameters.pop('arguments', ())
        pipe = parameters.pop('pipe', False)
        parameters = {
            'checkpoint': str(self.folder / 'policy.safetensors'), 'device': 'cpu',
            'robot_config': str(self.folder / 'robot.yaml'), 'use_sim_time': self.simulated,
            **parameters}
        self._fresh = True     # whose services nobody has found yet
        self.node = NodeProcess('policy_node', self.folder, parameters,
                                self.folder / 'policy_node.log', arguments, pipe)

    def end_node(self) -> None:
        """End the policy node, where there is one."""
        self.person.stop_repeating()
        for node in filter(None, (self.node, *self._left)):
            node.close()
        self.node, self._left = None, []
        self.person.forget_buttons()
        self.person.forget_weights()

    def forget_trips(self) -> None:
        """Let no latched trip of an earlier run be found."""
        for path in Path(os.environ['ROS_HOME']).glob('iql_ros/trips/*'):
            path.unlink()

    # What was heard --------------------------------------------------------------------------

    def heard(self, since: float) -> dict:
        """Return what the observer heard since a time."""
        records = self.observer.ask(since)
        records['commands'] = [Command(*record) for record in records['commands']]
        return records

    def commands(self, since: float) -> list[Command]:
        """Return the commands since a time."""
        return self.heard(since)['commands']

    def wait_commands(self, since: float, condition, timeout: float):
        """Wait until `condition(commands since)` is true; return what it returned last."""
        return wait_for(lambda: condition(self.commands(since)), timeout, _LOOK)

    def lateness(self, begin: float, end: float) -> float:
        """Return by how much a bare timer was late at most in a window [s]."""
        return judge.lateness(self.late_ticks(begin), begin, end)

    def away(self, begin: float, end: float) -> float:
        """Return for how long a core was away in a window [s]; see judge."""
        return judge.away(self.late_ticks(begin), begin, end)

    def late_ticks(self, since: float) -> list:
        """Return the late ticks (due, woke, of which timer) of the bare timers since a time."""
        return [(*tick, number) for number, timer in enumerate(self._timers)
                for tick in timer.ask(since)]

    def is_driving(self) -> bool:
        """Say whether the newest commands are none but driving ones."""
        now = time.monotonic()
        recent = self.commands(now - (_DRIVING + 2) * self.allowed.period)
        return (len(recent) >= _DRIVING
                and not judge.stops(recent, self.allowed))

    # What is brought about -------------------------------------------------------------------

    def clear(self, timeout: float = 3.0) -> str:
        """Ask for clear_trip until it is granted; return '' or why it is not."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.person.trigger('clear_trip')
                return ''
            except Refused as refusal:
                if time.monotonic() > deadline:
                    return str(refusal)
                time.sleep(0.05)

    def drive(self, timeout: float = _PATIENCE) -> int:
        """
        Wait until the robot is driven; return how many trips were cleared for that.

        Raises:
            Refused: when it does not come to that.

        """
        deadline, cleared, waits_since = time.monotonic() + timeout, 0, time.monotonic()
        if self._fresh:
            self.person.prepare(timeout)
            self._fresh = False
        while not self.is_driving():
            if self.node.ended:
                raise Refused(f'the policy node ended ({self.node.process.returncode})')
            if time.monotonic() > deadline:
                raise Refused(f'it does not drive within {timeout:g} s')
            time.sleep(_LOOK)
            recent = self.commands(time.monotonic() - 3 * self.allowed.period)
            if judge.driving(recent, self.allowed):
                waits_since = time.monotonic()
            if recent and time.monotonic() - waits_since > max(1.0, 6 * self.allowed.period):
                waits_since = time.monotonic()
                cleared += not self.clear(0.0)
        return cleared

    def order(self, stream: str, do: str | None, **more) -> dict:
        """Order something of the robot's stream."""
        return self.robot.ask({'stream': stream, 'do': do, **more})

    def flag(self, order: str, seconds: float = 0.0, timeout: float = 5.0) -> float:
        """Let the task function do something; return when it began."""
        with open(self.folder / 'flag', 'r+b', buffering=0) as file:
            file.seek(8)
            file.write(struct.pack('<d', seconds))
            file.seek(0)
            file.write(struct.pack('<q', FLAGS[order]))

            def begun():
                file.seek(0)
                left, _, mono = struct.unpack('<qdd', file.read(24))
                return mono if not left else 0.0
            mono = wait_for(begun, timeout, 0.001)
        if not mono:
            raise Refused('the task function was not called')
        return mono

    def kill_robot(self) -> float:
        """Kill the robot's process; return when."""
        now = time.monotonic()
        self.robot.kill()
        return now

    def start_robot(self) -> None:
        """Start the robot again."""
        self.robot = Helper('robot', *self._robot_arguments)
        self.robot.receive()

    def start_reset_server(self) -> Helper:
        """Start a process that serves the reset, says when it is called, and never answers."""
        self._reset_server = Helper('reset_server')
        self._reset_server.receive()
        return self._reset_server

    def start_learner(self) -> NodeProcess:
        """Start a learner of this robot's experience; it ends with the policy node."""
        learner = NodeProcess('finetune_node', self.folder, {
            'checkpoint': str(self.folder / 'policy.safetensors'), 'device': 'cpu',
            'robot_config': str(self.folder / 'robot.yaml'), 'run': f'run_{time.time_ns()}',
            'dataset': str(self.folder / 'data.hdf5'), 'config': str(self.folder / 'learn.yaml')},
            self.folder / 'finetune_node.log')
        self._left.append(learner)
        return learner

    def release_all(self) -> None:
        """Release the e_stop, in case a run that failed left it pressed; the robot is whole."""
        self.person.stop_repeating()
        if self._reset_server is not None:  # it would never answer whom the robot does
            self._reset_server.kill()
            self._reset_server = None
        for stream in STREAMS:
            self.order(stream, None)
        self.robot.ask({'reset': 'ok'})
        self.person.press(False, E_STOP, heard=False)

    def close(self) -> None:
        """End all."""
        self.end_node()
        self.people.close()
        for helper in filter(None, (self._reset_server, self.robot, self.observer,
                                    *self._timers)):
            helper.close()
