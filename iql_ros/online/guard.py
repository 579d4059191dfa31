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

"""Whether fine-tuning still does what it is for, judged by evaluations."""

import numpy as np


class Guard:
    """Compares the mean of the last evaluations with the first one; knows no weights."""

    def __init__(self, window: int, max_drop: float):
        """
        Begin without an evaluation.

        Args:
            window: How many evaluations are averaged.
            max_drop: How far below the start that mean may lie: of success (0 to 1), or, where
                nobody says what success is, as a share of the start's return.

        """
        self._window, self._max_drop = window, max_drop
        self.scores: list[float] = []    # since the start; of a rollback, since it
        self.start: float | None = None
        self.best: float | None = None
        self._limit = 0.0

    def add(self, figures: dict) -> str | None:
        """
        Take an evaluation's figures (evaluate.summary); return what follows from it.

        `best`: these weights are the best so far; `drop`: go back to the best ones.
        """
        score = figures.get('success_rate', figures['return_mean'])
        if self.start is None:
            self.start = score
            self._limit = self._max_drop * (1 if 'success_rate' in figures else abs(score))
        self.scores.append(score)
        if self.best is None or score > self.best:
            self.best = score
            return 'best'
        last = self.scores[-self._window:]
        if len(last) == self._window and np.mean(last) < self.start - self._limit:
            self.scores = []
            return 'drop'
        return None

    def state(self) -> dict:
        """Return what `restore` takes, JSON."""
        return {'start': self.start, 'best': self.best, 'scores': self.scores,
                'limit': self._limit}

    def restore(self, state: dict) -> None:
        """Go on where another one was."""
        self.start, self.best = state['start'], state['best']
        self.scores, self._limit = list(state['scores']), state['limit']
