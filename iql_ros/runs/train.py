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

"""A training run from dataset to checkpoints: offline, exact to resume, safe to interrupt."""

import dataclasses
import functools
import json
from pathlib import Path

from iql_ros.comparison.recordings import can_tell, Recordings, task_here
from iql_ros.data.datasets import Dataset, load_dataset, reward_transform
from iql_ros.files import InputError, write_atomic
from iql_ros.interrupts import first_interrupt
from iql_ros.learner.engine import check_precision
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.learner.networks import resolve_device
from iql_ros.learner.replay_buffer import ReplayBuffer
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.runs.binding import bind, checkpoint_facts, notes_of, report_facts
from iql_ros.runs.checkpoint import choice_facts, load_agent, read_header, save_checkpoint
from iql_ros.runs.evaluate import Evaluator
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.run_engine import engine_of_run, write_engine
from iql_ros.runs.settings import TrainSettings
from iql_ros.runs.trainer import Trainer
from iql_ros.tasks import with_new_names

# Settings that may change from one day to the next: what is learned does not follow from them.
_HOW = ('engine', 'threads')
_CHOOSING = ('choice', 'samples', 'choice_temperature', 'choice_episodes')


def check_run(settings: TrainSettings, config: IQLConfig,
              resume: bool) -> tuple[RunDirectory, dict]:
    """
    Return a training's folder and its settings as they stand there.

    Raises:
        InputError: where it is there already, or with `resume` where it is not, or another.

    """
    run = RunDirectory(settings.name)
    flat = json.loads(json.dumps({**dataclasses.asdict(settings), **dataclasses.asdict(config)}))
    settings.first_choice(config)
    run.check(flat, resume, free=_HOW + _CHOOSING, added={'precision': 'fp32'})
    return run, flat


def load_for_training(
        settings: TrainSettings, config: IQLConfig, robot_config: str | None = None
) -> tuple[Dataset, RobotInterface | None, Evaluator | None]:
    """
    Return a training's data, its robot and what evaluates it, which the caller closes.

    Raises:
        InputError: when they cannot be had, or do not go together.

    """
    if settings.environment is not None:
        from iql_ros.sim.envs import import_environment
        import_environment(settings.environment)
    dataset = load_dataset(settings.dataset, settings.observation_keys, settings.action_low,
                           settings.action_high, settings.environment)
    interface = bind(dataset, robot_config, config.discount)
    return dataset, interface, Evaluator.find(dataset, interface, settings.evaluation_episodes,
                                              required=settings.environment is not None)


def train(settings: TrainSettings, config: IQLConfig, *, robot_config: str | None = None,
          resume: bool = False, on_progress=None, should_stop=None, should_save=None) -> Path:
    """
    Train until `settings.updates`, or until asked to stop; return the run's folder.

    Stopped by Ctrl-C or `should_stop`, it saves first, and `resume` goes on from there to the
    same bits; Ctrl-C then goes on as KeyboardInterrupt.

    Args:
        settings: See TrainSettings.
        config: See IQLConfig.
        robot_config: Robot interface (YAML text) to bind to; None: the dataset's, if it has one.
        resume: Go on with the run of that name.
        on_progress: Called with (step, metrics) several times a second, in place of the bar.
        should_stop: Asked as often; True ends the run.
        should_save: Asked as often; True saves a checkpoint now.

    Raises:
        InputError: for settings, data or a run that cannot be used, or a diverged training.

    """
    run, flat = check_run(settings, config, resume)
    device = resolve_device(settings.device)
    if note := check_precision(settings.precision, device):
        print(f'note: {note}', flush=True)
    dataset, interface, evaluator = load_for_training(settings, config, robot_config)
    dataset = dataclasses.replace(dataset, notes=tuple(notes_of(dataset, interface)))
    for note in dataset.notes:
        print(f'note: {note}', flush=True)
    chosen = dataset.best(settings.best_episodes)
    transform = reward_transform(chosen, config.reward_transform)
    training = {key: value for key, value in dataclasses.asdict(settings).items()
                if key not in _HOW}  # a checkpoint goes on by any
    facts = {'training': training, 'dataset': checkpoint_facts(dataset),
             'robot_config': interface and interface.text,
             'reward_transform': {'kind': config.reward_transform,
                                  **dataclasses.asdict(transform)},
             'choice': choice_facts(settings.first_choice(config))}
    with run.held(), first_interrupt() as interrupted:
        agent = _resumed(run, facts, settings.device)
        if agent is None:
            agent = IQLAgent(chosen.observations.shape[1], chosen.actions.shape[1], config,
                             seed=settings.seed, total_updates=settings.updates, device=device)
            agent.fit_normaliser(chosen.observations)
        buffer = ReplayBuffer(chosen.observations, chosen.actions,
                              transform.apply(chosen.rewards), chosen.terminations,
                              chosen.next_observations, agent.actor.normaliser, device)
        engine = engine_of_run(run, settings, agent, buffer)
        if engine.name == 'fast':
            agent.use_fast_update(buffer)
        run.create(flat)
        write_engine(run, engine)
        write_atomic(run.path / 'dataset.json',
                     json.dumps(report_facts(dataset, chosen), indent=1))
        trainer = Trainer(settings, agent, buffer, run, evaluator,
                          functools.partial(save_checkpoint, agent=agent, **facts), engine,
                          functools.partial(_recordings, chosen, config, interface,
                                            robot_config is not None))
        trainer.run(on_progress, lambda: interrupted.is_set() or (should_stop and should_stop()),
                    should_save)
    if interrupted.is_set() and agent.step < settings.updates:
        raise KeyboardInterrupt
    return run.path


def _recordings(dataset: Dataset, config: IQLConfig, interface: RobotInterface | None,
                ours: bool) -> Recordings | None:
    """
    Return what judges ways of choosing by a dataset, None where it has too few episodes.

    `ours` says whether the interface is this machine's YAML, and not what the dataset brought.
    """
    if not can_tell(dataset):
        return None
    task = interface and task_here(interface, ours)
    return Recordings(dataset, config.discount, interface, task)


def _resumed(run: RunDirectory, facts: dict, device: str) -> IQLAgent | None:
    """Return the agent of the run's newest checkpoint, None when it has none yet."""
    path = run.latest()
    if path is None:
        return None
    header = read_header(path)
    for key, theirs, ours in (
            ('dataset fingerprint', header['dataset']['fingerprint'],
             facts['dataset']['fingerprint']),
            ('robot_config', *map(with_new_names,
                                  (header['robot_config'], facts['robot_config'])))):
        if theirs != ours:
            raise InputError(f"run '{run.name}': {key} is not that of {path}; a run is resumed "
                             'with its own data and robot')
    return load_agent(path, device, resume=True)
