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

"""What acts: actor and target critic of a checkpoint, one observation at a time."""

import copy
import dataclasses
import functools

import numpy as np
import torch

from iql_ros.files import InputError
from iql_ros.learner.chooser import Chooser
from iql_ros.learner.networks import Actor, resolve_device, TwinCritic
from iql_ros.robot.contract import check_same_contract
from iql_ros.robot.robot_interface import parse_robot_interface, RobotInterface
from iql_ros.runs.checkpoint import (
    AVERAGE, check_fits, check_sizes, choice_of, config_of, copy_into, say_what_is_converted)
from iql_ros.runs.checkpoint_bytes import read_file

_LONGEST_INTERFACE = 1 << 16  # characters of the YAML that comes with weights
_CRITIC = 'target_critic.'


class Policy(Chooser):
    """What acts: a checkpoint's actor, by the choice that its header names, until told another."""

    def __init__(self, actor: Actor, critic: TwinCritic | None, header: dict,
                 interface: RobotInterface | None):
        """Take what load_policy built."""
        super().__init__(actor, critic, choice_of(header))
        self.header, self.interface = header, interface
        self.device = actor.log_std_parameter.device
        self._said = None, ''

    @property
    def bytes(self) -> int:
        """Return the size of the largest weights that it may be sent: a critic's too."""
        sizes = (self.observation_dim + self.action_dim, *self.header['config']['hidden_dims'], 1)
        critic = 2 * sum((inputs + 1) * outputs for inputs, outputs in zip(sizes, sizes[1:]))
        return 4 * critic + sum(tensor.nbytes for tensor in self.actor.state_dict().values())

    def _state(self) -> dict:
        return acting_state(self.actor, self.critic)

    @property
    def observation_range(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Return low, high and standard deviation (O,) of the training data; None: not told."""
        data = self.header['dataset']
        if 'observation_low' not in data or 'observation_high' not in data:
            return None
        low, high = (np.array(data[f'observation_{end}']) for end in ('low', 'high'))
        if self.header['config']['normalise_observations']:
            return low, high, self.actor.normaliser.std.cpu().numpy().astype(np.float64)
        return low, high, np.ones_like(low)

    def check_weights(self, header: dict, tensors: dict, interface: RobotInterface,
                      where) -> None:
        """
        Refuse the tensors of another actor, or those for another robot.

        Raises:
            InputError: naming `where` they come from and the first thing that differs.

        """
        text = header['robot_config']
        if text is not None:
            self._check_interface(text, interface, where)
        check_fits(self._state(), tensors, where)

    def _check_interface(self, text: str, interface: RobotInterface, where) -> None:
        """Read every text once: a learner sends its own with all weights."""
        if len(text) > _LONGEST_INTERFACE:
            raise InputError(f'{where}: robot interface of {len(text)} characters; allowed: '
                             f'{_LONGEST_INTERFACE}')
        if text != self._said[0]:
            self._said = text, _difference(text, interface, where)
        if self._said[1]:
            raise InputError(self._said[1])

    @functools.cached_property
    def _spare(self) -> Chooser:
        return Chooser(copy.deepcopy(self.actor), copy.deepcopy(self.critic))

    def try_weights(self, tensors: dict, observations, where) -> None:
        """
        Act by other weights on observations (N, observation_dim), in a copy, in any one thread.

        Raises:
            InputError: when anything on the way to an action is not finite.

        """
        actor, critic = self._spare.actor, self._spare.critic
        copy_into(acting_state(actor, critic), tensors, where)
        rows = torch.as_tensor(np.asarray(observations, np.float64), device=self.device)
        if unfit := _unfit(actor, critic, rows):
            raise InputError(f'{where}: give {unfit} that is not finite, tried on {len(rows)} '
                             'observations')

    def load(self, tensors: dict, where) -> None:
        """
        Take other weights for the same networks, in place.

        Raises:
            InputError: when they do not fit or are not finite; nothing is taken then.

        """
        copy_into(self._state(), tensors, where)

    def check_robot(self, interface: RobotInterface, where) -> None:
        """
        Refuse another robot; an unbound policy must have its dimensions and action range.

        Raises:
            InputError: naming `where` the policy comes from and the first thing that differs.

        """
        if self.interface is not None:
            check_same_contract(interface, self.interface, where)
            self._said = self.header['robot_config'], ''  # as a learner's weights will say it
            return
        scaling, data = interface.action_scaling, self.header['dataset']
        for what, theirs, ours in (
                ('observation values', self.observation_dim, interface.observation_dim),
                ('action values', self.action_dim, interface.action_dim),
                ('action low', data['action_low'], scaling.low.tolist()),
                ('action high', data['action_high'], scaling.high.tolist())):
            if theirs != ours:
                raise InputError(f"{where}: {what}: {theirs}; robot '{interface.robot}' has "
                                 f'{ours}')


def _unfit(actor: Actor, critic: TwinCritic | None, observations) -> str:
    """Return what is not finite for one of the observations (N, O), empty: nothing."""
    with torch.inference_mode():
        states = actor.normaliser(observations)
        outputs = actor.mlp(states)  # before tanh makes it 1
        if not (torch.isfinite(outputs).all() and np.isfinite(actor.std).all()):
            return 'an action'
        if critic is not None and not torch.isfinite(critic(states, torch.tanh(outputs))).all():
            return 'a value'
    return ''


def _difference(text: str, interface: RobotInterface, where) -> str:
    """Return why a robot interface's YAML does not fit, empty when it does."""
    try:
        theirs = parse_robot_interface(text, f'{where}: robot interface')
        check_same_contract(interface, theirs, where)
    except InputError as error:
        return str(error)
    return ''


def acting_state(actor: Actor, critic: TwinCritic | None) -> dict:
    """Return the live tensors of what acts, by their names in a message of weights."""
    state = {f'actor.{name}': tensor for name, tensor in actor.state_dict().items()}
    if critic is not None:
        state |= {_CRITIC + name: tensor for name, tensor in critic.state_dict().items()}
    return state


def acting_tensors(tensors: dict) -> dict:
    """Return a checkpoint's tensors of what acts: the actor is its average where there is one."""
    averaged = any(name.startswith(AVERAGE) for name in tensors)
    prefix = AVERAGE if averaged else 'actor.'
    found = {'actor.' + name.removeprefix(prefix): tensor for name, tensor in tensors.items()
             if name.startswith(prefix)}
    return found | {name: tensor for name, tensor in tensors.items() if name.startswith(_CRITIC)}


def load_policy(path, device: str = 'auto') -> Policy:
    """
    Load what acting needs, and no more.

    Raises:
        InputError: as read_header; for a device that is not there; for a robot interface in
            the file that cannot be read; for a choice without a critic; for an actor or a critic
            of which something is not finite.

    """
    header, tensors = read_file(path)
    config = config_of(header, path)
    header = {**header, 'config': dataclasses.asdict(config)}   # what it does not say, by default
    check_sizes(header, config, tensors, path)
    say_what_is_converted(tensors, path)
    sizes, generator = (header['observation_dim'], header['action_dim'],
                        config.hidden_dims), torch.Generator()
    actor, critic = Actor(*sizes, generator, config.normalise_observations), None
    if config.algorithm != 'bc' and any(name.startswith(_CRITIC) for name in tensors):
        critic = TwinCritic(*sizes, generator)  # cloning trains none
    copy_into(acting_state(actor, critic), acting_tensors(tensors), path)
    text, interface = header['robot_config'], None
    if text is not None:
        interface = parse_robot_interface(text, f'{path}: robot interface')
    place = resolve_device(device)
    for network in filter(None, (actor, critic)):
        network.to(place).requires_grad_(False)
    try:
        policy = Policy(actor, critic, header, interface)
    except InputError as error:
        raise InputError(f'{path}: {error}') from None
    zeros = torch.zeros((1, policy.observation_dim), dtype=torch.float64, device=place)
    if unfit := _unfit(actor, critic, zeros):
        raise InputError(f'{path}: gives {unfit} that is not finite for an observation of zeros')
    return policy
