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

"""What every control loop shares, and the one that runs in lockstep with a simulator."""

import threading
import time
import traceback

from iql_ros.nodes.control.robot_bridge import RobotBridge
from iql_ros.robot.episode_runner import EpisodeRunner, TickResult
from iql_ros.robot.robot_interface import RobotInterface

WAITING, RUNNING, TRIPPED = 'WAITING', 'RUNNING', 'TRIPPED'
_LOOK = 0.02  # [s] how often a wait looks whether it is over


class ControlLoop:
    """
    What both loops share: states, episodes' ends, trips, and what people ask for.

    `host` is told: `on_start()`, `on_tick(result)` once its command has gone out,
    `on_episode(summary)`, `on_event(kind, stamp_ns)`, `on_trip(reason)`, `log(text)`;
    `host.call_reset(stopping)` returns the stamp [ns] of the new episode's first step or None,
    `host.operator()` the action of an operator or None, `host.now_ns()` the time,
    `host.not_ready()` what an episode has to wait for, `host.lasting_cause()` why a trip cannot
    be cleared yet.
    """

    def __init__(self, runner: EpisodeRunner, bridge: RobotBridge, commands,
                 interface: RobotInterface, host, has_reset: bool, episodes: int):
        """Take the parts; `episodes` is how many to run, 0 without end."""
        self._runner, self._bridge, self._commands = runner, bridge, commands
        self._interface, self._host = interface, host
        self._has_reset, self._episodes = has_reset, episodes
        # Guards the gate's trip and what is sent. Never held while the policy thinks: a trip
        # from another thread must get its stop out even when the policy hangs.
        self._lock = threading.RLock()
        self._last_sent_ns = 0
        self._trip_announced = False
        self._operator_announced = False
        self._left = True                   # the last stop has been sent, or none yet
        self._start_asked = True            # activation asks for the first episode
        self.stopping = threading.Event()
        self.finished_episodes = 0
        self.waiting_for: list[str] = []

    @property
    def state(self) -> str:
        """Return WAITING, RUNNING or TRIPPED."""
        if self._runner.gate.trip_reason is not None:
            return TRIPPED
        return RUNNING if self._runner.running else WAITING

    def run(self) -> None:
        """Run until `leave`, or until the episodes asked for are done."""
        self._run()
        if self._runner.operated:
            stamp_ns = self._stop_stamp_ns()
            self._runner.release(stamp_ns)
            self._announce_operator(stamp_ns)

    def request(self, kind: str) -> str | None:
        """Ask to end the episode (end, success, failure); return why that cannot be."""
        with self._lock:
            if not self._runner.running:
                return f'no episode is running (state {self.state})'
            self._runner.request(kind)
            return None

    def ask_start(self) -> str | None:
        """Ask for the next episode; return why that cannot be."""
        with self._lock:
            if self.state != WAITING:
                return f'state is {self.state}; expected {WAITING}'
            self._start_asked = True
            return None

    def trip(self, reason: str) -> None:
        """Trip, from any thread: the stop goes out now (in lockstep: as the answer)."""
        with self._lock:
            self._runner.gate.trip(reason)
            self._announce_trip()

    def clear_trip(self) -> str | None:
        """Leave TRIPPED, the next episode starts as any other; return why that cannot be."""
        with self._lock:
            if self.state != TRIPPED:
                return f'state is {self.state}; expected {TRIPPED}'
            if self._runner.running:
                return 'the control loop has not come back yet'
            cause = self._lasting_cause() or self._commands.clear()
            if cause:
                return f'its cause lasts: {cause}'
            self._runner.gate.clear_trip()
            self._trip_announced, self._start_asked = False, True
            return None

    def _lasting_cause(self) -> str:
        """Return why a trip would come again at once; empty: it would not."""
        return self._host.lasting_cause()

    def wake(self) -> None:
        """Say, from any thread, that an operator has sent a command."""

    def enter(self) -> None:
        """Be ready to run, also after an earlier `leave`; a trip is still one."""
        self._runner.abandon()
        self._commands.open(self._stop_stamp_ns(), self._runner.gate.trip_reason or '')
        self._left, self._start_asked = False, True
        self._trip_announced = self._runner.gate.trip_reason is not None
        self.stopping.clear()

    def leave(self) -> None:
        """End the loop: the stop is sent last."""
        self.stopping.set()
        self.wake()
        self._bridge.wake()
        with self._lock:
            self._stop(self._stop_stamp_ns())
            self._left = True

    def close(self) -> None:
        """Be silent, once the loop has ended."""
        self._commands.close(self._stop_stamp_ns())

    def _drive(self, command, stamp_ns: int, sampled_ns: int) -> None:
        """Send a command, unless there is a trip; `sampled_ns`, monotonic: see DirectCommands."""
        with self._lock:
            if self._left:
                return
            if self._runner.gate.trip_reason is not None:
                self._stop(stamp_ns)
                return
            self._commands.drive(command, stamp_ns, sampled_ns)
            self._last_sent_ns = stamp_ns

    def _stop(self, stamp_ns: int) -> None:
        with self._lock:
            if not self._left:
                self._commands.stop(stamp_ns)
                self._last_sent_ns = stamp_ns

    def _announce_trip(self) -> None:
        if not self._trip_announced:
            self._trip_announced = True
            self._commands.trip(self._runner.gate.trip_reason, self._stop_stamp_ns())
            self._host.on_trip(self._runner.gate.trip_reason)
            self._host.log(f'TRIPPED: {self._runner.gate.trip_reason}; sending the stop until '
                           '~/clear_trip')
            self._host.on_event('trip', self._last_sent_ns)

    def _tripped(self) -> bool:
        """Say whether there is a trip, and end the episode that it cut; loop thread only."""
        if self._runner.gate.trip_reason is None:
            return False
        if self._runner.running:
            self._runner.abort(self._runner.gate.trip_reason)
            self._close_episode()
        if self._runner.operated:
            stamp_ns = self._stop_stamp_ns()
            self._runner.release(stamp_ns)
            self._announce_operator(stamp_ns)
        return True

    def _begin(self, tick_ns: int) -> None:
        with self._lock:
            self._start_asked = False
        self._host.on_start()
        self._runner.start()
        self._host.on_event('start', tick_ns)

    def _run_tick(self, tick_ns: int, observation) -> TickResult:
        """Return what a tick comes to; an exception trips."""
        try:
            result = self._runner.tick(tick_ns, observation, self._host.operator())
        except Exception as error:  # whatever it is, the robot must stop
            self._host.log(traceback.format_exc())
            self.trip(f'exception in the loop: {error!r}')
            self._tripped()
            return TickResult(self._runner.gate.stop, None, None, tick_ns)
        if result.ended == 'trip':
            with self._lock:
                self._announce_trip()
        return result

    def _report(self, result: TickResult, tick_ns: int) -> None:
        """Tell the host what a tick brought, once its command has gone out."""
        self._host.on_tick(result)
        if result.ended and result.ended != 'trip':
            kind = result.ended if result.ended in ('success', 'failure') else 'end'
            self._host.on_event(kind, tick_ns)
        if result.ended:
            self._close_episode()
        self._announce_operator(result.stamp_ns)

    def _announce_operator(self, stamp_ns: int) -> None:
        if self._runner.operated != self._operator_announced:
            self._operator_announced = self._runner.operated
            kind = 'intervention_start' if self._runner.operated else 'intervention_end'
            self._host.on_event(kind, stamp_ns)

    def _close_episode(self) -> None:
        self.finished_episodes += 1
        self._start_asked = self._has_reset
        self._host.on_episode(self._runner.summary)

    def all_done(self) -> bool:
        """Say whether the episodes asked for are done."""
        return bool(self._episodes) and self.finished_episodes >= self._episodes


class LockstepLoop(ControlLoop):
    """As fast as the simulator answers: one complete step in, one answer out."""

    def __init__(self, *parts, timeout: float):
        """Take `timeout` [s], after which the loop says whom it waits for."""
        super().__init__(*parts)
        self._timeout = timeout

    def _run(self) -> None:
        expected_ns, owed = None, False  # any complete step will do to join; a reset is owed
        while not self.stopping.is_set() and not self.all_done():
            if not owed:
                step = self._wait_step(expected_ns)
                if step is None:
                    continue
                expected_ns = None
            if self.state == WAITING and self._wait_until_ready():
                self._bridge.next_step()
                expected_ns = self._host.call_reset(self.stopping)
                owed = expected_ns is None
                if not owed and not self._tripped():
                    self._begin(expected_ns)
            elif owed:
                self.stopping.wait(_LOOK)
            elif self.state != WAITING:
                self._answer(*step)

    def _wait_step(self, stamp_ns: int | None):
        complete = self._bridge.wait_step(stamp_ns, self._timeout, self.stopping)
        if self.stopping.is_set():
            return None
        self.waiting_for = self._bridge.missing(stamp_ns)
        if complete:
            return self._bridge.step()
        self._host.log(f'waiting for {", ".join(self.waiting_for)}')
        return None

    def _wait_until_ready(self) -> bool:
        """Wait for what the host waits for; say whether an episode may begin."""
        while self.state == WAITING and not self.stopping.is_set():
            self.waiting_for = self._host.not_ready()
            if not self.waiting_for:
                return True
            self.stopping.wait(_LOOK)
        return False

    def _answer(self, stamp_ns: int, observation, samples: dict) -> None:
        if self._bridge.reward_index in samples:
            self._runner.builder.add_reward(stamp_ns, samples[self._bridge.reward_index])
        if self._bridge.terminated_index in samples:
            self._runner.builder.add_terminated(
                stamp_ns, bool(samples[self._bridge.terminated_index]))
        result = TickResult(self._runner.gate.stop, None, None, stamp_ns)
        if not self._tripped():
            result = self._run_tick(stamp_ns, observation)
        if result.command is not None:  # at an episode's end the reset call is the answer
            self._bridge.next_step()
            self._drive(result.command, stamp_ns, time.monotonic_ns())
        self._report(result, stamp_ns)

    def _stop_stamp_ns(self) -> int:
        return self._bridge.step_ns()
