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

from iql_ros.files import InputError, write_atomic
from iql_ros.learner.networks import Actor
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.runs.checkpoint import decode, encode
from iql_ros.runs.policy import Policy

_WHERE = 'weights'
_RESERVED = 1000  # versions that are taken from the disk at once


class Weights(NamedTuple):
    """What a message of weights holds."""

    run: int                         # 64-bit id of the learner's run
    version: int                     # grows with every message of a run, also after a restart
    updates: int                     # of the learner when they were made
    tensors: dict                    # of the actor


def pack_weights(actor: Actor, header: dict, run: int, version: int, updates: int) -> bytes:
    """
    Return the message of an actor: a checkpoint file's bytes, without critic and optimisers.

    `header` is checkpoint.make_header's.

    Raises:
        InputError: when a tensor is not finite.

    """
    said = {**header, 'weights': {'run': run, 'version': version, 'updates': updates}}
    return encode(said, {f'actor.{name}': tensor for name, tensor in actor.state_dict().items()},
                  _WHERE)


def read_weights(data: bytes, policy: Policy, interface: RobotInterface) -> Weights:
    """
    Return what a message holds, once it is whole and fits policy and robot.

    Raises:
        InputError: for a message that is cut short, damaged, not finite, for another robot
            interface (naming the first key that differs) or another actor.

    """
    header, tensors = decode(bytes(data), _WHERE)
    said = header.get('weights')
    if not isinstance(said, dict) or not all(
            isinstance(said.get(name), int) for name in ('run', 'version', 'updates')):
        raise InputError(f'{_WHERE}: are a checkpoint, not a message of a learner')
    policy.check_weights(header, tensors, interface, _WHERE)
    tensors = {name.removeprefix('actor.'): tensor for name, tensor in tensors.items()}
    return Weights(said['run'], said['version'], said['updates'], tensors)


class WeightsVersions:
    """Numbers the weights of one learner's run; they only grow, also over a kill."""

    def __init__(self, path):
        """Go on with the run of a file, or begin one under a random 63-bit id."""
        self._path = Path(path)
        said = json.loads(self._path.read_text()) if self._path.exists() else {}
        self.run: int = said.get('run', secrets.randbits(63))
        self.newest: int = said.get('versions', 0)
        self._reserve()

    def next(self) -> int:
        """Return a new version."""
        self.newest += 1
        if self.newest >= self._reserved:
            self._reserve()
        return self.newest

    def _reserve(self) -> None:
        self._reserved = self.newest + _RESERVED
        write_atomic(self._path, json.dumps({'run': self.run, 'versions': self._reserved}))
