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

"""The dataset of a run and the robot it is for: do they fit, and what is noted of them."""

import sys

import numpy as np

from iql_ros.data.datasets import Dataset
from iql_ros.data.oddities import ruled
from iql_ros.files import InputError
from iql_ros.robot.contract import check_same_contract
from iql_ros.robot.robot_interface import parse_robot_interface, RobotInterface
from iql_ros.robot.task import read_task


def bind(dataset: Dataset, robot_config: str | None, discount: float) -> RobotInterface | None:
    """
    Return the robot interface of a run, None where neither the user nor the data has one.

    Args:
        dataset: What is trained on; it may carry the interface it was recorded through.
        robot_config: The user's interface, YAML text.
        discount: For the warning that failing would pay.

    Raises:
        InputError: when dimensions, action range or contract do not fit.

    """
    recorded = dataset.robot_config and parse_robot_interface(
        dataset.robot_config, f'{dataset.name}: robot interface')
    interface = recorded
    if robot_config is not None:
        interface = parse_robot_interface(robot_config, 'robot_config')
        if recorded:
            check_same_contract(interface, recorded, f'dataset {dataset.name}')
    if not interface:
        return None
    _check_fit(dataset, interface)
    if not recorded:
        print(f'dataset {dataset.name} has no robot interface: the policy is bound to robot '
              f"'{interface.robot}': dimensions and action range fit", flush=True)
    _warn_if_failing_pays(dataset, interface, discount)
    return interface


def _check_fit(dataset: Dataset, interface: RobotInterface) -> None:
    scaling = interface.action_scaling
    for what, theirs, ours in (
            ('observation values', dataset.observations.shape[1], interface.observation_dim),
            ('action values', dataset.actions.shape[1], interface.action_dim),
            ('action low', dataset.action_low, scaling.low),
            ('action high', dataset.action_high, scaling.high)):
        if not np.array_equal(theirs, ours):
            raise InputError(f"robot '{interface.robot}': {what}: {_text(ours)}; dataset "
                             f'{dataset.name} has {_text(theirs)}')


def _text(value) -> str:
    return str(np.asarray(value).tolist())


def _warn_if_failing_pays(dataset: Dataset, interface: RobotInterface, discount: float) -> None:
    """Warn when ending in failure beats the worst that going on can cost."""
    failure = read_task(interface).failure_reward
    costs = dataset.rewards.max() <= 0  # where rewards are earned, nobody flees from them
    lowest = float(dataset.rewards.min())
    if ('failure_reward' in interface.task or costs) and failure * (1 - discount) > lowest + 1e-9:
        print(f"warning: robot '{interface.robot}': failing pays: failure_reward is {failure:g}, "
              f'more than going on at {lowest:g} a tick for ever ({lowest / (1 - discount):g}); '
              'lower it', file=sys.stderr, flush=True)


def notes_of(dataset: Dataset, interface: RobotInterface | None) -> list[str]:
    """Return what a person should know of the data before it is learned from."""
    names = interface.observation_names if interface else [
        f'observation {index}' for index in range(dataset.observations.shape[1])]
    return [*dataset.notes, *ruled(dataset.observations, names)]


def checkpoint_facts(dataset: Dataset) -> dict:
    """Return what a checkpoint says about its dataset."""
    return {'name': dataset.name, 'fingerprint': dataset.fingerprint,
            'action_low': dataset.action_low.tolist(),
            'action_high': dataset.action_high.tolist(),
            'observation_low': dataset.observations.min(axis=0).tolist(),
            'observation_high': dataset.observations.max(axis=0).tolist(),
            'observation_keys': list(dataset.observation_keys),
            'environment': dataset.environment}


def report_facts(dataset: Dataset, chosen: Dataset) -> dict:
    """Return dataset.json of a run; `chosen` are the episodes that are trained on."""
    return {**checkpoint_facts(dataset), 'transitions': len(dataset.rewards),
            'episodes': len(dataset.episode_starts) - 1,
            'trained_transitions': len(chosen.rewards),
            'trained_episodes': len(chosen.episode_starts) - 1,
            'observation_dim': dataset.observations.shape[1],
            'action_dim': dataset.actions.shape[1], 'clipped': dataset.clipped,
            'notes': list(dataset.notes), 'returns': dataset.returns().tolist(),
            'lengths': np.diff(dataset.episode_starts).tolist()}
