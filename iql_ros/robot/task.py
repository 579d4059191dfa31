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

"""The task of a robot: reward, terminated, time limit, from named functions or from topics."""

import dataclasses
import functools
import hashlib
import json
import math
import re
import sys

from iql_ros.files import from_mapping, InputError, shown
from iql_ros.robot import message_fields
from iql_ros.robot.field_paths import parse_field
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.streams import TOPIC_NAME
from iql_ros.robot.task_functions import load_function
from iql_ros.tasks import FIRST_NAMES

_SERVICE_NAME = re.compile(r'(~/|/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', re.ASCII)
_LONGEST_NAME = 200  # characters; ROS allows some 250 with the node's namespace
_LONGEST_EPISODE = 1e9  # [s]
_NEW_NAMES = {first: name for name, first in FIRST_NAMES.items()}


def _check_name(where: str, name: str, pattern: re.Pattern) -> None:
    if not pattern.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InputError(f'{where}: got {shown(name)}; expected a name like reset_world, of '
                         'letters, digits and _, parts separated by /')


@dataclasses.dataclass(frozen=True)
class TopicSource:
    """A number that arrives on a topic: all of its messages over (t_k, t_k+1] make one value."""

    topic: str               # under the node's namespace unless it begins with /
    type: str                # of its messages; allowed: pkg/msg/Name
    field: str               # path of the number in a message, as in data
    reduce: str = 'sum'      # how the messages of a tick become one number; allowed: sum

    def __post_init__(self):
        if self.reduce != 'sum':
            raise InputError(f"topic '{self.topic}': reduce: got '{self.reduce}'; allowed: sum")
        if parse_field(self.field).function:
            raise InputError(f"topic '{self.topic}': field: got {self.field!r}; expected the path "
                             'of a number')
        _check_name('topic', self.topic, TOPIC_NAME)
        package, _, name = self.type.partition('/msg/')
        if not (package.isidentifier() and name.isidentifier()):
            raise InputError(f"topic '{self.topic}': type: got {shown(self.type)}; expected "
                             'pkg/msg/Name')

    def decode(self, message) -> float:
        """
        Return the message's number.

        Raises:
            InputError: for a field that is missing, or no number.

        """
        try:
            field = parse_field(self.field)
            if field.first is None:
                return message_fields.read_scalar(message, None, field.path)
            value, = message_fields.read_slice(message, field.path, field.first, field.first + 1)
            return float(value)
        except (AttributeError, TypeError, ValueError):
            raise InputError(f"topic '{self.topic}' ({self.type}): field '{self.field}' is no "
                             'number') from None


@dataclasses.dataclass(frozen=True)
class Reset:
    """The service that starts the next episode in simulation."""

    service: str                         # its name
    type: str = 'std_srvs/srv/Trigger'   # of the service; allowed: std_srvs/srv/Trigger

    def __post_init__(self):
        _check_name('service', self.service, _SERVICE_NAME)
        if self.type != 'std_srvs/srv/Trigger':
            raise InputError(f"type: got '{self.type}'; allowed: std_srvs/srv/Trigger")


@dataclasses.dataclass(frozen=True)
class EpisodeMarks:
    """The topic (std_msgs/msg/Header) on which a recording marks its episodes."""

    topic: str    # policy_node's is policy_node/event

    def __post_init__(self):
        _check_name('episode: topic', self.topic, TOPIC_NAME)


@dataclasses.dataclass(frozen=True)
class TaskSettings:
    """The key `task` of a robot's YAML."""

    # of every tick: a number, a function (module:function, of observation, action and next
    # observation), or a topic (TopicSource)
    reward: float | str | dict
    time_limit: float                # [s] after which an episode is cut; allowed: >= a tick
    # what ends an episode for good: a function, or a topic (TopicSource)
    terminated: str | dict | None = None
    # of the last step when a person (or a recording's label) says success, in place of `reward`
    success_reward: float = 0.0
    failure_reward: float = 0.0      # the same when one says failure
    success: str | None = None       # a function, asked of an episode's last transition
    # how the next episode begins: by a service (Reset), or manual: a person puts the robot back
    reset: Reset | str | None = None
    episode: EpisodeMarks | None = None  # where recordings mark their episodes

    def __post_init__(self):
        for name in ('time_limit', 'success_reward', 'failure_reward', 'reward'):
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(f'{name}: got {getattr(self, name)}; allowed: finite numbers')
        if isinstance(self.reset, str) and self.reset != 'manual':
            raise InputError(f"reset: got '{self.reset}'; allowed: manual, or a service and its "
                             'type')


def read_task(interface: RobotInterface) -> TaskSettings:
    """
    Return an interface's task settings; the functions that they name are not imported.

    Raises:
        InputError: for an unknown key or a wrong value.

    """
    where = f"robot '{interface.robot}': task"
    settings = from_mapping(TaskSettings, interface.task, where)
    settings = dataclasses.replace(settings, **{
        key: _NEW_NAMES[value] for key, value in vars(settings).items()
        if isinstance(value, str) and _is_renamed(value)})
    for name in ('reward', 'terminated'):
        if isinstance(getattr(settings, name), dict):
            from_mapping(TopicSource, getattr(settings, name), f'{where}: {name}')
    if not 0 < settings.time_limit <= _LONGEST_EPISODE or _ticks(settings, interface) < 1:
        raise InputError(f'{where}: time_limit: got {settings.time_limit}; allowed: at least '
                         f'one tick, {1 / interface.control_rate:g} s, to {_LONGEST_EPISODE:g} s')
    return settings


@functools.cache  # said once
def _is_renamed(name: str) -> bool:
    if name in _NEW_NAMES:
        print(f"note: the task function '{name}' is called '{_NEW_NAMES[name]}' now; it is the "
              'same task', file=sys.stderr, flush=True)
    return name in _NEW_NAMES


def _ticks(settings: TaskSettings, interface: RobotInterface) -> int:
    return round(settings.time_limit * interface.control_rate)


class Task:
    """The task of one robot YAML on this machine; never taken from a checkpoint or a message."""

    def __init__(self, interface: RobotInterface):
        """
        Read the interface's `task` and import the functions that it names.

        Raises:
            InputError: for an unknown key, a wrong value, a function that does not exist.

        """
        settings = read_task(interface)
        self.reward_source, self._reward = _source('reward', settings, interface)
        self.terminated_source, self._terminated = _source('terminated', settings, interface)
        self.time_limit_ticks = _ticks(settings, interface)
        self.success_reward = settings.success_reward
        self.failure_reward = settings.failure_reward
        self.manual_reset = settings.reset == 'manual'
        self.reset = None if self.manual_reset else settings.reset
        _, self._success = _source('success', settings, interface)
        self.episode = settings.episode
        self.task_hash = _hash(settings)

    def reward(self, observation, action, next_observation) -> float:
        """Return the reward of a tick; 0 when it comes from a topic."""
        return self._reward(observation, action, next_observation) if self._reward else 0.0

    def terminated(self, observation, action, next_observation) -> bool:
        """Say whether the named function ends the episode; False when a topic does."""
        return bool(self._terminated
                    and self._terminated(observation, action, next_observation))

    def success(self, observation, action, next_observation) -> bool | None:
        """Say whether an episode that ended like this was a success; None: nobody knows."""
        if not self._success:
            return None
        return bool(self._success(observation, action, next_observation))


def _source(key: str, settings: TaskSettings, interface: RobotInterface):
    """Return the topic that a key's values come from, or else what calculates them."""
    value, where = getattr(settings, key), f"robot '{interface.robot}': task: {key}"
    if isinstance(value, dict):
        return from_mapping(TopicSource, value, where), None
    if isinstance(value, float):
        return None, functools.partial(_constant, value)
    if value is None:
        return None, None
    return None, load_function(value, where, interface.observation_dim, interface.action_dim)


def _constant(value: float, observation, action, next_observation) -> float:
    return value


def refuse_functions_of_others(interface: RobotInterface, where: str) -> None:
    """
    Refuse a task that names functions which this package does not ship.

    For an interface that came with a file: what runs here is said by the robot's YAML on this
    machine, never by a checkpoint or a dataset.

    Raises:
        InputError: naming the function, and `where` the interface came from.

    """
    settings = read_task(interface)
    for key in ('reward', 'terminated', 'success'):
        name = getattr(settings, key)
        if isinstance(name, str) and not name.startswith('iql_ros.tasks:'):
            raise InputError(f"{where}: robot '{interface.robot}': task: {key}: '{name}' is named "
                             "by a file from elsewhere; give this machine's YAML of the robot "
                             '(robot_config)')


def hash_of_task(interface: RobotInterface) -> str:
    """Return the task's sha256; the functions that it names are not imported."""
    return _hash(read_task(interface))


def _hash(settings: TaskSettings) -> str:
    content = {'time_limit': settings.time_limit, 'success_reward': settings.success_reward,
               'failure_reward': settings.failure_reward}
    for key in ('reward', 'terminated'):
        value = getattr(settings, key)
        if isinstance(value, dict):  # the topic's name may differ between machines
            value = {name: part for name, part in value.items() if name != 'topic'}
        content[key] = FIRST_NAMES.get(value, value) if isinstance(value, str) else value
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
