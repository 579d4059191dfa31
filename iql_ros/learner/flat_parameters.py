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
A network's parameters in one vector, as are their gradient and Adam's moments.

The agent's parameters and its optimisers' states become views of these vectors: who reads, copies
or loads them need not know.
"""

import torch

_ADAM = {'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-8, 'weight_decay': 0.0, 'amsgrad': False,
         'maximize': False}
_KEPT = ('exp_avg', 'exp_avg_sq')   # Adam's, for each parameter


class FlatNetwork:
    """Layers in one vector, as are their gradient and Adam's moments; of several in one tensor."""

    def __init__(self, shapes, vectors: dict, step):
        """
        View what belongs to it.

        Args:
            shapes: (1 + inputs, outputs) of every layer, in order.
            vectors: parameters, and of what learns gradient, exp_avg and exp_avg_sq: each
                (..., n), where behind the layers may be other parameters.
            step: Adam's count, a float32 tensor; None: it does not learn.

        """
        self._vectors, self._step = vectors, step
        self.parameters = vectors['parameters']
        self.layers, self.rest = _split(self.parameters, shapes)
        self.transposed = [layer[..., 1:, :].mT for layer in self.layers]  # (outputs, inputs)
        if step is not None:
            self.gradients, self.rest_gradient = _split(vectors['gradient'], shapes)

    def descend(self, learning_rate) -> None:
        """Take a step of Adam by the gradient, once its count has been raised; float or tensor."""
        torch._fused_adam_(
            [self.parameters], [self._vectors['gradient']], [self._vectors['exp_avg']],
            [self._vectors['exp_avg_sq']], [], [self._step], lr=learning_rate, **_ADAM)


def _split(vector, shapes) -> tuple[list, torch.Tensor]:
    """
    Return the layers (..., 1 + inputs, outputs) of a vector (..., n), and what is behind.

    The last one, which has few outputs, lies transposed: with 6 a product takes a third so long.
    """
    sizes = [inputs * outputs for inputs, outputs in shapes]
    *parts, last, rest = vector.split([*sizes, vector.shape[-1] - sum(sizes)], dim=-1)
    layers = [part.view(*vector.shape[:-1], *shape) for part, shape in zip(parts, shapes)]
    inputs, outputs = shapes[-1]
    return [*layers, last.view(*vector.shape[:-1], outputs, inputs).mT], rest


class FlatParameters:
    """The vectors that agents' networks of one kind are views of, from now on."""

    def __init__(self, networks):
        """
        Take parameters over, with Adam's moments.

        Args:
            networks: Of each agent (layers, optimiser, rest). The layers are (weight, bias) in
                order: of one network (outputs, inputs) and (outputs,), of twins (2, outputs,
                inputs) and (2, outputs). The optimiser is their Adam; None: they do not learn.
                The rest is another parameter, for behind the layers, or None.

        """
        layers, optimiser, rest = networks[0]
        first, several = layers[0][1], () if len(networks) == 1 else (len(networks),)
        self.shapes = [(1 + weight.shape[-1], weight.shape[-2]) for weight, _ in layers]
        size = sum(inputs * outputs for inputs, outputs in self.shapes)
        size += 0 if rest is None else len(rest)
        names = ('parameters', 'gradient', *_KEPT) if optimiser else ('parameters',)
        self._vectors = {name: torch.zeros(*first.shape[:-1], *several, size, device=first.device)
                         for name in names}  # twins (2, S, n): one of them is in one piece
        self.step = torch.zeros((), device=first.device) if optimiser else None
        for index, network in enumerate(networks):
            self._take_over(*network, {
                name: vector.select(-2, index) if several else vector
                for name, vector in self._vectors.items()})

    def _take_over(self, layers, optimiser, rest, vectors: dict) -> None:
        views = {name: _split(vector, self.shapes) for name, vector in vectors.items()}
        for index, pair in enumerate(layers):
            for parameter, pick in zip(pair, (_weight, _bias)):
                self._move(parameter, optimiser, {
                    name: pick(found[index]) for name, (found, _) in views.items()})
        if rest is not None:
            self._move(rest, optimiser, {name: behind for name, (_, behind) in views.items()})

    def _move(self, parameter, optimiser, views: dict) -> None:
        parameter.data = views['parameters'].copy_(parameter.data)
        if optimiser:
            kept = optimiser.state[parameter]
            self.step.copy_(kept['step'])
            optimiser.state[parameter] = {'step': self.step, **{
                name: views[name].copy_(kept[name]) for name in _KEPT}}

    def network(self, index=()) -> FlatNetwork:
        """Return the one that is kept here, or that of the twins."""
        return FlatNetwork(self.shapes, {name: vector[index] for name, vector in
                                         self._vectors.items()}, self.step)


def _weight(layer):
    return layer[..., 1:, :].mT


def _bias(layer):
    return layer[..., 0, :]
