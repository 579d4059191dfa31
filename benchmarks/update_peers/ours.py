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

"""This package as `train` calls it: the engine that SETTING names, or the fast one in bf16."""

import sys

import torch
from worker import answer, make_data, read_setting

from iql_ros.learner.engine import check_precision, Engine
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.learner.replay_buffer import ReplayBuffer


def make_agent(setting):
    """Return an agent of the setting's sizes."""
    return IQLAgent(
        setting['observation_dim'], setting['action_dim'],
        IQLConfig(expectile=0.7, batch_size=setting['batch_size'],
                  hidden_dims=tuple(setting['hidden_dims']), normalise_observations=False))


def main():
    """Answer until the input ends."""
    setting = read_setting()
    torch.set_num_threads(setting['threads'])
    agent, buffer = make_agent(setting), ReplayBuffer(*make_data(setting))
    precision = 'bf16' if setting['peer'] == 'bf16' else 'fp32'
    if check_precision(precision, agent.device):
        sys.exit(1)  # nothing that it could show
    if setting['peer'] != 'autograd':
        agent.use_fast_update()
    with Engine('fast', setting['threads'], precision).at_work():
        answer(**{setting['peer']: lambda count: bool(agent.update_many(buffer, count)) and None})


if __name__ == '__main__':
    main()
