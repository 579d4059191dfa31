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
Draws corridor.png of docs/explanation/iql.md: python docs/images/make_corridor.py.

A corridor of 16 places with a charging plate at its right end. No recorded driver shows the whole
way: some drive to the middle and back again, some start in the middle and dock, some wander. What
is drawn was learned by the package's own learner, which takes a minute or two.
"""

from pathlib import Path
import types

import numpy as np
import torch

from iql_ros.learner.iql import IQLAgent, IQLConfig, value_loss
from iql_ros.learner.replay_buffer import ReplayBuffer
from iql_ros.pages import CLONING, DATA, new_figure, POLICY

PLACES, PLATE, MIDDLE = 16, 15, 8
EPISODES = 40                    # of each kind of driver
DISCOUNT, UPDATES = 0.99, 5000
QUICK = {'hidden_dims': (64, 64), 'learning_rate': 1e-3, 'target_update_rate': 0.05}
EXPECTILES = {0.5: DATA, 0.7: '#7fa8d6', 0.9: POLICY}  # darker: nearer to the best


def approach(generator):
    """Return the places of a driver who goes to the middle and back."""
    start = int(generator.integers(0, 4))
    return [*range(start, MIDDLE + 1), *range(MIDDLE - 1, start - 1, -1)]


def dock(generator):
    """Return the places of a driver who starts in the middle and docks."""
    return list(range(int(generator.integers(MIDDLE - 1, MIDDLE + 3)), PLATE + 1))


def wander(generator):
    """Return the places of a driver who goes anywhere for 20 ticks, or until docked."""
    places = [int(generator.integers(0, PLATE))]
    while len(places) <= 20 and places[-1] != PLATE:
        step = int(generator.choice([-1, 1]))
        places.append(max(places[-1] + step, 0))
    return places


def recordings():
    """Return observations (N, 16), actions (N, 1), rewards, terminations, next observations."""
    generator, rows = np.random.default_rng(0), []
    for driver in (approach, dock, wander):
        for _ in range(EPISODES):
            places = driver(generator)
            rows += [(here, 1.0 if there > here else -1.0, there)
                     for here, there in zip(places[:-1], places[1:])]
    here, action, there = (np.array(column) for column in zip(*rows))
    docked = there == PLATE
    return np.eye(PLACES)[here], action[:, None], docked - 1.0, docked, np.eye(PLACES)[there]


def learn(**settings):
    """Return value (16,) and mean action (16,) of every place after training."""
    config = IQLConfig(discount=DISCOUNT, normalise_observations=False, **QUICK, **settings)
    agent = IQLAgent(PLACES, 1, config, total_updates=UPDATES)
    agent.update_many(ReplayBuffer(*recordings()), UPDATES)
    with torch.no_grad():
        places = torch.eye(PLACES)
        return agent.value(places).numpy(), agent.actor(places)[:, 0].numpy()


def best_values():
    """Return the value (16,) of driving straight to the plate, -1 a tick until docked."""
    ticks = np.maximum(PLATE - np.arange(PLACES) - 1, 0)
    return -(1 - DISCOUNT ** ticks) / (1 - DISCOUNT)


def expectile_of(sample, expectile: float) -> float:
    """Return what the value loss makes of a sample that all comes from one state."""
    constant = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([constant], max_iter=200, line_search_fn='strong_wolfe')
    value = types.SimpleNamespace(of=lambda observations: constant.expand(len(observations)))

    def loss():
        optimiser.zero_grad()
        result, _ = value_loss(value.of, sample, sample, expectile)
        result.backward()
        return result
    optimiser.step(loss)
    return constant.item()


def draw():
    """Return the figure and what is in it, in words."""
    figure, (left, middle, right) = new_figure(columns=3, height=3.4)
    sample = torch.tensor(np.random.default_rng(1).gamma(2.0, 9.0, 600) * -1.0)
    left.hist(sample.numpy(), bins=30, color='#dde2e8')
    words = []
    for expectile, colour in EXPECTILES.items():
        at, (value, action) = expectile_of(sample, expectile), learn(expectile=expectile)
        left.axvline(at, color=colour, linewidth=2, label=f'expectile {expectile:g}')
        middle.plot(value[:PLATE], color=colour, linewidth=2)
        if colour == POLICY:
            right.plot(action[:PLATE], color=colour, linewidth=2)
        words.append(f'expectile {expectile:g}: {at:.1f} of the sample, values {value.round(1)}, '
                     f'mean actions {action.round(2)}')
    middle.plot(best_values()[:PLATE], color='#1c2733', linestyle=':', label='the best way')
    _, action = learn(algorithm='bc')
    right.plot(action[:PLATE], color=CLONING, linewidth=2, label='cloning')
    words.append(f'cloning: mean actions {action.round(2)}')
    for ax, title, label in (
            (left, 'what followed in one state', 'value of the recorded actions'),
            (middle, 'value of a place', 'place in the corridor'),
            (right, 'mean action (+1: to the plate)', 'place in the corridor')):
        ax.set_title(title, fontsize=10, loc='left', color='#1c2733')
        ax.set_xlabel(label, fontsize=9, color='#4a5562')
    left.set_yticks([])
    right.set_ylim(-1.05, 1.05)
    right.set_yticks([-1, -0.5, 0, 0.5, 1])
    figure.legend(loc='outside upper left', ncols=5, frameon=False, fontsize=9)
    return figure, words


if __name__ == '__main__':
    torch.set_num_threads(1)
    drawn, said = draw()
    drawn.savefig(Path(__file__).with_name('corridor.png'), dpi=170)
    print(*said, sep='\n')
