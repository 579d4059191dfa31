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

"""The control loop on the node's clock, with the watchdog that looks between its ticks."""

import threading

from iql_ros.nodes.control.control_loop import ControlLoop, RUNNING, TRIPPED, WAITING

_POLL = 0.001           # [s] how often simulated time is looked at near a tick
_LONGEST_WAIT = 0.1     # [s] how late a request to stop may be seen
_WATCHDOG_RATE = 50.0   # [Hz] at least
_LATE = 0.2             # [s] a tick not finished by then trips, whatever the control rate
_PATIENCE = 5.0         # [s] until the log says whom an episode waits for


class RealTimeLoop(ControlLoop):
    """On the node's clock: tick k is sampled and acted on at t_k + settle."""

    def __init__(self, *parts):
        """Start the watchdog with the loop."""
        super().__init__(*parts)
        self._next_ns: int | None = None    # the next tick; None before the first, not RUNNING
        self._sampled_ns = 0                # the last tick; what is older has been forgotten
        self._woken = threading.Event()     # an operator has sent a command, or we leave

    def wake(self) -> None:
        """Let the loop look for an operator's command now."""
        self._woken.set()

    def enter(self) -> None:
        """Be ready to run, also after an earlier `leave`: no tick is late yet."""
        super().enter()
        self._next_ns = None

    def _run(self) -> None:
        watchdog = threading.Thread(target=self._watch, daemon=True)
        watchdog.start()
        index = self._interface.tick_index(self._host.now_ns()) + 1
        while not self.stopping.is_set() and not self.all_done():
            tick_ns = self._interface.tick_ns(index)
            if not self._wait_for_tick(tick_ns):
                index = self._interface.tick_index(self._host.now_ns()) + 1
                continue
            index += 1
            if self.state == WAITING and self._start_asked and self._has_reset:
                index = max(index, self._reset_when_complete(tick_ns))
            else:
                self._tick(tick_ns)
            if self.state != RUNNING:  # an episode leaves no tick out
                now_ns = self._host.now_ns() - self._interface.settle_ns
                index = max(index, self._interface.tick_index(now_ns))
        self.stopping.set()
        watchdog.join(timeout=1.0)

    def _reset_when_complete(self, tick_ns: int) -> int:
        """Return the index of the new episode's first tick, 0 when there is none yet."""
        with self._bridge.lock:
            self.waiting_for = self._bridge.buffer.stale(tick_ns)
        if self.waiting_for:
            return 0
        stamp_ns = self._host.call_reset(self.stopping)
        if stamp_ns is None:
            return 0
        with self._bridge.lock:
            self._bridge.take_task_samples()
        if not self._tripped():
            self._begin(stamp_ns)
        return self._interface.tick_index(stamp_ns - 1) + 1

    def _tick(self, tick_ns: int) -> None:
        with self._bridge.lock:
            observation, self._sampled_ns = self._bridge.buffer.sample(tick_ns), tick_ns
            stale = self._bridge.buffer.stale(tick_ns)
            samples = self._bridge.take_task_samples()
        self.waiting_for = stale
        if self._tripped():
            return  # the watchdog repeats the stop
        if not self._runner.running:
            if not self._start_asked:
                self.waiting_for = ['~/start_episode', *stale]
            if observation is None or not self._start_asked:
                return
            self._begin(tick_ns)
        for index, stamp_ns, value in samples:
            if index == self._bridge.reward_index:
                self._runner.builder.add_reward(stamp_ns, value)
            else:
                self._runner.builder.add_terminated(stamp_ns, bool(value))
        if observation is not None:
            self._act(tick_ns, observation)
        elif self._next_ns is not None:  # else the first sample of the episode is still to come
            self.trip(f'stream too old: {", ".join(stale)}')

    def _act(self, tick_ns: int, observation) -> None:
        result = self._run_tick(tick_ns, observation, self._host.now_ns())
        command = self._runner.gate.stop if result.command is None else result.command
        with self._lock:
            self._send(command, result.stamp_ns)
            self._next_ns = None
            if self._runner.running and self._runner.gate.trip_reason is None:
                self._next_ns = tick_ns + self._interface.period_ns
        self._report(result, tick_ns)

    def _follow_operator(self) -> None:
        """Send, between ticks, what an operator commands; between episodes, the stop after it."""
        woken, state = self._woken.is_set(), self.state
        if not woken and not (state == WAITING and self._runner.operated):
            return
        self._woken.clear()
        if state == TRIPPED or self.stopping.is_set():
            return
        now_ns = self._host.now_ns()
        operator = self._host.operator(now_ns)
        if operator is not None and woken:
            self._send(self._runner.operate(now_ns, operator), now_ns)
        elif operator is None and state == WAITING and self._runner.operated:
            self._send(self._runner.release(now_ns), now_ns)
        self._announce_operator(now_ns)

    def _wait_for_tick(self, tick_ns: int) -> bool:
        """Wait until a tick can be sampled; False when the clock went back or we stop."""
        if not self._host.simulated_time:
            return self._wait_until(tick_ns + self._interface.settle_ns)
        # The messages of a tick are on their way for some real time, whatever time is simulated,
        # and a simulated clock may move in steps many times as long.
        return self._wait_until(tick_ns) and not self.stopping.wait(self._interface.settle)

    def _wait_until(self, time_ns: int) -> bool:
        """Wait for a time on the host's clock; False when that clock went back or we stop."""
        before_ns = self._host.now_ns()
        while not self.stopping.is_set():
            now_ns = self._host.now_ns()
            if now_ns < before_ns:
                if self.state == RUNNING:
                    self.trip('the clock went back')
                elif self._runner.operated:
                    self._send(self._runner.release(now_ns), now_ns)
                    self._announce_operator(now_ns)
                return False
            self._follow_operator()
            if now_ns >= time_ns:
                return True
            before_ns = now_ns
            left = (time_ns - now_ns) * 1e-9
            self._woken.wait(_POLL if self._host.simulated_time else min(left, _LONGEST_WAIT))
        return False

    def _watch(self) -> None:
        """Trip between ticks, repeat the stop while tripped, and say whom a start waits for."""
        period = 1.0 / max(_WATCHDOG_RATE, self._interface.control_rate)
        next_stop_ns, waited = 0, 0.0
        while not self.stopping.wait(period):
            now_ns = self._host.now_ns()
            waited = waited + period if self.state == WAITING and self._start_asked else 0.0
            if waited >= _PATIENCE:
                waited = 0.0
                self._host.log(f'waiting for {", ".join(self.waiting_for) or "/clock"}')
            cause = self._cause(now_ns)
            if cause:
                self.trip(cause)
            with self._lock:
                if self.state == TRIPPED and now_ns >= next_stop_ns:
                    self._send(self._runner.gate.stop, now_ns)
                    next_stop_ns = now_ns + self._interface.period_ns

    def _cause(self, now_ns: int) -> str | None:
        next_ns, settled_ns = self._next_ns, now_ns - self._interface.settle_ns
        if next_ns is None:
            return None
        late = (settled_ns - next_ns) * 1e-9
        if late > min(self._interface.period_ns * 1e-9, _LATE):
            return f'a tick is {late:.3f} s late'
        with self._bridge.lock:
            stale = self._bridge.buffer.stale(max(settled_ns, self._sampled_ns))
        return f'stream too old: {", ".join(stale)}' if stale else None

    def _announce_trip(self) -> None:
        if not self._trip_announced:
            self._next_ns = None
            self._send(self._runner.gate.stop, self._stop_stamp_ns())
        super()._announce_trip()

    def _stop_stamp_ns(self) -> int:
        return self._host.now_ns()
