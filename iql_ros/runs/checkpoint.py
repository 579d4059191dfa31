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

"""One file that rebuilds everything: an agent, all that it learns with, and whose it is."""

import dataclasses
import sys

import torch

from iql_ros.files import from_mapping, InputError, write_atomic
from iql_ros.learner.choice import Choice, MOST_TEMPERATURE
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.learner.networks import Actor, resolve_device
from iql_ros.runs.checkpoint_bytes import check_finite, encode, pack, read_file

_OPTIMISER = 'optimiser.'
AVERAGE = 'average.'  # of the actor, in a fine-tuning run
_SPREAD = 'normaliser.std'
_MEAN = 'normaliser.mean'      # in float32 until format version 1
_LEAST_SPREAD = torch.finfo(torch.float32).tiny  # less is zero to some processors


def save_checkpoint(path, agent: IQLAgent, *, training: dict, dataset: dict,
                    robot_config: str | None = None, reward_transform: dict | None = None,
                    evaluation: dict | None = None, average: Actor | None = None,
                    online: dict | None = None, choice: dict | None = None) -> None:
    """
    Write everything that training goes on from, atomically.

    Args:
        path: The new file.
        agent: What is saved, with all optimiser state.
        training: Settings of the run.
        dataset: name, fingerprint, action_low, action_high, observation_keys, environment.
        robot_config: Robot interface, YAML text; None: unbound.
        reward_transform: kind, scale, shift.
        evaluation: Figures of the evaluation at this step.
        average: The average of the actor; where there is one, it is what acts.
        online: Where fine-tuning stands.
        choice: See choice_facts; None: the mean.

    Raises:
        InputError: when a tensor is not finite; nothing is written then.

    """
    tensors = agent.state()
    if average is not None:
        tensors |= {AVERAGE + name: tensor for name, tensor in average.state_dict().items()}
    header = make_header(agent, training=training, dataset=dataset, robot_config=robot_config,
                         reward_transform=reward_transform, evaluation=evaluation, choice=choice)
    if online is not None:
        header['online'] = online
    write_atomic(path, encode(header, tensors, path))


def make_header(agent: IQLAgent, *, training: dict, dataset: dict, robot_config: str | None,
                reward_transform: dict | None, evaluation: dict | None = None,
                choice: dict | None = None) -> dict:
    """Return the header of a checkpoint, see save_checkpoint."""
    return {
        'algorithm': agent.config.algorithm, 'config': dataclasses.asdict(agent.config),
        'training': training, 'robot_config': robot_config, 'observation_kind': 'vector',
        'action_horizon': 1, 'observation_dim': agent.observation_dim,
        'action_dim': agent.action_dim, 'dataset': dataset,
        'reward_transform': reward_transform or {'kind': 'none', 'scale': 1.0, 'shift': 0.0},
        'evaluation': evaluation, 'step': agent.step, 'total_updates': agent.total_updates,
        'seed': agent.seed, **({'choice': choice} if choice else {})}


def choice_facts(choice: Choice, measured: dict | None = None) -> dict:
    """Return what a header says of how its policy chooses, and of what that was picked by."""
    return {'choice': choice.kind, 'samples': choice.samples,
            'choice_temperature': choice.inverse_temperature, 'measured': measured}


def choice_of(header: dict) -> Choice:
    """
    Return how the policy of a header chooses; by the mean, where nothing is said.

    Raises:
        InputError: for what is no choice.

    """
    said = header.get('choice')
    if said is None:
        temperature = config_of(header, 'the header').inverse_temperature
        return Choice(inverse_temperature=min(temperature, MOST_TEMPERATURE))
    return Choice(said['choice'], said['samples'], float(said['choice_temperature']))


def write_choice(path, choice: Choice, measured: dict) -> None:
    """Let a checkpoint that is there choose otherwise; nothing else of it changes."""
    header, tensors = read_file(path)
    header['choice'] = choice_facts(choice, measured)
    write_atomic(path, pack(header, tensors))


def strip_checkpoint(source, target) -> None:
    """Copy a checkpoint without its optimiser state: a policy, and a start for fine-tuning."""
    header, tensors = read_file(source)
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(_OPTIMISER)}
    write_atomic(target, pack(header, kept))


def read_header(path) -> dict:
    """
    Return the header of a checkpoint, after checking the whole file.

    Raises:
        InputError: for a file that is damaged, foreign or of a newer format.

    """
    return read_file(path)[0]


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
    config = config_of(header, path)
    check_sizes(header, config, tensors, path)
    say_what_is_converted(tensors, path)
    agent = IQLAgent(header['observation_dim'], header['action_dim'], config,
                     seed=header['seed'], total_updates=header['total_updates'],
                     device=resolve_device(device))
    copy_into(agent.state(optimisers=trained), tensors, path)
    agent.step = header['step']
    return agent


def config_of(header: dict, path) -> IQLConfig:
    """Return the learner's settings of a header."""
    return from_mapping(IQLConfig, header['config'], f'{path}: config')


def check_sizes(header: dict, config: IQLConfig, tensors: dict, path) -> None:
    """Refuse sizes that are not those of the actor's tensors, before anything is made of them."""
    sizes = (header['observation_dim'], *config.hidden_dims, header['action_dim'])
    for layer, (inputs, outputs) in enumerate(zip(sizes[:-1], sizes[1:])):
        name = f'actor.mlp.layers.{layer}.weight'
        if name not in tensors or tensors[name].shape != (outputs, inputs):
            raise InputError(f'{path}: {name} is missing or of another shape than '
                             f'{(outputs, inputs)}, as its header says')


def say_what_is_converted(tensors: dict, path) -> None:
    """Print a line about a checkpoint of an older format, nothing about one of today's."""
    if any(_is_old_mean(name, tensor) for name, tensor in tensors.items()):
        print(f"note: {path}: the normaliser's mean is in float32, as until format version 1; it "
              'is taken as float64', file=sys.stderr, flush=True)


def _is_old_mean(name: str, tensor) -> bool:
    return name.endswith(_MEAN) and tensor.dtype == torch.float32


def copy_into(state: dict, tensors: dict, path) -> None:
    """Copy, once all of it fits: what holds on to the tensors (the optimisers) sees the new."""
    check_fits(state, tensors, path)
    for name, tensor in state.items():
        tensor.data.copy_(tensors[name])


def check_fits(state: dict, tensors: dict, where) -> None:
    """Refuse tensors that cannot be copied into a state, or that nothing can be divided by."""
    for name, tensor in state.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            raise InputError(f'{where}: {name} is missing or of another shape than '
                             f'{tuple(tensor.shape)}')
        if tensors[name].dtype != tensor.dtype and not _is_old_mean(name, tensors[name]):
            raise InputError(f'{where}: {name} is of type {tensors[name].dtype}; expected '
                             f'{tensor.dtype}')
    check_finite({name: tensors[name] for name in state}, where)
    for name in state:
        if name.endswith(_SPREAD) and (tensors[name] < _LEAST_SPREAD).any():
            raise InputError(f'{where}: {name} holds {tensors[name].min().item():g}; allowed: '
                             f'>= {_LEAST_SPREAD:g}, as observations are divided by it')
