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

"""Forked workers that read mutated files, and how each of them ended."""

import contextlib
import gc
import io
import os
from pathlib import Path
import random
import resource
import shutil
import signal
import subprocess
import time
import traceback

import h5py
import minari  # noqa: F401 (once, not in every worker)
from mutation_campaign.checkpoints import change_checkpoint
from mutation_campaign.datasets import change_hdf5, change_minari
from mutation_campaign.mutate import change_yaml
from mutation_campaign.results import kinds_of, MEMORY, SECONDS
import numpy as np
import torch

from iql_ros.cli.describe import checkpoint_facts, checkpoint_text
from iql_ros.data.convert import bag_dataset
from iql_ros.data.datasets import load_dataset
from iql_ros.data.minari_store import find_dataset
from iql_ros.files import InputError, read_yaml, share_folder
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.online import finetune
from iql_ros.online.experience import ExperienceFormat
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.robot.safety import Gate
from iql_ros.robot.task import Task
from iql_ros.runs import settings as training
from iql_ros.runs.checkpoint import load_agent, read_header, save_checkpoint, strip_checkpoint
from iql_ros.runs.policy import load_policy

_HANGS = 20              # [s] after which a worker is ended
_GUARD = 2 * 2 ** 30     # [bytes] more than it has that a worker can ask for
_LONGEST = 2000          # characters of a line
_ROBOT = share_folder() / 'config' / 'robots' / 'diffbot.yaml'
_BAG = share_folder() / 'share' / 'diffbot_recording' / 'blind'


def read_checkpoint(path: Path) -> None:
    """Do with a checkpoint what every command does."""
    checkpoint_text(checkpoint_facts(path))
    policy = load_policy(path, 'cpu')
    assert np.isfinite(policy.act([0.0] * policy.observation_dim)).all()
    load_agent(path, 'cpu')
    strip_checkpoint(path, path.with_name('stripped'))
    read_header(path.with_name('stripped'))


def read_robot(path: Path) -> None:
    """Read a robot's YAML as a node does."""
    interface = load_robot_interface(path)
    task = Task(interface)
    ExperienceFormat(interface, task).labels(1)
    Gate(interface)
    assert len(interface.observation_names) == interface.observation_dim
    assert interface.contract_hash and task.task_hash


def read_config(path: Path) -> None:
    """Read settings of both kinds of training."""
    mapping = read_yaml(path)
    read = (finetune if 'checkpoint' in mapping else training).settings_from_mapping
    read(mapping, str(path))


def read_data(path: Path) -> None:
    """Load a dataset."""
    data = load_dataset(path)
    for values in (data.observations, data.actions, data.rewards, data.next_observations):
        assert np.isfinite(values).all() and len(values) == len(data.rewards) > 0
    assert np.isfinite(data.returns()).all()


READERS = {'checkpoint': read_checkpoint, 'robot': read_robot, 'config': read_config,
           'hdf5': read_data, 'minari': read_data}
_FILES = {'checkpoint': 'a.safetensors', 'robot': 'robot.yaml', 'config': 'config.yaml',
          'hdf5': 'data.hdf5', 'minari': 'dataset'}


def make_sound(folder: Path) -> dict[str, list[Path]]:
    """Return sound files of every kind."""
    folder.mkdir()
    os.environ['MINARI_DATASETS_PATH'] = str(folder)
    interface = load_robot_interface(_ROBOT)
    dataset = find_dataset(bag_dataset(_BAG, interface)).parent
    data = load_dataset(dataset)
    with h5py.File(folder / 'data.hdf5', 'w') as file:
        for name in ('observations', 'actions', 'rewards', 'next_observations'):
            file[name] = getattr(data, name)
        file['terminals'], file['timeouts'] = data.terminations, data.truncations
    agent = IQLAgent(interface.observation_dim, interface.action_dim,
                     IQLConfig(hidden_dims=(32, 32)), seed=1)
    agent.fit_normaliser(data.observations)
    save_checkpoint(folder / 'a.safetensors', agent, training={'updates': 1},
                    robot_config=interface.text, dataset={
                        'name': 'a', 'fingerprint': 'f', 'action_low': [-0.3, -1.5],
                        'action_high': [0.3, 1.5], 'observation_keys': [], 'environment': None})
    (folder / 'train.yaml').write_text('dataset: a\nname: b\n' + (
        share_folder() / 'config' / 'iql' / 'robot.yaml').read_text())
    (folder / 'finetune.yaml').write_text('checkpoint: a\nname: b\n' + (
        share_folder() / 'config' / 'finetune' / 'robot.yaml').read_text())
    return {'checkpoint': [folder / 'a.safetensors'], 'hdf5': [folder / 'data.hdf5'],
            'robot': sorted(_ROBOT.parent.glob('*.yaml')), 'minari': [dataset],
            'config': [folder / 'train.yaml', folder / 'finetune.yaml']}


def make_case(kind: str, sound: list[Path], path: Path, rng) -> str:
    """Write a mutated file; return what was done."""
    original = rng.choice(sound)
    if kind == 'checkpoint':
        data, done = change_checkpoint(original.read_bytes(), rng)
        path.write_bytes(data)
    elif kind in ('robot', 'config'):
        text, done = change_yaml(original.read_text(), rng)
        path.write_bytes(text.encode(rng.choice(('utf-8', 'utf-8', 'utf-8', 'utf-16')),
                                     'surrogatepass'))
    elif kind == 'hdf5':
        shutil.copy(original, path)
        done = change_hdf5(path, rng)
    else:
        done = change_minari(path, original, rng)
    return done


def in_worker(work) -> tuple[str, str, float, float]:
    """Do `work` in a forked process; return its answer in two parts, seconds and bytes."""
    reading, writing = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(reading)
        signal.alarm(_HANGS)
        try:
            pages = int(Path('/proc/self/statm').read_text().split()[0])
            limit = pages * resource.getpagesize() + _GUARD
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            answer = '\n'.join(work())
        except BaseException:
            answer = 'raised\n' + traceback.format_exc()
        os.write(writing, answer.encode('utf-8', 'backslashreplace')[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, errors='replace') as pipe:
        ended, _, text = pipe.read().partition('\n')
    _, status, usage = os.wait4(worker, 0)
    if status:
        ended = 'hangs' if status == signal.SIGALRM else f'ended with status {status}'
    return ended, text, usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss


def judge(kind: str, path: Path) -> tuple[str, str]:
    """Read a file; return how that ended."""
    executed, said = [], io.StringIO()
    os.system = os.popen = subprocess.Popen = executed.append
    before = {each for each in path.parent.iterdir()}
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            READERS[kind](path)
            ended, text = 'loaded', ''
        except InputError as error:
            ended, text = 'refused', str(error)
            if not text.isprintable() or len(text) > _LONGEST:
                ended = 'not one short line'
    left = {each.name for each in path.parent.iterdir()} - {each.name for each in before}
    if executed or left - ({'stripped'} if ended == 'loaded' else set()):
        return 'run or left behind', f'{executed} {left}'
    if 'Traceback' in said.getvalue():
        return 'traceback', said.getvalue()
    return ended, text


def run(folder: Path, given, kept) -> None:
    """Read `given.times` mutated files, those kinds in turn."""
    torch.set_num_threads(1)
    gc.freeze()  # a worker is not to pay for walks over what this process has loaded
    sound, work = make_sound(folder / 'sound'), folder / 'work'
    limits = {kind: _limits(kind, sound[kind], work) for kind in READERS}
    kinds = kinds_of(given, READERS)
    numbers = range(given.times) if given.again is None else [given.again]
    for number in numbers:
        kind = kinds[number % len(kinds)]
        if (kind, number) in kept.results and given.again is None:
            continue
        path = fresh(work) / _FILES[kind]
        made, done, *_ = in_worker(lambda: ('made', make_case(
            kind, sound[kind], path, random.Random(f'{given.seed} {kind} {number}'))))
        if made != 'made':
            kept.add(kind, number, ended='not made', done=done[-300:], text='', seconds=0,
                     memory=0)
            continue
        ended, text, seconds, memory = in_worker(lambda: judge(kind, path))
        seconds, memory = max(0, seconds - limits[kind][0]), max(0, memory - limits[kind][1])
        if ended in ('loaded', 'refused') and (seconds > SECONDS or memory > MEMORY):
            ended = f'{seconds:.1f} s, {memory / 1e6:.0f} MB ({ended})'
        kept.add(kind, number, ended=ended, done=done, text=text, seconds=seconds, memory=memory)
        if given.again is not None:
            print(f'{kind} {number} ({done}): {ended}: {text}')
            shutil.copytree(work, f'{kind}_{number}', dirs_exist_ok=True)


def fresh(work: Path) -> Path:
    """Return an empty folder."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    return work


def _limits(kind: str, sound: list[Path], work: Path) -> tuple[float, float]:
    """Return what the dearest sound file takes [s], [bytes]."""
    dearest = [0.0, 0.0]
    for original in sound:
        path = fresh(work) / _FILES[kind]
        (shutil.copytree if original.is_dir() else shutil.copy)(original, path)
        started = time.monotonic()
        ended, text, seconds, memory = in_worker(lambda: judge(kind, path))
        if ended != 'loaded':
            raise SystemExit(f'{original}: {ended}: {text} ({time.monotonic() - started:.1f} s)')
        dearest = [max(dearest[0], seconds), max(dearest[1], memory)]
    print(f'{kind}: a sound one takes {dearest[0]:.2f} s, {dearest[1] / 1e6:.0f} MB', flush=True)
    return tuple(dearest)
