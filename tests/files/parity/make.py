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
Make small.npz: IQL written a second time, in float64 numpy with gradients by hand.

Usage: make.py [FILE]. The keys are those of the vectors that test_parity.py reads; kernels are
stored (in, out). The schedule ends before the updates do, and one log-std starts above its
range, so that both ends are covered.
"""

import json
from pathlib import Path
import sys

import numpy as np

CONFIG = {'observation_dim': 5, 'action_dim': 2, 'batch_size': 16, 'updates': 20,
          'hidden_dims': [12, 12], 'expectile': 0.8, 'temperature': 5.0, 'discount': 0.95,
          'tau': 0.01, 'max_steps': 15, 'actor_lr_schedule': 'cosine', 'lr': 1e-3}
WEIGHT_MAX = 100.0


def initial(rng, sizes, names):
    """Return weights and biases by name, of a net whose layers have these names."""
    parameters = {}
    for name, rows, columns in zip(names, sizes[:-1], sizes[1:]):
        parameters[f'{name}/kernel'] = rng.normal(size=(rows, columns)) * np.sqrt(2 / rows)
        parameters[f'{name}/bias'] = rng.normal(size=columns) * 0.1
    return parameters


def forward(parameters, names, inputs):
    """Return the output (B, out) and what `backward` needs."""
    activations = [inputs]
    for name in names[:-1]:
        inputs = np.maximum(
            inputs @ parameters[f'{name}/kernel'] + parameters[f'{name}/bias'], 0)
        activations.append(inputs)
    last = names[-1]
    return inputs @ parameters[f'{last}/kernel'] + parameters[f'{last}/bias'], activations


def backward(parameters, names, activations, gradient):
    """Return the gradient of every parameter from that of the output (B, out)."""
    gradients = {}
    for name, inputs in zip(names[::-1], activations[::-1]):
        gradients[f'{name}/kernel'] = inputs.T @ gradient
        gradients[f'{name}/bias'] = gradient.sum(axis=0)
        gradient = (gradient @ parameters[f'{name}/kernel'].T) * (inputs > 0)
    return gradients


class Adam:
    """Adam with bias correction, beta 0.9 and 0.999, epsilon 1e-8."""

    def __init__(self):
        self.first, self.second, self.count = {}, {}, 0

    def step(self, parameters, gradients, rate):
        """Change the parameters."""
        self.count += 1
        for name, gradient in gradients.items():
            self.first[name] = 0.9 * self.first.get(name, 0) + 0.1 * gradient
            self.second[name] = 0.999 * self.second.get(name, 0) + 0.001 * gradient**2
            first = self.first[name] / (1 - 0.9**self.count)
            second = self.second[name] / (1 - 0.999**self.count)
            parameters[name] = parameters[name] - rate * first / (np.sqrt(second) + 1e-8)


LAYERS = [f'MLP_0/Dense_{index}' for index in range(3)]
TWINS = [[f'Critic_{twin}/{name}' for name in LAYERS] for twin in range(2)]
ACTOR = ['MLP_0/Dense_0', 'MLP_0/Dense_1', 'Dense_0']


def update(nets, adams, batch, step):
    """Do one update in the authors' order; return its figures."""
    observations, actions, rewards, masks, next_observations = batch
    size, both = len(rewards), np.concatenate([observations, actions], axis=1)
    value, actor, critic = nets['value'], nets['actor'], nets['critic']

    target_q = np.min([forward(nets['target_critic'], twin, both)[0][:, 0] for twin in TWINS], 0)
    v, activations = forward(value, LAYERS, observations)
    difference = target_q - v[:, 0]
    weight = np.where(difference > 0, CONFIG['expectile'], 1 - CONFIG['expectile'])
    info = {'value_loss': np.mean(weight * difference**2), 'v': v.mean()}
    gradient = (-2 * weight * difference / size)[:, None]
    adams['value'].step(value, backward(value, LAYERS, activations, gradient), CONFIG['lr'])

    advantage = target_q - forward(value, LAYERS, observations)[0][:, 0]
    weight = np.minimum(np.exp(CONFIG['temperature'] * advantage), WEIGHT_MAX)
    output, activations = forward(actor, ACTOR, observations)
    mean, log_std = np.tanh(output), np.clip(actor['log_stds'], -5, 2)
    standardised = (actions - mean) / np.exp(log_std)
    density = -(standardised**2 / 2 + log_std + np.log(2 * np.pi) / 2).sum(axis=1)
    info.update(actor_loss=-np.mean(weight * density), adv_mean=advantage.mean())
    share = weight[:, None] / size
    gradient = -share * standardised / np.exp(log_std) * (1 - mean**2)
    gradients = backward(actor, ACTOR, activations, gradient)
    inside = log_std == actor['log_stds']
    gradients['log_stds'] = inside * (share * (1 - standardised**2)).sum(axis=0)
    rate = CONFIG['lr'] * (1 + np.cos(np.pi * min(step / CONFIG['max_steps'], 1))) / 2
    adams['actor'].step(actor, gradients, rate)

    next_v = forward(value, LAYERS, next_observations)[0][:, 0]
    target, gradients, info['critic_loss'] = rewards + CONFIG['discount'] * masks * next_v, {}, 0
    for index, twin in enumerate(TWINS):
        q, activations = forward(critic, twin, both)
        error = q[:, 0] - target
        info['critic_loss'] += np.mean(error**2)
        info[f'q{index + 1}'] = q.mean()
        gradients.update(backward(critic, twin, activations, (2 * error / size)[:, None]))
    adams['critic'].step(critic, gradients, CONFIG['lr'])
    for name, parameter in critic.items():
        nets['target_critic'][name] = (CONFIG['tau'] * parameter
                                       + (1 - CONFIG['tau']) * nets['target_critic'][name])
    return info


def single(arrays):
    """Return the same numbers as float32 holds them, in float64."""
    return {name: array.astype(np.float32).astype(np.float64) for name, array in arrays.items()}


def initial_nets(rng):
    """Return every net's parameters."""
    observation_dim, action_dim = CONFIG['observation_dim'], CONFIG['action_dim']
    hidden, critic = CONFIG['hidden_dims'], {}
    for twin in TWINS:
        critic.update(initial(rng, [observation_dim + action_dim, *hidden, 1], twin))
    actor = initial(rng, [observation_dim, *hidden, action_dim], ACTOR)
    actor['log_stds'] = np.array([0.1, 2.3])
    nets = {'actor': actor, 'critic': critic, 'target_critic': dict(critic),
            'value': initial(rng, [observation_dim, *hidden, 1], LAYERS)}
    return {net: single(parameters) for net, parameters in nets.items()}


def batches_of(rng):
    """Return the arrays (updates, B, ...) of every update's batch, by name."""
    observation_dim, action_dim = CONFIG['observation_dim'], CONFIG['action_dim']
    shape = CONFIG['updates'], CONFIG['batch_size']
    return single({
        'observations': rng.normal(size=(*shape, observation_dim)),
        'actions': rng.uniform(-1, 1, size=(*shape, action_dim)),
        'rewards': 2 * rng.normal(size=shape),
        'masks': (rng.random(shape) > 0.2).astype(float),
        'next_observations': rng.normal(size=(*shape, observation_dim))})


def make():
    """Return every array of the file by name."""
    rng = np.random.default_rng(7)
    nets, batches = initial_nets(rng), batches_of(rng)
    arrays = {f'batch/{name}': array for name, array in batches.items()}
    adams = {net: Adam() for net in ('actor', 'critic', 'value')}
    infos = []
    for step in range(CONFIG['updates'] + 1):
        if step in (0, 1, 10, CONFIG['updates']):
            prefix = f'step{step}' if step else 'init'
            arrays.update({f'{prefix}/{net}/{name}': array for net, parameters in nets.items()
                           for name, array in parameters.items()})
        if step < CONFIG['updates']:
            infos.append(update(nets, adams, [array[step] for array in batches.values()], step))
    arrays.update({f'info/{name}': np.array([info[name] for info in infos])
                   for name in infos[0]})
    probe = rng.normal(size=(16, CONFIG['observation_dim']))
    output, _ = forward(nets['actor'], ACTOR, probe)
    std = np.exp(np.clip(nets['actor']['log_stds'], -5, 2))
    arrays.update({'probe/observations': probe, 'probe/action_mean': np.tanh(output),
                   'probe/action_std': np.tile(std, (16, 1))})
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    return {**arrays, 'config': np.array(json.dumps(CONFIG))}


if __name__ == '__main__':
    path = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name('small.npz')
    np.savez_compressed(path, **make())
