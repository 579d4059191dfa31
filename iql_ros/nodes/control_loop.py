"""What every control loop shares, and the one that runs in lockstep with a simulator."""

import threading
import traceback

from iql_ros.episode_runner import EpisodeRunner
from iql_ros.nodes.robot_bridge import RobotBridge
from iql_ros.robot_interface import RobotInterface

WAITING, RUNNING, TRIPPED = 'WAITING', 'RUNNING', 'TRIPPED'


class ControlLoop:
    """
    What both loops share: states, episodes' ends, trips, and what people ask for.

    `host` is told: `on_episode(summary)`, `on_event(kind, tick_ns)`, `on_transition(...)`,
    `log(text)`; `host.call_reset(stopping)` returns the stamp [ns] of the new episode's first
    step or None, and `host.now_ns()` the time.
    """

    def __init__(self, runner: EpisodeRunner, bridge: RobotBridge, interface: RobotInterface,
                 host, has_reset: bool, episodes: int):
        """Take the parts; `episodes` is how many to run, 0 without end."""
        self._runner, self._bridge, self._interface = runner, bridge, interface
        self._host, self._has_reset, self._episodes = host, has_reset, episodes
        # Guards the gate's trip and what is sent. Never held while the policy thinks: a trip
        # from another thread must get its stop out even when the policy hangs.
        self._lock = threading.RLock()
        self._last_sent_ns = 0
        self._trip_announced = False
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
            self._runner.gate.clear_trip()
            self._trip_announced, self._start_asked = False, True
            return None

    def leave(self) -> None:
        """End the loop: the stop is sent last."""
        self.stopping.set()
        with self._bridge.arrival:
            self._bridge.arrival.notify_all()
        with self._lock:
            self._send(self._runner.gate.stop, self._stop_stamp_ns())

    def _send(self, command, stamp_ns: int) -> None:
        with self._lock:
            gate = self._runner.gate
            self._bridge.publish(command if gate.trip_reason is None else gate.stop, stamp_ns)
            self._last_sent_ns = stamp_ns

    def _announce_trip(self) -> None:
        if not self._trip_announced:
            self._trip_announced = True
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
        return True

    def _begin(self, tick_ns: int) -> None:
        with self._lock:
            self._start_asked = False
        self._runner.start()
        self._host.on_event('start', tick_ns)

    def _run_tick(self, tick_ns: int, observation):
        """Return the command, None when the episode ended; an exception trips."""
        try:
            result = self._runner.tick(tick_ns, observation)
        except Exception as error:  # whatever it is, the robot must stop
            self._host.log(traceback.format_exc())
            self.trip(f'exception in the loop: {error!r}')
            self._tripped()
            return self._runner.gate.stop
        if result.transition is not None:
            self._host.on_transition(result.transition)
        if result.ended == 'trip':
            with self._lock:
                self._announce_trip()
            self._close_episode()
        elif result.ended:
            kind = result.ended if result.ended in ('success', 'failure') else 'end'
            self._host.on_event(kind, tick_ns)
            self._close_episode()
        return result.command

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

    def run(self) -> None:
        """Run until `leave`, or until the episodes asked for are done."""
        expected_ns = None  # any complete step will do to join
        while not self.stopping.is_set() and not self.all_done():
            step = self._wait_step(expected_ns)
            if step is None:
                continue
            expected_ns = None
            if self.state == WAITING:
                self._bridge.next_step()
                expected_ns = self._host.call_reset(self.stopping)
                if expected_ns is not None and not self._tripped():
                    self._begin(expected_ns)
            else:
                self._answer(*step)

    def _wait_step(self, stamp_ns: int | None):
        with self._bridge.arrival:
            complete = self._bridge.arrival.wait_for(
                lambda: self.stopping.is_set() or not self._bridge.missing(stamp_ns),
                timeout=self._timeout)
            if self.stopping.is_set():
                return None
            self.waiting_for = self._bridge.missing(stamp_ns)
            if complete:
                return self._bridge.step()
        self._host.log(f'waiting for {", ".join(self.waiting_for)}')
        return None

    def _answer(self, stamp_ns: int, observation, samples: dict) -> None:
        if self._bridge.reward_index in samples:
            self._runner.builder.add_reward(stamp_ns, samples[self._bridge.reward_index])
        if self._bridge.terminated_index in samples:
            self._runner.builder.add_terminated(
                stamp_ns, bool(samples[self._bridge.terminated_index]))
        command = self._runner.gate.stop
        if not self._tripped():
            command = self._run_tick(stamp_ns, observation)
        if command is not None:  # at an episode's end the reset call is the answer
            self._bridge.next_step()
            self._send(command, stamp_ns)

    def _stop_stamp_ns(self) -> int:
        with self._bridge.arrival:
            return self._bridge.clock_ns or 0
