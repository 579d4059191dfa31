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

"""Bags -> episodes of one robot, through its interface, its task and the transitions."""

import collections
import itertools
from pathlib import Path

import numpy as np

from iql_ros.data.bags.action_delay import DelayTrace
from iql_ros.data.bags.episode_cutter import ACTION, EpisodeCutter, EVENT, OBSERVATION
from iql_ros.data.bags.files import Allowed, find_bags
from iql_ros.data.bags.labels import Label, label_events, read_labels
from iql_ros.data.bags.order import in_order, jumped_back, Sample
from iql_ros.data.bags.quality import remarks
from iql_ros.data.bags.reader import Bag, DamageError
from iql_ros.data.bags.sources import check_clocks, find_sources, Source
from iql_ros.files import InputError
from iql_ros.robot.message_fields import MissingJointError
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import Episode

_LOOK_EVERY = 16_384         # messages between two looks at the clocks
_SATURATED = 0.999           # of the range, in [-1, 1]
_SECOND = 1_000_000_000


def read_episodes(sources, interface: RobotInterface, namespace: str | None = None, labels=None,
                  allow=(), on_progress=None) -> tuple[list[Episode], dict]:
    """
    Turn bags into the episodes of one robot, in one pass and bounded memory.

    Args:
        sources: Bags of any kind, or folders of bags; every bag's end truncates.
        interface: Of the robot; its task gives rewards and terminations.
        namespace: Prefix of the robot's topics in the bags; None finds it.
        labels: CSV file with what a person says of the episodes, see labels.py.
        allow: Names of bags.files.ALLOWANCES: what not to refuse.
        on_progress: Called with the bag's name, the messages read and those it declares.

    Returns:
        The episodes, and the quality report: bags (streams, ticks, dropped, episodes, delays),
        actions, observations, remarks; times in seconds.

    Raises:
        InputError: for a bag that cannot be read, a topic, type or field that does not fit, and
            for whatever `allow` relaxes.

    """
    task = Task(interface)
    paths = [path for source in sources for path in find_bags(source)]
    labelled = read_labels(labels, [path.name for path in paths]) if labels else {}
    episodes, bags = [], []
    for path in paths:
        reading = _Reading(path, interface, task, Allowed(allow), on_progress)
        found, bag = reading.run(namespace, labelled.get(path.name, []))
        episodes += found
        bags.append(bag)
    report = {'robot': interface.robot, 'control_rate': interface.control_rate,
              'settle': interface.settle, 'episodes': len(episodes), 'bags': bags,
              'transitions': sum(len(episode.actions) for episode in episodes),
              'actions': _action_ranges(episodes, interface),
              'observations': _observation_ranges(episodes, interface)}
    return episodes, {**report, 'remarks': remarks(report)}


class _Reading:
    """One bag being read."""

    def __init__(self, path: Path, interface: RobotInterface, task: Task, allowed: Allowed,
                 on_progress):
        self._path, self._interface, self._task = path, interface, task
        self._allowed, self._on_progress = allowed, on_progress or (lambda *progress: None)
        self._trace = DelayTrace(interface)
        self._decoded = {}   # observation stream -> (data, vector) of its last decoding
        self._numbers = itertools.count()
        self._lazy = 'damaged' not in allowed and 'partial-joints' not in allowed

    def run(self, namespace: str | None, labels: list[Label]) -> tuple[list, dict]:
        """Return the episodes of the bag and its part of the report."""
        with Bag(self._path, self._allowed) as bag:
            self._sources = find_sources(bag, self._interface, self._task, namespace)
            self._observations = [source for source in self._sources
                                  if source.kind == OBSERVATION]
            self._labels = self._pending_labels(bag, labels)
            if labels:  # they stand for what the bag itself says
                self._sources = [source for source in self._sources if source.kind != EVENT]
            cutter = EpisodeCutter(self._interface, self._task, self._decode, self._allowed,
                                   self._note_ages)
            episodes = cutter.cut(in_order(self._samples(bag)))
            self._check_whole(bag)
            return episodes, self._report(bag, cutter)

    def _pending_labels(self, bag: Bag, labels: list[Label]) -> collections.deque:
        seconds = (bag.end_ns - bag.start_ns) / _SECOND
        for label in labels:
            if label.end > seconds:
                raise InputError(f"bag '{bag.path}' lasts {seconds:.3f} s; a label says that an "
                                 f'episode ends at {label.end:g} s')
        return collections.deque((bag.start_ns + after_ns, event)
                                 for after_ns, event in label_events(labels))

    def _samples(self, bag: Bag):
        """Yield Samples in order of receive time, None where a stream's clock was set back."""
        by_topic = collections.defaultdict(list)
        for source in self._sources:
            by_topic[source.topic].append(source)
        declared = sum(bag.topics[topic].declared for topic in by_topic)
        for count, (topic, received_ns, data) in enumerate(bag.messages(by_topic)):
            if count % _LOOK_EVERY == 0:
                check_clocks(bag, self._sources, self._allowed, whole=False)
                self._on_progress(bag.path.name, count, declared)
            while self._labels and self._labels[0][0] <= received_ns:
                yield self._label_sample(received_ns)
            for source in by_topic[topic]:
                time_ns, value = self._take(source, received_ns, data)
                if value is None:
                    continue
                if source.by_header and jumped_back(time_ns, source.last_ns):
                    yield None
                source.last_ns = time_ns
                yield Sample(time_ns, next(self._numbers), received_ns, source.kind,
                             source.index, value)
        while self._labels:
            yield self._label_sample(bag.end_ns)

    def _label_sample(self, received_ns: int) -> Sample:
        """Return the next label as an event on the clock of the ticks."""
        time_ns, event = self._labels.popleft()
        offset = next((source.statistics.offset_ns for source in self._observations
                       if source.by_header and source.statistics.messages), None) or 0
        if abs(offset) < _SECOND:  # delay, not another clock
            offset = 0
        return Sample(time_ns - int(offset), next(self._numbers), received_ns, EVENT, 0, event)

    def _take(self, source: Source, received_ns: int, data) -> tuple:
        """Return when a message counts [ns] and its value, None where it is left out."""
        try:
            stamp_ns = source.stamp_of(data) if source.stamp_of else None
            source.statistics.add(received_ns, stamp_ns)
            time_ns = stamp_ns if source.by_header else received_ns
            if time_ns == 0 and received_ns > _SECOND:  # else simulated time begins
                self._allowed.refuse('unset-stamps', f"bag '{self._path}': topic '{source.topic}' "
                                     'has header stamps of zero; say stamp: receive')
                return 0, None
            traced = source.traced and self._trace.due(source.kind, source.index, time_ns)
            if source.lazy and not traced:
                return time_ns, data
            value = source.decode(data)
            source.lazy = self._lazy and source.kind == OBSERVATION
            if traced:
                self._trace.add(source.kind, source.index, time_ns, value)
            return time_ns, value
        except MissingJointError as error:
            self._allowed.refuse('partial-joints', _about(self._path, error))
        except DamageError as error:
            self._allowed.refuse('damaged', _about(self._path, error))
        except InputError as error:
            raise InputError(_about(self._path, error)) from None
        return 0, None

    def _decode(self, index: int, value) -> np.ndarray:
        """Return the vector of an observation sample; a slow stream's is asked for again."""
        if isinstance(value, np.ndarray):
            return value
        known = self._decoded.get(index)
        if known is None or known[0] is not value:
            try:
                known = self._decoded[index] = (value, self._observations[index].decode(value))
            except InputError as error:
                raise InputError(_about(self._path, error)) from None
        return known[1]

    def _note_ages(self, ages: list[int]) -> None:
        for source, age in zip(self._observations, ages):
            source.ages.add(age)

    def _check_whole(self, bag: Bag) -> None:
        for source in self._sources:
            if not source.statistics.messages and source.kind in (OBSERVATION, ACTION):
                raise InputError(f"bag '{bag.path}': no message on topic '{source.topic}'")
        check_clocks(bag, self._sources, self._allowed, whole=True)

    def _report(self, bag: Bag, cutter: EpisodeCutter) -> dict:
        streams = [{**source.statistics.summary(), 'topic': source.topic, 'type': source.type,
                    'role': source.kind, 'stamp': 'header' if source.by_header else 'receive',
                    'declared': bag.topics[source.topic].declared, 'max_age': source.max_age,
                    'age': _age_histogram(source)} for source in self._sources]
        placed = [stream for stream in streams if stream['messages']
                  and stream['role'] in (OBSERVATION, ACTION)]
        return {'file': bag.path.name, 'streams': streams,
                'start': min(stream['first'] for stream in placed),
                'end': max(stream['last'] for stream in placed),
                'ticks': cutter.ticks, 'used': sum(end['steps'] for end in cutter.ends),
                'dropped': dict(cutter.dropped), 'episodes': cutter.ends,
                'ended': dict(collections.Counter(end['ended'] for end in cutter.ends)),
                'delays': self._trace.delays(), 'notes': [*self._allowed.notes, *cutter.notes]}


def _about(path: Path, error: InputError) -> str:
    text = str(error)
    return text if text.startswith(f"bag '{path}'") else f"bag '{path}': {text}"


def _age_histogram(source: Source) -> dict | None:
    ages = source.ages.values() / _SECOND
    if not len(ages):
        return None
    counts, edges = np.histogram(ages, bins=20, range=(0.0, max(float(ages.max()), 1e-6)))
    return {'edges': edges.tolist(), 'counts': counts.tolist(),
            'p99': float(np.percentile(ages, 99))}


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


def _observation_ranges(episodes: list[Episode], interface: RobotInterface) -> list[dict]:
    if not episodes:
        return []
    low = np.min([episode.observations.min(axis=0) for episode in episodes], axis=0)
    high = np.max([episode.observations.max(axis=0) for episode in episodes], axis=0)
    return [{'name': name, 'minimum': float(low[index]), 'maximum': float(high[index]),
             'constant': bool(low[index] == high[index])}
            for index, name in enumerate(interface.observation_names)]
