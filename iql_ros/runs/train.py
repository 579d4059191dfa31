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

import contextlib
import dataclasses
import functools
import json
import math
from pathlib import Path
import time

import torch

from iql_ros.data.datasets import Dataset, load_dataset, reward_transform
from iql_ros.files import check_keys, from_mapping, InputError, unknown_name, write_atomic
from iql_ros.interrupts import first_interrupt
from iql_ros.learner.engine import check_precision, choose, Engine, ENGINES, PRECISIONS, WORTH
from iql_ros.learner.iql import IQLAgent, IQLConfig, metric_names
from iql_ros.learner.networks import resolve_device
from iql_ros.learner.replay_buffer import ReplayBuffer
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.runs.binding import bind, checkpoint_facts, notes_of, report_facts
from iql_ros.runs.checkpoint import load_agent, read_header, save_checkpoint
from iql_ros.runs.evaluate import Evaluator
from iql_ros.runs.metrics_log import MetricsLog, Progress
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.tasks import with_new_names

_ENGINE = 'engine.json'   # in the run's folder
_HOW = ('engine', 'threads')   # settings that may change from one day to the next
_LOOK_AGAIN = 120.0   # [s] between two looks at how many threads pay
_BLOCK = 50  # updates between two looks at what time it is: some tenths of a second
_EVALUATION = ('return_mean', 'return_std', 'length_mean', 'success_rate')


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """What a run trains on, for how long, and what it writes on the way."""

    dataset: str                         # Minari id or folder, or a flat .hdf5 file
    name: str                            # of the run, a folder in $IQL_RUNS
    updates: int = 20_000                # gradient steps in all; allowed: >= 1
    seed: int = 0                        # of weights, batches and dropout; allowed: 0 to 2**63 - 1
    device: str = 'auto'                 # where to train; allowed: auto | cpu | cuda
    # how an update is computed: by automatic differentiation, or on a CPU by gradients that are
    # written down; auto: what a second's measurement finds faster; allowed: auto | autograd | fast
    engine: str = 'auto'
    # of a CPU that updates use; 0: what is measured to pay, looked at again while training goes on
    # (one thread and two give other bits, so say a number where a run shall be repeated exactly);
    # allowed: 0 to 1024
    threads: int = 0
    # of the products of an update on a CPU that multiplies bf16 itself: bf16 is sooner, and parts
    # from fp32 by more than rounding; allowed: fp32 | bf16
    precision: str = 'fp32'
    log_every: int = 200                 # [updates] between rows of metrics; allowed: >= 1
    # [updates] between evaluations, where an environment is known; 0: at the end; allowed: >= 0
    evaluate_every: int = 5_000
    evaluation_episodes: int = 20        # of each evaluation; allowed: >= 1
    checkpoint_every: int = 5_000        # [updates] between checkpoints; allowed: >= 1
    environment: str | None = None       # Gymnasium id to evaluate in; null: the dataset's
    observation_keys: tuple[str, ...] = ()         # of a Dict observation, in the vector's order
    # what -1 of the policy stands for: one value, or one an action; null: the dataset's
    action_low: tuple[float, ...] | None = None
    action_high: tuple[float, ...] | None = None   # what +1 of the policy stands for, likewise
    # share of the episodes to train on, the best by return; allowed: 0 < share <= 1
    best_episodes: float = 1.0

    def __post_init__(self):
        """
        Refuse what cannot be run.

        Raises:
            InputError: naming the field, the value got and the values allowed.

        """
        for name in ('updates', 'log_every', 'evaluation_episodes', 'checkpoint_every'):
            if getattr(self, name) < 1:
                raise InputError(f'{name}: got {getattr(self, name)}; allowed: >= 1')
        for name, allowed in (('engine', ENGINES), ('precision', PRECISIONS)):
            if getattr(self, name) not in allowed:
                raise unknown_name(name, getattr(self, name), allowed)
        if not 0 <= self.threads <= 1024:
            raise InputError(f'threads: got {self.threads}; allowed: 0 to 1024')
        if self.evaluate_every < 0:
            raise InputError(f'evaluate_every: got {self.evaluate_every}; allowed: >= 0')
        if not 0 <= self.seed < 2**63:
            raise InputError(f'seed: got {self.seed}; allowed: 0 to 2**63 - 1')
        if not 0 < self.best_episodes <= 1:
            raise InputError(f'best_episodes: got {self.best_episodes}; allowed: 0 < share <= 1')


def settings_from_mapping(mapping: dict, where: str) -> tuple[TrainSettings, IQLConfig]:
    """
    Build both settings from one flat mapping, strictly.

    Raises:
        InputError: for an unknown key, a wrong type or value; `where` names the mapping.

    """
    names = [{field.name for field in dataclasses.fields(cls)}
             for cls in (TrainSettings, IQLConfig)]
    check_keys(mapping, sorted(names[0] | names[1]), where)
    return tuple(from_mapping(cls, {key: mapping[key] for key in mapping if key in own}, where)
                 for cls, own in zip((TrainSettings, IQLConfig), names))


def check_run(settings: TrainSettings, config: IQLConfig,
              resume: bool) -> tuple[RunDirectory, dict]:
    """
    Return a training's folder and its settings as they stand there.

    Raises:
        InputError: where it is there already, or with `resume` where it is not, or another.

    """
    run = RunDirectory(settings.name)
    flat = json.loads(json.dumps({**dataclasses.asdict(settings), **dataclasses.asdict(config)}))
    run.check(flat, resume, free=_HOW, added={'precision': 'fp32'})
    return run, flat


def load_for_training(
        settings: TrainSettings, config: IQLConfig, robot_config: str | None = None
) -> tuple[Dataset, RobotInterface | None, Evaluator | None]:
    """
    Return a training's data, its robot and what evaluates it, which the caller closes.

    Raises:
        InputError: when they cannot be had, or do not go together.

    """
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
                                  **dataclasses.asdict(transform)}}
    with run.held(), first_interrupt() as interrupted:
        agent = _resumed(run, facts, settings.device)
        if agent is None:
            agent = IQLAgent(chosen.observations.shape[1], chosen.actions.shape[1], config,
                             seed=settings.seed, total_updates=settings.updates, device=device)
            agent.fit_normaliser(chosen.observations)
        buffer = ReplayBuffer(chosen.observations, chosen.actions,
                              transform.apply(chosen.rewards), chosen.terminations,
                              chosen.next_observations, agent.actor.normaliser, device)
        engine = _engine(run, settings, agent, buffer)
        if engine.name == 'fast':
            agent.use_fast_update(buffer)
        run.create(flat)
        _write_engine(run, engine)
        write_atomic(run.path / 'dataset.json',
                     json.dumps(report_facts(dataset, chosen), indent=1))
        trainer = _Trainer(settings, agent, buffer, run, evaluator,
                           functools.partial(save_checkpoint, agent=agent, **facts), engine)
        trainer.run(on_progress, lambda: interrupted.is_set() or (should_stop and should_stop()),
                    should_save)
    if interrupted.is_set() and agent.step < settings.updates:
        raise KeyboardInterrupt
    return run.path


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


def _engine(run: RunDirectory, settings: TrainSettings, agent: IQLAgent,
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


def _write_engine(run: RunDirectory, engine: Engine) -> None:
    write_atomic(run.path / _ENGINE,
                 json.dumps({'engine': engine.name, 'threads': engine.threads}))


class _Trainer:
    """The loop: update, log, evaluate, save."""

    def __init__(self, settings: TrainSettings, agent: IQLAgent, buffer: ReplayBuffer,
                 run: RunDirectory, evaluator: Evaluator | None, save, engine: Engine):
        """Take all parts; `save` is save_checkpoint, all but its path told."""
        self._settings, self._agent, self._buffer = settings, agent, buffer
        self._engine, self._looked = engine, time.monotonic()
        self._run, self._evaluator, self._save = run, evaluator, save
        self._saved_step = agent.step if run.latest() else None
        self._best_return = -math.inf
        if run.best.exists():
            self._best_return = read_header(run.best)['evaluation']['return_mean']

    def run(self, on_progress, stopped, should_save) -> None:
        """Train to the end, or until `stopped()`; what was reached is saved."""
        agent, total = self._agent, self._settings.updates
        names = [*metric_names(agent.config), *(f'evaluation/{name}' for name in _EVALUATION)]
        self._log = MetricsLog(self._run.path, names, agent.step)
        self._progress = Progress(agent.step, total, hidden=on_progress is not None)
        try:
            while agent.step < total and not stopped():
                with self._engine.at_work():
                    metrics = agent.update_many(self._buffer, self._next_block())
                self._after_block(metrics)
                if on_progress is not None:
                    on_progress(agent.step, metrics)
                if should_save is not None and should_save():
                    self._checkpoint()
            if self._saved_step != agent.step:
                self._checkpoint()
            if agent.step < total:
                self._progress.say(f'stopped at update {agent.step} of {total}; --resume goes on')
        finally:
            self._progress.close()
            self._log.close()
            if self._evaluator is not None:
                self._evaluator.close()

    def _next_block(self) -> int:
        """Return how many updates to do before anything else is due."""
        settings, step = self._settings, self._agent.step
        periods = [settings.log_every, settings.checkpoint_every, settings.evaluate_every]
        return min(_BLOCK, settings.updates - step,
                   *(every - step % every for every in periods if every))

    def _due(self, every: int) -> bool:
        step = self._agent.step
        return step == self._settings.updates or (every > 0 and step % every == 0)

    def _after_block(self, metrics: dict[str, float]) -> None:
        """Log, evaluate and save where it is time; the metrics gain those of the evaluation."""
        settings, step = self._settings, self._agent.step
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise InputError(f'{name} is {value} after update {step}: training diverged; a '
                                 'lower learning_rate or a look at the rewards may help')
        evaluated = self._evaluator is not None and self._due(settings.evaluate_every)
        logged = evaluated or self._due(settings.log_every)
        self._progress.update(step, metrics, logged)
        if evaluated:
            with self._engine.at_work():  # its bits are of the threads too
                metrics.update(self._evaluate())
        if logged:
            self._log.write(step, metrics)
        if self._due(settings.checkpoint_every):
            self._checkpoint()

    def _evaluate(self) -> dict[str, float]:
        """Evaluate, keep the checkpoint if it is the best so far, and return the figures."""
        figures, step = self._evaluator.evaluate(self._agent), self._agent.step
        if figures['return_mean'] > self._best_return:
            self._best_return = figures['return_mean']
            self._save(self._run.best, evaluation={'step': step, **figures})
        success = figures.get('success_rate')
        self._progress.say(
            f'update {step}: return {figures["return_mean"]:.2f} +- {figures["return_std"]:.2f}'
            f' over {figures["episodes"]} episodes'
            + ('' if success is None else f', success {success:.0%}'))
        return {f'evaluation/{name}': figures[name] for name in _EVALUATION if name in figures}

    def _checkpoint(self) -> None:
        step = self._agent.step
        self._save(self._run.checkpoint(step))
        self._run.publish(step)
        self._saved_step = step
        self._look_again()

    def _look_again(self) -> None:
        """
        See whether another number of threads pays by now: cores come free, or are taken.

        Right after a checkpoint, so that a run goes on from it as it did.
        """
        settings, left = self._settings, self._settings.updates - self._agent.step
        if settings.threads or left < WORTH or time.monotonic() < self._looked + _LOOK_AGAIN:
            return
        engine, why = choose(self._agent, self._buffer, left, self._engine.name,
                             precision=settings.precision)
        self._looked = time.monotonic()
        if engine != self._engine:
            self._engine = engine
            _write_engine(self._run, engine)
            self._progress.say(f'note: from update {self._agent.step} on: {why}')
