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

"""The quality report of a conversion in figures: of every bag, the actions, the observations."""

import collections
import dataclasses

import numpy as np

from iql_ros.data.bags.episode_cutter import EpisodeCutter
from iql_ros.data.bags.quality.text import remarks
from iql_ros.data.bags.reader import Bag
from iql_ros.data.bags.robot_streams import ACTION, OBSERVATION
from iql_ros.data.bags.samples import BagSamples
from iql_ros.data.bags.statistics import Decimated
from iql_ros.data.oddities import flips, look
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.transitions import Episode

_SATURATED = 0.999           # of the range, in [-1, 1]
_SECOND = 1_000_000_000      # [ns]


def bag_report(bag: Bag, samples: BagSamples, cutter: EpisodeCutter,
               interface: RobotInterface) -> dict:
    """Return what was counted while a bag was read and cut; times in seconds."""
    streams = [{**reading.statistics.summary(), 'topic': reading.stream.topic,
                'type': reading.stream.type, 'role': reading.stream.kind,
                'stamp': 'header' if reading.stream.by_header else 'receive',
                'declared': bag.topics[reading.stream.topic].declared,
                'max_age': reading.stream.max_age,
                'age': _age_histogram(cutter.ages[reading.stream.index])
                if reading.stream.kind == OBSERVATION else None}
               for reading in samples.readings]
    placed = [stream for stream in streams if stream['messages']
              and stream['role'] in (OBSERVATION, ACTION)]
    return {'file': bag.path.name, 'streams': streams,
            'start': min(stream['first'] for stream in placed),
            'end': max(stream['last'] for stream in placed),
            'ticks': cutter.ticks, 'used': sum(end['steps'] for end in cutter.ends),
            'dropped': dict(cutter.dropped), 'episodes': cutter.ends,
            'ended': dict(collections.Counter(end['ended'] for end in cutter.ends)),
            'delays': samples.trace.delays(), **_oddities(cutter, interface),
            'notes': [*bag.allowed.notes, *cutter.notes]}


def _oddities(cutter: EpisodeCutter, interface: RobotInterface) -> dict:
    """Return what is odd about values of episodes: odd (of value names) and flips (of paths)."""
    found = {'odd': [], 'flips': {}}
    if not cutter.episodes:
        return found
    for attribute, names in (('observations', interface.observation_names),
                             ('actions', interface.action_names)):
        parts = [getattr(episode, attribute) for episode in cutter.episodes]
        starts = np.cumsum([0, *map(len, parts[:-1])])
        seconds = np.concatenate([
            end['start'] - cutter.start + np.arange(len(part)) / interface.control_rate
            for end, part in zip(cutter.ends, parts)])
        values = np.concatenate(parts)
        found['odd'] += [{'name': name, **dataclasses.asdict(odd)} for name, odd in
                         zip(names, look(values, seconds, starts))
                         if odd and (odd.is_any)]
        found['flips'].update(flips(names, values, starts))
    found['odd'] = [odd for odd in found['odd']
                    if odd['name'].rpartition('.')[0] not in found['flips']]
    return found


def _age_histogram(kept: Decimated) -> dict | None:
    ages = kept.values() / _SECOND
    if not len(ages):
        return None
    counts, edges = np.histogram(ages, bins=20, range=(0.0, max(float(ages.max()), 1e-6)))
    return {'edges': edges.tolist(), 'counts': counts.tolist(),
            'p99': float(np.percentile(ages, 99))}


def quality_report(interface: RobotInterface, episodes: list[Episode], bags: list[dict]) -> dict:
    """Return the report of all bags, and what is suspicious about it in words."""
    report = {'robot': interface.robot, 'control_rate': interface.control_rate,
              'settle': interface.settle, 'episodes': len(episodes), 'bags': bags,
              'transitions': sum(len(episode.actions) for episode in episodes),
              'rewards': _reward_range(episodes),
              'actions': _action_ranges(episodes, interface),
              'tick_correlations': _tick_correlations(episodes, interface),
              'observations': _observation_ranges(episodes, interface)}
    return {**report, 'remarks': remarks(report)}


def _reward_range(episodes: list[Episode]) -> dict | None:
    if not episodes:
        return None
    rewards = np.concatenate([episode.rewards for episode in episodes])
    return {'minimum': float(rewards.min()), 'maximum': float(rewards.max())}


def _action_ranges(episodes: list[Episode], interface: RobotInterface) -> list[dict]:
    if not episodes:
        return []
    scaling = interface.action_scaling
    actions = np.concatenate([episode.actions for episode in episodes])
    saturated = (np.abs(scaling.to_unit(actions)) >= _SATURATED).mean(axis=0)
    steady = np.concatenate([episode.actions[1:] == episode.actions[:-1] for episode in episodes])
    constant = steady.mean(axis=0) if len(steady) else np.zeros(interface.action_dim)
    return [{'name': name, 'low': scaling.low[index], 'high': scaling.high[index],
             'minimum': float(actions[:, index].min()), 'maximum': float(actions[:, index].max()),
             'saturated': float(saturated[index]), 'constant': float(constant[index])}
            for index, name in enumerate(interface.action_names)]


def _tick_correlations(episodes: list[Episode], interface: RobotInterface) -> dict[str, float]:
    """
    Return of every action the strongest correlation, 0 to 1, with what follows within a tick.

    The action is compared with what observations are after it and by how much they change, its
    change with theirs: a position follows one, a velocity's integral another.
    """
    if not episodes:
        return {}
    before, actions, after = (np.concatenate(parts) for parts in zip(*(
        (episode.observations[:-1], episode.actions, episode.observations[1:])
        for episode in episodes)))
    steps = np.concatenate([np.diff(episode.actions, axis=0, prepend=episode.actions[:1])
                            for episode in episodes])
    pairs = (actions, after), (actions, after - before), (steps, after - before)
    strongest = np.max([_strongest(*pair) for pair in pairs], axis=0)
    return dict(zip(interface.action_names, strongest.tolist()))


def _strongest(actions: np.ndarray, observations: np.ndarray) -> np.ndarray:
    """Return of every action the largest |r| with an observation."""
    products = _standardised(actions).T @ _standardised(observations)
    return np.abs(products).max(axis=1) / len(actions)


def _standardised(values: np.ndarray) -> np.ndarray:
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, np.inf)


def _observation_ranges(episodes: list[Episode], interface: RobotInterface) -> list[dict]:
    if not episodes:
        return []
    low = np.min([episode.observations.min(axis=0) for episode in episodes], axis=0)
    high = np.max([episode.observations.max(axis=0) for episode in episodes], axis=0)
    return [{'name': name, 'minimum': float(low[index]), 'maximum': float(high[index]),
             'constant': bool(low[index] == high[index])}
            for index, name in enumerate(interface.observation_names)]
