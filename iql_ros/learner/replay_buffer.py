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

"""The transitions that are learned from, resident on one device, and which of them come next."""

from typing import NamedTuple

import numpy as np
import torch

from iql_ros.files import InputError

_FIRST_ONLINE = 4096  # online transitions that the first allocation has room for
_LARGEST = np.finfo(np.float32).max


class Batch(NamedTuple):
    """Transitions as the losses read them, float32."""

    observations: torch.Tensor       # (B, observation_dim) normalised, where that is done
    actions: torch.Tensor            # (B, action_dim) in [-1, 1]
    rewards: torch.Tensor            # (B,)
    masks: torch.Tensor              # (B,) 0 where the episode terminated, else 1
    next_observations: torch.Tensor  # (B, observation_dim)


class RowLayout(NamedTuple):
    """
    Where a transition's numbers are in its row: [1 s a 0.. | 1 s' r m 0..], in equal halves.

    A batch is one look-up of rows, and the ones are what a first layer's biases are multiplied by
    (fast_update.py).
    """

    observation_dim: int
    action_dim: int

    @property
    def half(self) -> int:
        """Return the length of half a row, a multiple of 32 bytes."""
        return -(-(1 + self.observation_dim + max(self.action_dim, 2)) // 8) * 8

    def new_rows(self, size: tuple[int, ...], device='cpu') -> torch.Tensor:
        """Return rows (*size, 2 * half), float32, of zeros but for the ones."""
        rows = torch.zeros(*size, 2, self.half, device=device)
        rows[..., 0] = 1
        return rows.view(*size, 2 * self.half)

    def batch(self, rows) -> Batch:
        """Return views of rows (..., B, 2 * half)."""
        end, second = 1 + self.observation_dim, self.half + 1 + self.observation_dim
        return Batch(rows[..., 1:end], rows[..., end:end + self.action_dim], rows[..., second],
                     rows[..., second + 1], rows[..., self.half + 1:second])


class ReplayBuffer:
    """Offline transitions, read only, and behind them online ones, of which the newest stay."""

    def __init__(self, observations, actions, rewards, terminations, next_observations,
                 normalise=None, device='cpu'):
        """
        Copy the arrays to the device, as float32, observations normalised: once, not in updates.

        Args:
            observations: (N, observation_dim) raw.
            actions: (N, action_dim) in [-1, 1].
            rewards: (N,) after the reward transform.
            terminations: (N,) bool; a truncated episode bootstraps, so truncations are not asked.
            next_observations: (N, observation_dim) raw.
            normalise: Makes of raw observations what the networks see; it may not change any
                more. None: they see them as they are.
            device: Where the batches are wanted, and the normaliser is.

        Raises:
            InputError: for no transition, unequal lengths, NaN or infinity.

        """
        self._normalise = normalise or torch.Tensor.float
        self._offline, self._device = len(rewards), torch.device(device)
        parts = (observations, actions, rewards, terminations, next_observations)
        _check(dict(zip(('observations', 'actions', 'rewards', 'terminations',
                         'next_observations'), map(np.asarray, parts))), self._offline)
        self.layout = RowLayout(np.shape(observations)[1], np.shape(actions)[1])
        self._rows = self._packed(*parts)
        self._capacity, self._offline_ratio = 0, None
        self.online = 0                      # how many ever came

    def open_online(self, capacity: int, offline_ratio: float | None = None) -> None:
        """
        Make room for online transitions.

        Args:
            capacity: How many are kept; the oldest of them give way, never the offline ones.
            offline_ratio: Share of every batch that is drawn from the offline ones; None:
                uniform over all, as in the paper.

        """
        self._capacity, self._offline_ratio = capacity, offline_ratio

    def _packed(self, observations, actions, rewards, terminations, next_observations):
        """Return transitions as they are kept, on the device."""
        rows = self.layout.new_rows((len(rewards),), self._device)
        batch = self.layout.batch(rows)
        for kept, values in ((batch.actions, actions), (batch.rewards, rewards),
                             (batch.masks, terminations)):
            kept.copy_(torch.tensor(np.asarray(values, np.float32)))
        batch.masks.neg_().add_(1.0)
        for kept, values in ((batch.observations, observations),
                             (batch.next_observations, next_observations)):
            raw = torch.as_tensor(np.asarray(values).copy(), device=self._device)  # own strides
            with torch.no_grad():
                kept.copy_(self._normalise(raw))
        return rows

    def append(self, observations, actions, rewards, terminations, next_observations) -> None:
        """Append n online transitions, arrays as for the offline ones."""
        parts = (observations, actions, rewards, terminations, next_observations)
        count = len(rewards)
        rows = self._offline + (self.online + np.arange(count)) % self._capacity
        self._grow(int(rows.max(initial=0)) + 1)
        rows = torch.from_numpy(rows[-self._capacity:]).to(self.device)
        self._rows[rows] = self._packed(*(np.asarray(part)[-self._capacity:] for part in parts))
        self.online += count

    def _grow(self, needed: int) -> None:
        have = len(self._rows)
        if needed > have:
            more = min(max(needed, 2 * (have - self._offline) + self._offline,
                           self._offline + _FIRST_ONLINE), self._offline + self._capacity) - have
            self._rows = torch.cat([self._rows, self._rows.new_zeros(more, 2 * self.layout.half)])

    @property
    def size(self) -> int:
        """Return how many transitions are drawn from."""
        return self._offline + min(self.online, self._capacity)

    def rows(self, seed: int, update: int, count: int, batch_size: int) -> np.ndarray:
        """Draw (count, batch_size) for the updates in a row, as sample_rows does."""
        online = self.size - self._offline
        if self._offline_ratio is None or not online:
            return sample_rows(seed, update, count, batch_size, self.size)
        offline = round(self._offline_ratio * batch_size)
        low = np.repeat([0, self._offline], [offline, batch_size - offline])
        sizes = np.repeat([self._offline, online], [offline, batch_size - offline])
        return low + sample_rows(seed, update, count, batch_size, sizes)

    @property
    def observation_dim(self) -> int:
        """Return the length of an observation."""
        return self.layout.observation_dim

    @property
    def action_dim(self) -> int:
        """Return the length of an action."""
        return self.layout.action_dim

    @property
    def device(self) -> torch.device:
        """Return where the batches are."""
        return self._device

    def batch(self, rows) -> Batch:
        """Return the transitions of an integer array (B,)."""
        rows = torch.as_tensor(rows).to(self.device)
        return self.layout.batch(self._rows.index_select(0, rows))

    @torch.inference_mode()
    def take(self, rows: torch.Tensor, out: torch.Tensor) -> None:
        """
        Put the rows of an integer tensor (B,), as they are kept, into `out` (B, 2 * half).

        Or those of (S, B) into (S, B, 2 * half).
        """
        torch.index_select(self._rows, 0, rows.flatten(), out=out.view(-1, out.shape[-1]))


def _check(arrays: dict, size: int) -> None:
    if not size:
        raise InputError('the data holds no transition; expected at least 1')
    for name, values in arrays.items():
        if values.ndim != (1 if name in ('rewards', 'terminations') else 2) or (
                len(values) != size):
            raise InputError(f'{name}: got shape {values.shape}; expected a row for each of the '
                             f'{size} rewards')
        finite = (np.abs(values) <= _LARGEST).reshape(size, -1).all(axis=1)  # and no NaN
        if not finite.all():
            row = int(np.argmin(finite))
            raise InputError(f'{name}[{row}] is {values[row]}; expected finite numbers')


def random_words(seed: int, stream: int, update: int, count: int) -> np.ndarray:
    """
    Return `count` random uint64 that belong to one update.

    A pure function of its arguments (Philox is counter-based), so that a run which was cut
    anywhere goes on with the numbers it would have had.
    """
    generator = np.random.Philox(key=np.array([seed, stream], np.uint64),
                                 counter=np.array([0, update, 0, 0], np.uint64))
    return generator.random_raw(count)


def sample_rows(seed: int, update: int, count: int, batch_size: int, size) -> np.ndarray:
    """
    Return the rows (count, batch_size) int64 of updates in a row, uniform over `size`.

    `size` is a number, or one for each place in a batch (batch_size,).
    """
    words = np.stack([random_words(seed, 0, update + each, batch_size) for each in range(count)])
    fractions = (words >> np.uint64(11)) * 2.0**-53  # [0, 1)
    return (fractions * size).astype(np.int64)


def sample_dropout(seed: int, update: int, rate: float, batch_size: int, sizes) -> list:
    """
    Return a mask (batch_size, size) float32 for each of `sizes`: 0 or 1 / (share kept).

    The rate is rounded to a multiple of 1/65536: 16 random bits decide on each unit.
    """
    kept = round((1 - rate) * 65536)
    count = batch_size * sum(sizes)
    bits = random_words(seed, 1, update, -(-count // 4)).view(np.uint16)[:count]
    factors = (bits < kept) * np.float32(65536 / kept)
    return [torch.from_numpy(part.reshape(batch_size, -1)) for part in
            np.split(factors, np.cumsum([batch_size * size for size in sizes])[:-1])]
