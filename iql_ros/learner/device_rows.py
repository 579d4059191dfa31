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
The rows and dropout masks of updates, drawn where the data is: the bits of replay_buffer.py.

Philox4x64-10 (Salmon et al. 2011, 'Parallel random numbers: as easy as 1, 2, 3') in int64, whose
products wrap as those of unsigned numbers do; it holds no state, so a CUDA graph can contain it.
"""

import torch

_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_ROUNDS = 10
_WORD, _HALF = (1 << 64) - 1, (1 << 32) - 1


def words(seeds, stream: int, updates, count: int) -> torch.Tensor:
    """
    Return (n, S, count) int64 whose bits are those of random_words.

    Args:
        seeds: (S,) int64, on the device.
        stream: 0 for rows, 1 for dropout.
        updates: (n,) int64, on the device.
        count: Of words an update.

    """
    blocks = -(-count // 4)
    shape = (len(updates), len(seeds), blocks)
    counters = [torch.arange(1, blocks + 1, device=updates.device).expand(shape),
                updates[:, None, None].expand(shape), *(
                    torch.zeros(shape, dtype=torch.int64, device=updates.device)
                    for _ in range(2))]
    first_key, second_key = seeds[None, :, None], stream
    for _ in range(_ROUNDS):
        (high, low), (other_high, other_low) = (
            _product(multiplier, counter) for multiplier, counter in zip(
                _MULTIPLIERS, (counters[0], counters[2])))
        counters = [other_high ^ counters[1] ^ first_key, other_low,
                    high ^ counters[3] ^ _signed(second_key), low]
        first_key, second_key = first_key + _signed(_WEYL[0]), second_key + _WEYL[1]
    return torch.stack(counters, dim=-1).view(*shape[:2], -1)[..., :count]


def rows(seeds, updates, batch_size: int, size) -> torch.Tensor:
    """Return (n, S, batch_size) int64, uniform over `size`, as sample_rows does for one seed."""
    drawn = words(seeds, 0, updates, batch_size)
    return (_shifted(drawn, 11).double() * 2.0**-53 * size).long()


def dropout(seeds, updates, rate: float, batch_size: int, sizes) -> list[torch.Tensor]:
    """Return masks (n, S, batch_size, size) float32 for each size, as sample_dropout does."""
    kept, count = round((1 - rate) * 65536), batch_size * sum(sizes)
    drawn = words(seeds, 1, updates, -(-count // 4)).contiguous().view(torch.int16)[..., :count]
    factors = ((drawn.int() & 0xFFFF) < kept).float() * (65536 / kept)
    parts = factors.split([batch_size * size for size in sizes], dim=-1)
    return [part.reshape(*part.shape[:2], batch_size, size) for part, size in zip(parts, sizes)]


def _product(constant: int, factor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the high and the low word of a constant times int64s, all read as unsigned."""
    low, high = constant & _HALF, constant >> 32
    factor_low, factor_high = factor & _HALF, _shifted(factor, 32)
    lowest, left = factor_low * low, factor_high * low
    right = factor_low * high
    carried = _shifted(lowest, 32) + (left & _HALF) + (right & _HALF)
    upper = factor_high * high + _shifted(left, 32) + _shifted(right, 32) + _shifted(carried, 32)
    return upper, factor * _signed(constant)


def _shifted(values, places: int) -> torch.Tensor:
    """Shift int64s right as unsigned ones."""
    return (values >> places) & ((1 << (64 - places)) - 1)


def _signed(value: int) -> int:
    """Return the number of the same 64 bits that int64 holds."""
    value &= _WORD
    return value - (1 << 64) if value >> 63 else value
