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

"""A policy node's side of fine-tuning: explore, send experience, take weights, be judged."""

import collections
import secrets
import threading
import time

import numpy as np

from iql_ros.files import InputError
from iql_ros.learner.choice import Draw
from iql_ros.nodes.hosting.recent import Recent
from iql_ros.nodes.learning.experience_sender import ExperienceSender
from iql_ros.nodes.learning.learning_settings import bounds, choice, run_to_follow
from iql_ros.nodes.learning.weights_receiver import WeightsReceiver
from iql_ros.online.experience import ExperienceFormat
from iql_ros.robot.exploration import Explorer
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.streams import TOPIC_NAME
from iql_ros.robot.task import Task
from iql_ros.runs.policy import load_policy, Policy

_OURS = ('exploration_scale', 'exploration_limit', 'weights_at')
_FIRST_WEIGHTS = 'its first weights'
_LOOK = 0.1             # [s] how late a request to stop may be seen while waiting
_NUMPY_SEED = 2**63     # a seed below this fits any integer
_RECENT = 16            # observations that new weights are tried on
_APART = 10             # ticks between them


class LearningLink:
    """
    What ties a policy to its learner; not a Node.

    Without a learner nothing is explored. Nothing here ever stops the control loop: a
    learner that is slow, dead, or sends something unfit is named in `describe`.
    """

    def __init__(self, node, settings, interface: RobotInterface, task: Task, policy):
        """
        Begin a session; `settings` are policy_node's parameters, `policy` a loaded Policy.

        Raises:
            InputError: for a parameter that does not fit.

        """
        self._node, self._settings = node, settings
        session = secrets.randbits(53)
        seed = settings.seed
        if not settings.lockstep:  # a node that is started again must not try the same again
            mixed = np.random.SeedSequence([settings.seed, session])
            seed = int(mixed.generate_state(1, np.uint64)[0] % _NUMPY_SEED)
        self._seed = settings.seed   # of what the critic may choose from
        self._explorer = Explorer(policy.actor, interface, *bounds(settings, interface), seed)
        self._said_choice, policy.choice = policy.choice, choice(settings, policy.choice)
        if settings.learner and not TOPIC_NAME.fullmatch(settings.learner):
            raise InputError(f"parameter 'learner': got '{settings.learner}'; expected a node's "
                             'name like finetune_node or /learner')
        self._wanted = run_to_follow(settings)
        self._session, self._policy, self._interface = session, policy, interface
        self._exploring, self._tick = False, 0     # of the episode
        self._judged = None                        # observation and Chosen of this tick
        self._chosen = Recent(2)                   # advantage and distance of the last ticks
        self._recent, self._ticks = collections.deque(maxlen=_RECENT), 0
        self._form = ExperienceFormat(interface, task)
        self._changed = threading.Condition()
        self._sender = self._receiver = None
        self._episode, self._evaluation, self._acted_with = -1, False, 0
        self._every = settings.evaluate_every if settings.learner else 0
        self._evaluations_left = settings.evaluation_episodes if self._every else 0
        self._steps_since = 0           # the last evaluation
        self._waited = False

    def connect(self) -> None:
        """Open the topics between here and the learner, where there is one."""
        settings = self._settings
        if settings.learner:
            self._sender = ExperienceSender(self._node, self._form, self._session,
                                            settings.experience_history, self._changed,
                                            self._wanted)
            self._receiver = WeightsReceiver(self._node, settings.learner, self._policy,
                                             self._interface, self._changed,
                                             self._sender.follow, self._seen, self._wanted)

    def _seen(self) -> list:
        """Return observations of a while ago till now; zeros before the first."""
        return list(self._recent) or [[0.0] * self._interface.observation_dim]

    def check(self, names, settings) -> None:
        """
        Look at settings of which those names are to change while it runs.

        Raises:
            InputError: for what does not fit the robot, or would do nothing.

        """
        for name in names:
            if name in _OURS and not settings.learner:
                raise InputError(f"parameter '{name}': got {getattr(settings, name)!r}; nothing "
                                 "is explored, as nobody learns ('learner' is empty)")
        bounds(settings, self._interface)
        self._policy.check_choice(choice(settings, self._said_choice))

    def change(self, settings) -> None:
        """Take settings that `check` found fit, from any thread: they count from the next tick."""
        self._settings = settings
        self._explorer.bound(*bounds(settings, self._interface))
        self._policy.choice = choice(settings, self._said_choice)

    def act(self, observation) -> np.ndarray:
        """Return the action (action_dim,) to try, physical units."""
        if self._ticks % _APART == 0:
            self._recent.append(np.array(observation, np.float64))
        self._ticks += 1
        if self._exploring:
            return self._explorer.act(observation)
        chosen = self._policy.choose(
            observation, Draw(self._seed, self._episode, self._tick))
        self._judged = None if self._policy.choice.kind == 'mean' else (observation, chosen)
        return self._interface.action_scaling.to_physical(chosen.action)

    # In the control thread ---------------------------------------------------------------

    def start_episode(self) -> None:
        """Take the newest weights, and decide whether this episode explores or is judged."""
        self._take_weights()
        self._episode += 1
        every = self._every
        if every and not self._evaluations_left and self._steps_since >= every:
            self._evaluations_left = self._settings.evaluation_episodes
        self._evaluation = self._evaluations_left > 0
        if self._evaluation:
            self._evaluations_left -= 1
            self._steps_since = 0
        self._exploring, self._tick = bool(self._sender) and not self._evaluation, 0

    def take(self, result) -> None:
        """Take the TickResult of a tick whose command has gone out."""
        self._tick += 1
        self._judge()
        if result.transition is not None:
            self._steps_since += not self._evaluation
            if self._sender:
                self._sender.send(result.transition, self._episode, self._acted_with,
                                  self._evaluation, result.success)
        if self._receiver:
            self._acted_with = self._receiver.in_use
            if self._settings.weights_at == 'step':
                self._take_weights()

    def _judge(self) -> None:
        """Note what was gained by choosing, now that the robot does not wait for it."""
        if self._judged is not None:
            (observation, chosen), self._judged = self._judged, None
            advantage, = self._policy.advantages([observation], [chosen.action])
            self._chosen.append((advantage, chosen.distance))

    def _take_weights(self) -> None:
        if self._receiver:
            self._receiver.take()

    def wait(self, stopping: threading.Event) -> None:
        """
        Wait, between episodes in lockstep, until the learner has what it needs and sent weights.

        Goes on, with a warning, when it has been silent, or its weights missing, for
        learner_timeout: an episode at a time, so that one that comes back finds everything. One
        that is there and has not begun may take its time.
        """
        if self._sender is None:
            return
        self._sender.hurry()
        started = said_at = time.monotonic()
        weights_since = None
        while not stopping.is_set():
            with self._changed:
                self._changed.wait_for(lambda: not self._missing(), timeout=_LOOK)
                missing = self._missing()
            if not missing:
                break
            now = time.monotonic()
            if missing == _FIRST_WEIGHTS and self._receiver.publishers:
                weights_since = now  # it reads its data
            weights_since = (weights_since or now) if 'weights' in missing else None
            since = weights_since or max(started, self._sender.heard_at or started)
            if now - since > self._settings.learner_timeout:
                self._node.log(f"going on without learner '{self._settings.learner}': {missing}")
                break
            if now - said_at > self._settings.lockstep_timeout:
                said_at = now
                self._node.log(f"waiting for learner '{self._settings.learner}': {missing}")
        self._waited = True

    def _missing(self) -> str:
        """Return what has not come from the learner; hold `changed`."""
        said = self._sender.acknowledgement
        if self._sender.unacknowledged:
            return f'{self._sender.unacknowledged} steps are not acknowledged'
        if said is None:
            return '' if self._waited or self._receiver.run is not None else _FIRST_WEIGHTS
        if said.behind > self._settings.max_lag:
            return (f'it is {said.behind} updates behind; allowed (max_lag): '
                    f'{self._settings.max_lag}')
        if said.run == self._receiver.run and said.weights_version <= self._receiver.newest:
            return ''
        return f'weights version {said.weights_version} has not come' if said.weights_version \
            else ''

    def flush(self, timeout: float) -> None:
        """Give a learner that listens some time [s] to acknowledge what is left."""
        if self._sender and self._sender.heard:
            self._sender.hurry()
            with self._changed:
                self._changed.wait_for(lambda: not self._sender.unacknowledged, timeout)

    # In the executor's thread --------------------------------------------------------------

    def describe(self) -> tuple[list[str], dict]:
        """Return what a person should know, and values by name, for /diagnostics."""
        if self._sender is None:
            return [], self._choice_values()
        sender, receiver, said = self._sender, self._receiver, self._sender.acknowledgement
        remarks, silence = [], sender.silence()
        if silence > self._settings.learner_timeout:
            remarks.append(f"learner '{self._settings.learner}' is away: no acknowledgement for "
                           f'{silence:.0f} s')
        if sender.lost:
            remarks.append(f'{sender.lost} steps lost: more than experience_history '
                           f'({self._settings.experience_history}) were not acknowledged')
        if sender.fault:
            remarks.append(f'ignored: {sender.fault}')
        if receiver.fault:
            remarks.append(f'refused: {receiver.fault}')
        return remarks, {
            **self._choice_values(), 'session': sender.session,
            'learner run': '' if receiver.run is None else f'{receiver.run:016x}',
            'weights version': receiver.in_use,
            'weights refused': receiver.refused, 'steps unacknowledged': sender.unacknowledged,
            'steps lost': sender.lost, 'acknowledgements ignored': sender.ignored,
            'updates': said.updates if said else 0,
            'updates behind': said.behind if said else 0}

    def _choice_values(self) -> dict:
        """Return how it chooses, and what came of it in the last ticks that did not explore."""
        choice, values = self._policy.choice, {}
        if choice.kind != 'mean' and (chosen := self._chosen.values()).size:
            advantage, distance = chosen.mean(axis=0)
            values = {'advantage gained': f'{advantage:.3g}',
                      'distance from the mean [std]': f'{distance:.2f}, at most '
                                                      f'{chosen[:, 1].max():.2f}'}
        return {'choice': str(choice), **values}

    def destroy(self) -> None:
        """Leave the host node as it was."""
        if self._sender:
            self._sender.destroy()
            self._receiver.destroy()


def load_driver(settings, interface: RobotInterface, log) -> Policy:
    """
    Load the checkpoint that drives, check that it fits the robot, and warm it up.

    Raises:
        InputError: when there is none, or it does not fit.

    """
    if not settings.checkpoint:
        raise InputError("parameter 'checkpoint' is empty; expected a checkpoint file")
    policy = load_policy(settings.checkpoint, settings.device)
    where = f"checkpoint '{settings.checkpoint}'"
    policy.check_robot(interface, where)
    policy.warm_up()
    bound = '' if policy.interface else ', bound to it here: dimensions and range fit'
    log(f'{where} drives robot {interface.robot} on {policy.device}{bound}')
    return policy


def refuse_learning(settings) -> None:
    """Refuse, for a scripted driver, what only a policy can do."""
    for name, nothing, what in (('learner', '', 'learn'), ('choice', 'auto', 'choose')):
        if getattr(settings, name) != nothing:
            raise InputError(f"parameter '{name}': got '{getattr(settings, name)}'; a scripted "
                             f'driver has no policy that could {what}')
