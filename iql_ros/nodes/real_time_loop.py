"""The control loop on the node's clock, with the watchdog that looks between its ticks."""

import threading

from iql_ros.nodes.control_loop import ControlLoop, RUNNING, TRIPPED, WAITING

_POLL = 0.001           # [s] how often simulated time is looked at near a tick
_LONGEST_WAIT = 0.1     # [s] how late a request to stop may be seen
_WATCHDOG_RATE = 50.0   # [Hz] at least
_LATE = 0.2             # [s] a tick not finished by then trips, whatever the control rate


class RealTimeLoop(ControlLoop):
    """On the node's clock: tick k is sampled and acted on at t_k + settle."""

    def __init__(self, *parts):
        """Start the watchdog with the loop."""
        super().__init__(*parts)
        self._due_ns: int | None = None     # when the next tick is due; None while not RUNNING

    def run(self) -> None:
        """Run until `leave`, or until the episodes asked for are done."""
        watchdog = threading.Thread(target=self._watch, daemon=True)
        watchdog.start()
        index = self._interface.tick_index(self._host.now_ns()) + 1
        not_before_ns = 0
        while not self.stopping.is_set() and not self.all_done():
            tick_ns = self._interface.tick_ns(index)
            if not self._wait_until(tick_ns + self._interface.settle_ns):
                index = self._interface.tick_index(self._host.now_ns()) + 1
                continue
            if self.state == WAITING and self._start_asked and self._has_reset:
                not_before_ns = self._reset_when_complete(tick_ns, not_before_ns)
            elif tick_ns >= not_before_ns:
                self._tick(tick_ns)
            now_index = self._interface.tick_index(
                self._host.now_ns() - self._interface.settle_ns)
            index = max(index + 1, now_index if self.state != RUNNING else index + 1)
        self.stopping.set()
        watchdog.join(timeout=1.0)

    def _reset_when_complete(self, tick_ns: int, not_before_ns: int) -> int:
        with self._bridge.arrival:
            self.waiting_for = self._bridge.buffer.stale(tick_ns)
        if self.waiting_for:
            return not_before_ns
        stamp_ns = self._host.call_reset(self.stopping)
        if stamp_ns is None:
            return not_before_ns
        with self._bridge.arrival:
            self._bridge.take_task_samples()
        if not self._tripped():
            self._begin(stamp_ns)
        return stamp_ns

    def _tick(self, tick_ns: int) -> None:
        with self._bridge.arrival:
            observation = self._bridge.buffer.sample(tick_ns)
            stale = self._bridge.buffer.stale(tick_ns)
            samples = self._bridge.take_task_samples()
        self.waiting_for = stale
        if self._tripped():
            return  # the watchdog repeats the stop
        if not self._runner.running:
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
        elif self._due_ns is not None:  # else the first sample of the episode is still to come
            self.trip(f'stream too old: {", ".join(stale)}')

    def _act(self, tick_ns: int, observation) -> None:
        command = self._run_tick(tick_ns, observation)
        with self._lock:
            self._send(self._runner.gate.stop if command is None else command, tick_ns)
            self._due_ns = None
            if self._runner.running and self._runner.gate.trip_reason is None:
                self._due_ns = tick_ns + self._interface.period_ns + self._interface.settle_ns

    def _wait_until(self, time_ns: int) -> bool:
        """Wait for a time on the host's clock; False when that clock went back or we stop."""
        before_ns = self._host.now_ns()
        while not self.stopping.is_set():
            now_ns = self._host.now_ns()
            if now_ns < before_ns:
                if self.state == RUNNING:
                    self.trip('the clock went back')
                return False
            if now_ns >= time_ns:
                return True
            before_ns = now_ns
            left = (time_ns - now_ns) * 1e-9
            self.stopping.wait(_POLL if self._host.simulated_time else min(left, _LONGEST_WAIT))
        return False

    def _watch(self) -> None:
        """Trip between ticks, and repeat the stop while tripped."""
        period = 1.0 / max(_WATCHDOG_RATE, self._interface.control_rate)
        next_stop_ns = 0
        while not self.stopping.wait(period):
            now_ns = self._host.now_ns()
            cause = self._cause(now_ns)
            if cause:
                self.trip(cause)
            with self._lock:
                if self.state == TRIPPED and now_ns >= next_stop_ns:
                    self._send(self._runner.gate.stop, now_ns)
                    next_stop_ns = now_ns + self._interface.period_ns

    def _cause(self, now_ns: int) -> str | None:
        due_ns = self._due_ns
        if due_ns is None:
            return None
        late = (now_ns - due_ns) * 1e-9
        if late > min(self._interface.period_ns * 1e-9, _LATE):
            return f'a tick is {late:.3f} s late'
        with self._bridge.arrival:
            stale = self._bridge.buffer.stale(now_ns - self._interface.settle_ns)
        return f'stream too old: {", ".join(stale)}' if stale else None

    def _announce_trip(self) -> None:
        if not self._trip_announced:
            self._due_ns = None
            self._send(self._runner.gate.stop, self._stop_stamp_ns())
        super()._announce_trip()

    def _stop_stamp_ns(self) -> int:
        return self._host.now_ns()
