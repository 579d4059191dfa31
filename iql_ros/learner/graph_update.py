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
Updates on a GPU: many as one CUDA graph, of one agent or of several seeds together.

An update of networks this small is some hundred kernels of a few microseconds: started one by one
from Python they take ten times that. A graph starts them all at once, so nothing in it may wait
for the host: which update it is, learning rates, rows and masks are computed where the data is.
"""

import math

import torch

from iql_ros.learner import device_rows
from iql_ros.learner.fast_update import FastUpdate
from iql_ros.learner.replay_buffer import ReplayBuffer

_BLOCK = 50   # updates a graph, as many as a training does between two looks at the time


class GraphUpdate:
    """The updates of agents on one device, at one step, over one buffer."""

    def __init__(self, agents, buffer: ReplayBuffer):
        """
        Take the agents over, as FastUpdate does.

        Args:
            agents: IQLAgents that differ in nothing but their seeds.
            buffer: Of offline transitions alone, which does not grow.

        """
        self._agents, self._buffer, self._device = agents, buffer, buffer.device
        self.update = FastUpdate(agents)
        self._seeds = torch.tensor([agent.seed for agent in agents], device=self._device)
        self._step = torch.tensor(agents[0].step, device=self._device)
        rate = agents[0].config.learning_rate
        self._rate = torch.tensor(rate, dtype=torch.float32, device=self._device)
        self._graphs = {}

    def run(self, count: int) -> list[dict[str, float]]:
        """Do the next updates; return the metrics of the last, of each agent."""
        self._step.fill_(self._agents[0].step)
        done, found = 0, {}
        while done < count:
            block = _BLOCK if count - done >= _BLOCK else 1
            found = self._launch(block)
            done += block
        for agent in self._agents:
            agent.step += count
        values = {name: tensor.double().expand(len(self._agents)).tolist()
                  for name, tensor in found.items()}
        return [{name: value[index] for name, value in values.items()}
                for index in range(len(self._agents))]

    def _launch(self, block: int) -> dict:
        if self._device.type != 'cuda':
            return self._do(block)
        if block not in self._graphs:
            self._graphs[block] = self._capture(block)
        graph, found = self._graphs[block]
        graph.replay()
        return found

    def _capture(self, block: int):
        """Return a graph of so many updates, and where it leaves their metrics."""
        tensors = [self._step, *(tensor for agent in self._agents
                                 for tensor in agent.state().values())]
        before = [tensor.clone() for tensor in tensors]
        aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):  # what libraries make at first may not be captured
            self._do(1)
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = self._do(block)
        for tensor, value in zip(tensors, before):
            tensor.copy_(value)
        return graph, found

    @torch.inference_mode()
    def _do(self, block: int) -> dict:
        """Do some updates without a look at anything from the host; return the last's metrics."""
        config, several = self.update.config, len(self._agents) > 1
        numbers = self._step + torch.arange(block, device=self._device)
        rows = device_rows.rows(self._seeds, numbers, config.batch_size, self._buffer.size)
        rates = self._actor_rates(numbers)
        masks = None
        if config.dropout_rate:
            masks = device_rows.dropout(self._seeds, numbers, config.dropout_rate,
                                        config.batch_size, config.hidden_dims)
        found = {}
        for index in range(block):
            self._buffer.take(rows[index], self.update.rows)
            found = self.update.update(
                self._rate, rates[index],
                masks and [mask[index] if several else mask[index, 0] for mask in masks],
                report=index + 1 == block)
        self._step.add_(block)
        return found

    def _actor_rates(self, numbers):
        """Return the actor's learning rates (n,) float32, as scheduled_rate says them."""
        config = self.update.config
        if config.actor_schedule == 'constant':
            return self._rate.expand(len(numbers))
        share = (numbers.double() / self._agents[0].total_updates).clamp(max=1.0)
        return (0.5 * config.learning_rate * (1 + torch.cos(math.pi * share))).float()
