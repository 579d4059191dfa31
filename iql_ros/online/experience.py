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

"""Transitions on their way from a robot to its learner, as labelled rows of numbers."""

import dataclasses
from typing import NamedTuple

import numpy as np

from iql_ros.files import InputError, shown
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import Transition

SCHEMA = 2
_SECOND = 1_000_000_000              # [ns]
_FLAGS = ('terminated', 'truncated', 'intervention', 'evaluation')
_COUNTS = ('episode', 'step', 'oldest_step', 'weights_version', 'sec', 'nanosec')
_TOLERANCE = 1e-6                    # of the action's range, for what a gate computed
_LARGEST = 2**53                     # a float64 holds every whole number up to here
_LARGEST_OF = {'sec': 9 * 10**9, 'nanosec': _SECOND - 1}  # 64 bits hold them as nanoseconds
_MOST_STEPS = 1000                   # of a message: some seconds' of the fastest robot
_LONGEST_LABEL = 400                 # characters


@dataclasses.dataclass(frozen=True)
class Experience:
    """A transition, who made it and when; steps count from 0 in a session."""

    transition: Transition           # what was seen, done and earned
    robot: str                       # namespace of its policy node: '' or /name
    session: int                     # of the policy node's process, random
    step: int                        # of the session, from 0
    oldest_step: int                 # the sender keeps none older: what lies before never comes
    episode: int                     # of the session, from 0
    weights_version: int             # of the weights that acted; 0: the checkpoint's own
    evaluation: bool = False         # nothing was explored, to judge what acts
    success: bool | None = None      # of an episode, with its last step; None: nobody said


class Acknowledgement(NamedTuple):
    """What a learner tells a robot: UInt64MultiArray, in this order."""

    run: int                         # of the learner, random
    session: int                     # of the policy node that is spoken to
    steps: int                       # of the session that are on disk, none missing before
    updates: int                     # done in all
    behind: int                      # updates that are owed now
    weights_version: int             # of the newest weights that were sent


class ExperienceFormat:
    """
    The numbers of a message: a row a step, float64, labelled, for one robot interface and task.

    Steps that follow each other closely share a message: what a message costs hardly depends on
    its size.
    """

    def __init__(self, interface: RobotInterface, task: Task):
        """Take what gives the numbers their meaning."""
        self._interface = interface
        self._hashes = {'robot': interface.robot, 'contract': interface.contract_hash[:16],
                        'task': task.task_hash[:16]}
        sizes = {'observation': interface.observation_dim, 'action': interface.action_dim,
                 'next_observation': interface.observation_dim, 'reward': 1,
                 **dict.fromkeys(_FLAGS, 1), 'success': 1, **dict.fromkeys(_COUNTS, 1)}
        ends = np.cumsum(list(sizes.values()))
        self._slices = {name: slice(int(end) - size, int(end))
                        for (name, size), end in zip(sizes.items(), ends)}
        self._sizes, self.size = sizes, int(ends[-1])
        self._known_label, self._known_session = None, 0
        scaling = interface.action_scaling
        slack = _TOLERANCE * (scaling.high - scaling.low)
        self._low, self._high = scaling.low - slack, scaling.high + slack

    def labels(self, session: int) -> list[tuple[str, int]]:
        """Return (label, size) of every dimension; the first label says whose numbers they are."""
        said = {'schema': SCHEMA, **self._hashes, 'session': session}
        first = ';'.join(['observation', *(f'{key}={value}' for key, value in said.items())])
        (_, size), *others = self._sizes.items()
        return [(first, size), *others]

    def check_size(self, labels: list, data, robot: str) -> None:
        """
        Refuse a message that is too large to be looked into.

        Raises:
            InputError: for more dimensions, longer labels or more numbers than any of ours has.

        """
        where = f"experience of robot '{robot}'"
        if len(labels) > len(self._sizes):
            raise InputError(f'{where}: got {len(labels)} dimensions; expected '
                             f'{len(self._sizes)}')
        for dim in labels:
            if len(dim.label) > _LONGEST_LABEL:
                raise InputError(f'{where}: a label of {len(dim.label)} characters; allowed: '
                                 f'{_LONGEST_LABEL}')
        if len(data) > _MOST_STEPS * self.size:
            raise InputError(f'{where}: got {len(data)} values; allowed: {_MOST_STEPS} steps of '
                             f'{self.size}')

    def encode(self, experience: Experience) -> np.ndarray:
        """Return the row (size,) float64 of an experience."""
        step = experience.transition
        success = -1 if experience.success is None else int(experience.success)
        sec, nanosec = divmod(step.tick_ns, _SECOND)
        return np.concatenate([step.observation, step.action, step.next_observation, [
            step.reward, step.terminated, step.truncated, step.intervention,
            experience.evaluation, success, experience.episode, experience.step,
            experience.oldest_step, experience.weights_version, sec, nanosec]]).astype(np.float64)

    def join(self, rows, oldest_step: int) -> np.ndarray:
        """Return the numbers (steps * size,) of a message; `oldest_step` is kept now."""
        numbers = np.stack(rows)
        numbers[:, self._slices['oldest_step']] = oldest_step
        return numbers.ravel()

    def decode(self, labels: list[tuple[str, int]], data, robot: str) -> list[Experience]:
        """
        Return the experience of a message, a step at least.

        Args:
            labels: (label, size) of a row's dimensions.
            data: (steps * size,) numbers.
            robot: Namespace of the robot that it came from.

        Raises:
            InputError: for another schema, robot interface or task, for numbers that are not
                finite, or an action out of the robot's range.

        """
        where = f"experience of robot '{robot}'"
        session = self._session(labels, where)
        numbers = np.asarray(data, np.float64)
        if not numbers.size or numbers.size % self.size or [size for _, size in labels] != [
                *self._sizes.values()]:
            raise InputError(f'{where}: got {numbers.size} values in dimensions '
                             f'{[size for _, size in labels]}; expected {self.size} a step in '
                             f'{[*self._sizes.values()]}')
        rows = numbers.reshape(-1, self.size)
        with np.errstate(over='ignore', invalid='ignore'):
            finite = np.isfinite(rows)
            vectors = rows[:, :self._slices['reward'].stop]  # are learned from as float32
            finite[:, :vectors.shape[1]] = np.isfinite(vectors.astype(np.float32))
        for row in finite[~finite.all(axis=1)]:
            raise InputError(f'{where}: {self._name_of(row)} is NaN or infinite, or '
                             'beyond float32')
        return [self._build(row, robot, session, where) for row in rows]

    def _session(self, labels, where: str) -> int:
        """Return the session of the first label once everything else in it agrees."""
        label = labels[0][0] if labels else ''
        if label == self._known_label:
            return self._known_session
        said = dict(part.partition('=')[::2] for part in label.split(';')[1:])
        expected = {'schema': str(SCHEMA), **self._hashes}
        for key, ours in expected.items():
            if key != 'robot' and said.get(key) != ours:
                raise InputError(f'{where} (robot {shown(said.get("robot"))}): {key} is '
                                 f'{shown(said.get(key))}; this learner has {ours!r}')
        session = said.get('session', '')
        if not session.isdecimal() or len(session) > 16 or int(session) > _LARGEST:
            raise InputError(f'{where}: session is {shown(session)}; expected a number up to '
                             f'{_LARGEST}')
        self._known_label, self._known_session = label, int(session)
        return self._known_session

    def _name_of(self, finite) -> str:
        index = int(np.flatnonzero(~finite)[0])
        return next(f'{name}[{index - part.start}]' for name, part in self._slices.items()
                    if part.start <= index < part.stop)

    def _build(self, row, robot: str, session: int, where: str) -> Experience:
        part = {name: row[place] for name, place in self._slices.items()}
        action = part['action']
        outside = (action < self._low) | (action > self._high)
        if outside.any():
            index = int(np.flatnonzero(outside)[0])
            scaling = self._interface.action_scaling
            raise InputError(f'{where}: action[{index}] is {action[index]:g}; allowed: '
                             f'{scaling.low[index]:g} to {scaling.high[index]:g}')
        flags = {name: _whole(part[name][0], 0, 1, where, name) for name in _FLAGS}
        success = _whole(part['success'][0], -1, 1, where, 'success')
        counts = {name: _whole(part[name][0], 0, _LARGEST_OF.get(name, _LARGEST), where, name)
                  for name in _COUNTS}
        tick_ns = counts.pop('sec') * _SECOND + counts.pop('nanosec')
        evaluation = bool(flags.pop('evaluation'))
        transition = Transition(
            tick_ns, part['observation'], action, float(part['reward'][0]),
            part['next_observation'], **{name: bool(flag) for name, flag in flags.items()})
        return Experience(transition, robot, session, **counts, evaluation=evaluation,
                          success=None if success < 0 else bool(success))


def _whole(value: float, low: int, high: int, where: str, name: str) -> int:
    if not (low <= value <= high and value == int(value)):
        raise InputError(f'{where}: {name} is {value:g}; allowed: whole numbers {low} to {high}')
    return int(value)
