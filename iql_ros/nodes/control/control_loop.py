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

"""What every control loop shares: states, episodes' ends, trips, and what people ask for."""

import threading
import time
import traceback

import numpy as np

from iql_ros.nodes.control.loop_statistics import LoopStatistics
from iql_ros.nodes.control.robot_bridge import RobotBridge
from iql_ros.robot.episode_runner import EpisodeRunner, TickResult
from iql_ros.robot.robot_interface import RobotInterface

WAITING, RUNNING, TRIPPED = 'WAITING', 'RUNNING', 'TRIPPED'
_LONGEST_RAMP = 2.0  # [s] to the stop, on leaving


class ControlLoop:
    """
    What both loops share: states, episodes' ends, trips, and what people ask for.

    `host` is told: `on_start()`, `on_tick(result, told)` once its command has gone out (`told()`
    returns what the robot was told last),
    `on_episode(summary)`, `on_event(kind, stamp_ns)`, `on_trip(reason)`, `log(text)`;
    `host.call_reset(stopping)` returns the stamp [ns] of the new episode's first step or None,
    `host.operator()` the action of an operator or None, `host.now_ns()` the time,
    `host.not_ready()` what an episode has to wait for, `host.enabled()` whether it may go on,
    `host.lasting_cause()` why a trip cannot be cleared yet.
    """

    def __init__(self, runner: EpisodeRunner, bridge: RobotBridge, commands,
                 interface: RobotInterface, host, reset: str, episodes: int):
        """
        Take the parts.

        `reset` is the service that begins an episode, empty: none; `episodes` is how many to
        run, 0 without end.
        """
        self._runner, self._bridge, self._commands = runner, bridge, commands
        self._interface, self._host = interface, host
        self._reset, self._episodes = reset, episodes
        self.statistics = LoopStatistics(interface.period_ns * 1e-9, interface.action_names)
        # Guards the gate's trip and what is sent. Never held while the policy thinks: a trip
        # from another thread must get its stop out even when the policy hangs.
        self._lock = threading.RLock()
        self._last_sent_ns, self._sent_at = 0, 0.0   # the last command; monotonic [s]
        self._trip_announced = False
        self._operator_announced = False
        self._left = True                   # the last stop has been sent, or none yet
        self._drove = False                 # since the last stop
        self._paused = False                # nothing is sent: the episode that ran is to end
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

    def pause(self) -> None:
        """Stop the robot now, from any thread; the episode ends, and its next may begin."""
        with self._lock:
            if self.state == RUNNING and not self._paused:
                self._paused = True
                self._stop(self._stop_stamp_ns())

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
        self._runner.gate.forget()
        self._runner.gate.blend_in()
        self._left, self._start_asked = False, True
        self._trip_announced = self._runner.gate.trip_reason is not None
        self.stopping.clear()

    def leave(self) -> None:
        """End the loop: the stop is sent last."""
        self.stopping.set()
        self.wake()
        self._bridge.wake()
        until = time.monotonic() + _LONGEST_RAMP
        with self._lock:
            self._stop(self._stop_stamp_ns())
        while self._runner.gate.stopping and time.monotonic() < until:
            time.sleep(self._interface.period_ns * 1e-9)
            with self._lock:
                self._stop(self._stop_stamp_ns())
        with self._lock:
            self._left = True

    def close(self) -> None:
        """Be silent, once the loop has ended."""
        self._commands.close(self._stop_stamp_ns())

    def _drive(self, command, stamp_ns: int, sampled_ns: int, due_ns: int = 0) -> None:
        """Send a command, unless there is a trip; the monotonic times: see DirectCommands."""
        with self._lock:
            if self._left or self._paused or self.stopping.is_set():
                return
            if self._runner.gate.trip_reason is not None:
                self._stop(stamp_ns)
                return
            if not self._drove:
                self._drove = True
                self._commands.begin(self._runner.gate.stood)
            self._commands.drive(command, stamp_ns, sampled_ns, due_ns)
            self._last_sent_ns, self._sent_at = stamp_ns, time.monotonic()

    def _stop(self, stamp_ns: int) -> None:
        with self._lock:
            if self._left:
                return
            gate = self._runner.gate
            if self._drove:
                gate.last = self._commands.sent(gate.last)
            command = gate.next_stop(self._since_sent(), self._newest(stamp_ns))
            if not np.isnan(command).all():  # else positions that nobody knows: they stay
                self._commands.stop(command, gate.target, stamp_ns)
            self._drove = False
            self._last_sent_ns, self._sent_at = stamp_ns, time.monotonic()

    def _since_sent(self) -> float:
        """Return the time [s] since the last command, at most one period."""
        return self._interface.period_ns * 1e-9

    def _newest(self, stamp_ns: int) -> np.ndarray | None:
        """Return what is known of the robot now, NaN where nothing is; None: the last tick's."""
        return None

    def _announce_trip(self) -> None:
        if not self._trip_announced:
            self._trip_announced = True
            self._commands.trip(self._runner.gate.trip_reason, self._stop_stamp_ns())
            self._host.on_trip(self._runner.gate.trip_reason)
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

    def _end_pause(self, tick_ns: int) -> None:
        """End the episode that a pause cut; the tick in which it stopped is no transition."""
        if self._runner.running:
            self._runner.abandon()
            self._host.on_event('end', tick_ns)
            self._close_episode()
        with self._lock:
            self._paused, self._start_asked = False, True

    def _call_reset(self) -> int | None:
        """Return the stamp [ns] of the new episode's first step; None when there is none."""
        self.waiting_for = [f"an answer of the reset service '{self._reset}'"]
        stamp_ns = self._host.call_reset(self.stopping)
        if stamp_ns is not None:
            self.waiting_for = []
        return stamp_ns

    def _begin(self, tick_ns: int) -> None:
        with self._lock:
            self._start_asked = False
        self._host.on_start()
        self._runner.start()
        self._host.on_event('start', tick_ns)

    def _run_tick(self, tick_ns: int, observation, late: float = 0.0) -> TickResult:
        """Return what a tick comes to, sampled so late [s]; an exception trips."""
        began = time.monotonic()
        try:
            result = self._runner.tick(tick_ns, observation, self._host.operator())
            self.statistics.tick(began, late, time.monotonic() - began, result.changed)
        except Exception as error:  # whatever it is, the robot must stop
            self._host.log(traceback.format_exc())
            self.trip(f'exception in the loop: {error!r}')
            self._tripped()
            return TickResult(None, None, None, tick_ns)
        if result.ended == 'trip':
            with self._lock:
                self._announce_trip()
        return result

    def _report(self, result: TickResult, tick_ns: int) -> None:
        """Tell the host what a tick brought, once its command has gone out."""
        self._host.on_tick(result, self._told)
        if result.ended and result.ended != 'trip':
            kind = result.ended if result.ended in ('success', 'failure') else 'end'
            self._host.on_event(kind, tick_ns)
        if result.ended:
            self._close_episode()
        self._announce_operator(result.stamp_ns)

    def _told(self) -> np.ndarray:
        return self._commands.told(self._runner.gate.last)

    def _announce_operator(self, stamp_ns: int) -> None:
        if self._runner.operated != self._operator_announced:
            self._operator_announced = self._runner.operated
            kind = 'intervention_start' if self._runner.operated else 'intervention_end'
            self._host.on_event(kind, stamp_ns)

    def _close_episode(self) -> None:
        self.finished_episodes += 1
        self.statistics.pause()
        self._start_asked = bool(self._reset)
        self._host.on_episode(self._runner.summary)

    def all_done(self) -> bool:
        """Say whether the episodes asked for are done."""
        return bool(self._episodes) and self.finished_episodes >= self._episodes
