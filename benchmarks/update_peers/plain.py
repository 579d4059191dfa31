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

"""IQL as CORL writes it, one file of plain PyTorch: V from its old self, Q, target, actor."""

import numpy as np
import torch
from worker import answer, make_data, read_setting


class Plain:
    """The networks and their update; fused Adam, which CORL has not."""

    def __init__(self, setting):
        """Build."""
        torch.manual_seed(0)
        self._batch, hidden = setting['batch_size'], setting['hidden_dims']
        observation_dim, action_dim = setting['observation_dim'], setting['action_dim']
        self.q1, self.q2, self.target1, self.target2 = (
            network(observation_dim + action_dim, hidden, 1) for _ in range(4))
        self.v = network(observation_dim, hidden, 1)
        self.actor = network(observation_dim, hidden, action_dim)
        self.log_std = torch.nn.Parameter(torch.zeros(action_dim))
        self.v_adam, self.q_adam, self.actor_adam = (
            torch.optim.Adam(parameters, lr=3e-4, fused=True) for parameters in (
                self.v.parameters(), [*self.q1.parameters(), *self.q2.parameters()],
                [*self.actor.parameters(), self.log_std]))
        self.data = [torch.tensor(np.asarray(array), dtype=torch.float32)
                     for array in make_data(setting)]
        self.losses = self.all_losses

    def run(self, updates):
        """Do some updates."""
        for _ in range(updates):
            rows = torch.randint(len(self.data[0]), (self._batch,))
            self.update(*(array[rows] for array in self.data))

    def update(self, observations, actions, rewards, terminals, next_observations):
        """Do one update."""
        both = torch.cat([observations, actions], dim=1)
        losses = self.losses(observations, both, actions, rewards, terminals, next_observations)
        for adam in (self.v_adam, self.q_adam, self.actor_adam):
            adam.zero_grad()
        sum(losses).backward()
        for adam in (self.v_adam, self.q_adam, self.actor_adam):
            adam.step()
        with torch.no_grad():
            for online, late in ((self.q1, self.target1), (self.q2, self.target2)):
                for new, old in zip(online.parameters(), late.parameters()):
                    old.copy_(0.995 * old + 0.005 * new)

    def all_losses(self, observations, both, actions, rewards, terminals, next_observations):
        """Return the three losses."""
        with torch.no_grad():
            next_v = self.v(next_observations)[:, 0]
            target_q = torch.minimum(self.target1(both), self.target2(both))[:, 0]
        advantage = target_q - self.v(observations)[:, 0]
        value_loss = (((advantage > 0).float() - 0.3).abs() * advantage**2).mean()
        target = rewards + 0.99 * (1 - terminals) * next_v
        critic_loss = sum(((q(both)[:, 0] - target)**2).mean() for q in (self.q1, self.q2)) / 2
        weight = torch.exp(3.0 * advantage.detach()).clamp(max=100.0)
        mean, log_std = torch.tanh(self.actor(observations)), self.log_std.clamp(-20, 2)
        log_prob = (-0.5 * ((actions - mean) / log_std.exp())**2 - log_std - 0.9189385).sum(-1)
        return value_loss, critic_loss, -(weight * log_prob).mean()


def network(inputs, hidden, outputs):
    """Return a plain MLP."""
    sizes, layers = [inputs, *hidden], []
    for pair in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(*pair), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], outputs))


def main():
    """Answer until the input ends."""
    setting = read_setting()
    torch.set_num_threads(setting['threads'])
    plain = Plain(setting)
    if setting['peer'] == 'compiled':
        plain.losses = torch.compile(plain.all_losses)
        plain.run(3)
    answer(**{setting['peer']: plain.run})


if __name__ == '__main__':
    main()
