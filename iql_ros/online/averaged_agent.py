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

"""An agent that goes on learning while an exponential average of its actor acts."""

import copy
import math

import torch

from iql_ros.files import InputError
from iql_ros.learner.iql import IQLAgent
from iql_ros.learner.networks import Actor
from iql_ros.learner.replay_buffer import ReplayBuffer
from iql_ros.runs.checkpoint import AVERAGE

_ACTOR = ('actor.', 'optimiser.actor.')


class AveragedAgent:
    """
    An IQLAgent and the average of its actor.

    From one update to the next an actor's behaviour jumps; its average moves steadily.
    """

    def __init__(self, agent: IQLAgent, rate: float, critic_acts: bool):
        """
        Take an agent.

        Args:
            agent: That learns.
            rate: Share of the actor that moves into the average an update; 0: no average.
            critic_acts: Whether its critic chooses among the actor's actions.

        """
        self.agent, self._rate, self._critic_acts = agent, rate, critic_acts
        self.average = copy.deepcopy(agent.actor) if rate else None

    @property
    def acting(self) -> Actor:
        """Return the actor that acts: the average, where there is one."""
        return self.agent.actor if self.average is None else self.average

    def update(self, buffer: ReplayBuffer) -> dict[str, float]:
        """
        Do one update; return its metrics.

        Raises:
            InputError: when training diverged.

        """
        metrics = self.agent.update_many(buffer, 1)
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise InputError(f'{name} is {value} after update {self.agent.step}: training '
                                 'diverged; a lower learning_rate may help')
        if self.average is not None:
            with torch.no_grad():
                torch._foreach_lerp_(list(self.average.parameters()),
                                     list(self.agent.actor.parameters()), self._rate)
        return metrics

    def load_average(self, tensors: dict) -> None:
        """Take the average from a checkpoint's tensors, where they hold one."""
        if self.average is not None and any(name.startswith(AVERAGE) for name in tensors):
            _copy(self.average.state_dict(), tensors, AVERAGE)

    def acting_state(self) -> dict[str, torch.Tensor]:
        """Return copies of what acts and how it learns: networks, average, optimisers."""
        state = self._acting()
        if self.average is not None:
            state |= {AVERAGE + name: tensor
                      for name, tensor in self.average.state_dict().items()}
        return {name: tensor.detach().clone() for name, tensor in state.items()}

    def restore_acting(self, tensors: dict) -> None:
        """
        Go back to an `acting_state`.

        Critic and value stay, as they know more now, unless the critic chooses the actions.
        """
        _copy(self._acting(), tensors, '')
        self.load_average(tensors)

    def _acting(self) -> dict[str, torch.Tensor]:
        return {name: tensor for name, tensor in self.agent.state().items()
                if self._critic_acts or name.startswith(_ACTOR)}


def _copy(state: dict, tensors: dict, prefix: str) -> None:
    for name, tensor in state.items():
        tensor.data.copy_(tensors[prefix + name])
