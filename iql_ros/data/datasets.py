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

"""Recordings (Minari, flat HDF5) turned into transitions that a policy of [-1, 1] learns from."""

import dataclasses
import hashlib
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iql_ros.data.hdf5 import check_finite, read_flat
from iql_ros.data.minari_store import read_minari, Recording
from iql_ros.files import InputError, unknown_name
from iql_ros.robot.action_scaling import ActionScaling

ACTION_LIMIT = 1 - 1e-5  # stored actions stay inside, so that a squashed policy could give them
OUTSIDE_LIMIT = 0.1      # share of action values out of range that is refused
_ROUNDING = 1e-6         # what float32 may add to a value that lies on the range's edge
REWARD_TRANSFORMS = ('none', 'return_range', 'minus_one')


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """
    N transitions of E episodes, float32 and bool, actions scaled to [-1, 1].

    Observations are as precise as the recording's: what moves by millimetres at a northing of
    4,000 km is lost in float32.
    """

    observations: np.ndarray           # (N, observation_dim) raw, float32 or float64
    actions: np.ndarray                # (N, action_dim), within +-ACTION_LIMIT
    rewards: np.ndarray                # (N,) raw
    terminations: np.ndarray           # (N,)
    truncations: np.ndarray            # (N,) never where terminated
    next_observations: np.ndarray      # (N, observation_dim) raw, float32 or float64
    episode_starts: np.ndarray         # (E + 1,) offsets, the last is N
    name: str
    fingerprint: str                   # sha256 of the arrays as float32 and bool
    action_low: np.ndarray             # (action_dim,) what -1 stands for, physical units
    action_high: np.ndarray            # (action_dim,) what +1 stands for
    clipped: float                     # share of action values outside the range
    environment: str | None            # Gymnasium id
    observation_keys: tuple[str, ...]  # of a Dict observation; () for Box
    robot_config: str | None           # robot interface (YAML text) it was recorded through
    metadata: dict
    notes: tuple[str, ...] = ()        # what was left out or assumed, for the user

    @property
    def episode_lengths(self) -> np.ndarray:
        """Return the steps of every episode (E,)."""
        return np.diff(self.episode_starts)

    def returns(self) -> np.ndarray:
        """Return the undiscounted raw return of every episode (E,) float64."""
        return np.add.reduceat(self.rewards.astype(np.float64), self.episode_starts[:-1])

    def best(self, fraction: float) -> 'Dataset':
        """Return the given fraction (rounded up) of episodes with the best returns, in order."""
        if not 0 < fraction <= 1:
            raise InputError(f'best_episodes: got {fraction}; allowed: 0 < fraction <= 1')
        ranked = np.argsort(-self.returns(), kind='stable')
        count = math.ceil(fraction * len(ranked) - 1e-9)  # 0.07 * 100 is 7 and a rounding error
        chosen = np.sort(ranked[:count])
        rows = np.concatenate([np.arange(*self.episode_starts[[episode, episode + 1]])
                               for episode in chosen])
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        starts = np.concatenate([[0], np.cumsum(self.episode_lengths[chosen])])
        return dataclasses.replace(self, **arrays, episode_starts=starts,
                                   fingerprint=_fingerprint(arrays, starts))


_ARRAYS = ('observations', 'actions', 'rewards', 'terminations', 'truncations',
           'next_observations')


def load_dataset(source, observation_keys=(), action_low=None, action_high=None,
                 environment: str | None = None) -> Dataset:
    """
    Load a Minari dataset by id or folder, or a flat .hdf5 or .h5 file.

    `action_low` and `action_high` (one value, or one for each action) say what -1 and +1
    stand for; without them the action space says it, or `environment`'s for a flat file,
    or else it is [-1, 1].

    Raises:
        InputError: for data that is unreadable, not finite, of other spaces or out of range.

    """
    return to_transitions(
        read_recording(source, observation_keys, action_low, action_high, environment))


def read_recording(source, observation_keys=(), action_low=None, action_high=None,
                   environment: str | None = None) -> Recording:
    """Read the episodes as they are stored; arguments as for load_dataset."""
    given = _given_range(action_low, action_high)
    if Path(source).suffix in ('.hdf5', '.h5'):
        if observation_keys:
            raise InputError(f'{source}: observation keys are for Dict observations of Minari')
        facts = _environment_facts(environment) if environment else None
        recording = read_flat(source, facts and facts.time_limit)
    else:
        recording = read_minari(source, observation_keys)
        unbounded = not np.isfinite([recording.action_low, recording.action_high]).all()
        facts = _environment_facts(environment) if environment and unbounded else None
    if not recording.episodes:
        raise InputError(f'{source}: holds no transition')
    low, high = _action_range(recording, given, facts)
    return dataclasses.replace(recording, action_low=low, action_high=high,
                               environment=environment or recording.environment)


class _EnvironmentFacts(NamedTuple):
    name: str
    observation_dim: int | None  # None: not one vector
    low: np.ndarray
    high: np.ndarray
    time_limit: int | None       # [steps]


def _environment_facts(environment: str) -> _EnvironmentFacts:
    from iql_ros.sim.envs import make_env
    env = make_env(environment)
    try:
        shape = env.observation_space.shape
        return _EnvironmentFacts(environment, shape[0] if shape else None,
                                 env.action_space.low.astype(np.float64),
                                 env.action_space.high.astype(np.float64),
                                 env.spec.max_episode_steps)
    finally:
        env.close()


def _check_dims(name: str, dims: tuple[int, int], facts: _EnvironmentFacts) -> None:
    if dims != (facts.observation_dim or dims[0], facts.low.size):
        raise InputError(f'{name}: has {dims[0]} observation and {dims[1]} action values; '
                         f'{facts.name} has {facts.observation_dim} and {facts.low.size}')


def check_environment(environment: str, name: str, observation_dim: int, action_dim: int) -> None:
    """Refuse an environment that cannot be made, or that data called `name` does not fit."""
    _check_dims(name, (observation_dim, action_dim), _environment_facts(environment))


def _given_range(low, high) -> tuple | None:
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise InputError('--action-low and --action-high go together; only one was given')
    return np.atleast_1d(np.asarray(low, float)), np.atleast_1d(np.asarray(high, float))


def _action_range(recording: Recording, given: tuple | None,
                  facts: _EnvironmentFacts | None) -> tuple[np.ndarray, np.ndarray]:
    """Return what -1 and +1 stand for: as given, the space's, the environment's or [-1, 1]."""
    episode = recording.episodes[0]
    dims = episode.observations.shape[1], episode.actions.shape[1]
    if not all(dims):
        raise InputError(f'{recording.name}: has {dims[0]} observation and {dims[1]} action '
                         'values; expected at least one of each')
    if facts:
        _check_dims(recording.name, dims, facts)
    low, high = recording.action_low, recording.action_high
    if given:
        low, high = given
        for option, values in (('--action-low', low), ('--action-high', high)):
            if values.size not in (1, dims[1]):
                raise InputError(f'{recording.name}: {option}: got {values.size} values; '
                                 f'expected 1 or {dims[1]}, one for each action')
        low, high = np.broadcast_to(low, dims[1:]), np.broadcast_to(high, dims[1:])
    elif facts:
        low, high = facts.low, facts.high
    elif low is None:
        low, high = -np.ones(dims[1]), np.ones(dims[1])
    elif not np.isfinite([low, high]).all():
        raise InputError(f'{recording.name}: its action space is unbounded; say what -1 and +1 '
                         'of the policy mean with --action-low and --action-high, or --env ID')
    ActionScaling(low, high)  # refuses what is not finite or not low < high
    return low, high


def to_transitions(recording: Recording) -> Dataset:
    """
    Turn episodes into transitions and scale their actions to [-1, 1].

    Raises:
        InputError: for NaN or infinity, or when more than OUTSIDE_LIMIT of the action values
            lie outside the range.

    """
    episodes = [episode for episode in recording.episodes if len(episode.actions)]
    if not episodes:
        raise InputError(f'{recording.name}: holds no transition')
    starts = np.concatenate([[0], np.cumsum([len(episode.actions) for episode in episodes])])
    arrays = _concatenate(episodes, starts)
    for name, values in arrays.items():
        check_finite(name, values, starts, recording.name)
    arrays['actions'], clipped = _to_unit(arrays['actions'], recording)
    return Dataset(**arrays, episode_starts=starts, name=recording.name,
                   fingerprint=_fingerprint(arrays, starts), clipped=clipped,
                   **{name: getattr(recording, name) for name in (
                       'action_low', 'action_high', 'environment', 'observation_keys',
                       'robot_config', 'metadata', 'notes')})


def _concatenate(episodes, starts) -> dict[str, np.ndarray]:
    """Return every array of the transitions; actions still in physical units, float64."""
    arrays = {
        'observations': np.concatenate([episode.observations[:-1] for episode in episodes]),
        'next_observations': np.concatenate([e.observations[1:] for e in episodes])}
    for name, values in arrays.items():
        if values.dtype not in (np.float32, np.float64):
            arrays[name] = values.astype(np.float64)
    with np.errstate(over='ignore'):  # beyond float32 becomes infinity, which is refused
        arrays['rewards'] = np.concatenate(
            [episode.rewards for episode in episodes]).astype(np.float32)
    arrays['actions'] = np.concatenate([e.actions for e in episodes]).astype(np.float64)
    terminations = np.concatenate([episode.terminations for episode in episodes])
    truncations = np.concatenate([episode.truncations for episode in episodes])
    truncations[starts[1:] - 1] = True  # an end that nobody marked
    arrays['terminations'], arrays['truncations'] = terminations, truncations & ~terminations
    return arrays


def _to_unit(actions: np.ndarray, recording: Recording) -> tuple[np.ndarray, float]:
    """Return the actions (N, action_dim) in [-1, 1], and the share of values clipped to it."""
    unit = ActionScaling(recording.action_low, recording.action_high).to_unit(actions)
    outside = float(np.mean(np.abs(unit) > 1 + _ROUNDING))
    if outside > OUTSIDE_LIMIT:
        where = ("low and high of the robot YAML's actions" if recording.robot_config else
                 '--env ID or --action-low and --action-high')
        seen = range_text(actions.min(axis=0), actions.max(axis=0))
        raise InputError(
            f'{recording.name}: {outside:.1%} of the action values lie outside '
            f'{range_text(recording.action_low, recording.action_high)} (they cover {seen}), '
            f'allowed: {OUTSIDE_LIMIT:.0%}; say what -1 and +1 of the policy mean with {where}')
    return np.clip(unit, -ACTION_LIMIT, ACTION_LIMIT).astype(np.float32), outside


def range_text(low: np.ndarray, high: np.ndarray) -> str:
    """Return the ranges of actions, once where all are equal."""
    ranges = [f'[{a:.4g}, {b:.4g}]' for a, b in zip(low, high)]
    return ranges[0] if len(set(ranges)) == 1 else ' x '.join(ranges)


def _fingerprint(arrays: dict, starts: np.ndarray) -> str:
    digest = hashlib.sha256(starts.astype('<i8').tobytes())
    for name in _ARRAYS:
        values = arrays[name]
        digest.update(repr(values.shape).encode())
        digest.update(np.ascontiguousarray(values if values.dtype == bool else
                                           values.astype(np.float32, copy=False)))
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class RewardTransform:
    """The rewards that are learned from, as a function of the raw ones."""

    scale: float = 1.0
    shift: float = 0.0

    def apply(self, rewards):
        """Return rewards * scale + shift."""
        return rewards * self.scale + self.shift


def reward_transform(dataset: Dataset, kind: str) -> RewardTransform:
    """
    Return one of REWARD_TRANSFORMS for a dataset.

    `return_range` makes the best and the worst episode's returns 1000 apart (the paper's
    locomotion); `minus_one` takes 1 from every reward (its AntMaze).

    Raises:
        InputError: for another name, or return_range where all returns are equal.

    """
    if kind not in REWARD_TRANSFORMS:
        raise unknown_name('reward transform', kind, REWARD_TRANSFORMS)
    if kind == 'minus_one':
        return RewardTransform(shift=-1.0)
    if kind == 'none':
        return RewardTransform()
    returns = dataset.returns()
    spread = float(returns.max() - returns.min())
    if spread <= 0:
        raise InputError(f'{dataset.name}: reward transform return_range: every episode returns '
                         f'{returns[0]:g}; it needs at least two different returns')
    return RewardTransform(scale=1000 / spread)
