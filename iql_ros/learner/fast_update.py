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
One update of IQL with its gradients written down: the numbers of iql.py's losses, sooner.

Read iql.py first: this file does the same, and is tested against it. What automatic
differentiation costs beside the matrix products of networks this small is saved by four things.

1. A layer is one matrix (1 + inputs, outputs) whose first row is the bias, and before what goes
   into a layer is a column of ones: forward it is one product, and so is its gradient.
2. A network is one vector, as are its gradient and Adam's moments (flat_parameters.py): Adam is
   one call, and so is a step of the target.
3. A transition is one row (RowLayout): a batch is one look-up, networks read views of it, and
   V(s) and V(s') are one product over its halves.
4. The networks take turns with the same few buffers, which so stay in a core's cache.

Agents of several seeds may be updated together: every tensor then has a leading dimension S, and
nothing else changes (graph_update.py says what that is for).
"""

import torch

from iql_ros.learner.flat_parameters import FlatNetwork, FlatParameters
from iql_ros.learner.networks import log_prob, LOG_STD_RANGE
from iql_ros.learner.replay_buffer import Batch, RowLayout

_LINE = 16  # float32 numbers in a cache line: hidden activations begin on one, after their ones
_leaky_relu = torch.ops.aten.leaky_relu.out
_relu_backward = torch.ops.aten.threshold_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class _Activations:
    """The first rows of the hidden layers' buffers: with their ones, without, and transposed."""

    def __init__(self, buffers, rows: int):
        self.plain = [buffer[..., :rows, _LINE:] for buffer in buffers]
        self.inputs = [buffer[..., :rows, _LINE - 1:] for buffer in buffers]
        self.transposed = [inputs.mT for inputs in self.inputs]


class FastUpdate:
    """The updates of one agent, or of several; `rows` is where the next batch goes."""

    def __init__(self, agents):
        """
        Take the parameters of IQLAgents and Adam's moments over, as they are.

        From here on only this may change them, or who copies into them. Several agents differ in
        nothing but their seeds, and are at one step.
        """
        self._agents, first = agents, agents[0]
        layout = RowLayout(first.observation_dim, first.action_dim)
        actor = FlatParameters([(_layers(agent.actor.mlp), agent.optimisers['actor'],
                                 agent.actor.log_std_parameter) for agent in agents])
        value = FlatParameters([(_layers(agent.value.mlp), agent.optimisers['value'], None)
                                for agent in agents])
        critics = FlatParameters([(_twin_layers(agent.critic), agent.optimisers['critic'], None)
                                  for agent in agents])
        targets = FlatParameters([(_twin_layers(agent.target_critic), None, None)
                                  for agent in agents])
        self._actor, self._value = actor.network(), value.network()
        self._critics = [critics.network(twin) for twin in range(2)]
        self._targets = [targets.network(twin) for twin in range(2)]
        self._steps = {'actor': [actor.step], 'all': [actor.step, value.step, critics.step]}
        lead = () if len(agents) == 1 else (len(agents),)
        self._product = torch.bmm if lead else torch.mm
        with torch.inference_mode():  # nothing is noted of what is written here
            size = (*lead, self.config.batch_size)
            self._view(layout.new_rows(size, first.device), layout)
            self._make_room(lead, self.config.batch_size, self.config.hidden_dims, first.device)

    @property
    def config(self):
        """Return the IQLConfig of its agents."""
        return self._agents[0].config

    def _view(self, rows, layout: RowLayout) -> None:
        """View a batch as the networks read it, each with its column of ones."""
        seen, both = 1 + layout.observation_dim, 1 + layout.observation_dim + layout.action_dim
        self.rows, self._batch = rows, layout.batch(rows)
        in_turn = rows.view(*rows.shape[:-2], -1, layout.half)  # s and s'
        self._s, self._sa, self._both = (  # each with its transpose, whose view takes a while
            (inputs, inputs.mT) for inputs in (
                rows[..., :seen], rows[..., :both], in_turn[..., :seen]))
        self._rewards = self._batch.rewards.unsqueeze(-1)
        self._masks = self._batch.masks.unsqueeze(-1)

    def _make_room(self, lead, batch: int, hidden, device) -> None:
        buffers = [torch.ones(*lead, 2 * batch, _LINE + size, device=device) for size in hidden]
        self._hidden, self._wide = _Activations(buffers, batch), _Activations(buffers, 2 * batch)
        self._back = [torch.empty(*lead, batch, size, device=device) for size in hidden]
        self._q, self._target_q, self._weights, self._bootstrap, self._slope = (
            torch.empty(*lead, batch, 1, device=device) for _ in range(5))
        self._v = torch.empty(*lead, 2 * batch, 1, device=device)
        self._new_v, self._next_v = self._v.view(*lead, batch, 2).split(1, dim=-1)
        self._mean, self._error, self._work = (  # transposed, as the last layer is
            torch.empty(*lead, self._batch.actions.shape[-1], batch, device=device).mT
            for _ in range(3))
        self._factors = {name: torch.tensor(value, device=device) for name, value in {
            'value': -2 * self.config.expectile / batch, 'critic': 2 / batch, 'actor': -1 / batch,
            'beta': self.config.inverse_temperature, 'one': 1.0,
        }.items()}  # as numbers each would be a copy

    @torch.inference_mode()
    def put(self, batch: Batch) -> None:
        """Take a batch that comes from elsewhere than a ReplayBuffer's rows."""
        if len(batch.rewards) != len(self.rows):
            raise ValueError(f'a batch of {len(batch.rewards)}; expected {len(self.rows)}')
        for kept, values in zip(self._batch, batch):
            kept.copy_(values)

    @torch.inference_mode()
    def update(self, learning_rate, actor_rate, dropout_masks, report: bool) -> dict:
        """
        Do one update on `rows`, Algorithm 1 in the authors' order.

        Args:
            learning_rate: Of critic and value, a float or a tensor.
            actor_rate: Of the actor, likewise.
            dropout_masks: As actor_loss takes them.
            report: Whether to return the metrics, tensors of no dimension, or (S,) of several
                agents; else nothing is.

        """
        cloning = self.config.algorithm == 'bc'
        for step in self._steps['actor' if cloning else 'all']:
            step.add_(self._factors['one'])
        found = {}
        if cloning:
            self._weights.fill_(1.0)
        else:
            found = self._learn_value(learning_rate, report)
            found |= self._weigh(report)
        found |= self._learn_actor(actor_rate, dropout_masks, report)
        if not cloning:
            found |= self._learn_critics(learning_rate, report)
        return found

    def _learn_value(self, learning_rate, report: bool) -> dict:
        """Descend on V, and leave the target critic's and the new V's values in their buffers."""
        config, q, slope = self.config, self._q, self._slope
        first, second = self._targets
        torch.minimum(self._forward(first, self._sa, self._hidden, q),
                      self._forward(second, self._sa, self._hidden, slope), out=self._target_q)
        torch.sub(self._target_q, self._forward(self._value, self._s, self._hidden, q), out=slope)
        found = {}
        if report:
            weight = torch.where(slope > 0, config.expectile, 1 - config.expectile)
            found = {'value/loss': _mean(weight * slope.square()), 'value/mean': _mean(q)}
        # of w d^2 with d = target_q - v the slope in v is -2 w d: w is its leak
        _leaky_relu(slope, (1 - config.expectile) / config.expectile, out=slope)
        slope.mul_(self._factors['value'])
        self._backward(self._value, self._s, slope)
        self._value.descend(learning_rate)
        self._forward(self._value, self._both, self._wide, self._v)
        return found

    def _weigh(self, report: bool) -> dict:
        """Leave the actor's weights, as advantage_weights."""
        config, weights = self.config, self._weights
        torch.sub(self._target_q, self._new_v, out=weights)
        found = {'actor/advantage_mean': _mean(weights)} if report else {}
        weights.mul_(self._factors['beta']).exp_().clamp_max_(config.advantage_weight_max)
        if report:
            clipped = weights >= config.advantage_weight_max
            found['actor/weight_clipped'] = _mean(clipped.float())
        return found

    def _learn_actor(self, learning_rate, dropout_masks, report: bool) -> dict:
        """Descend on the actor by the weights; what is left in their buffer is of no use."""
        actor, weights, actions = self._actor, self._weights, self._batch.actions
        clipped = actor.rest.clamp(*LOG_STD_RANGE)
        log_std = clipped.unsqueeze(-2)
        precision = torch.exp(-log_std)
        mean = self._forward(actor, self._s, self._hidden, self._mean, dropout_masks).tanh_()
        found = {}
        if report:
            terms = weights * log_prob(mean, log_std, actions).unsqueeze(-1)
            found = {'actor/loss': -_mean(terms),
                     'actor/learning_rate': torch.as_tensor(learning_rate)}
        weights.mul_(self._factors['actor'])
        error = torch.sub(actions, mean, out=self._error).mul_(precision)
        work = torch.mul(error, weights, out=self._work)
        torch.sum(work * error - weights, -2, out=actor.rest_gradient)
        actor.rest_gradient.mul_(clipped == actor.rest)  # none where it is clipped
        _tanh_backward(work.mul_(precision), mean, grad_input=work)
        self._backward(actor, self._s, work, dropout_masks)
        actor.descend(learning_rate)
        return found

    def _learn_critics(self, learning_rate, report: bool) -> dict:
        """Descend on each critic, and move its target."""
        config, q, slope, found = self.config, self._q, self._slope, {}
        torch.addcmul(self._rewards, self._masks, self._next_v, value=config.discount,
                      out=self._bootstrap)
        for twin, (critic, target) in enumerate(zip(self._critics, self._targets), start=1):
            torch.sub(self._forward(critic, self._sa, self._hidden, q), self._bootstrap, out=slope)
            if report:
                found[f'critic/q{twin}'] = _mean(q)
                found['critic/loss'] = found.get('critic/loss', 0.0) + _mean(slope.square())
            self._backward(critic, self._sa, slope.mul_(self._factors['critic']))
            critic.descend(learning_rate)
            target.parameters.lerp_(critic.parameters, config.target_update_rate)
        return found

    # Networks --------------------------------------------------------------------------------

    def _forward(self, network: FlatNetwork, inputs, hidden: _Activations, out,
                 dropout_masks=None):
        """Return the network's output, in `out`; its activations stay in `hidden`."""
        product, (*inner, last), (inputs, _) = self._product, network.layers, inputs
        for index, layer in enumerate(inner):
            plain = product(inputs, layer, out=hidden.plain[index]).clamp_min_(0)
            if dropout_masks is not None:
                plain.mul_(dropout_masks[index])
            inputs = hidden.inputs[index]
        return product(inputs, last, out=out)

    def _backward(self, network: FlatNetwork, inputs, gradient, dropout_masks=None) -> None:
        """Leave the network's gradient; `gradient` is that of what _forward returned last."""
        product, hidden = self._product, self._hidden
        for index in reversed(range(len(hidden.plain))):
            product(hidden.transposed[index], gradient, out=network.gradients[index + 1])
            gradient = product(gradient, network.transposed[index + 1], out=self._back[index])
            if dropout_masks is not None:
                gradient.mul_(dropout_masks[index])
            _relu_backward(gradient, hidden.plain[index], 0, grad_input=gradient)
        product(inputs[1], gradient, out=network.gradients[0])


def _mean(values) -> torch.Tensor:
    """Return the mean over a batch of (..., B, 1), one for each agent."""
    return values.mean((-2, -1))


def _layers(mlp) -> list:
    return [(layer.weight, layer.bias) for layer in mlp.layers]


def _twin_layers(critic) -> list:
    return list(zip(critic.weights, critic.biases))
