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

"""The bound: the matrix products of an update alone, in fast_update.py's order and buffers."""

import torch
from worker import answer, make_data, read_setting

from iql_ros.learner.fast_update import FastUpdate
from iql_ros.learner.iql import IQLAgent, IQLConfig


class Products(FastUpdate):
    """Forward and backward through every network, and nothing between."""

    @torch.inference_mode()
    def run(self, updates):
        """Do what some updates multiply."""
        for _ in range(updates):
            for target in self._targets:
                self._forwards(target, self._sa, self._hidden, self._q)
            self._both_ways(self._value, self._s, self._q)
            self._forwards(self._value, self._both, self._wide, self._v)
            self._both_ways(self._actor, self._s, self._mean)
            for critic in self._critics:
                self._both_ways(critic, self._sa, self._q)

    def _both_ways(self, network, inputs, out):
        out, hidden = self._forwards(network, inputs, self._hidden, out), self._hidden
        for index in reversed(range(len(hidden.plain))):
            torch.mm(hidden.transposed[index], out, out=network.gradients[index + 1])
            out = torch.mm(out, network.transposed[index + 1], out=self._back[index])
        torch.mm(inputs[1], out, out=network.gradients[0])

    def _forwards(self, network, inputs, hidden, out):
        (*inner, last), (inputs, _) = network.layers, inputs
        for index, layer in enumerate(inner):
            torch.mm(inputs, layer, out=hidden.plain[index])
            inputs = hidden.inputs[index]
        return torch.mm(inputs, last, out=out)


def main():
    """Answer until the input ends."""
    setting = read_setting()
    torch.set_num_threads(setting['threads'])
    agent = IQLAgent(setting['observation_dim'], setting['action_dim'],
                     IQLConfig(batch_size=setting['batch_size'],
                               hidden_dims=tuple(setting['hidden_dims'])))
    products = Products([agent])
    with torch.inference_mode():
        products.rows[:, 1:] = torch.from_numpy(make_data(setting)[0][:len(products.rows), :1])
    answer(products_alone=products.run)


if __name__ == '__main__':
    main()
