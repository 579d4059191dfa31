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

"""What a policy node says of itself on /diagnostics."""

import collections
import dataclasses
import time

from diagnostic_msgs.msg import DiagnosticStatus

from iql_ros.nodes.control.control_loop import ControlLoop, TRIPPED
from iql_ros.nodes.control.episode_log import EpisodeLog
from iql_ros.nodes.control.loop_statistics import LoopStatistics
from iql_ros.nodes.control.observation_limit import ObservationLimit
from iql_ros.nodes.control.robot_bridge import RobotBridge
from iql_ros.nodes.control.shadow import Shadow
from iql_ros.nodes.control.stops import Stops
from iql_ros.nodes.learning.learning_link import LearningLink
from iql_ros.robot.episode_runner import EpisodeRunner

_COUNTED_OVER = 0.5   # [s] at least: fewer messages tell no rate


@dataclasses.dataclass
class Status:
    """Gathers it from the parts, in the executor's thread; knows them, decides nothing."""

    runner: EpisodeRunner
    loop: ControlLoop
    bridge: RobotBridge
    stops: Stops
    episode_log: EpisodeLog
    statistics: LoopStatistics
    learning: LearningLink | None
    observation_limit: ObservationLimit | None
    shadow: Shadow | None
    # (when messages were counted, how many); a rate is that since the first
    _counted: collections.deque = dataclasses.field(
        default_factory=lambda: collections.deque(maxlen=2))

    def describe(self, active: bool) -> tuple[bytes, str, dict]:
        """Return level, message and values by name."""
        state = self.loop.state if active else 'INACTIVE'
        remarks, values = self.learning.describe() if self.learning else ([], {})
        waiting = self.loop.waiting_for if active and state != TRIPPED else ()
        limit, company = self.observation_limit, self.stops.remarks()
        reasons = [self.runner.gate.trip_reason, ', '.join(waiting), *company,
                   *(self.shadow.remarks() if self.shadow and active else ()),
                   self.episode_log.trouble, limit and limit.remark,
                   self.runner.operated and 'operator in control', *remarks]
        reason = '; '.join(dict.fromkeys(text for text in reasons if text))
        level = DiagnosticStatus.WARN if reason else DiagnosticStatus.OK
        if state == TRIPPED and not self.shadow:  # else it stops nobody
            level = DiagnosticStatus.ERROR
        if self.shadow:
            state = f'{state} in shadow'
            values = {**values, **self.shadow.describe(self.episode_log.results)}
        return level, f'{state}: {reason}' if reason else state, {
            'episodes': self.loop.finished_episodes,
            'interventions': self.runner.summary.interventions,
            'limit scale': self.runner.gate.scale,
            'samples from the future': self.bridge.refused,
            **self._streams(), **self.statistics.describe(), **values}

    def _streams(self) -> dict[str, str]:
        """Return rate, of the last seconds, and age of every stream."""
        now, received = time.monotonic(), tuple(self.bridge.received)
        if not self._counted or now - self._counted[-1][0] >= _COUNTED_OVER:
            self._counted.append((now, received))
        before, counted = self._counted[0]
        ages, found = self.bridge.ages(), {}
        for index, age in enumerate(ages):
            rate = ''
            if now - before >= _COUNTED_OVER:
                rate = f'{(received[index] - counted[index]) / (now - before):.1f} Hz, '
            name, most = self.bridge.stream_name(index)
            found[name] = f'{rate}{age}; max_age {most:g} s'
        return found
