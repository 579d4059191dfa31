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

"""How the updates of a run are computed, and what its folder says of it."""

import contextlib
import json
from pathlib import Path

import torch

from iql_ros.files import InputError, write_atomic
from iql_ros.learner.engine import choose, Engine, ENGINES
from iql_ros.learner.iql import IQLAgent
from iql_ros.learner.replay_buffer import ReplayBuffer
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.settings import TrainSettings

_ENGINE = 'engine.json'   # in the run's folder


def engine_of_run(run: RunDirectory, settings: TrainSettings, agent: IQLAgent,
                  buffer: ReplayBuffer) -> Engine:
    """Return how this run's updates are computed: what is begun by one engine goes on by it."""
    name, threads = settings.engine, settings.threads
    if agent.step:
        begun = _read_engine(run.path / _ENGINE)
        return Engine(begun.name if name == 'auto' else name, threads or begun.threads,
                      settings.precision)
    engine, why = choose(agent, buffer, settings.updates, name, threads, settings.precision)
    print(f'note: {why}', flush=True)
    return engine


def _read_engine(path: Path) -> Engine:
    """Return what engine.json of a run says; runs of before there was a choice have none."""
    if not path.exists():
        return Engine('autograd', torch.get_num_threads())
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        said = json.loads(path.read_text())
        threads = said.get('threads', torch.get_num_threads())
        if said['engine'] in ENGINES[1:] and type(threads) is int and 1 <= threads <= 1024:
            return Engine(said['engine'], threads)
    raise InputError(f'{path}: does not hold an engine; expected "engine": "autograd" or "fast", '
                     'and "threads": 1 to 1024')


def write_engine(run: RunDirectory, engine: Engine) -> None:
    write_atomic(run.path / _ENGINE,
                 json.dumps({'engine': engine.name, 'threads': engine.threads}))
