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

"""The authors' algorithm by XLA, many updates in one jitted scan; without Flax or Optax."""

import jax
import jax.numpy as jnp
import numpy as np
from worker import answer, make_data, read_setting

EXPECTILE, TEMPERATURE, CLIP, DISCOUNT, TAU, RATE = 0.7, 3.0, 100.0, 0.99, 0.005, 3e-4
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def new_network(rng, inputs, hidden, outputs):
    """Return the layers of an MLP, orthogonal like the authors'."""
    sizes = [inputs, *hidden, outputs]
    layers = []
    for rows, columns in zip(sizes, sizes[1:]):
        square, _ = np.linalg.qr(rng.normal(size=(max(rows, columns),) * 2))
        weight = np.sqrt(2) * square[:rows, :columns]
        layers.append((jnp.asarray(weight, jnp.float32), jnp.zeros(columns)))
    return layers


def forward(layers, inputs):
    """Return the network's output (B, n)."""
    for weight, bias in layers[:-1]:
        inputs = jax.nn.relu(inputs @ weight + bias)
    weight, bias = layers[-1]
    return inputs @ weight + bias


def critics(params, both):
    """Return both critics' values (2, B)."""
    return jnp.stack([forward(layers, both)[:, 0] for layers in params])


def descend(params, moments, gradients, step, learning_rate):
    """Return parameters and moments after a step of Adam."""
    def one(param, pair, gradient):
        first = BETA_1 * pair[0] + (1 - BETA_1) * gradient
        second = BETA_2 * pair[1] + (1 - BETA_2) * gradient ** 2
        change = (first / (1 - BETA_1 ** step)) / (
            jnp.sqrt(second / (1 - BETA_2 ** step)) + EPSILON)
        return param - learning_rate * change, (first, second)

    leaves, tree = jax.tree_util.tree_flatten(params)
    results = [one(*each) for each in zip(leaves, moments, jax.tree_util.tree_leaves(gradients))]
    return tree.unflatten([param for param, _ in results]), [pair for _, pair in results]


def new_moments(params):
    """Return Adam's, at first."""
    return [(jnp.zeros_like(leaf), jnp.zeros_like(leaf))
            for leaf in jax.tree_util.tree_leaves(params)]


def update(state, rows, data):
    """Do one update in the authors' order: V, actor, Q, target."""
    observations, actions, rewards, masks, next_observations = (array[rows] for array in data)
    both = jnp.concatenate([observations, actions], axis=1)
    step = state['step'] + 1
    target_q = critics(state['target'], both).min(axis=0)

    def value_loss(params):
        difference = target_q - forward(params, observations)[:, 0]
        return (jnp.where(difference > 0, EXPECTILE, 1 - EXPECTILE) * difference ** 2).mean()

    value, value_moments = descend(state['value'], state['value_moments'],
                                   jax.grad(value_loss)(state['value']), step, RATE)
    v, next_v = (forward(value, each)[:, 0] for each in (observations, next_observations))
    weights = jnp.minimum(jnp.exp(TEMPERATURE * (target_q - v)), CLIP)

    def actor_loss(params):
        layers, log_std = params
        mean, std = jnp.tanh(forward(layers, observations)), jnp.clip(log_std, -5, 2)
        log_prob = (-0.5 * ((actions - mean) / jnp.exp(std)) ** 2 - std
                    - 0.5 * jnp.log(2 * jnp.pi)).sum(axis=1)
        return -(weights * log_prob).mean()

    rate = RATE * 0.5 * (1 + jnp.cos(jnp.pi * state['step'] / 1e6))
    actor, actor_moments = descend(state['actor'], state['actor_moments'],
                                   jax.grad(actor_loss)(state['actor']), step, rate)
    bootstrap = rewards + DISCOUNT * masks * next_v

    def critic_loss(params):
        return ((critics(params, both) - bootstrap) ** 2).sum(axis=0).mean()

    critic, critic_moments = descend(state['critic'], state['critic_moments'],
                                     jax.grad(critic_loss)(state['critic']), step, RATE)
    target = jax.tree_util.tree_map(lambda new, old: TAU * new + (1 - TAU) * old, critic,
                                    state['target'])
    return {'step': step, 'value': value, 'value_moments': value_moments, 'actor': actor,
            'actor_moments': actor_moments, 'critic': critic, 'critic_moments': critic_moments,
            'target': target}, None


def new_state(setting):
    """Return all parameters and moments."""
    rng, hidden = np.random.default_rng(0), setting['hidden_dims']
    observation_dim, action_dim = setting['observation_dim'], setting['action_dim']
    value = new_network(rng, observation_dim, hidden, 1)
    actor = new_network(rng, observation_dim, hidden, action_dim), jnp.zeros(action_dim)
    critic, target = ([new_network(np.random.default_rng(seed), observation_dim + action_dim,
                                   hidden, 1) for seed in (1, 2)] for _ in range(2))
    state = {'value': value, 'actor': actor, 'critic': critic}
    moments = {f'{name}_moments': new_moments(params) for name, params in state.items()}
    return {**state, **moments, 'target': target, 'step': jnp.zeros(())}


def new_data(setting):
    """Return random transitions, on the device."""
    *arrays, terminations, next_observations = make_data(setting)
    return tuple(jnp.asarray(array, jnp.float32)
                 for array in (*arrays, ~terminations, next_observations))


def main():
    """Answer until the input ends."""
    setting = read_setting()
    scan = jax.jit(lambda state, rows, data: jax.lax.scan(
        lambda carry, each: update(carry, each, data), state, rows)[0], donate_argnums=0)
    state, data, rng = new_state(setting), new_data(setting), np.random.default_rng(1)
    block = setting['block']  # updates a scan: one compilation

    def run(count):
        nonlocal state
        for _ in range(-(-count // block)):
            rows = rng.integers(setting['transitions'], size=(block, setting['batch_size']))
            state = scan(state, jnp.asarray(rows, jnp.int32), data)
        jax.block_until_ready(state)
        return -(-count // block) * block

    answer(XLA_scan=run)


if __name__ == '__main__':
    main()
