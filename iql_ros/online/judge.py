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

"""Whether fine-tuning makes a robot better: evaluations, in simulation or on it, and the guard."""

from iql_ros.online.episode_totals import FinishedEpisode
from iql_ros.online.guard import Guard
from iql_ros.online.settings import FinetuneSettings
from iql_ros.runs.evaluate import Evaluator, summary


class Judge:
    """
    Collects evaluations of what acts, without exploring, and says what follows from them.

    In simulation it evaluates itself; a robot drives evaluation episodes, which come in rounds.
    """

    def __init__(self, settings: FinetuneSettings, evaluator: Evaluator | None, on_say):
        """Take the simulation's evaluator, None for robots, and whom to tell."""
        self._settings, self._evaluator, self._say = settings, evaluator, on_say
        self._guard = Guard(settings.guard_evaluations, settings.max_drop)
        self._rounds: dict = {}          # source -> its evaluation episodes so far

    @property
    def simulated(self) -> bool:
        """Say whether it evaluates itself."""
        return self._evaluator is not None

    def due(self, position: int, last: bool) -> bool:
        """Say whether it is to evaluate after that many transitions."""
        every = self._settings.evaluate_every
        return self.simulated and (last or (every > 0 and position % every == 0))

    def evaluate(self, policy) -> dict:
        """Return the figures (evaluate.summary) of a policy in the simulation."""
        return self._evaluator.evaluate(policy)

    def add(self, finished: FinishedEpisode | None) -> dict | None:
        """
        Take an episode of a robot; return the figures of the round that is over with it.

        A round ends after `evaluation_episodes`, or before, when its robot explores again.
        """
        if finished is None or self.simulated:
            return None
        episodes = self._rounds.setdefault(finished.source, [])
        if finished.evaluation:
            episodes.append(finished)
        whole = len(episodes) == self._settings.evaluation_episodes
        if not episodes or (finished.evaluation and not whole):
            return None
        del self._rounds[finished.source]
        return summary(episodes)

    def verdict(self, figures: dict, position: int) -> str | None:
        """Return `best` or, where it guards, `drop`; see Guard. Says what it saw."""
        success = figures.get('success_rate')
        self._say(f'step {position}: return {figures["return_mean"]:.2f} +- '
                  f'{figures["return_std"]:.2f} over {figures["episodes"]} episodes'
                  + ('' if success is None else f', success {success:.0%}'))
        verdict = self._guard.add(figures)
        if verdict != 'drop':
            return verdict
        if not self._settings.guard:
            return None
        self._say(f'step {position}: the last {self._settings.guard_evaluations} evaluations '
                  f'fell below the start ({self._guard.start:.3g}) by more than max_drop: back '
                  f'to the best weights ({self._guard.best:.3g})')
        return verdict

    def state(self) -> dict:
        """Return what `restore` takes, JSON."""
        return self._guard.state()

    def restore(self, state: dict) -> None:
        """Go on where another one was."""
        self._guard.restore(state)

    def close(self) -> None:
        """Close the simulation."""
        if self._evaluator is not None:
            self._evaluator.close()
