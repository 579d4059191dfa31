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
import dataclasses
import functools
from pathlib import Path

import numpy as np

from iql_ros.data.bags.episode_cutter import EpisodeCutter
from iql_ros.data.bags.files import Allowed, find_bags
from iql_ros.data.bags.labels import read_labels
from iql_ros.data.bags.quality.report import bag_report, quality_report
from iql_ros.data.bags.reader import Bag
from iql_ros.data.bags.robot_streams import find_streams
from iql_ros.data.bags.samples import BagSamples
from iql_ros.files import InputError
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import Episode


def read_episodes(sources, interface: RobotInterface, namespace: str | None = None, labels=None,
                  allow=(), on_progress=None, type_folders=(),
                  known=None, each=None) -> tuple[list[Episode], dict]:
    """
    Turn bags into the episodes of one robot, in one pass and bounded memory.

    Args:
        sources: Bags of any kind, or folders of bags; every bag's end truncates.
        interface: Of the robot; its task gives rewards and terminations.
        namespace: Prefix of the robot's topics in the bags; None finds it.
        labels: CSV file with what a person says of the episodes, see bags/labels.py.
        allow: Names of bags.files.ALLOWANCES: what not to refuse.
        on_progress: Called with the bag's name, the messages read and those it declares.
        type_folders: With the .msg files of types that a bag does not define.
        known: Path of a bag -> its episodes and its report, where it was read before, else None.
        each: What maps over bags, as parallel.mapping yields it; None: one after the other.

    Returns:
        The episodes, and the quality report: bags (streams, ticks, dropped, episodes, delays),
        actions, observations, remarks; times in seconds.

    Raises:
        InputError: for a bag that cannot be read, a topic, type or field that does not fit, and
            for whatever `allow` relaxes.

    """
    Task(interface)  # refuses its functions before anything is read
    paths = [path for source in sources for path in find_bags(source)]
    labelled = read_labels(labels, [path.name for path in paths]) if labels else {}
    found = {path: known(path) for path in paths} if known else {}
    readings = [_Reading(path, interface, namespace, labelled.get(path.name, []), tuple(allow),
                         tuple(type_folders)) for path in paths if not found.get(path)]
    if each is None or len(readings) < 2:
        read = map(functools.partial(_read, on_progress=on_progress), readings)
    else:
        read = each(_read, readings)
    episodes, bags = [], []
    for path in paths:
        of_bag, report = found.get(path) or next(read)
        episodes += of_bag
        bags.append(report)
        if each and on_progress:  # it cannot be told from within another process
            count = sum(stream['messages'] for stream in report['streams'])
            on_progress(path.name, count, count)
    return episodes, quality_report(interface, episodes, bags)


@dataclasses.dataclass(frozen=True)
class _Reading:
    """A bag and how it is read."""

    path: Path
    interface: RobotInterface
    namespace: str | None
    labels: list
    allow: tuple[str, ...]
    type_folders: tuple


@np.errstate(all='ignore')  # what is not finite is looked for, and named
def _read(reading: _Reading, on_progress=None) -> tuple[list[Episode], dict]:
    """Return the episodes of one bag, and its report."""
    interface, path = reading.interface, reading.path
    task = Task(interface)
    with Bag(path, Allowed(reading.allow, path), reading.type_folders) as bag:
        streams = find_streams(bag, interface, task, reading.namespace)
        samples = BagSamples(bag, interface, streams, reading.labels, on_progress)
        cutter = EpisodeCutter(interface, task, bag.allowed, bag.start_ns)
        episodes = cutter.cut(samples)
        return episodes, bag_report(bag, samples, cutter, interface)


def no_transition(names: str, report: dict) -> InputError:
    """Return the error for bags, by their names, of which the quality report tells no episode."""
    dropped = collections.Counter()
    for bag in report['bags']:
        dropped.update(bag['dropped'])
    reasons = [f'{count:,} ticks: {reason}' for reason, count in dropped.most_common(3)]
    why = '; '.join(reasons) or 'the bags are shorter than two ticks'
    return InputError(f'{names}: no transition: {why}')
