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
import time

import numpy as np

from iql_ros.nodes.control.clock_watch import ClockWatch
from iql_ros.nodes.control.control_loop import ControlLoop, RUNNING, TRIPPED, WAITING
from iql_ros.nodes.hosting.real_time import (
    ask_for_real_time, CONTROL, give_back_real_time, set_garbage_aside)

_POLL = 0.001           # [s] how often simulated time is looked at near a tick
_LONGEST_WAIT = 0.1     # [s] how late a request to stop may be seen
_WATCHDOG_RATE = 50.0   # [Hz] at least, and
_LOOKS = 3              # in a control period: the sentry wants one in 1.7
_SILENCE = 3            # periods without a command, after which a robot may be anywhere
_LATE = 0.17            # [s] a tick not finished by then trips, whatever the control rate
_PATIENCE = 5.0         # [s] until the log says whom an episode waits for


class RealTimeLoop(ControlLoop):
    """
    On the node's clock: tick k is sampled and acted on at t_k + settle.

    Whatever measures how long something lasts goes by the monotonic clock: the node's may be set
    back, or stand.
    """

    def __init__(self, *parts):
        """Start the watchdog with the loop."""
        super().__init__(*parts)
        self._next_ns: int | None = None    # the next tick; None before the first, not RUNNING
        self._due_ns = 0                    # when it is due, monotonic [ns]
        self._sampled_ns = 0                # the last tick; what is older has been forgotten
        self._seen_ns = 0                   # the node's clock, when the loop looked last
        self._woken = threading.Event()     # an operator has sent a command, or we leave
        self._rest_until = 0.0              # the stop is repeated until then, monotonic [s]
        self._stopped_at = 0.0              # the last stop, monotonic [s]
        self._clock = self._new_clock_watch()
        self._stop_repeat = max(stream.gate.stop_repeat_ns
                                for stream in self._interface.action) * 1e-9

    def wake(self) -> None:
        """Let the loop look for an operator's command now."""
        self._woken.set()

    def trip(self, reason: str) -> None:
        """Trip, from any thread: the stop goes out now, from wherever the robot then is."""
        with self._lock:
            if time.monotonic() - self._sent_at > _SILENCE * self._interface.period_ns * 1e-9:
                self._runner.gate.forget()
            super().trip(reason)

    def pause(self) -> None:
        """Stop the robot now, from any thread: no tick is due any more."""
        with self._lock:
            super().pause()
            if self._paused:
                self._next_ns = None

    def enter(self) -> None:
        """Be ready to run, also after an earlier `leave`: no tick is late yet."""
        set_garbage_aside()
        super().enter()
        self._next_ns, self._seen_ns, self._rest_until = None, 0, 0.0
        self._clock = self._new_clock_watch()

    def _new_clock_watch(self) -> ClockWatch:
        return ClockWatch(self._host.simulated_time, self._interface.period_ns)

    def _run(self) -> None:
        watchdog = threading.Thread(target=self._watch, name='watchdog', daemon=True)
        watchdog.start()
        if not self._host.simulated_time:  # a simulator on the same cores must not starve
            ask_for_real_time(CONTROL, first=(threading.get_native_id(), watchdog.native_id))
        index = self._interface.tick_index(self._host.now_ns()) + 1
        while not self.stopping.is_set() and not self.all_done():
            tick_ns = self._interface.tick_ns(index)
            if not self._wait_for_tick(tick_ns):
                index = self._interface.tick_index(self._host.now_ns()) + 1
                continue
            index += 1
            if self.state == WAITING and self._start_asked and self._reset:
                index = max(index, self._reset_when_complete(tick_ns))
            else:
                self._tick(tick_ns, time.monotonic_ns())
            if self.state != RUNNING:  # an episode leaves no tick out
                now_ns = self._host.now_ns() - self._interface.settle_ns
                index = max(index, self._interface.tick_index(now_ns))
        self.stopping.set()
        watchdog.join(timeout=1.0)
        give_back_real_time()

    def _begin(self, tick_ns: int) -> None:
        with self._lock:
            self._clock.restart()  # a reset may have moved it
        super()._begin(tick_ns)

    def _not_ready(self) -> list[str]:
        """Return what has to be heard before anything may drive, here and by the sentry."""
        return list(dict.fromkeys(
            filter(None, [*self._host.not_ready(), self._commands.not_ready()])))

    def _missing(self, tick_ns: int) -> list[str]:
        """Return what an episode that begins at a tick would lack."""
        with self._bridge.lock:
            stale = self._bridge.stale(tick_ns)
        gate = self._runner.gate
        return [*self._not_ready(), *stale, *self._bridge.unfit(),
                *gate.outside(self._newest(tick_ns)), *(['the stop'] if gate.stopping else [])]

    def _reset_when_complete(self, tick_ns: int) -> int:
        """Return the index of the new episode's first tick, 0 when there is none yet."""
        self.waiting_for = self._missing(tick_ns)
        if self.waiting_for:
            return 0
        stamp_ns = self._call_reset()
        if stamp_ns is None:
            return 0
        with self._bridge.lock:
            self._bridge.take_task_samples()
        if not self._tripped():
            self._begin(stamp_ns)
        return self._interface.tick_index(stamp_ns - 1) + 1

    def _tick(self, tick_ns: int, sampled_ns: int) -> None:
        with self._bridge.lock:
            observation, self._sampled_ns = self._bridge.buffer.sample(tick_ns), tick_ns
            stale = self._bridge.stale(tick_ns)
            samples = self._bridge.take_task_samples()
        self.waiting_for = stale
        if self._tripped():
            return  # the watchdog repeats the stop
        if self._paused:
            self._end_pause(tick_ns)
        if not self._runner.running:
            self.waiting_for = self._missing(tick_ns)
            if not self._start_asked:
                self.waiting_for = ['~/start_episode', *self.waiting_for]
            if self.waiting_for:
                return
            self._begin(tick_ns)
        for index, stamp_ns, value in samples:
            if index == self._bridge.reward_index:
                self._runner.builder.add_reward(stamp_ns, value)
            else:
                self._runner.builder.add_terminated(stamp_ns, bool(value))
        if observation is not None:
            self._act(tick_ns, observation, sampled_ns)
        elif self._next_ns is not None:  # else the first sample of the episode is still to come
            self.trip(self._clock_fault() or self._too_old(stale))

    def _clock_fault(self) -> str:
        """Return what is wrong with the clock: where it has just jumped, all samples are old."""
        with self._lock:
            return self._clock.look(self._host.now_ns(), time.monotonic_ns())

    def _too_old(self, stale: list[str]) -> str:
        return '; '.join([f'stream too old: {", ".join(stale)}', *self._bridge.unfit()])

    def _act(self, tick_ns: int, observation, sampled_ns: int) -> None:
        late_ns = self._host.now_ns() - tick_ns - self._interface.settle_ns
        result = self._run_tick(tick_ns, observation, late_ns * 1e-9)
        with self._lock:
            self._expect(tick_ns + self._interface.period_ns)
            if result.command is None:
                self._stop(result.stamp_ns)
            else:
                self._drive(result.command, result.stamp_ns, sampled_ns, self._sentry_due_ns())
        self._report(result, tick_ns)

    def _expect(self, next_ns: int) -> None:
        """Take it that the tick of that time is the next, unless none is."""
        self._next_ns = None
        if self.state == RUNNING and not self._paused:
            self._due_ns = time.monotonic_ns() + (
                next_ns + self._interface.settle_ns - self._host.now_ns())
            self._next_ns = next_ns

    def _sentry_due_ns(self) -> int:
        """Return when the sentry may expect the next tick's command; 0: at no time it knows."""
        return 0 if self._next_ns is None or self._host.simulated_time else self._due_ns

    def _stop(self, stamp_ns: int) -> None:
        with self._lock:
            drove = self._drove
            super()._stop(stamp_ns)
            self._stopped_at = time.monotonic()
            if drove:
                self._rest_until = self._stopped_at + self._stop_repeat

    def _since_sent(self) -> float:
        return min(max(time.monotonic() - self._sent_at, 1e-9), super()._since_sent())

    def _newest(self, stamp_ns: int) -> np.ndarray:
        with self._bridge.lock:
            return self._bridge.buffer.newest(stamp_ns)

    def _follow_operator(self) -> None:
        """Send, between ticks, what an operator commands; between episodes, the stop after it."""
        woken = self._woken.is_set()
        self._woken.clear()
        with self._lock:
            if self.state == TRIPPED or self.stopping.is_set():
                return
            if woken and not (self.state == WAITING and self._not_ready()):
                now_ns, operator = self._host.now_ns(), self._host.operator()
                if operator is not None and (
                        self.state == RUNNING or self._runner.gate.see(self._newest(now_ns))):
                    self._drive(self._runner.operate(now_ns, operator), now_ns,
                                time.monotonic_ns(), self._sentry_due_ns())
                    self._announce_operator(now_ns)
            self._release_operator()

    def _release_operator(self) -> None:
        """Stop the robot between episodes when its operator has gone."""
        with self._lock:
            now_ns = self._host.now_ns()
            if (self.state == WAITING and self._runner.operated
                    and self._host.operator() is None):
                self._runner.release(now_ns)
                self._stop(now_ns)
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
        while not self.stopping.is_set():
            before_ns, self._seen_ns = self._seen_ns, self._host.now_ns()
            if self._seen_ns < before_ns:
                if self.state == RUNNING:
                    self.trip(f'the clock went back by {(before_ns - self._seen_ns) * 1e-9:.3f} s')
                return False
            self._tripped()
            self._follow_operator()
            if self._seen_ns >= time_ns:
                return True
            left = (time_ns - self._seen_ns) * 1e-9
            self._woken.wait(_POLL if self._host.simulated_time else min(left, _LONGEST_WAIT))
        return False

    def _watch(self) -> None:
        """Trip between ticks, repeat the stop, and say whom a start waits for."""
        period = 1.0 / max(_WATCHDOG_RATE, _LOOKS * self._interface.control_rate)
        waited_since = time.monotonic()
        while not self.stopping.wait(period):
            try:  # gives way to no tick: the sentry waits for its word
                self._look()
            except Exception as error:  # whatever it is, the robot must stop, and go on stopping
                self.trip(f'exception in the watchdog: {error!r}')
            if self.state != WAITING or not self._start_asked:
                waited_since = time.monotonic()
            elif time.monotonic() - waited_since >= _PATIENCE:
                waited_since = time.monotonic()
                self._host.log(f'waiting for {", ".join(self.waiting_for) or "/clock"}')

    def _look(self) -> None:
        now_ns = self._host.now_ns()
        cause = self._cause(now_ns)
        if cause:
            self.trip(cause)
        if not self._host.enabled():
            self.pause()
        self._commands.looked(self._runner.gate.where(self._newest(now_ns)), now_ns)
        self._release_operator()
        with self._lock:
            resting = self.state == WAITING and not self._runner.operated and (
                time.monotonic() < self._rest_until)
            again_at = self._stopped_at + self._interface.period_ns * 1e-9
            stops = self.state == TRIPPED or resting or self._runner.gate.stopping
            if stops and time.monotonic() >= again_at:
                self._stop(now_ns)

    def _cause(self, now_ns: int) -> str:
        """Return why the robot must stop, while it is RUNNING; empty: it need not."""
        clock_fault = self._clock_fault()
        next_ns, settled_ns = self._next_ns, now_ns - self._interface.settle_ns
        if next_ns is None:
            return ''
        late = (time.monotonic_ns() - self._due_ns) * 1e-9
        if self._host.simulated_time:
            late = (settled_ns - next_ns) * 1e-9
        if clock_fault or late > min(self._interface.period_ns * 1e-9, _LATE):
            return clock_fault or f'a tick is {late:.3f} s late'
        with self._bridge.lock:
            stale = self._bridge.stale(max(settled_ns, self._sampled_ns))
        return self._too_old(stale) if stale else (
            self._commands.fault() or self._host.lasting_cause())

    def _lasting_cause(self) -> str:
        now_ns = self._host.now_ns()
        with self._bridge.lock:
            stale = self._bridge.stale(now_ns - self._interface.settle_ns)
        causes = [super()._lasting_cause(), self._clock.standing(time.monotonic_ns()),
                  self._too_old(stale) if stale else '; '.join(self._bridge.unfit())]
        if not self._left:
            causes.append(self._commands.fault())
        return '; '.join(filter(None, causes))

    def _announce_trip(self) -> None:
        if not self._trip_announced:
            self.wake()
            self._next_ns = None
            self._stop(self._stop_stamp_ns())
        super()._announce_trip()

    def _stop_stamp_ns(self) -> int:
        return self._host.now_ns()
