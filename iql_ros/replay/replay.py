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

"""Bags of one robot -> what a policy would have sent at every tick, through the gate."""

import dataclasses

import numpy as np

from iql_ros.data.rosbag import no_transition, read_episodes
from iql_ros.learner.choice import Draw
from iql_ros.robot.onlooker import Onlooker
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.transitions import Episode
from iql_ros.runs.policy import Policy

_SECOND = 1_000_000_000      # [ns]
_AT_ONCE = 4_096             # actions that the critic judges together
_TOLD_EVERY = 500            # [ticks]


@dataclasses.dataclass(frozen=True, eq=False)
class Replay:
    """N ticks of recordings in order, with what was commanded and what would have been sent."""

    interface: RobotInterface
    bags: tuple[str, ...]            # their names
    bag: np.ndarray                  # (N,) index into `bags`
    episode: np.ndarray              # (N,) as the policy's noise counts them
    tick: np.ndarray                 # (N,) of its episode, from 0
    stamp_ns: np.ndarray             # (N,) on the recording's clock
    seconds: np.ndarray              # (N,) since the beginning of its bag
    observations: np.ndarray         # (N, observation_dim)
    commanded: np.ndarray            # (N, action_dim) until the next tick, physical units
    wanted: np.ndarray               # (N, action_dim) the policy's action
    sent: np.ndarray                 # (N, action_dim) what the gate would have let out of it
    gated: np.ndarray                # (N, action_dim) bool: the gate changed it
    operated: np.ndarray             # (N,) bool: an operator had control
    trip: np.ndarray                 # (N,) str: why the gate would have tripped; empty: it had not
    advantage: np.ndarray | None     # (N,) Q of `sent` less Q of `commanded`; None: no critic
    outside: np.ndarray | None       # (N, observation_dim) bool: beyond the training data's range
    trained_on: tuple | None         # low, high, standard deviation (observation_dim,) of that
    notes: tuple[str, ...]           # what a person should know of how the bags were read

    def __len__(self) -> int:
        """Return N."""
        return len(self.tick)


@dataclasses.dataclass(frozen=True)
class Acting:
    """How the policy acts, as policy_node's parameters of these names say it."""

    seed: int = 0                # of the samples that a critic chooses from
    first_episode: int = 0       # what number the first episode has for these
    limit_scale: float = 1.0     # of the gate's limits and rates


def replay_bags(sources, policy: Policy, interface: RobotInterface, acting: Acting = Acting(),
                on_tick=None, **reading) -> Replay:
    """
    Let a policy look on at recordings.

    Observations, ticks and episodes are those of a conversion; what the gate knows, see
    robot/onlooker.py. Of a bag that a policy recorded in lockstep its commands come out to the
    bit, where `acting` is as it was then.

    Args:
        sources: Bags, or folders of bags.
        policy: One that fits the interface.
        interface: Of the robot; its task says where episodes end.
        acting: How the policy acts.
        on_tick: Called now and then with the ticks that are done, and how many there are.
        reading: Further arguments of read_episodes.

    Raises:
        InputError: as read_episodes; for bags without a transition.

    """
    episodes, report = read_episodes(sources, interface, **reading)
    if not episodes:
        raise no_transition(', '.join(map(str, sources)), report)
    total = sum(len(episode.actions) for episode in episodes)
    looking = _Looking(policy, interface, acting,
                       lambda done: on_tick and on_tick(done, total))
    parts, left = [], iter(episodes)
    for index, bag in enumerate(report['bags']):
        looking.open_bag()
        for end in bag['episodes']:
            part = looking.episode(next(left), end)
            seconds = (part['stamp_ns'] - round(bag['start'] * _SECOND)) / _SECOND
            parts.append({**part, 'seconds': seconds, 'bag': np.full(len(seconds), index)})
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Replay(interface=interface, bags=tuple(bag['file'] for bag in report['bags']), **rows,
                  advantage=_advantage(policy, interface, rows),
                  outside=_outside(policy, rows['observations']),
                  trained_on=policy.observation_range,
                  notes=tuple(note for bag in report['bags'] for note in bag['notes']))


class _Looking:
    """A policy with its gate, and the noise of a seed, an episode and a tick."""

    def __init__(self, policy: Policy, interface: RobotInterface, acting: Acting, on_done):
        self._policy, self._interface, self._acting = policy, interface, acting
        self._on_done, self._done = on_done, 0
        self._onlooker = Onlooker(self._act, interface, acting.limit_scale)
        self._next_number, self._before = acting.first_episode, 0   # of the bags before this one

    def open_bag(self) -> None:
        """Begin with a bag: what drove it was activated for it."""
        self._before, self._last = self._next_number, None
        self._onlooker.enter()

    def episode(self, episode: Episode, end: dict) -> dict[str, np.ndarray]:
        """Return the rows of an episode of T transitions, by the fields of a Replay."""
        count, number = len(episode.actions), self._before + end['number']
        first = self._interface.tick_index(
            round(end['start'] * _SECOND) + self._interface.period_ns // 2)
        stamps_ns = [self._interface.tick_ns(first + tick) for tick in range(count)]
        self._start(stamps_ns[0])
        proposals = []
        for tick, stamp_ns in enumerate(stamps_ns):
            self._draw = Draw(self._acting.seed, number, tick)
            observation, action = episode.observations[tick], episode.actions[tick]
            proposals.append(self._onlooker.tick(
                stamp_ns, observation[self._interface.sensed_index], observation))
            self._onlooker.commanded(stamp_ns, action)
            self._tell()
        self._next_number = number + 1
        self._last = self._interface.tick_ns(first + count), stamps_ns[-1], episode.actions[-1]
        if end['ended'] == 'trip':
            self._onlooker.enter()
        operated = episode.interventions
        return {'episode': np.full(count, number), 'tick': np.arange(count),
                'stamp_ns': np.array(stamps_ns), 'observations': episode.observations[:-1],
                'commanded': episode.actions,
                'wanted': np.array([proposal.action for proposal in proposals]),
                'sent': np.array([proposal.command for proposal in proposals]),
                'gated': np.array([proposal.changed for proposal in proposals]),
                'operated': np.zeros(count, bool) if operated is None else operated,
                'trip': np.array([proposal.trip for proposal in proposals])}

    def _start(self, first_ns: int) -> None:
        """Begin an episode; where it goes on from the one before, so do the commands."""
        self._onlooker.start()
        if self._last is not None and self._last[0] == first_ns:
            self._onlooker.commanded(*self._last[1:])

    def _act(self, observation) -> np.ndarray:
        return self._interface.action_scaling.to_physical(
            self._policy.act(observation, self._draw))

    def _tell(self) -> None:
        self._done += 1
        if self._done % _TOLD_EVERY == 0:
            self._on_done(self._done)


def _advantage(policy: Policy, interface: RobotInterface, rows: dict) -> np.ndarray | None:
    """Return by how much the critic prefers what would have been sent, (N,); NaN: unknown."""
    if policy.critic is None:
        return None
    sent, commanded = (interface.action_scaling.to_unit(rows[name])
                       for name in ('sent', 'commanded'))
    found = []
    for first in range(0, len(sent), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        found.append(policy.advantages(rows['observations'][part], sent[part])
                     - policy.advantages(rows['observations'][part], commanded[part]))
    return np.concatenate(found)


def _outside(policy: Policy, observations) -> np.ndarray | None:
    if policy.observation_range is None:
        return None
    low, high, _ = policy.observation_range
    return (observations < low) | (observations > high)
