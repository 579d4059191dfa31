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

"""
What recordings say of how the robot and its surroundings move: networks that learned it.

Each learns from other episodes, so that where recordings say nothing they differ.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from iql_ros.data.datasets import Dataset
from iql_ros.files import InputError
from iql_ros.learner.networks import one_thread

MEMBERS = 7          # networks
_WIDTH = 128         # of both hidden layers
UPDATES = 3_000      # of the weights
_BATCH = 256
_LEARNING_RATE, _WEIGHT_DECAY = 1e-3, 1e-5
HELD_OUT = slice(1, None, 8)   # episodes that are kept from them
_SEED = 0
_TOLD_EVERY = 100    # [updates]
_USUAL = 0.99        # share of recorded transitions that are no stranger to them than this
_CONSTANT = 1e-6     # a value that varies less than this does not vary


class Predicted(NamedTuple):
    """What follows, as each of M members sees it, of N states each."""

    next_observations: torch.Tensor   # (M, N, O) float64
    rewards: torch.Tensor             # (M, N) float64
    terminated: torch.Tensor          # (M, N) bool


class Dynamics:
    """An ensemble of networks: observation and action in, what follows out."""

    def __init__(self, dataset: Dataset, updates: int = UPDATES):
        """
        Begin, knowing the ranges of a dataset only; `fit` learns.

        Raises:
            InputError: for fewer than two episodes: one must be kept apart.

        """
        count = len(dataset.episode_lengths)
        if count < 2:
            raise InputError(f'dataset {dataset.name}: has {count} episode; comparing takes at '
                             'least 2, one to learn from and one to check by')
        self._generator = np.random.default_rng(_SEED)
        held_out = np.zeros(count, bool)
        held_out[HELD_OUT] = True
        self.held_out = np.flatnonzero(held_out)           # episodes
        self._learned = np.flatnonzero(~held_out)
        self._dataset, self._updates = dataset, updates
        inputs, targets = self._inputs(), self._targets()
        self._in, self._out = _Scale(inputs), _Scale(targets)
        observations = torch.as_tensor(dataset.observations, dtype=torch.float64)
        self._low, self._high = observations.amin(dim=0), observations.amax(dim=0)
        self._ends = bool(dataset.terminations.any())
        self._networks = _Networks((inputs.shape[1], _WIDTH, _WIDTH, targets.shape[1] + 1),
                                   torch.Generator().manual_seed(_SEED))
        self._usual = np.inf

    def _inputs(self) -> torch.Tensor:
        data = self._dataset
        return torch.as_tensor(np.concatenate([data.observations, data.actions], axis=1),
                               dtype=torch.float64)

    def _targets(self) -> torch.Tensor:
        data = self._dataset
        moves = np.asarray(data.next_observations, np.float64) - data.observations
        return torch.as_tensor(np.concatenate([moves, data.rewards[:, None]], axis=1),
                               dtype=torch.float64)

    @one_thread()
    def fit(self, on_progress=None) -> None:
        """Learn from the dataset; `on_progress(updates done, of how many)` is told."""
        inputs, targets = self._in.scaled(self._inputs()), self._out.scaled(self._targets())
        ends = torch.as_tensor(self._dataset.terminations, dtype=torch.float32)
        rows = [self._rows(self._generator.choice(self._learned, len(self._learned)))
                for _ in range(MEMBERS)]
        adam = torch.optim.Adam(self._networks.parameters(), lr=_LEARNING_RATE,
                                weight_decay=_WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, self._updates)
        for update in range(self._updates):
            batch = torch.as_tensor(np.stack([
                each[self._generator.integers(len(each), size=_BATCH)] for each in rows]))
            outputs = self._networks(inputs[batch])
            loss = (outputs[..., :-1] - targets[batch]).square().mean()
            loss += nn.functional.binary_cross_entropy_with_logits(outputs[..., -1], ends[batch])
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
            if on_progress and (update + 1) % _TOLD_EVERY == 0:
                on_progress(update + 1, self._updates)
        self._networks.requires_grad_(False)
        kept = self._rows(self.held_out)
        self._usual = float(np.quantile(self._disagreement(
            self._dataset.observations[kept], self._dataset.actions[kept]), _USUAL))

    def _rows(self, episodes) -> np.ndarray:
        starts = self._dataset.episode_starts
        return np.concatenate([np.arange(starts[each], starts[each + 1]) for each in episodes])

    @torch.inference_mode()
    def step(self, observations: torch.Tensor, actions: torch.Tensor) -> Predicted:
        """Return what follows for each member, of its own observations (M, N, O) and actions."""
        outputs = self._networks(self._in.scaled(torch.cat([observations, actions], dim=-1)))
        moves = self._out.physical(outputs[..., :-1])
        following = (observations + moves[..., :-1]).clamp(self._low, self._high)
        ended = outputs[..., -1] > 0 if self._ends else torch.zeros(outputs.shape[:-1], dtype=bool)
        return Predicted(following, moves[..., -1], ended)

    def strange(self, observations, actions) -> np.ndarray:
        """
        Say of states (N, O) and actions (N, A) whether recordings tell little of them.

        That is: the members differ by more than at 99 % of recorded transitions that they did
        not learn from (Kidambi et al. 2020, MOReL).
        """
        return self._disagreement(observations, actions) > self._usual

    @torch.inference_mode()
    def _disagreement(self, observations, actions) -> np.ndarray:
        inputs = self._in.scaled(torch.cat([
            torch.as_tensor(each, dtype=torch.float64) for each in (observations, actions)],
            dim=-1))
        outputs = self._networks(inputs.expand(MEMBERS, *inputs.shape))[..., :-2]
        return outputs.var(dim=0, unbiased=False).mean(dim=-1).numpy()


class _Scale:
    """
    Takes columns to mean 0 and standard deviation 1 in float32, and back.

    The mean is taken off in float64, as by a Normaliser.
    """

    def __init__(self, rows: torch.Tensor):
        self._mean, self._std = rows.mean(dim=0), rows.std(dim=0)
        self._std[self._std < _CONSTANT] = 1.0

    def scaled(self, rows: torch.Tensor) -> torch.Tensor:
        return ((rows - self._mean) / self._std).float()

    def physical(self, rows: torch.Tensor) -> torch.Tensor:
        return rows * self._std + self._mean


class _Networks(nn.Module):
    """One network a member, side by side."""

    def __init__(self, sizes, generator: torch.Generator):
        super().__init__()
        pairs = list(zip(sizes[:-1], sizes[1:]))
        self.weights = nn.ParameterList(
            torch.randn((MEMBERS, *pair), generator=generator) / pair[0] ** 0.5 for pair in pairs)
        self.biases = nn.ParameterList(torch.zeros(MEMBERS, 1, size) for _, size in pairs)

    def forward(self, inputs):
        """Return outputs (M, N, D) of inputs (M, N, I)."""
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            inputs = torch.baddbmm(bias, inputs if index == 0 else nn.functional.silu(inputs),
                                   weight)
        return inputs
