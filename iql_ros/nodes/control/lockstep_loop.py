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

"""The control loop that runs in lockstep with a simulator."""

import time

from iql_ros.nodes.control.control_loop import ControlLoop, WAITING
from iql_ros.robot.episode_runner import TickResult

_LOOK = 0.02  # [s] how often a wait looks whether it is over


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
                self._bridge.steps.next()
                expected_ns = self._call_reset()
                owed = expected_ns is None
                if not owed and not self._tripped():
                    self._begin(expected_ns)
            elif owed:
                self.stopping.wait(_LOOK)
            elif self.state != WAITING:
                self._answer(*step)

    def _wait_step(self, stamp_ns: int | None):
        complete = self._bridge.steps.wait(stamp_ns, self._timeout, self.stopping)
        if self.stopping.is_set():
            return None
        self.waiting_for = self._bridge.steps.missing(stamp_ns)
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
        result = TickResult(None, None, None, stamp_ns)
        if self._tripped():
            self._runner.gate.see(observation)
        else:
            result = self._run_tick(stamp_ns, observation)
        if result.command is not None:  # at an episode's end the reset call is the answer
            self._bridge.steps.next()
            self._drive(result.command, stamp_ns, time.monotonic_ns())
        elif self._runner.gate.trip_reason is not None:
            self._bridge.steps.next()
            self._stop(stamp_ns)
        self._report(result, stamp_ns)

    def _stop_stamp_ns(self) -> int:
        return self._bridge.steps.stamp_ns
