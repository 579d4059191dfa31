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

"""TorchRL's IQL loss, as its example uses it."""

from tensordict import TensorDict
from tensordict.nn import NormalParamExtractor, TensorDictModule
import torch
from torch import nn
from torchrl.data import LazyTensorStorage, TensorDictReplayBuffer
from torchrl.modules import MLP, ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import IQLLoss, SoftUpdate
from worker import answer, make_data, read_setting


class Critic(nn.Module):
    """Q of an observation and an action."""

    def __init__(self, inputs, sizes):
        """Build."""
        super().__init__()
        self.mlp = MLP(in_features=inputs, out_features=1, **sizes)

    def forward(self, observation, action):
        """Return its values (B, 1)."""
        return self.mlp(torch.cat([observation, action], dim=-1))


def make_loss(setting):
    """Return IQL as its example builds it: actor, two critics of one module, value."""
    observation_dim, action_dim = setting['observation_dim'], setting['action_dim']
    sizes = {'num_cells': setting['hidden_dims'], 'activation_class': nn.ReLU}
    actor = ProbabilisticActor(
        TensorDictModule(
            nn.Sequential(MLP(in_features=observation_dim, out_features=2 * action_dim, **sizes),
                          NormalParamExtractor()),
            in_keys=['observation'], out_keys=['loc', 'scale']),
        in_keys=['loc', 'scale'], distribution_class=TanhNormal)
    critic = ValueOperator(Critic(observation_dim + action_dim, sizes),
                           in_keys=['observation', 'action'])
    value = ValueOperator(MLP(in_features=observation_dim, out_features=1, **sizes),
                          in_keys=['observation'])
    loss = IQLLoss(actor, critic, value_network=value, num_qvalue_nets=2, temperature=3.0,
                   expectile=0.7)
    loss.make_value_estimator(gamma=0.99)
    return loss


def make_buffer(setting):
    """Return random transitions in its replay buffer."""
    observations, actions, rewards, ends, next_observations = (
        torch.as_tensor(array) for array in make_data(setting))
    rows, ends = len(rewards), ends[:, None]
    data = TensorDict({
        'observation': observations, 'action': actions.float(),
        'next': {'observation': next_observations, 'done': ends, 'terminated': ends,
                 'reward': rewards[:, None].float()}}, batch_size=[rows])
    buffer = TensorDictReplayBuffer(storage=LazyTensorStorage(rows),
                                    batch_size=setting['batch_size'])
    buffer.extend(data)
    return buffer


def main():
    """Answer until the input ends."""
    setting = read_setting()
    torch.set_num_threads(setting['threads'])
    loss, buffer = make_loss(setting), make_buffer(setting)
    target = SoftUpdate(loss, tau=0.005)
    adam = torch.optim.Adam(loss.parameters(), lr=3e-4, fused=True)

    def run(updates):
        for _ in range(updates):
            losses = loss(buffer.sample())
            total = losses['loss_actor'] + losses['loss_qvalue'] + losses['loss_value']
            adam.zero_grad()
            total.backward()
            adam.step()
            target.step()

    answer(TorchRL=run)


if __name__ == '__main__':
    main()
