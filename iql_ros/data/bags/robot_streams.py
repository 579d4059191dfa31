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

"""Which topics of a bag make a robot's observations, actions, rewards and events."""

import dataclasses
import functools
import typing

from iql_ros.data.bags.joint_lists import JointLists
from iql_ros.data.bags.reader import Bag
from iql_ros.files import InputError, unknown_name
from iql_ros.robot.observations import Transform
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.task import Task
from iql_ros.robot.transform_tree import read_edges

OBSERVATION, ACTION, REWARD, TERMINATED, EVENT, STATIC = (
    'observation', 'action', 'reward', 'terminated', 'event', 'static frames')
_EVENT_TYPE = 'std_msgs/msg/Header'


@dataclasses.dataclass(frozen=True)
class RobotStream:
    """One stream of a robot, found in a bag."""

    kind: str                            # OBSERVATION or another of the six
    index: int                           # among those of its kind
    topic: str                           # in the bag
    type: str
    read: typing.Callable                # message -> value
    deserialize: typing.Callable         # data -> message
    stamp_of: typing.Callable | None     # data -> header stamp [ns]
    by_header: bool                      # the header's stamp places the message in time
    max_age: float | None                # [s]
    lists: JointLists | None = None      # which joints a message names, where that tells
    decoded_at_once: bool = False        # whether a message is a sample is not known before
    frames: bool = False                 # messages are edges of the tree of /tf

    def decode(self, data):
        """Return the value of a serialised message."""
        return self.read(self.deserialize(data))


@dataclasses.dataclass(frozen=True)
class _Wanted:
    kind: str
    index: int
    topic: str               # as the robot YAML names it
    type: str
    read: typing.Callable
    by_header: bool = True
    max_age: float | None = None
    required: bool = True
    joints: bool = False     # the stream is about joints by name
    sparse: bool = False     # a message may be no sample
    frames: bool = False     # of the tree of /tf
    executed: str = ''       # topic of what was executed, where it was recorded


def _wanted(interface: RobotInterface, task: Task) -> list[_Wanted]:
    found = []
    for kind, streams in ((OBSERVATION, interface.observation), (ACTION, interface.action)):
        found += [_Wanted(kind, index, stream.topic, stream.type,
                          functools.partial(read_edges, static=False)
                          if isinstance(stream, Transform)
                          else functools.partial(stream.decode, recorded=True),
                          stream.stamp == 'header', stream.max_age,
                          executed=getattr(stream, 'executed', ''),
                          joints=bool(stream.joints), sparse=bool(stream.beams),
                          frames=isinstance(stream, Transform))
                  for index, stream in enumerate(streams)]
    found += [_Wanted(STATIC, index, stream.static_topic, stream.type,
                      functools.partial(read_edges, static=True), required=False, frames=True)
              for index, stream in enumerate(interface.observation)
              if isinstance(stream, Transform)]
    for kind, source in ((REWARD, task.reward_source), (TERMINATED, task.terminated_source)):
        if source is not None:
            found.append(_Wanted(kind, 0, source.topic, source.type, source.decode))
    if task.episode is not None:
        found.append(_Wanted(EVENT, 0, task.episode.topic, _EVENT_TYPE,
                             lambda message: message.frame_id, required=False))
    return found


def find_streams(bag: Bag, interface: RobotInterface, task: Task,
                 namespace: str | None) -> list[RobotStream]:
    """
    Return the streams of a robot in a bag; where `executed` was recorded, that is the action.

    Raises:
        InputError: for a topic that is missing or of another type, naming the nearest; for
            several namespaces that fit.

    """
    wanted = _wanted(interface, task)
    prefix = _find_namespace(bag, wanted, namespace)
    found = []
    for want in wanted:
        topic = resolve(prefix, want.topic)
        if want.executed and resolve(prefix, want.executed) in bag.topics:
            topic = resolve(prefix, want.executed)
        if topic not in bag.topics and not want.required:
            continue
        if bag.topics[topic].type != want.type:
            raise InputError(f"bag '{bag.path}': topic '{topic}' is of type "
                             f'{bag.topics[topic].type}; the robot interface says {want.type}')
        stamp_of, lists = bag.header_stamp(topic), None
        if want.joints and bag.names_follow_header(topic):
            lists = JointLists(bag.topics[topic].ros1)
        found.append(RobotStream(
            want.kind, want.index, topic, want.type, want.read, bag.deserializer(topic), stamp_of,
            want.by_header and (stamp_of is not None or want.frames), want.max_age, lists,
            want.sparse or (want.joints and lists is None), want.frames))
    return found


def resolve(prefix: str, topic: str) -> str:
    """Return the topic's name in a bag whose robot lives under a prefix ('' or /name)."""
    return topic if topic.startswith('/') else f'{prefix}/{topic}'


def _find_namespace(bag: Bag, wanted: list[_Wanted], namespace: str | None) -> str:
    """Return the prefix under which the bag has every stream; ambiguity is the user's to solve."""
    choices = [[topic for topic in (want.executed, want.topic) if topic]
               for want in wanted if want.required]
    relative = [topics[-1] for topics in choices if not topics[-1].startswith('/')]
    if namespace is not None:
        prefixes = ['/' + namespace.strip('/') if namespace.strip('/') else '']
    elif not relative:
        prefixes = ['']
    else:
        endings = {f'/{topic}' for topics in choices for topic in topics if topic in relative}
        prefixes = sorted({name[:-len(ending)] for name in bag.topics for ending in endings
                           if name.endswith(ending)})
    missing = {prefix: [topics[-1] for topics in choices if not any(
        resolve(prefix, topic) in bag.topics for topic in topics)] for prefix in prefixes or ['']}
    fitting = [prefix for prefix, topics in missing.items() if not topics]
    if len(fitting) > 1:
        raise InputError(f"bag '{bag.path}' has the robot's topics in several namespaces; choose "
                         f'one with --namespace: {", ".join(name or "/" for name in fitting)}')
    if not fitting:
        prefix = min(missing, key=lambda name: (len(missing[name]), name))
        error = unknown_name('topic', resolve(prefix, missing[prefix][0]), sorted(bag.topics))
        raise InputError(f"bag '{bag.path}': {error}")
    return fitting[0]
