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

"""The loop of a training: update, log, evaluate, save."""

import math
import time

from iql_ros.files import InputError
from iql_ros.learner.chooser import Chooser
from iql_ros.learner.engine import choose, Engine, WORTH
from iql_ros.learner.iql import IQLAgent, metric_names
from iql_ros.learner.replay_buffer import ReplayBuffer
from iql_ros.runs.checkpoint import read_header
from iql_ros.runs.choosing import (
    copy_choice, is_picked, keep_the_better, pick_by_recordings, pick_choice)
from iql_ros.runs.evaluate import Evaluator
from iql_ros.runs.metrics_log import MetricsLog, Progress
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.run_engine import write_engine
from iql_ros.runs.settings import TrainSettings

_LOOK_AGAIN = 120.0   # [s] between two looks at how many threads pay
_BLOCK = 50  # updates between two looks at what time it is: some tenths of a second
_SAID_EVERY = 50   # episodes of choosing
_NOT_PICKED = 'stopped before a choice was picked; --resume goes on'
_EVALUATION = ('return_mean', 'return_std', 'length_mean', 'success_rate')


class Trainer:
    """The loop: update, log, evaluate, save."""

    def __init__(self, settings: TrainSettings, agent: IQLAgent, buffer: ReplayBuffer,
                 run: RunDirectory, evaluator: Evaluator | None, save, engine: Engine,
                 recordings):
        """
        Take all parts.

        `save` is save_checkpoint, all but its path told; `recordings` returns the Recordings that
        judge ways of choosing where there is no evaluator, None: they are too few.
        """
        self._recordings = recordings
        self._settings, self._agent, self._buffer = settings, agent, buffer
        self._engine, self._looked = engine, time.monotonic()
        self._run, self._evaluator, self._save = run, evaluator, save
        self._saved_step = agent.step if run.latest() else None
        self._best_return, self._evaluation = -math.inf, {}   # the newest one, with its step
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
            else:
                self._pick_choices(stopped)
        finally:
            self._progress.close()
            self._log.close()
            if self._evaluator is not None:
                self._evaluator.close()

    def _pick_choices(self, stopped) -> None:
        """Let the newest checkpoint and the best choose as suits them, where that is asked for."""
        settings, agent = self._settings, self._agent
        if settings.choice != 'auto' or agent.config.algorithm == 'bc':
            return
        if self._evaluator is None:
            self._pick_by_recordings(stopped)
            return
        latest, best = self._run.latest(), self._run.best
        for path in (latest, best):
            if not path.exists() or is_picked(path) or stopped():
                continue
            if path == best and read_header(path)['step'] == agent.step:
                copy_choice(latest, best)  # the same policy
                continue
            said = pick_choice(path, self._evaluator, settings.choice_episodes,
                               self._on_episode, stopped)
            self._progress.say(f'{path.name}: {said}' if said else _NOT_PICKED)
        if said := keep_the_better(latest, best):
            self._progress.say(said)

    def _pick_by_recordings(self, stopped) -> None:
        say, path = self._progress.say, self._run.latest()
        if is_picked(path):
            return
        say('no environment is known: which way of choosing suits is asked of the recordings')
        recordings = self._recordings()
        if recordings is None:
            say('note: acts by the mean: the recorded episodes are too few to tell by')
            return
        say(pick_by_recordings(path, recordings, stopped) or _NOT_PICKED)

    def _on_episode(self, done: int, total: int) -> None:
        if done % _SAID_EVERY == 0:
            self._progress.say(f'measuring ways of choosing: {done} of {total} episodes')

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
        agent, step = self._agent, self._agent.step
        figures = self._evaluator.evaluate(Chooser(
            agent.actor, agent.target_critic, self._settings.first_choice(agent.config)))
        self._evaluation = {'step': step, **figures}
        if figures['return_mean'] > self._best_return:
            self._best_return = figures['return_mean']
            self._save(self._run.best, evaluation=self._evaluation)
        success = figures.get('success_rate')
        self._progress.say(
            f'update {step}: return {figures["return_mean"]:.2f} +- {figures["return_std"]:.2f}'
            f' over {figures["episodes"]} episodes'
            + ('' if success is None else f', success {success:.0%}'))
        return {f'evaluation/{name}': figures[name] for name in _EVALUATION if name in figures}

    def _checkpoint(self) -> None:
        step = self._agent.step
        evaluated = self._evaluation.get('step') == step
        self._save(self._run.checkpoint(step), evaluation=self._evaluation if evaluated else None)
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
            write_engine(self._run, engine)
            self._progress.say(f'note: from update {self._agent.step} on: {why}')
