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

"""Returns, lengths and successes of episodes, from transitions as they come in."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class _Running:
    return_: float = 0.0
    length: int = 0


@dataclasses.dataclass(frozen=True)
class FinishedEpisode:
    """One episode of one robot."""

    source: tuple                    # (robot, session)
    return_: float
    length: int
    success: bool | None
    evaluation: bool


class EpisodeTotals:
    """Adds up the episodes of several robots, whose transitions come mixed."""

    def __init__(self):
        """Begin without one."""
        self._running = {}
        self.episodes = 0                # finished, without evaluations
        self._finished: list[FinishedEpisode] = []
        self._transitions, self._interventions = 0, 0

    def add(self, record) -> FinishedEpisode | None:
        """Take a record of the experience log; return the episode that it ends."""
        self._transitions += 1
        self._interventions += bool(record['intervention'])
        key = record['robot'], int(record['session'])
        episode = int(record['episode'])
        number, running = self._running.get(key, (episode, _Running()))
        if number != episode:            # its end was lost
            running = _Running()
        self._running[key] = episode, running
        running.return_ += float(record['reward'])
        running.length += 1
        if not (record['terminated'] or record['truncated']):
            return None
        del self._running[key]
        success = None if record['success'] < 0 else bool(record['success'])
        finished = FinishedEpisode(key, running.return_, running.length, success,
                                   bool(record['evaluation']))
        if not finished.evaluation:
            self.episodes += 1
            self._finished.append(finished)
        return finished

    def take(self) -> dict[str, float]:
        """Return the figures of what came since the last call."""
        figures = {'episodes': self.episodes}
        if self._transitions:
            figures['episode/intervention_rate'] = self._interventions / self._transitions
        if self._finished:
            figures['episode/return'] = float(np.mean([one.return_ for one in self._finished]))
            figures['episode/length'] = float(np.mean([one.length for one in self._finished]))
            successes = [one.success for one in self._finished if one.success is not None]
            if successes:
                figures['episode/success'] = float(np.mean(successes))
        self._finished, self._transitions, self._interventions = [], 0, 0
        return figures
