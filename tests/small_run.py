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

"""A small fine-tuning run for tests: robot, offline data, checkpoint, and experience to learn."""

import dataclasses
from pathlib import Path

import h5py
import numpy as np

from iql_ros.files import share_folder
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.online.experience import Experience
from iql_ros.online.settings import FinetuneSettings
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import Transition
from iql_ros.runs.checkpoint import save_checkpoint

DIFFBOT = share_folder() / 'config' / 'robots' / 'diffbot.yaml'
TEXT = DIFFBOT.read_text()
INTERFACE = parse_robot_interface(TEXT, str(DIFFBOT))
TASK = Task(INTERFACE)
LOW, HIGH = (INTERFACE.action_scaling.low, INTERFACE.action_scaling.high)
SETTINGS = FinetuneSettings(
    checkpoint='start.safetensors', name='run', dataset='data.hdf5', steps=0, device='cpu',
    actor_average=0.1, evaluate_every=0, evaluation_episodes=2, log_every=10,
    checkpoint_every=20)


def write_start(folder=Path(), transform=None, robot_config=TEXT, **config) -> None:
    """Write data.hdf5 and start.safetensors, a small agent that has learned nothing yet."""
    rng, steps = np.random.default_rng(0), 60
    with h5py.File(folder / 'data.hdf5', 'w') as file:
        for name in ('observations', 'next_observations'):
            file[name] = rng.normal(size=(steps, 6)).astype(np.float32)
        file['actions'] = rng.uniform(LOW, HIGH, (steps, 2)).astype(np.float32)
        file['rewards'] = -np.ones(steps)
        file['terminals'] = np.zeros(steps, bool)
        file['timeouts'] = np.arange(1, steps + 1) % 10 == 0
    agent = IQLAgent(6, 2, IQLConfig(**{'hidden_dims': (8, 8), 'batch_size': 8, **config}),
                     seed=1)
    agent.fit_normaliser(rng.normal(size=(50, 6)))
    save_checkpoint(
        folder / 'start.safetensors', agent, training={}, reward_transform=transform,
        robot_config=robot_config, dataset={
            'name': 'data.hdf5', 'fingerprint': 'f', 'action_low': LOW.tolist(),
            'action_high': HIGH.tolist(), 'observation_keys': [], 'environment': None})


def settings(**changes) -> FinetuneSettings:
    """Return SETTINGS with changes."""
    return dataclasses.replace(SETTINGS, **changes)


def experience(step, robot='', session=7, length=10, **changes) -> Experience:
    """Return a step of a session whose episodes have `length` steps, each its own numbers."""
    rng = np.random.default_rng([session, step])
    names = {field.name for field in dataclasses.fields(Transition)}
    last = (step + 1) % length == 0
    transition = Transition(**{
        'tick_ns': 200_000_000 * step, 'observation': rng.normal(size=6),
        'action': rng.uniform(LOW, HIGH), 'reward': -1.0, 'next_observation': rng.normal(size=6),
        'terminated': False, 'truncated': last,
        **{name: value for name, value in changes.items() if name in names}})
    return Experience(**{
        'transition': transition, 'robot': robot, 'session': session, 'step': step,
        'oldest_step': 0, 'episode': step // length, 'weights_version': 0,
        **{name: value for name, value in changes.items() if name not in names}})
