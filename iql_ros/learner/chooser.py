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

"""
What acts: the actor's mean, or what the smaller target critic makes of samples around it.

Their mean with weights softmax(beta * Q), which is the policy that IQL's own weights describe, or
the best of them. Only actions that the recordings taught are ever asked about.
"""

from typing import NamedTuple

import numpy as np
import torch

from iql_ros.files import InputError
from iql_ros.learner.choice import Choice, CHOICES, Draw
from iql_ros.learner.networks import Actor, one_thread, TwinCritic

_STREAM = 3  # of the seed's random numbers; batches, dropout and exploration take 0 to 2


class Chosen(NamedTuple):
    """An action, and how far from the mean it lies."""

    action: np.ndarray   # (action_dim,) float64 in [-1, 1]
    distance: float      # from the mean, in standard deviations, root mean square over its values


class Chooser:
    """What acts: an actor, and the critic that may choose for it."""

    def __init__(self, actor: Actor, critic: TwinCritic | None, choice: Choice = Choice()):
        """
        Take live networks.

        Args:
            actor: Whose mean and spread it is.
            critic: The target critic; None: there is none.
            choice: How to choose.

        Raises:
            InputError: for a choice that needs a critic, without one.

        """
        self.actor, self.critic = actor, critic
        self.observation_dim, self.action_dim = actor.observation_dim, actor.action_dim
        self.choice = choice

    @property
    def choice(self) -> Choice:
        """Return how it chooses; a new one counts from the next action on, from any thread."""
        return self._choice

    @choice.setter
    def choice(self, choice: Choice) -> None:
        self.check_choice(choice)
        self._choice = choice

    def check_choice(self, choice: Choice) -> None:
        """
        Look at a choice before it is taken.

        Raises:
            InputError: when it needs a critic, and there is none.

        """
        if choice.kind != 'mean' and self.critic is None:
            raise InputError(f"choice: got '{choice.kind}', but there is no critic to choose by; "
                             'allowed: mean')

    def warm_up(self) -> None:
        """Choose once by every way there is: what PyTorch does at the first time, it has done."""
        zeros = np.zeros(self.observation_dim)
        self.actor.act(zeros)
        if self.critic is not None:
            for kind in CHOICES[1:]:
                self._weigh([zeros], [Draw(0, 0, 0)], self._choice.but(kind))
            self.advantages([zeros], [np.zeros(self.action_dim)])

    def act(self, observation, draw: Draw = Draw(0, 0, 0)) -> np.ndarray:
        """Return the action (action_dim,) float64 in [-1, 1] of a raw observation (O,)."""
        return self.choose(observation, draw).action

    def choose(self, observation, draw: Draw) -> Chosen:
        """Return the action of a raw observation (O,)."""
        choice = self._choice
        if choice.kind == 'mean':
            return Chosen(self.actor.act(observation), 0.0)
        actions, distances = self._weigh([observation], [draw], choice)
        return Chosen(actions[0], float(distances[0]))

    @one_thread()
    @torch.inference_mode()
    def advantages(self, observations, actions) -> np.ndarray:
        """
        Return what the critic gives for actions more than for the actor's mean.

        There must be a critic. A robot need not wait for its second look, a fifth of a choice's
        time.

        Args:
            observations: Raw, (N, O).
            actions: In [-1, 1], (N, action_dim).

        Returns: smaller target Q of each action, less that of the mean, (N,) float64.

        """
        states = self._states(observations)
        both = torch.stack([torch.as_tensor(np.asarray(actions), dtype=torch.float32,
                                            device=states.device), self.actor.mean(states)], dim=1)
        q = self._q(states, both)
        return (q[:, 0] - q[:, 1]).cpu().numpy().astype(np.float64)

    @one_thread()
    @torch.inference_mode()
    def act_many(self, observations, draws) -> np.ndarray:
        """Return the actions (N, action_dim) of raw observations (N, O), each by its Draw."""
        choice = self._choice
        if choice.kind != 'mean':
            return self._weigh(observations, draws, choice)[0]
        return self.actor(torch.as_tensor(np.asarray(observations, np.float64), device=(
            self.actor.log_std_parameter.device))).cpu().numpy().astype(np.float64)

    @one_thread()  # see Actor.act
    @torch.inference_mode()
    def _weigh(self, observations, draws, choice: Choice) -> tuple[np.ndarray, ...]:
        """Return actions (N, A), and distances (N,), see Chosen."""
        actor, states = self.actor, self._states(observations)
        noise = np.stack([mirrored_noise(draw, choice.samples, self.action_dim)
                          for draw in draws])
        means, std = actor.mean(states), actor.log_std.exp()
        spreads = std * torch.from_numpy(noise).to(states.device)          # (N, 1 + samples, A)
        q = self._q(states, means.unsqueeze(1) + spreads)
        if choice.kind == 'best':
            moves = spreads[torch.arange(len(q)), q.argmax(dim=1)]
        else:
            # Spreads are weighed, not clipped actions: where the critic sees no difference, the
            # mean comes out, at the edge of the range too.
            # The best is taken off first: a large factor must not make infinities of several.
            weights = torch.softmax(
                choice.inverse_temperature * (q - q.amax(dim=1, keepdim=True)), dim=1)
            moves = (weights.unsqueeze(1) @ spreads).squeeze(1)
        actions = (means + moves).clamp(-1.0, 1.0)
        distances = ((actions - means) / std).square().mean(dim=1).sqrt()
        return tuple(each.cpu().numpy().astype(np.float64) for each in (actions, distances))

    def _states(self, observations) -> torch.Tensor:
        """Return raw observations (N, O) normalised, where the networks are."""
        return self.actor.normaliser(torch.as_tensor(
            np.asarray(observations, np.float64), device=self.actor.log_std_parameter.device))

    def _q(self, states, actions):
        """Return the smaller target Q (N, M) of M actions (N, M, A), clipped to [-1, 1], each."""
        count = actions.shape[1]
        return self.critic(states.repeat_interleave(count, dim=0),
                           actions.flatten(0, 1).clamp(-1.0, 1.0)).amin(dim=0).view(-1, count)


def mirrored_noise(draw: Draw, samples: int, action_dim: int) -> np.ndarray:
    """
    Return standard normal noise (1 + samples, action_dim) float32, the first row zeros: the mean.

    In mirrored pairs, so that their mean is that of the actor.
    """
    generator = np.random.Generator(np.random.Philox(
        key=np.array([draw.seed, _STREAM], np.uint64),
        counter=np.array([0, draw.tick, draw.episode, 0], np.uint64)))
    half = generator.standard_normal((-(-samples // 2), action_dim))
    rows = np.concatenate([np.zeros((1, action_dim)), half, -half])[:1 + samples]
    return rows.astype(np.float32)
