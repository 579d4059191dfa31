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

"""Policies that drive in what was learned of the dynamics, and what comes of it."""

import dataclasses

import numpy as np
import torch

from iql_ros.comparison.dynamics import Dynamics, MEMBERS
from iql_ros.data.datasets import Dataset
from iql_ros.learner.choice import Draw
from iql_ros.learner.chooser import Chooser
from iql_ros.learner.networks import one_thread
from iql_ros.robot.action_scaling import ActionScaling
from iql_ros.robot.task import Task

_STARTS = 48          # of each member, other recorded episodes' as far as there are some
_NEGLIGIBLE = 0.02    # discounted so far, what follows counts no more
_STREAM = 41          # of the seed's random numbers; see also Dynamics


@dataclasses.dataclass(frozen=True, eq=False)
class Claim:
    """What the dynamics say of a policy."""

    values: np.ndarray    # (M, S) discounted return of each member, from each of its starts
    starts: int           # how many of these are different ones
    ended: float          # share of its drives that end by themselves
    strange: float        # share of its ticks of which recordings tell little, see Dynamics


class Rollouts:
    """Drives policies from the starts of recorded episodes, in every member of an ensemble."""

    def __init__(self, dynamics: Dynamics, dataset: Dataset, discount: float,
                 task: Task | None = None):
        """
        Choose starts and horizon.

        Args:
            dynamics: Fitted.
            dataset: It was fitted to.
            discount: Of the returns.
            task: Says rewards and endings, where a robot's YAML names functions for them; else
                they are as the dynamics have learned them.

        """
        self._dynamics, self._discount, self._task = dynamics, discount, task
        self._scaling = ActionScaling(dataset.action_low, dataset.action_high)
        first = np.random.default_rng(_STREAM).permutation(dataset.episode_starts[:-1])
        chosen = np.resize(first, (MEMBERS, min(len(first), _STARTS)))
        self._starts = np.asarray(dataset.observations, np.float64)[chosen]   # (M, S, O)
        self._different = min(len(first), chosen.size)
        longest = int(dataset.episode_lengths.max())
        if discount < 1:
            longest = min(longest, int(np.log(_NEGLIGIBLE) / np.log(discount)) + 1)
        self.horizon = longest

    @one_thread()  # see Actor.act
    def claim(self, policy: Chooser) -> Claim:
        """Let a policy drive; its samples are the same ones for every policy."""
        states = self._starts
        flat = (-1, states.shape[-1])
        alive, values, factor = np.ones(states.shape[:2], bool), np.zeros(states.shape[:2]), 1.0
        strange = ticks = 0
        for tick in range(self.horizon):
            actions = policy.act_many(states.reshape(flat), [
                Draw(_STREAM, episode, tick) for episode in range(alive.size)])
            unknown = self._dynamics.strange(states.reshape(flat), actions).reshape(alive.shape)
            strange, ticks = strange + int(unknown[alive].sum()), ticks + int(alive.sum())
            actions = actions.reshape(*alive.shape, -1)
            following, rewards, ended = self._follow(states, actions)
            values[alive] += factor * rewards[alive]
            alive &= ~ended
            factor *= self._discount
            if not alive.any():
                break
            states = following
        return Claim(values, self._different, float(1 - alive.mean()), strange / ticks)

    def replayed(self, observations, actions) -> np.ndarray:
        """Return what each member (M,) makes of recorded actions (N, A) after a state (O,)."""
        states = np.tile(np.asarray(observations, np.float64), (MEMBERS, 1, 1))
        alive, values, factor = np.ones((MEMBERS, 1), bool), np.zeros((MEMBERS, 1)), 1.0
        for action in actions[:self.horizon]:
            states, rewards, ended = self._follow(
                states, np.tile(np.asarray(action, np.float64), (MEMBERS, 1, 1)))
            values[alive] += factor * rewards[alive]
            alive &= ~ended
            factor *= self._discount
        return values[:, 0]

    def _follow(self, states, actions) -> tuple[np.ndarray, ...]:
        """Return next states (M, N, O), rewards (M, N) and whether that was the end (M, N)."""
        following, rewards, ended = (each.numpy() for each in self._dynamics.step(
            torch.as_tensor(states), torch.as_tensor(actions)))
        task = self._task
        if task is None or (task.reward_source and task.terminated_source):
            return following, rewards, ended
        rows = list(zip(*(each.reshape(-1, each.shape[-1]) for each in (
            states, self._scaling.to_physical(actions), following))))
        if not task.reward_source:
            rewards = np.array([task.reward(*row) for row in rows]).reshape(ended.shape)
        if not task.terminated_source:
            ended = np.array([task.terminated(*row) for row in rows]).reshape(ended.shape)
        return following, rewards, ended
