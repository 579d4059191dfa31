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

"""The mapping topics <-> vectors of one robot, both directions, from one YAML file."""

import dataclasses
from fractions import Fraction
import functools
import hashlib
import json

import numpy as np

from iql_ros.files import (
    check_keys, from_mapping, InputError, parse_yaml, read_text, shown, unknown_name)
from iql_ros.robot.action_scaling import ActionScaling
from iql_ros.robot.actions import Action
from iql_ros.robot.observations import Observation, Previous, Transform
from iql_ros.robot.relative_pose import RelativePose
from iql_ros.robot.streams import MAX_AGE

_KEYS = ('robot', 'control_rate', 'settle', 'observation', 'action', 'task')
_SECOND = 1_000_000_000  # [ns]


@dataclasses.dataclass(frozen=True)
class RobotInterface:
    """What a robot's vectors mean and which topics carry them (REP 103 units)."""

    robot: str                             # its name, for people
    # [Hz] how often the policy acts; low enough that one action matters; allowed: 0 < Hz <= 1000
    control_rate: float
    # [s] a tick is sampled this long after its time, so that its messages have arrived;
    # default: 0.005, or a tenth of a period where that is less; allowed: 0 <= s < 1 / control_rate
    settle: float
    observation: tuple[Observation, ...]   # what the policy sees, at least one stream
    action: tuple[Action, ...]             # what the policy commands, at least one stream
    task: dict                             # reward, ends and reset
    text: str                              # the YAML that it was read from; no key of it
    # the streams of `observation` and what was sent before, in the file's order; no key of it
    parts: tuple[Observation | Transform | Previous, ...]

    @property
    def sensed_dim(self) -> int:
        """Return the length of what is sensed at a tick: an observation without the past."""
        return sum(stream.dim for stream in self.observation)

    @property
    def observation_dim(self) -> int:
        """Return the length of an observation."""
        return sum(map(self._dim, self.parts))

    def _dim(self, part) -> int:
        dim = self.action_dim if isinstance(part, Previous) else part.dim
        return dim * part.history

    @functools.cached_property
    def remembers(self) -> bool:
        """Say whether an observation holds more than what is sensed at its tick."""
        return any(isinstance(part, Previous) or part.history > 1 or part.goal
                   for part in self.parts)

    @functools.cached_property
    def relative(self) -> dict[int, tuple[RelativePose, slice]]:
        """
        Return how goals are given that are seen from a pose, by their places in `parts`.

        With each the slice of what is sensed that holds the pose.
        """
        found, ends = {}, np.cumsum([stream.dim for stream in self.observation]).tolist()
        for place, part in enumerate(self.parts):
            if isinstance(part, Observation) and part.relative_to:
                index = self._reference(part)
                reference = self.observation[index]
                found[place] = (RelativePose(part, reference),
                                slice(ends[index] - reference.dim, ends[index]))
        return found

    def _reference(self, goal: Observation) -> int:
        """Return which observation stream a goal's `relative_to` names."""
        topics = {stream.topic: index for index, stream in enumerate(self.observation)
                  if not stream.goal}
        if goal.relative_to not in topics:
            raise unknown_name('relative_to', goal.relative_to, list(topics))
        if sum(stream.topic == goal.relative_to for stream in self.observation) > 1:
            raise InputError(f"relative_to: topic '{goal.relative_to}' has several streams; "
                             'expected one')
        return topics[goal.relative_to]

    @property
    def action_dim(self) -> int:
        """Return the length of an action."""
        return sum(stream.dim for stream in self.action)

    @property
    def sensed_names(self) -> list[str]:
        """Return a name for every value that is sensed at a tick."""
        return [name for stream in self.observation for name in stream.value_names]

    @property
    def observation_names(self) -> list[str]:
        """Return a name for every value of an observation; (-1): of one tick before."""
        found = []
        for part in self.parts:
            first = isinstance(part, Previous)
            names = self.action_names if first else part.value_names
            if not first and part.relative_to:
                names = [f'{name} (from {part.relative_to})' for name in names]
            for back in range(first, first + part.history):
                found += [f'{name} (-{back})' if back else name for name in names]
        return found

    @functools.cached_property
    def sensed_index(self) -> np.ndarray:
        """Return where in an observation the values sensed at its tick are, (sensed_dim,)."""
        found, first = [], 0
        for part in self.parts:
            if not isinstance(part, Previous):
                found += range(first, first + part.dim)
            first += self._dim(part)
        return np.array(found)

    @property
    def action_names(self) -> list[str]:
        """Return a name for every value of an action."""
        return [name for stream in self.action for name in stream.value_names]

    @property
    def action_scaling(self) -> ActionScaling:
        """Return the scaling between the policy's [-1, 1] and low/high."""
        return ActionScaling([value for stream in self.action for value in stream.low],
                             [value for stream in self.action for value in stream.high])

    @property
    def period_ns(self) -> int:
        """Return the time from one tick to the next [ns]."""
        return self.tick_ns(1)

    @property
    def settle_ns(self) -> int:
        """Return `settle` [ns]."""
        return round(self.settle * _SECOND)

    @property
    def max_age_ns(self) -> int:
        """Return the largest age that any observation but a goal may have [ns]."""
        return max(stream.max_age_ns for stream in self.observation if not stream.goal)

    @functools.cached_property
    def _rate(self) -> tuple[int, int]:
        return Fraction(str(self.control_rate)).as_integer_ratio()

    def tick_ns(self, index: int) -> int:
        """Return the time of a tick [ns]: whole multiples of 1 / control_rate, never drifting."""
        numerator, denominator = self._rate
        return index * _SECOND * denominator // numerator

    def tick_index(self, time_ns: int) -> int:
        """Return the last tick at or before a time [ns]; inverse of tick_ns."""
        numerator, denominator = self._rate
        index = time_ns * numerator // (_SECOND * denominator)
        return index + 1 if self.tick_ns(index + 1) <= time_ns else index

    @functools.cached_property
    def measured(self) -> np.ndarray:
        """Return which sensed value measures each of an action; -1: none does."""
        names = self.sensed_names
        return np.array([index for stream in self.action for index in (
            map(names.index, stream.measured) if stream.measured else [-1] * stream.dim)])

    def split_action(self, action) -> list[np.ndarray]:
        """Split an action (action_dim,) into one vector a stream."""
        return _split(action, self.action)

    def split_sensed(self, sensed) -> list[np.ndarray]:
        """Split what is sensed at a tick (sensed_dim,) into one vector a stream."""
        return _split(sensed, self.observation)

    def contract(self) -> dict:
        """
        Return what gives the vectors their meaning, and nothing else.

        Topics, types of equal fields, QoS, ages, settle and gate may differ between the
        recording, the simulator and the robot; these may not.
        """
        return {'control_rate': self.control_rate,
                'observation': [self._part_contract(part) for part in self.parts],
                'action': [stream.contract() for stream in self.action]}

    def _part_contract(self, part: Observation | Previous) -> dict:
        """Return what gives a part its meaning; of earlier commands what stands for the first."""
        if isinstance(part, Observation):
            said = {'relative_to': self._reference(part)} if part.relative_to else {}
            return {**part.contract(), **said}
        stops = [stream.gate.stop if isinstance(stream.gate.stop, str) else list(stream.gate.stop)
                 for stream in self.action]
        return {**dataclasses.asdict(part), 'stop': stops}

    @property
    def contract_hash(self) -> str:
        """Return the contract's sha256."""
        canonical = json.dumps(self.contract(), sort_keys=True, separators=(',', ':'))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _split(vector, streams) -> list[np.ndarray]:
    ends = np.cumsum([stream.dim for stream in streams])[:-1]
    return np.split(np.asarray(vector, dtype=np.float64), ends)


def load_robot_interface(path) -> RobotInterface:
    """Read a robot's YAML file (config/robots/<robot>.yaml)."""
    return parse_robot_interface(read_text(path), str(path))


def parse_robot_interface(text: str, where: str) -> RobotInterface:
    """
    Build the interface from YAML text; `where` names the text in errors.

    Raises:
        InputError: for an unknown or missing key, a wrong type or value.

    """
    content = check_keys(parse_yaml(text, where), _KEYS, where)
    for key in ('robot', 'control_rate', 'observation', 'action', 'task'):
        if key not in content:
            raise InputError(f"{where}: key '{key}' is missing")
    if not isinstance(content['robot'], str) or not content['robot']:
        raise InputError(f"{where}: robot: got {shown(content['robot'])}; expected a name")
    rate = content['control_rate']
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= 1000:
        raise InputError(f'{where}: control_rate: got {shown(rate)}; allowed: 0 < Hz <= 1000')
    settle = content.get('settle', min(0.005, 0.1 / rate))
    if not isinstance(settle, (int, float)) or not 0 <= settle < 1 / rate:
        raise InputError(f'{where}: settle: got {shown(settle)}; allowed: 0 <= s < 1 / '
                         'control_rate')
    parts = _entries(content, 'observation', Observation, where)
    streams = tuple(part for part in parts if isinstance(part, Observation))
    if all(stream.goal for stream in streams):
        raise InputError(f'{where}: observation: no topic but goals; expected at least one that '
                         'is sensed at every tick')
    if len(parts) > len(streams) + 1:
        raise InputError(f"{where}: observation: 'previous: action' is given twice; expected "
                         'once, with a history')
    interface = RobotInterface(
        robot=content['robot'], control_rate=float(rate), settle=float(settle),
        observation=_check_streams(streams, 'observation', where),
        action=_check_streams(_entries(content, 'action', Action, where), 'action', where),
        task=content['task'], text=text, parts=parts)
    try:
        interface.relative
    except InputError as error:
        raise InputError(f'{where}: observation: {error}') from None
    for stream in interface.action:
        stream.check_rate(float(rate), f"{where}: action '{stream.topic}'")
        stream.gate.check_timeout(stream.publish_rate or float(rate),
                                  f"{where}: action '{stream.topic}'")
        for name in stream.measured:
            if name not in interface.sensed_names:
                wrong = unknown_name('observed value', name, interface.sensed_names)
                raise InputError(f"{where}: action '{stream.topic}': measured: {wrong}")
    return interface


def _entries(content, key: str, cls, where: str) -> tuple:
    entries = content[key]
    if not isinstance(entries, list) or not entries:
        raise InputError(f'{where}: {key}: got {shown(entries)}; expected a list of streams')
    return tuple(_entry(cls, entry, f'{where}: {key}[{index}]')
                 for index, entry in enumerate(entries))


def _entry(cls, entry, where: str):
    if cls is Action or not isinstance(entry, dict):
        return from_mapping(cls, entry, where)
    for key, kind in (('previous', Previous), ('transform', Transform)):
        if key in entry:
            return from_mapping(kind, entry, where)
    if entry.get('goal') is True:
        if 'max_age' in entry:
            raise InputError(f"{where}: max_age: got {shown(entry['max_age'])}; a goal has none: "
                             'it counts however old it is')
        entry = {**entry, 'max_age': MAX_AGE}
    return from_mapping(cls, entry, where)


def _check_streams(streams: tuple, key: str, where: str) -> tuple:
    """Return streams that go together."""
    first = {}
    for stream in streams:
        other = first.setdefault(stream.topic.lstrip('/'), stream)  # `x` may be `/x`
        if other is stream:
            continue
        if key == 'action':
            raise InputError(f"{where}: {key}: topic '{stream.topic}' is given twice; a command "
                             'is one whole message: expected all of its fields in one stream')
        if other.type != stream.type:
            raise InputError(f"{where}: {key}: topic '{stream.topic}' is given twice, of type "
                             f'{other.type} and of {stream.type}')
    _check_names([name for stream in streams for name in stream.value_names], f'{where}: {key}')
    return streams


def _check_names(names: list[str], where: str) -> None:
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise InputError(f"{where}: value '{twice}' is given twice")
