"""One file that rebuilds everything: tensors and a JSON header in safetensors, never a pickle."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load, save
import torch

from iql_ros import __version__
from iql_ros.files import from_mapping, InputError, write_atomic
from iql_ros.iql import IQLAgent, IQLConfig
from iql_ros.networks import Actor, resolve_device
from iql_ros.robot_interface import (
    check_same_contract, parse_robot_interface, RobotInterface)

FORMAT_VERSION = 1
_HEADER = 'iql_ros'  # the one metadata entry: the header's JSON
_OPTIMISER = 'optimiser.'
_KEYS = ('algorithm', 'config', 'training', 'robot_config', 'observation_kind', 'action_horizon',
         'observation_dim', 'action_dim', 'dataset', 'reward_transform', 'evaluation', 'step',
         'total_updates', 'seed', 'format_version', 'package_version', 'sha256')


def save_checkpoint(path, agent: IQLAgent, *, training: dict, dataset: dict,
                    robot_config: str | None = None, reward_transform: dict | None = None,
                    evaluation: dict | None = None) -> None:
    """
    Write everything that training goes on from, atomically.

    Args:
        path: The new file.
        agent: What is saved, with all optimiser state.
        training: Settings of the run.
        dataset: name, fingerprint, action_low, action_high, observation_keys, environment.
        robot_config: Robot interface, YAML text; None: unbound.
        reward_transform: kind, scale, shift.
        evaluation: Figures of the evaluation that this checkpoint was kept for.

    Raises:
        InputError: when a tensor is not finite; nothing is written then.

    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in agent.state().items()}
    _check_finite(tensors, path)
    header = {
        'algorithm': agent.config.algorithm, 'config': dataclasses.asdict(agent.config),
        'training': training, 'robot_config': robot_config, 'observation_kind': 'vector',
        'action_horizon': 1, 'observation_dim': agent.observation_dim,
        'action_dim': agent.action_dim, 'dataset': dataset,
        'reward_transform': reward_transform or {'kind': 'none', 'scale': 1.0, 'shift': 0.0},
        'evaluation': evaluation, 'step': agent.step, 'total_updates': agent.total_updates,
        'seed': agent.seed}
    _write(path, header, tensors)


def strip_checkpoint(source, target) -> None:
    """Copy a checkpoint without its optimiser state: a policy, and a start for fine-tuning."""
    header, tensors = _read(source)
    _write(target, header, {name: tensor for name, tensor in tensors.items()
                            if not name.startswith(_OPTIMISER)})


def _write(path, header: dict, tensors: dict) -> None:
    header = {**header, 'format_version': FORMAT_VERSION, 'package_version': __version__}
    table, tensor_bytes = _parts(save(tensors))
    header['sha256'] = _digest(header, table, tensor_bytes)
    write_atomic(path, save(tensors, {_HEADER: json.dumps(header)}))


def _parts(data: bytes) -> tuple[dict, memoryview]:
    """Return the table at the head of a safetensors file, and the tensors' bytes."""
    start = 8 + int.from_bytes(data[:8], 'little')
    return json.loads(data[8:start]), memoryview(data)[start:]


def _digest(header: dict, table: dict, tensor_bytes) -> str:
    """Return the sha256 of everything but itself: header, names and shapes, tensor bytes."""
    said = [{key: value for key, value in header.items() if key != 'sha256'},
            {name: entry for name, entry in table.items() if name != '__metadata__'}]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    digest.update(tensor_bytes)
    return digest.hexdigest()


def read_header(path) -> dict:
    """
    Return the header of a checkpoint, after checking the whole file.

    Raises:
        InputError: for a file that is damaged, foreign or of a newer format.

    """
    return _read(path)[0]


def _read(path) -> tuple[dict, dict]:
    """Return header and tensors of a checkpoint whose checksums are right."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {error.strerror}') from None
    try:
        table, tensor_bytes = _parts(data)
        metadata = table.get('__metadata__', {})
        header = json.loads(metadata[_HEADER]) if _HEADER in metadata else None
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise InputError(f'{path}: is not a checkpoint, or a damaged one; expected a '
                         '.safetensors file written by iql_ros') from None
    _check_header(header, path)
    if _digest(header, table, tensor_bytes) != header['sha256']:
        raise InputError(f'{path}: is damaged: its sha256 is not the one in its header')
    try:
        return header, load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise InputError(f'{path}: is damaged: {" ".join(str(error).split())}') from None


def _check_header(header, path) -> None:
    if not isinstance(header, dict):
        raise InputError(f'{path}: is not a checkpoint of iql_ros, but another safetensors file')
    version = header.get('format_version')
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise InputError(f'{path}: format version is {version!r}; iql_ros {__version__} reads up '
                         f'to {FORMAT_VERSION}')
    missing = [key for key in _KEYS if key not in header]
    if missing:
        raise InputError(f"{path}: its header lacks '{missing[0]}'; expected: {', '.join(_KEYS)}")


def _check_finite(tensors: dict, path) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f'{path}: {name} holds NaN or infinity: training diverged; a lower '
                             'learning_rate or a look at the data may help')


def load_agent(path, device: str = 'auto', resume: bool = False) -> IQLAgent:
    """
    Rebuild the agent of a checkpoint.

    Args:
        path: The file.
        device: auto, cpu or cuda.
        resume: Whether it must go on exactly; without, missing optimiser state starts anew.

    Raises:
        InputError: as read_header; for tensors that do not fit; for `resume` without
            optimiser state.

    """
    header, tensors = _read(path)
    trained = any(name.startswith(_OPTIMISER) for name in tensors)
    if resume and not trained:
        raise InputError(f'{path}: holds no optimiser state, so a run cannot be resumed from it; '
                         'it can be deployed, evaluated and fine-tuned')
    agent = IQLAgent(header['observation_dim'], header['action_dim'], _config(header, path),
                     seed=header['seed'], total_updates=header['total_updates'],
                     device=resolve_device(device))
    _copy_into(agent.state(optimisers=trained), tensors, path)
    agent.step = header['step']
    return agent


def _config(header: dict, path) -> IQLConfig:
    return from_mapping(IQLConfig, header['config'], f'{path}: config')


def _copy_into(state: dict, tensors: dict, path) -> None:
    """Copy, so that what holds on to the tensors (the optimisers) sees the new values."""
    _check_finite(tensors, path)
    for name, tensor in state.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            raise InputError(f'{path}: {name} is missing or of another shape than '
                             f'{tuple(tensor.shape)}')
        tensor.data.copy_(tensors[name])


class Policy:
    """What acts: the actor of a checkpoint, for one observation at a time."""

    def __init__(self, actor: Actor, header: dict, interface: RobotInterface | None):
        """Take what load_policy built."""
        self.header, self.interface = header, interface
        self.observation_dim, self.action_dim = actor.observation_dim, actor.action_dim
        self.device = actor.log_std_parameter.device
        self._actor = actor

    def act(self, observation) -> np.ndarray:
        """Return the mean action (action_dim,) float64 in [-1, 1] of a raw observation (O,)."""
        return self._actor.act(observation)

    def check_robot(self, interface: RobotInterface, where) -> None:
        """
        Refuse another robot; an unbound policy must have its dimensions and action range.

        Raises:
            InputError: naming `where` the policy comes from and the first thing that differs.

        """
        if self.interface is not None:
            check_same_contract(interface, self.interface, where)
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


def load_policy(path, device: str = 'auto') -> Policy:
    """
    Load what acting needs, and no more.

    Raises:
        InputError: as read_header; for a device that is not there; for a robot interface in
            the file that cannot be read.

    """
    header, tensors = _read(path)
    config = _config(header, path)
    actor = Actor(header['observation_dim'], header['action_dim'], config.hidden_dims,
                  torch.Generator(), config.normalise_observations)
    state = {name.removeprefix('actor.'): tensor for name, tensor in tensors.items()
             if name.startswith('actor.')}
    _copy_into(actor.state_dict(), state, path)
    text, interface = header['robot_config'], None
    if text is not None:
        interface = parse_robot_interface(text, f'{path}: robot interface')
    return Policy(actor.to(resolve_device(device)).requires_grad_(False), header, interface)
