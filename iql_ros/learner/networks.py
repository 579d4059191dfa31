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

"""The networks of IQL as the authors built them: normaliser, actor, twin critic, value."""

import contextlib
import math

import numpy as np
import torch
from torch import nn

from iql_ros.files import InputError, unknown_name

DEVICES = ('auto', 'cpu', 'cuda')
_STD_EPSILON = 1e-3           # keeps an observation that never changes from being blown up
LOG_STD_RANGE = (-5.0, 2.0)


def resolve_device(name: str) -> torch.device:
    """
    Return the device that a name of DEVICES stands for; auto takes CUDA where it works.

    Raises:
        InputError: for another name, or cuda on a machine without.

    """
    if name not in DEVICES:
        raise unknown_name('device', name, DEVICES)
    if name == 'cuda' and not torch.cuda.is_available():
        raise InputError("device: got 'cuda', but PyTorch finds no CUDA device here; allowed: "
                         'auto, cpu')
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    return torch.device(name)


@contextlib.contextmanager
def one_thread():
    """Let PyTorch compute on one thread of a CPU while this lasts, whatever it has else."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Normaliser(nn.Module):
    """
    Subtracts the mean and divides by the standard deviation of a dataset, frozen.

    The mean is taken off in float64: float32 has steps of 25 cm where a robot's northing lies.
    """

    def __init__(self, observation_dim: int):
        """Start as the identity."""
        super().__init__()
        self.register_buffer('mean', torch.zeros(observation_dim, dtype=torch.float64))
        self.register_buffer('std', torch.ones(observation_dim))

    def fit(self, observations) -> None:
        """Take mean and standard deviation from observations (N, observation_dim)."""
        rows = np.asarray(observations, np.float64)
        self.mean.copy_(torch.from_numpy(rows.mean(axis=0)))
        self.std.copy_(torch.from_numpy(rows.std(axis=0) + _STD_EPSILON))

    def forward(self, observations):
        """Return raw observations (..., O) of any precision as normalised ones, float32."""
        return ((observations - self.mean) / self.std).float()


class AsTheyAre(nn.Module):
    """Stands where a Normaliser would: raw observations are what the networks see."""

    def forward(self, observations):
        """Return observations (..., O) as float32."""
        return observations.float()


class Mlp(nn.Module):
    """Linear layers with a ReLU after each hidden one; orthogonal weights, biases of zero."""

    def __init__(self, sizes, generator: torch.Generator):
        """Take the sizes from input to output; the generator alone decides the weights."""
        super().__init__()
        self.layers = nn.ModuleList(
            _linear(*pair, generator) for pair in zip(sizes[:-1], sizes[1:]))

    def forward(self, inputs, dropout_masks=None):
        """
        Return the last layer's output.

        Args:
            inputs: (..., sizes[0]).
            dropout_masks: None, or for every hidden layer factors (..., size).

        """
        *hidden, last = self.layers
        for index, layer in enumerate(hidden):
            inputs = torch.relu_(_apply(layer, inputs))  # in place: a CPU waits for memory here
            if dropout_masks is not None:
                inputs = inputs * dropout_masks[index]
        return _apply(last, inputs)


def _apply(layer: nn.Linear, inputs):
    """
    Apply a layer as if its weights lay as a checkpoint's do.

    Where the fast update learns they lie transposed, by which a product has other last bits: the
    policy of a training would not be to the bit that of its checkpoint.
    """
    return nn.functional.linear(inputs, layer.weight.contiguous(), layer.bias)


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.orthogonal_(layer.weight, math.sqrt(2), generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


class Actor(nn.Module):
    """
    A diagonal Gaussian: tanh on the mean, a log-std that does not depend on the state.

    The tanh is on the mean alone, not on samples, so an action of exactly 1 has a density.
    """

    def __init__(self, observation_dim: int, action_dim: int, hidden_dims,
                 generator: torch.Generator, normalise: bool = False):
        """Build for raw observations, which it normalises itself."""
        super().__init__()
        self.normaliser = Normaliser(observation_dim) if normalise else AsTheyAre()
        self.mlp = Mlp((observation_dim, *hidden_dims, action_dim), generator)
        self.log_std_parameter = nn.Parameter(torch.zeros(action_dim))
        self.observation_dim, self.action_dim = observation_dim, action_dim

    @property
    def log_std(self):
        """Return the log of the standard deviation (action_dim,), clipped to its range."""
        return self.log_std_parameter.clamp(*LOG_STD_RANGE)

    @property
    def std(self) -> np.ndarray:
        """Return the standard deviation (action_dim,) of samples, float64."""
        return np.exp(self.log_std.detach().cpu().numpy().astype(np.float64))

    def mean(self, normalised_observations, dropout_masks=None):
        """Return the mean action (B, action_dim) in [-1, 1]."""
        return torch.tanh(self.mlp(normalised_observations, dropout_masks))

    def forward(self, observations):
        """Return the mean action (..., action_dim) in [-1, 1] of raw observations."""
        return self.mean(self.normaliser(observations))

    @one_thread()  # more wait for each other, by 10 ms where a core is busy
    @torch.inference_mode()
    def act(self, observation) -> np.ndarray:
        """Return the mean action (action_dim,) float64 in [-1, 1] of one raw observation."""
        inputs = torch.as_tensor(np.asarray(observation, np.float64),
                                 device=self.log_std_parameter.device)
        return self(inputs).cpu().numpy().astype(np.float64)


def log_prob(mean, log_std, actions):
    """Return the log-density (B,) of actions (B, A) under Gaussians of that mean and log-std."""
    standardised = (actions - mean) * torch.exp(-log_std)
    constant = 0.5 * math.log(2 * math.pi)
    return -(0.5 * standardised.square() + log_std + constant).sum(dim=-1)


class TwinCritic(nn.Module):
    """
    Two independent action values, as one batch of two: on two cores each has one to itself.

    They start as an Mlp each.
    """

    def __init__(self, observation_dim: int, action_dim: int, hidden_dims,
                 generator: torch.Generator):
        """Build both."""
        super().__init__()
        sizes = (observation_dim + action_dim, *hidden_dims, 1)
        layers = list(zip(*(Mlp(sizes, generator).layers for _ in range(2))))
        self.weights = nn.ParameterList(
            torch.stack([layer.weight.detach() for layer in pair]) for pair in layers)
        self.biases = nn.ParameterList(
            torch.stack([layer.bias.detach() for layer in pair]) for pair in layers)

    def forward(self, normalised_observations, actions):
        """Return both Q(s, a), (2, B)."""
        # Activations are (2, features, B): so no gradient of a weight needs to be transposed.
        inputs = torch.cat([normalised_observations, actions], dim=-1).t()
        outputs = inputs.expand(2, *inputs.shape)
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            inputs = outputs if index == 0 else torch.relu_(outputs)
            # contiguous: see _apply
            outputs = torch.baddbmm(bias.unsqueeze(-1), weight.contiguous(), inputs)
        return outputs.squeeze(1)


class Value(nn.Module):
    """The value of a state."""

    def __init__(self, observation_dim: int, hidden_dims, generator: torch.Generator):
        """Build it."""
        super().__init__()
        self.mlp = Mlp((observation_dim, *hidden_dims, 1), generator)

    def forward(self, normalised_observations):
        """Return V(s), (B,)."""
        return self.mlp(normalised_observations).squeeze(-1)
