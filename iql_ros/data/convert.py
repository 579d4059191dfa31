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

"""The convert jobs: bags of one robot, or a flat HDF5 file -> a new Minari dataset."""

from concurrent.futures import ThreadPoolExecutor
import dataclasses
import json
from pathlib import Path

from iql_ros import __version__
from iql_ros.data.datasets import (
    check_environment, Dataset, read_recording, to_transitions)
from iql_ros.data.known_bags import bag_digests, BAGS_FILE, KnownBags
from iql_ros.data.minari_store import find_dataset, read_minari, Recording
from iql_ros.data.minari_writer import check_new_id, source_files, write_minari
from iql_ros.data.rosbag import no_transition, read_episodes
from iql_ros.files import InputError
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.task import Task
from iql_ros.robot.task_functions import source_file
from iql_ros.tasks import with_new_names


def convert_bags(sources, dataset_id: str, interface: RobotInterface,
                 namespace: str | None = None, environment: str | None = None, labels=None,
                 allow=(), on_progress=None, type_folders=(), update: bool = False,
                 on_say=print, each=None) -> tuple[Dataset, dict]:
    """
    Write the episodes of bags as a new dataset; return its transitions and the report.

    Args:
        sources: Bags, or folders of bags.
        dataset_id: NAME/x-v0, new.
        interface: Of the robot that was recorded; its task gives rewards and terminations.
        namespace: Prefix of the robot's topics in the bags; None finds it.
        environment: Gymnasium id that the dataset is evaluated in, where there is one.
        labels: CSV file of a person's labels, as read_episodes.
        allow: What not to refuse, as read_episodes.
        on_progress: As read_episodes.
        type_folders: As read_episodes.
        update: Whether the dataset may be there: of bags that are in it nothing is read again,
            and the new one, which is what a conversion of all would be, takes its place.
        on_say: Told, with `update`, what is converted.
        each: As read_episodes.

    Raises:
        InputError: as read_episodes and write_minari; for an environment that cannot be made
            or has other dimensions; for bags without a whole transition.

    """
    check_new_id(dataset_id, update)
    names = ', '.join(map(str, sources))
    if environment is not None:
        check_environment(environment, names, interface.sensed_dim, interface.action_dim)
    Task(interface)  # imports its functions, or refuses them
    named = [value for value in interface.task.values() if isinstance(value, str)]
    settings = {'namespace': namespace, 'allow': sorted(allow), 'environment': environment,
                'labels': source_files([labels]) if labels else None,
                'task_functions': source_files(sorted(set(filter(None, map(source_file, named)))))}
    with ThreadPoolExecutor(1) as aside:  # hashing leaves the interpreter free
        files, known = aside.submit(source_files, sources), None
        if update:
            known = KnownBags(dataset_id, {**settings, 'version': __version__,
                                           'robot_config': interface.text},
                              bag_digests(sources, files.result()))
            on_say(known.in_words())
        episodes, report = read_episodes(sources, interface, namespace, labels, allow,
                                         on_progress, type_folders, known, each)
        if not episodes:
            raise no_transition(names, report)
        for bag, digest in zip(report['bags'], bag_digests(sources, files.result()).values()):
            bag['sha256'] = digest
        scaling = interface.action_scaling
        dataset = to_transitions(Recording(
            names, episodes, scaling.low, scaling.high, environment,
            metadata={'iql_ros': {'robot_config': interface.text}}))  # refuses now
        write_minari(dataset_id, episodes, action_low=scaling.low, action_high=scaling.high,
                     sources=files.result(), robot_config=interface.text,
                     settings={**settings, 'report': _provenance(report)},
                     environment=environment, replace=update,
                     beside={BAGS_FILE: json.dumps(report['bags'])})
    return dataclasses.replace(dataset, name=dataset_id), report


def _provenance(report: dict) -> dict:
    """Return the report without what is only drawn."""
    bags = [{**bag, 'streams': [_without(stream, 'activity', 'age') for stream in bag['streams']],
             'delays': [_without(delay, 'curve') for delay in bag['delays']]}
            for bag in report['bags']]
    return {**report, 'bags': bags}


def _without(mapping: dict, *names: str) -> dict:
    return {key: value for key, value in mapping.items() if key not in names}


def convert_hdf5(path, dataset_id: str, action_low=None, action_high=None,
                 environment: str | None = None) -> Dataset:
    """
    Write the episodes of a flat HDF5 file as a new dataset; return its transitions.

    Actions are stored as they are in the file, with their range as the action space; the
    other arguments are those of load_dataset.

    Raises:
        InputError: as load_dataset and write_minari.

    """
    check_new_id(dataset_id)
    recording = read_recording(path, (), action_low, action_high, environment)
    dataset = to_transitions(recording)  # refuses now
    write_minari(dataset_id, recording.episodes, action_low=recording.action_low,
                 action_high=recording.action_high, sources=source_files([path]),
                 settings={'notes': list(recording.notes)}, environment=recording.environment)
    return dataclasses.replace(dataset, name=dataset_id)


def bag_dataset(bag, interface: RobotInterface) -> str:
    """
    Return the id of a bag's dataset, `<robot>/<bag>-v0`; it is converted the first time.

    Raises:
        InputError: as convert_bags; when another recording has that id.

    """
    dataset_id = f'{interface.robot}/{Path(bag).resolve().name}-v0'
    if not _folder_of(dataset_id):
        convert_bags([bag], dataset_id, interface)
        return dataset_id
    made = read_minari(dataset_id).metadata.get('iql_ros', {})
    theirs, ours = ((sources, with_new_names(text)) for sources, text in (
        (made.get('sources'), made.get('robot_config')), (source_files([bag]), interface.text)))
    if theirs != ours:
        raise InputError(f"dataset id '{dataset_id}' was made from another recording or robot "
                         f"config than '{bag}'; convert it by hand: iql-ros convert {bag} "
                         '--dataset ID --robot-config YAML')
    return dataset_id


def _folder_of(dataset_id: str) -> Path | None:
    """Return the folder of a dataset id, None where there is none."""
    try:
        return find_dataset(dataset_id)
    except InputError:
        return None
