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

"""Weights on their way from a learner to its robots: a checkpoint of the acting part alone."""

import json
from pathlib import Path
import secrets
from typing import NamedTuple

from iql_ros.files import InputError, shown, write_atomic
from iql_ros.learner.chooser import Chooser
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.runs.checkpoint_bytes import decode, encode
from iql_ros.runs.policy import acting_state, Policy

_WHERE = 'weights'
_RESERVED = 1000  # versions that are taken from the disk at once
_LARGEST_HEADER = 1 << 18  # bytes; more would take control's interpreter a while
_LARGEST = {'run': 2**64 - 1, 'version': 2**53, 'updates': 2**63 - 1}


class Weights(NamedTuple):
    """What a message of weights holds."""

    run: int                         # 64-bit id of the learner's run
    version: int                     # grows with every message of a run, also after a restart
    updates: int                     # of the learner when they were made
    tensors: dict                    # of what acts: actor and target critic


def pack_weights(acting: Chooser, header: dict, run: int, version: int, updates: int) -> bytes:
    """
    Return the message of what acts: a checkpoint file's bytes, without value and optimisers.

    `header` is checkpoint.make_header's.

    Raises:
        InputError: when a tensor is not finite.

    """
    said = {**header, 'weights': {'run': run, 'version': version, 'updates': updates}}
    return encode(said, acting_state(acting.actor, acting.critic), _WHERE)


def read_weights(data, policy: Policy, interface: RobotInterface) -> Weights:
    """
    Return what a message holds, once it is whole and fits policy and robot.

    Args:
        data: The bytes, or an array of them: copied once their size is found fit.
        policy: Whose weights they are to be.
        interface: Of the robot that it drives.

    Raises:
        InputError: for a message that is too large, cut short, damaged, not finite, for another
            robot interface (naming the first key that differs) or another actor.

    """
    largest = 8 + _LARGEST_HEADER + policy.bytes
    if len(data) > largest:
        raise InputError(f'{_WHERE}: {len(data)} bytes; this policy and a header need at most '
                         f'{largest}')
    header, tensors = decode(bytes(data), _WHERE, _LARGEST_HEADER)
    said = header.get('weights')
    if not isinstance(said, dict) or not all(
            isinstance(said.get(name), int) and not isinstance(said[name], bool)
            for name in _LARGEST):
        raise InputError(f'{_WHERE}: are a checkpoint, not a message of a learner')
    for name, largest in _LARGEST.items():
        if not 0 <= said[name] <= largest:
            raise InputError(f'{_WHERE}: {name} is {shown(said[name])}; allowed: 0 to {largest}')
    policy.check_weights(header, tensors, interface, _WHERE)
    return Weights(said['run'], said['version'], said['updates'], tensors)


class WeightsVersions:
    """Numbers the weights of one learner's run; they only grow, also over a kill."""

    def __init__(self, path):
        """Go on with the run of a file, or begin one under a random 63-bit id."""
        self._path = Path(path)
        said = self._read() if self._path.exists() else {}
        self.run: int = said.get('run', secrets.randbits(63))
        self.newest: int = said.get('versions', 0)
        self._reserve()

    def _read(self) -> dict:
        try:
            said = json.loads(self._path.read_bytes())
            run, versions = int(said['run']), int(said['versions'])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            run, versions = -1, 0
        if not (0 <= run <= _LARGEST['run'] and 0 <= versions < _LARGEST['version']):
            raise InputError(f"{self._path}: is not what a learner's run keeps there")
        return {'run': run, 'versions': versions}

    def next(self) -> int:
        """Return a new version."""
        self.newest += 1
        if self.newest >= self._reserved:
            self._reserve()
        return self.newest

    def _reserve(self) -> None:
        self._reserved = self.newest + _RESERVED
        write_atomic(self._path, json.dumps({'run': self.run, 'versions': self._reserved}))
