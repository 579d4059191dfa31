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

"""The learner of a fine-tuning run, without ROS: experience in, updates, weights out."""

import collections
import math

from iql_ros.data.datasets import ACTION_LIMIT, RewardTransform
from iql_ros.learner.chooser import Chooser
from iql_ros.learner.iql import IQLAgent, metric_names
from iql_ros.learner.replay_buffer import ReplayBuffer
from iql_ros.online.averaged_agent import AveragedAgent
from iql_ros.online.episode_totals import EpisodeTotals
from iql_ros.online.experience import Acknowledgement, Experience
from iql_ros.online.experience_inbox import ExperienceInbox
from iql_ros.online.judge import Judge
from iql_ros.online.settings import FinetuneSettings
from iql_ros.online.weights import pack_weights, WeightsVersions
from iql_ros.robot.action_scaling import ActionScaling
from iql_ros.runs.checkpoint import choice_of, make_header, save_checkpoint
from iql_ros.runs.checkpoint_bytes import read_file
from iql_ros.runs.metrics_log import MetricsLog
from iql_ros.runs.run_directory import RunDirectory

_EVALUATION = ('return_mean', 'return_std', 'length_mean', 'success_rate')
COLUMNS = ('updates', 'episodes', 'episode/return', 'episode/length', 'episode/success',
           'episode/intervention_rate', 'buffer/size', 'learner/behind',
           'learner/weights_version')


class OnlineLearner:
    """
    Learns from offline data and from the transitions of its log, one after the other.

    What it learns is a function of the log and the seed alone: the updates that a transition
    brings see that one and those before it, whenever they are done. So a learner that was killed
    goes on from its last checkpoint to the same weights, to the bit on a CPU.
    """

    def __init__(self, settings: FinetuneSettings, agent: IQLAgent, buffer: ReplayBuffer,
                 inbox: ExperienceInbox, run: RunDirectory, facts: dict,
                 scaling: ActionScaling, judge: Judge, on_say=print):
        """
        Take all parts, and go on from the run's newest checkpoint when there is one.

        Args:
            settings: Of the run.
            agent: As the checkpoint to begin with, or the run's newest, left it.
            buffer: The offline data.
            inbox: Of the run's experience.
            run: Its folder.
            facts: training, dataset, robot_config, reward_transform and choice for the
                checkpoints.
            scaling: Of the robot's actions.
            judge: Of what it learns.
            on_say: Told what a person should know.

        """
        self._settings, self._agent, self._buffer = settings, agent, buffer
        self.inbox, self._run, self._facts, self._scaling = inbox, run, facts, scaling
        self._judge, self._say = judge, on_say
        transform = facts['reward_transform']
        self._transform = RewardTransform(transform['scale'], transform['shift'])
        choice = choice_of(facts)
        self._averaged = AveragedAgent(agent, settings.actor_average, choice.kind != 'mean')
        # what is judged and sent to the robots: the actor is the average, where there is one
        self.acting = Chooser(self._averaged.acting, agent.target_critic, choice)
        self._first_step, self.position = agent.step, 0  # transitions learned from
        self._totals = EpisodeTotals()
        self._best = None                # tensors of what acts, to go back to
        self._pending = collections.deque()
        self.paused, self.weights_due = False, True
        self.metrics, self._episode_figures = {}, {}
        self.versions = WeightsVersions(run.path / 'learner.json')
        buffer.open_online(settings.capacity, settings.offline_ratio)
        self._load_checkpoint()
        self._replay()
        names = [*COLUMNS, *metric_names(agent.config),
                 *(f'evaluation/{name}' for name in _EVALUATION)]
        self._metrics_log = MetricsLog(run.path, names, self.position)
        if run.latest() is None:
            if judge.simulated:
                self._write_row(self._take_evaluation(judge.evaluate(self.acting)))
            self.save()

    # Where it stands -----------------------------------------------------------------------

    @property
    def updates(self) -> int:
        """Return the updates done in this run."""
        return self._agent.step - self._first_step

    @property
    def received(self) -> int:
        """Return the online transitions that are on disk."""
        return self.position + len(self._pending)

    @property
    def episodes(self) -> int:
        """Return how many episodes have been learned from, without evaluations."""
        return self._totals.episodes

    @property
    def folder(self):
        """Return the run's folder."""
        return self._run.path

    @property
    def behind(self) -> int:
        """Return how many updates are owed for what was received; 0 while paused."""
        if self.paused:
            return 0
        return max(self._owed(self.received) - self.updates, int(bool(self._pending)))

    @property
    def done(self) -> bool:
        """Say whether the run's steps have been learned from."""
        return bool(self._settings.steps) and self.position >= self._settings.steps

    def _owed(self, transitions: int) -> int:
        beyond = max(0, transitions - self._settings.warm_up)
        return math.floor(beyond * self._settings.update_ratio)

    def acknowledgement(self, robot: str, session: int) -> Acknowledgement:
        """Return what to tell a robot."""
        return Acknowledgement(self.versions.run, session, self.inbox.steps(robot, session),
                               self.updates, self.behind, self.versions.newest)

    # Experience in -------------------------------------------------------------------------

    def add(self, experience: Experience) -> bool:
        """
        Put an experience into the log; return whether it was its turn.

        Raises:
            OSError: when the disk does not take it; nothing has changed then.

        """
        record = self.inbox.add(experience)
        if record is None:
            return False
        self._pending.append(record)
        return True

    def _remember(self, records) -> None:
        actions = self._scaling.to_unit(records['action']).clip(-ACTION_LIMIT, ACTION_LIMIT)
        self._buffer.append(
            records['observation'], actions, self._transform.apply(records['reward']),
            records['terminated'], records['next_observation'])

    def _replay(self) -> None:
        """Take what the log holds: what was learned from goes to the totals, the rest waits."""
        for records in self.inbox.records():
            known = max(0, self.position - self._buffer.online)
            self._remember(records[:known])
            for record in records[:known]:
                self._judge.add(self._totals.add(record))
            self._pending.extend(records[index:index + 1]
                                 for index in range(known, len(records)))
        self._totals.take()

    # Learning ------------------------------------------------------------------------------

    def learn(self) -> bool:
        """Learn from the next transition; return whether there was one."""
        if self.paused or self.done or not self._pending:
            return False
        record = self._pending.popleft()
        self.position += 1
        self._remember(record)
        while self.updates < self._owed(self.position):
            self.metrics = self._averaged.update(self._buffer)
        finished = self._totals.add(record[0])
        every = self._settings.weights_every
        if finished or (every and self.position % every == 0):
            self.weights_due = True
        self._periodic(self._judge.add(finished))
        return True

    def _periodic(self, evaluation: dict | None) -> None:
        """Judge, log and save where it is time; `evaluation` is what robots drove."""
        settings, last = self._settings, self.done
        if self._judge.due(self.position, last):
            evaluation = self._judge.evaluate(self.acting)
        figures = self._take_evaluation(evaluation) if evaluation else {}
        try:
            if figures or last or self.position % settings.log_every == 0:
                self._write_row(figures)
            if last or self.position % settings.checkpoint_every == 0:
                self.save()
        except OSError as error:  # a full disk: what was learned can be learned again
            self._say(f'{self._run.path}: not written: {error.strerror or error}')

    def figures(self) -> dict[str, float]:
        """Return the metrics of now; those of episodes are the last ones that were logged."""
        return {**self._episode_figures, **self._learning_figures()}

    def _learning_figures(self) -> dict[str, float]:
        return {**self.metrics, 'updates': self.updates, 'buffer/size': self._buffer.size,
                'learner/behind': self.behind, 'learner/weights_version': self.versions.newest}

    def _write_row(self, evaluation: dict) -> None:
        came = self._totals.take()
        evaluated = {f'evaluation/{name}': evaluation[name] for name in _EVALUATION
                     if name in evaluation}
        self._episode_figures.update({**came, **evaluated})
        self._metrics_log.write(self.position, {
            **self._learning_figures(), **came, **evaluated})

    def _take_evaluation(self, figures: dict) -> dict:
        """Keep the best weights, or go back to them; return the figures."""
        verdict = self._judge.verdict(figures, self.position)
        if verdict == 'best':
            self._best = self._averaged.acting_state()
            self._keep_best(figures)
        elif verdict == 'drop':
            self._averaged.restore_acting(self._best)
            self.weights_due = True
        return figures

    # Weights out and checkpoints -----------------------------------------------------------

    def take_weights(self) -> bytes:
        """Return the message of the acting weights, under the next version."""
        self.weights_due = False
        return pack_weights(self.acting, make_header(self._agent, **self._facts),
                            self.versions.run, self.versions.next(), self.updates)

    def save(self) -> None:
        """Write a checkpoint now."""
        self.inbox.sync()
        self._save(self._run.checkpoint(self._agent.step), None)
        self._run.publish(self._agent.step)

    def close(self) -> None:
        """Save and close the files."""
        self.save()
        self._metrics_log.close()
        self.inbox.close()
        self._judge.close()

    def _save(self, path, evaluation: dict | None) -> None:
        online = {'position': self.position, 'first_step': self._first_step,
                  'guard': self._judge.state()}
        save_checkpoint(path, self._agent, **self._facts, evaluation=evaluation,
                        average=self._averaged.average, online=online)

    def _keep_best(self, figures: dict) -> None:
        try:
            self._save(self._run.best, {'step': self.position, **figures})
        except OSError as error:
            self._say(f'{self._run.best}: not written: {error.strerror or error}')

    def _load_checkpoint(self) -> None:
        path = self._run.latest()
        if path is None:  # the checkpoint to begin with may have been fine-tuned before
            self._averaged.load_average(read_file(self._settings.checkpoint)[1])
            return
        header, tensors = read_file(path)
        online = header['online']
        self.position, self._first_step = online['position'], online['first_step']
        self._judge.restore(online['guard'])
        self._averaged.load_average(tensors)
        if self._run.best.exists():
            self._best = read_file(self._run.best)[1]
