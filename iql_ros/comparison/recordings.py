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

"""What recordings say of policies: each by what it would come to, and beside what was recorded."""

import dataclasses
from pathlib import Path

import numpy as np

from iql_ros.comparison.dynamics import Dynamics, HELD_OUT, UPDATES
from iql_ros.comparison.rollouts import Claim, Rollouts
from iql_ros.data.datasets import Dataset
from iql_ros.files import InputError
from iql_ros.learner.choice import Choice, Draw
from iql_ros.learner.chooser import Chooser
from iql_ros.learner.networks import one_thread
from iql_ros.robot.action_scaling import ActionScaling
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.safety import Gate
from iql_ros.robot.task import refuse_functions_of_others, Task

_TICKS = 2_000       # of held-out episodes, in which policies are asked for an action
_REPLAYED = 48       # held-out episodes
_DECISIVE = 0.1      # share of ticks of the largest, and of the smallest advantage
_LEAST_EPISODES = 5  # that are kept apart, to say how well recorded returns come out
_SAME = 1e-9         # a command that the gate leaves alone


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """A policy, and a way in which it chooses."""

    name: str            # of its checkpoint
    file: Path
    policy: Chooser
    choice: Choice

    def __str__(self) -> str:
        """Return it in words."""
        return f'{self.name} ({self.choice.kind})'


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """What recordings say of a candidate."""

    candidate: Candidate
    claim: Claim
    good: float | None      # root mean square distance from recorded actions, in their standard
    bad: float | None       # deviations, at the decisive ticks; None: no critic says which
    gated: float | None     # share of ticks of which the gate changes the action; None: no gate


def can_tell(dataset: Dataset) -> bool:
    """Say whether a dataset has episodes enough, so that some can be kept apart."""
    return len(range(*HELD_OUT.indices(len(dataset.episode_lengths)))) >= _LEAST_EPISODES


def task_here(interface: RobotInterface, ours: bool) -> Task | None:
    """
    Return an interface's task, for its rewards and endings, None where it cannot be had here.

    Args:
        interface: Of a robot.
        ours: Whether it is this machine's YAML; of a file's only functions that this package
            ships are run.

    """
    try:
        if not ours:
            refuse_functions_of_others(interface, 'file')
        return Task(interface)
    except InputError:
        return None


class Recordings:
    """Judges policies by a dataset, without any environment."""

    def __init__(self, dataset: Dataset, discount: float,
                 interface: RobotInterface | None = None, task: Task | None = None,
                 on_progress=None, updates: int = UPDATES):
        """
        Learn what the dataset says of the dynamics.

        Args:
            dataset: Of one robot and task.
            discount: Of returns.
            interface: Whose gate applies; None: none.
            task: Whose functions say rewards and endings; None: as the dataset says.
            on_progress: See Dynamics.fit.
            updates: Of the dynamics' weights.

        Raises:
            InputError: for fewer than two episodes.

        """
        self._dataset, self._interface = dataset, interface
        self._dynamics = Dynamics(dataset, updates)
        self.rollouts = Rollouts(self._dynamics, dataset, discount, task)
        self.data, self._discount = dataset.name, discount
        self._dynamics.fit(on_progress)
        self._rows = self._held_out_rows()
        self._decisive = None
        self.told = self._replay()

    def _held_out_rows(self) -> np.ndarray:
        """Return whole held-out episodes' rows, as many as make some thousand ticks."""
        starts, rows = self._dataset.episode_starts, []
        for episode in self._dynamics.held_out:
            rows.extend(range(starts[episode], starts[episode + 1]))
            if len(rows) >= _TICKS:
                break
        return np.array(rows[:_TICKS])

    @one_thread()
    def _replay(self) -> float | None:
        """
        Return how much of held-out episodes' returns comes out when their actions are replayed.

        As a share of their variance: 1: all, 0 or less: nothing. None: too few episodes, or all
        alike, so that nothing can be said.
        """
        data, horizon = self._dataset, self.rollouts.horizon
        real, predicted = [], []
        for episode in self._dynamics.held_out[:_REPLAYED]:
            first, last = data.episode_starts[episode:episode + 2]
            rewards = data.rewards[first:min(last, first + horizon)].astype(np.float64)
            real.append(float(rewards @ self._discount ** np.arange(len(rewards))))
            predicted.append(self.rollouts.replayed(
                data.observations[first], data.actions[first:last]).mean())
        spread = np.var(real)
        if len(real) < _LEAST_EPISODES or spread < _SAME:
            return None
        return 1 - float(np.mean((np.array(real) - predicted) ** 2) / spread)

    def find_decisive(self, policies) -> None:
        """
        Take as decisive the ticks of the largest and the smallest advantage.

        That is Q of what was recorded, less Q of the actor's mean, by the critics of `policies`
        (Chooser), each in its own standard deviations; without a critic there are none.
        """
        advantages = [_advantage(policy, self._dataset, self._rows) for policy in policies
                      if policy.critic is not None]
        if advantages:
            ranked = self._rows[np.argsort(np.mean(advantages, axis=0))]
            count = max(1, int(_DECISIVE * len(ranked)))
            self._decisive = ranked[-count:], ranked[:count]

    def judge(self, candidate: Candidate) -> Judged:
        """Return what they say of a candidate."""
        policy = candidate.policy
        policy.choice = candidate.choice
        good, bad = self._decisive or (None, None)
        return Judged(candidate, self.rollouts.claim(policy), self._distance(policy, good),
                      self._distance(policy, bad), self._gated(policy))

    def _actions(self, policy: Chooser, rows) -> np.ndarray:
        return policy.act_many(self._dataset.observations[rows],
                               [Draw(0, 0, int(row)) for row in rows])

    def _distance(self, policy: Chooser, rows) -> float | None:
        if rows is None:
            return None
        std = self._dataset.actions.std(axis=0)
        std[std < _SAME] = 1.0
        away = (self._actions(policy, rows) - self._dataset.actions[rows]) / std
        return float(np.sqrt(np.square(away).mean()))

    def _gated(self, policy: Chooser) -> float | None:
        """Return the share of held-out ticks of which the gate changes the action."""
        if self._interface is None:
            return None
        gate, changed = Gate(self._interface), 0
        scaling = ActionScaling(self._dataset.action_low, self._dataset.action_high)
        actions = scaling.to_physical(self._actions(policy, self._rows))
        firsts = set(self._dataset.episode_starts.tolist())
        for tick, (row, action) in enumerate(zip(self._rows, actions)):
            if int(row) in firsts or gate.trip_reason is not None:
                gate.rest()
            gate.observe(self._dataset.observations[row][self._interface.sensed_index],
                         tick * gate.period_ns)
            command = gate.apply(action, tick * gate.period_ns).command
            changed += not np.allclose(command, action, rtol=0, atol=_SAME)
        return changed / len(self._rows)


def _advantage(policy: Chooser, dataset: Dataset, rows) -> np.ndarray:
    advantage = policy.advantages(dataset.observations[rows], dataset.actions[rows])
    return advantage / max(float(advantage.std()), _SAME)
