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

"""Implicit Q-Learning (Kostrikov, Nair, Levine 2021): settings, losses and the agent."""

import copy
import dataclasses
import math

import torch

from iql_ros.files import InputError, unknown_name
from iql_ros.learner.fast_update import FastUpdate
from iql_ros.learner.graph_update import GraphUpdate
from iql_ros.learner.networks import Actor, log_prob, one_thread, TwinCritic, Value
from iql_ros.learner.replay_buffer import Batch, ReplayBuffer, sample_dropout

_CHOICES = {'algorithm': ('iql', 'bc'), 'actor_schedule': ('cosine', 'constant'),
            'reward_transform': ('none', 'return_range', 'minus_one')}
_DRAWN = 64  # updates whose batches are drawn at once, hot in the cache
_RANGES = {
    'expectile': (lambda value: 0 < value < 1, '0 < expectile < 1'),
    'inverse_temperature': (lambda value: 0 <= value < math.inf, 'a finite number >= 0'),
    'discount': (lambda value: 0 <= value < 1, '0 <= discount < 1'),
    'target_update_rate': (lambda value: 0 < value <= 1, '0 < rate <= 1'),
    'advantage_weight_max': (lambda value: 0 < value < math.inf, 'a finite number > 0'),
    'learning_rate': (lambda value: 0 < value < math.inf, 'a finite number > 0'),
    'dropout_rate': (lambda value: 0 <= value < 1, '0 <= rate < 1'),
    'hidden_dims': (lambda value: len(value) > 0 and min(value) > 0, 'whole numbers >= 1'),
    'batch_size': (lambda value: value >= 1, 'a whole number >= 1')}


@dataclasses.dataclass(frozen=True)
class IQLConfig:
    """What and how IQL learns; the defaults are those for one's own robot."""

    # Implicit Q-Learning, or behaviour cloning (every weight is one); allowed: iql | bc
    algorithm: str = 'iql'
    # of the target critic that V regresses on: how far towards the best of the recorded actions;
    # 0.5: the mean; allowed: 0 < expectile < 1
    expectile: float = 0.9
    # beta of exp(beta * advantage), how strictly the actor keeps to the better actions; 0:
    # cloning; allowed: >= 0
    inverse_temperature: float = 3.0
    discount: float = 0.99              # gamma, per tick; allowed: 0 <= discount < 1
    # share of the critic that moves into its target an update; allowed: 0 < rate <= 1
    target_update_rate: float = 0.005
    advantage_weight_max: float = 100.0  # clip of exp(beta * advantage); allowed: > 0
    learning_rate: float = 3e-4         # of Adam, for all networks; allowed: > 0
    # of the actor's learning rate; cosine: to 0 at the last update; allowed: cosine | constant
    actor_schedule: str = 'cosine'
    # after each hidden layer of the actor, in its loss only; allowed: 0 <= rate < 1
    dropout_rate: float = 0.0
    hidden_dims: tuple[int, ...] = (256, 256)  # units a layer, of every network; allowed: >= 1
    batch_size: int = 256               # transitions an update; allowed: >= 1
    normalise_observations: bool = True  # by the dataset's mean and standard deviation, frozen
    # of the data's rewards; return_range: x 1000 / (best - worst return of an episode); minus_one:
    # - 1; allowed: none | return_range | minus_one
    reward_transform: str = 'none'

    def __post_init__(self):
        """
        Refuse what cannot be learned with.

        Raises:
            InputError: naming the field, the value got and the values allowed.

        """
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise unknown_name(name, getattr(self, name), allowed)
        for name, (fits, words) in _RANGES.items():
            if not fits(getattr(self, name)):
                raise InputError(f'{name}: got {getattr(self, name)!r}; allowed: {words}')


def metric_names(config: IQLConfig) -> tuple[str, ...]:
    """Return the names of what an update reports."""
    cloning = ('actor/loss', 'actor/learning_rate')
    return cloning if config.algorithm == 'bc' else (
        'value/loss', 'value/mean', 'critic/loss', 'critic/q1', 'critic/q2', *cloning,
        'actor/advantage_mean', 'actor/weight_clipped')


def value_loss(value: Value, observations, target_q, expectile: float):
    """
    Return the expectile regression of V on the target critic (the paper's equation 5).

    `target_q` (B,) is the smaller of the target critic's two values, without a gradient.
    """
    v = value(observations)
    difference = target_q - v
    weight = torch.where(difference > 0, expectile, 1 - expectile)
    loss = (weight * difference.square()).mean()
    return loss, {'value/loss': loss.detach(), 'value/mean': v.detach()}


def critic_loss(critic: TwinCritic, batch: Batch, next_v, discount: float):
    """
    Return the two squared errors against r + discount * V(s') (the paper's equation 6).

    Only a termination cuts the bootstrap. `next_v` (B,) comes without a gradient.
    """
    q = critic(batch.observations, batch.actions)  # (2, B)
    target = batch.rewards + discount * batch.masks * next_v
    loss = (q - target).square().sum(dim=0).mean()
    q1, q2 = q.detach()
    return loss, {'critic/loss': loss.detach(), 'critic/q1': q1, 'critic/q2': q2}


def advantage_weights(advantages, inverse_temperature: float, weight_max: float):
    """Return exp(beta * A) (B,), clipped after the exponential: an overflow becomes the clip."""
    weights = torch.exp(inverse_temperature * advantages).clamp(max=weight_max)
    return weights, {'actor/advantage_mean': advantages,
                     'actor/weight_clipped': weights >= weight_max}


def actor_loss(actor: Actor, batch: Batch, weights, dropout_masks=None):
    """
    Return the weighted regression on the data's actions (the paper's equation 7).

    `weights` (B,) come without a gradient; weights of one are behaviour cloning.
    """
    mean = actor.mean(batch.observations, dropout_masks)
    loss = -(weights * log_prob(mean, actor.log_std, batch.actions)).mean()
    return loss, {'actor/loss': loss.detach()}


def scheduled_rate(config: IQLConfig, step: int, total_updates: int) -> float:
    """Return the actor's learning rate at an update, in closed form: past the end it stays 0."""
    if config.actor_schedule == 'constant':
        return config.learning_rate
    share = min(step / total_updates, 1.0)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


class IQLAgent:
    """
    Actor, twin critic, target critic and value, with their optimisers.

    Everything random is a function of the seed and the number of the update; no global
    generator is touched. On a CPU the same updates give the same bits.
    """

    def __init__(self, observation_dim: int, action_dim: int, config: IQLConfig, *,
                 seed: int = 0, total_updates: int = 1_000_000, device='cpu'):
        """
        Initialise as the seed (>= 0) says; the cosine schedule ends at `total_updates`.

        Observations are raw, of length `observation_dim`; actions are in [-1, 1].
        """
        generator = torch.Generator().manual_seed(seed)
        dims, hidden = (observation_dim, action_dim), config.hidden_dims
        self.config, self.seed, self.total_updates = config, seed, total_updates
        self.device, self.step = torch.device(device), 0
        with one_thread():  # more give an orthogonal matrix other last bits
            self.actor = Actor(*dims, hidden, generator, config.normalise_observations)
            self.critic = TwinCritic(*dims, hidden, generator)
            self.value = Value(observation_dim, hidden, generator)
        for network in (self.actor, self.critic, self.value):
            network.to(device)
        self.target_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.optimisers = {name: _adam(getattr(self, name), config.learning_rate)
                           for name in ('actor', 'critic', 'value')}
        self._fast: FastUpdate | None = None
        self._graph: GraphUpdate | None = None
        self._online = list(self.critic.parameters())
        self._target = list(self.target_critic.parameters())

    @property
    def observation_dim(self) -> int:
        """Return the length of an observation."""
        return self.actor.observation_dim

    @property
    def action_dim(self) -> int:
        """Return the length of an action."""
        return self.actor.action_dim

    def act(self, observation):
        """Return the mean action (A,) float64 in [-1, 1] of one raw observation (O,)."""
        return self.actor.act(observation)

    def hold_learning_rate(self, learning_rate: float | None = None) -> None:
        """Learn at a constant rate from here on: another one, or the one that training had."""
        rate = learning_rate or self.config.learning_rate
        self.config = dataclasses.replace(self.config, actor_schedule='constant',
                                          learning_rate=rate)
        for optimiser in self.optimisers.values():
            optimiser.param_groups[0]['lr'] = rate

    def fit_normaliser(self, observations) -> None:
        """Take the normaliser from raw observations (N, O), where there is one."""
        if self.config.normalise_observations:
            self.actor.normaliser.fit(observations)

    def use_fast_update(self, buffer: ReplayBuffer | None = None) -> None:
        """
        Learn by fast_update.py from here on: the same numbers to rounding, not to the bit.

        On a GPU by graph_update.py, for which it takes the buffer of all updates to come; it may
        not grow.

        Raises:
            InputError: on a GPU without the buffer.

        """
        if self.device.type == 'cpu':
            self._fast = self._fast or FastUpdate([self])
        elif buffer is None:
            raise InputError(f'the fast update on {self.device} needs the buffer it learns from')
        else:
            self._graph = GraphUpdate([self], buffer)
            self._fast = self._graph.update

    def update_many(self, buffer: ReplayBuffer, count: int) -> dict[str, float]:
        """
        Do the next `count` updates; return the metrics of the last.

        Where a run is cut into blocks makes no difference, to the bit.
        """
        if self._graph:
            return self._graph.run(count)[0]
        end = self.step + count
        while self.step < end:
            for rows in buffer.rows(self.seed, self.step, min(_DRAWN, end - self.step),
                                    self.config.batch_size):
                if self._fast:
                    buffer.take(torch.from_numpy(rows), self._fast.rows)
                    info = self._update_fast(report=self.step + 1 == end)
                else:
                    info = self.update(buffer.batch(rows))
        return {name: info[name].float().mean().item() for name in info}

    def update(self, batch: Batch) -> dict:
        """
        Do one update, Algorithm 1 in the authors' order; return tensors whose means to report.

        Cloning needs neither critic nor value and leaves them as they are.
        """
        if self._fast:
            self._fast.put(batch)
            return self._update_fast(report=True)
        if self.config.algorithm == 'bc':
            info = self._update_actor(batch, torch.ones_like(batch.rewards))
        else:
            info = self._update_all(batch)
        self.step += 1
        return info

    def _update_fast(self, report: bool) -> dict:
        rate = scheduled_rate(self.config, self.step, self.total_updates)
        info = self._fast.update(self.config.learning_rate, rate,
                                 self._dropout_masks(self.config.batch_size), report)
        self.step += 1
        return info

    def _update_all(self, batch: Batch) -> dict:
        config = self.config
        with torch.no_grad():
            target_q = self.target_critic(batch.observations, batch.actions).amin(dim=0)
        loss, info = value_loss(self.value, batch.observations, target_q, config.expectile)
        _descend(self.optimisers['value'], loss)
        with torch.no_grad():  # of the new value
            v, next_v = self.value(batch.observations), self.value(batch.next_observations)
        weights, weights_info = advantage_weights(
            target_q - v, config.inverse_temperature, config.advantage_weight_max)
        actor_info = self._update_actor(batch, weights)
        loss, critic_info = critic_loss(self.critic, batch, next_v, config.discount)
        _descend(self.optimisers['critic'], loss)
        with torch.no_grad():
            torch._foreach_lerp_(self._target, self._online, config.target_update_rate)
        return {**info, **critic_info, **actor_info, **weights_info}

    def _update_actor(self, batch: Batch, weights) -> dict:
        rate = scheduled_rate(self.config, self.step, self.total_updates)
        self.optimisers['actor'].param_groups[0]['lr'] = rate
        loss, info = actor_loss(self.actor, batch, weights, self._dropout_masks(len(weights)))
        _descend(self.optimisers['actor'], loss)
        return {**info, 'actor/learning_rate': torch.tensor(rate)}

    def _dropout_masks(self, batch_size: int) -> list | None:
        config = self.config
        if config.dropout_rate == 0:
            return None
        return [mask.to(self.device) for mask in sample_dropout(
            self.seed, self.step, config.dropout_rate, batch_size, config.hidden_dims)]

    def state(self, optimisers: bool = True) -> dict[str, torch.Tensor]:
        """Return every tensor by name, the live ones: copy into them to load."""
        tensors = {}
        for name in ('actor', 'critic', 'target_critic', 'value'):
            network = getattr(self, name)
            tensors.update({f'{name}.{key}': tensor for key, tensor in
                            network.state_dict().items()})
            if not optimisers or name == 'target_critic':
                continue
            adam = self.optimisers[name]
            for key, parameter in network.named_parameters():
                tensors.update({f'optimiser.{name}.{key}.{part}': tensor
                                for part, tensor in adam.state[parameter].items()})
        return tensors


def _adam(network, learning_rate: float) -> torch.optim.Adam:
    """Return Adam with its state in place from the start, so that loading can copy into it."""
    adam = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
    for parameter in network.parameters():
        adam.state[parameter] = {
            'step': torch.zeros((), dtype=torch.float32, device=parameter.device),
            'exp_avg': torch.zeros_like(parameter), 'exp_avg_sq': torch.zeros_like(parameter)}
    return adam


def _descend(optimiser: torch.optim.Optimizer, loss) -> None:
    for parameter in optimiser.param_groups[0]['params']:
        parameter.grad = None  # what zero_grad does, at a fraction of its cost
    loss.backward()
    optimiser.step()
