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

"""One file that rebuilds everything: tensors and a JSON header in safetensors, never a pickle."""

import dataclasses
import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
import torch

from iql_ros import __version__
from iql_ros.files import from_mapping, InputError, write_atomic
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.learner.networks import Actor, resolve_device

FORMAT_VERSION = 1
_HEADER = 'iql_ros'  # the one metadata entry: the header's JSON
_OPTIMISER = 'optimiser.'
AVERAGE = 'average.'  # of the actor, in a fine-tuning run
_KEYS = ('algorithm', 'config', 'training', 'robot_config', 'observation_kind', 'action_horizon',
         'observation_dim', 'action_dim', 'dataset', 'reward_transform', 'evaluation', 'step',
         'total_updates', 'seed', 'format_version', 'package_version', 'sha256')


def save_checkpoint(path, agent: IQLAgent, *, training: dict, dataset: dict,
                    robot_config: str | None = None, reward_transform: dict | None = None,
                    evaluation: dict | None = None, average: Actor | None = None,
                    online: dict | None = None) -> None:
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
        average: The average of the actor; where there is one, it is what acts.
        online: Where fine-tuning stands.

    Raises:
        InputError: when a tensor is not finite; nothing is written then.

    """
    tensors = agent.state()
    if average is not None:
        tensors |= {AVERAGE + name: tensor for name, tensor in average.state_dict().items()}
    header = make_header(agent, training=training, dataset=dataset, robot_config=robot_config,
                         reward_transform=reward_transform, evaluation=evaluation)
    if online is not None:
        header['online'] = online
    write_atomic(path, encode(header, tensors, path))


def make_header(agent: IQLAgent, *, training: dict, dataset: dict, robot_config: str | None,
                reward_transform: dict | None, evaluation: dict | None = None) -> dict:
    """Return the header of a checkpoint, see save_checkpoint."""
    return {
        'algorithm': agent.config.algorithm, 'config': dataclasses.asdict(agent.config),
        'training': training, 'robot_config': robot_config, 'observation_kind': 'vector',
        'action_horizon': 1, 'observation_dim': agent.observation_dim,
        'action_dim': agent.action_dim, 'dataset': dataset,
        'reward_transform': reward_transform or {'kind': 'none', 'scale': 1.0, 'shift': 0.0},
        'evaluation': evaluation, 'step': agent.step, 'total_updates': agent.total_updates,
        'seed': agent.seed}


def strip_checkpoint(source, target) -> None:
    """Copy a checkpoint without its optimiser state: a policy, and a start for fine-tuning."""
    header, tensors = read_file(source)
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(_OPTIMISER)}
    write_atomic(target, pack(header, kept))


def encode(header: dict, tensors: dict, where) -> bytes:
    """
    Return a checkpoint as bytes.

    Raises:
        InputError: when a tensor is not finite; `where` says whose.

    """
    check_finite(tensors, where)
    return pack(header, tensors)


def pack(header: dict, tensors: dict) -> bytes:
    """Return the bytes of a header and tensors, with their checksum."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {**header, 'format_version': FORMAT_VERSION, 'package_version': __version__}
    table, tensor_bytes = _parts(save(tensors))
    header['sha256'] = _digest(header, table, tensor_bytes)
    return save(tensors, {_HEADER: json.dumps(header)})


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
    return read_file(path)[0]


def read_file(path) -> tuple[dict, dict]:
    """Return header and tensors of a file."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {error.strerror}') from None
    return decode(data, path)


def decode(data: bytes, path) -> tuple[dict, dict]:
    """
    Return header and tensors of a checkpoint's bytes; `path` names them in errors.

    Raises:
        InputError: as read_header.

    """
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


def check_finite(tensors: dict, path) -> None:
    """Refuse tensors with NaN or infinity; `path` says whose they are."""
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
    header, tensors = read_file(path)
    trained = any(name.startswith(_OPTIMISER) for name in tensors)
    if resume and not trained:
        raise InputError(f'{path}: holds no optimiser state, so a run cannot be resumed from it; '
                         'it can be deployed, evaluated and fine-tuned')
    agent = IQLAgent(header['observation_dim'], header['action_dim'], config_of(header, path),
                     seed=header['seed'], total_updates=header['total_updates'],
                     device=resolve_device(device))
    copy_into(agent.state(optimisers=trained), tensors, path)
    agent.step = header['step']
    return agent


def config_of(header: dict, path) -> IQLConfig:
    """Return the learner's settings of a header."""
    return from_mapping(IQLConfig, header['config'], f'{path}: config')


def copy_into(state: dict, tensors: dict, path) -> None:
    """Copy, once all of it fits: what holds on to the tensors (the optimisers) sees the new."""
    check_fits(state, tensors, path)
    for name, tensor in state.items():
        tensor.data.copy_(tensors[name])


def check_fits(state: dict, tensors: dict, where) -> None:
    """Refuse tensors that cannot be copied into a state."""
    check_finite(tensors, where)
    for name, tensor in state.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            raise InputError(f'{where}: {name} is missing or of another shape than '
                             f'{tuple(tensor.shape)}')
