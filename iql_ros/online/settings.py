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

"""What a fine-tuning run begins with, how it learns, and what it writes on the way."""

import dataclasses
import math

from iql_ros.files import InputError, unknown_name

_RANGES = {
    'steps': (0, math.inf), 'seed': (0, 2**63 - 1), 'update_ratio': (0, 100),
    'warm_up': (0, math.inf),
    'capacity': (1, math.inf), 'weights_every': (0, math.inf), 'log_every': (1, math.inf),
    'evaluate_every': (0, math.inf), 'evaluation_episodes': (1, math.inf),
    'checkpoint_every': (1, math.inf), 'guard_evaluations': (1, math.inf),
    'max_drop': (0, math.inf), 'actor_average': (0, 1), 'exploration_scale': (0, math.inf)}
WEIGHTS_AT = ('episode', 'step')


@dataclasses.dataclass(frozen=True)
class FinetuneSettings:
    """The learner's side; what a robot explores with is its policy node's own business."""

    checkpoint: str                      # to begin with, a .safetensors file
    name: str                            # of the run, a folder in $IQL_RUNS
    dataset: str | None = None           # offline data; null: the checkpoint's own
    steps: int = 20_000                  # transitions to learn from; 0: no end; allowed: >= 0
    # of batches and, in process, of exploration and episodes; allowed: 0 to 2**63 - 1
    seed: int = 0
    device: str = 'auto'                 # where to learn; allowed: auto | cpu | cuda
    update_ratio: float = 1.0            # updates a transition; 0: gather only; allowed: 0 to 100
    warm_up: int = 0                     # transitions before the first update; allowed: >= 0
    # share of a batch that is offline data; null: uniform over all; allowed: 0 to 1
    offline_ratio: float | None = None
    # online transitions in memory; the newest stay; allowed: >= 1
    capacity: int = 1_000_000
    # share of the actor that moves into the average that acts, an update; 0: the actor itself
    # acts; allowed: 0 to 1
    actor_average: float = 0.001
    # constant, of all networks; null: the checkpoint's; allowed: > 0
    learning_rate: float | None = None
    # [steps] between weights for the robots; 0: at episodes' ends only; allowed: >= 0
    weights_every: int = 0
    # when new weights are taken, in process; allowed: episode | step
    weights_at: str = 'episode'
    # factor of the actor's spread, in process; allowed: >= 0
    exploration_scale: float = 1.0
    environment: str | None = None       # Gymnasium id: evaluations, and in process the robot
    # [steps] between evaluations in the environment; 0: at the end; allowed: >= 0
    evaluate_every: int = 2_000
    # of each evaluation, also of those on a robot; allowed: >= 1
    evaluation_episodes: int = 20
    guard: bool = False                  # go back to the best weights after a fall
    # evaluations whose mean is compared with the start; allowed: >= 1
    guard_evaluations: int = 3
    # how far that mean may fall: of the success rate, or without one a share of the start's
    # return; allowed: >= 0
    max_drop: float = 0.1
    log_every: int = 200                 # [steps] between rows of metrics; allowed: >= 1
    checkpoint_every: int = 2_000        # [steps] between checkpoints; allowed: >= 1

    def __post_init__(self):
        """
        Refuse what cannot be run.

        Raises:
            InputError: naming the field, the value got and the values allowed.

        """
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not (low <= value <= high and math.isfinite(value)):
                words = f'>= {low}' if high == math.inf else f'{low} to {high}'
                raise InputError(f'{name}: got {value}; allowed: {words}')
        if self.weights_at not in WEIGHTS_AT:
            raise unknown_name('weights_at', self.weights_at, WEIGHTS_AT)
        if self.offline_ratio is not None and not 0 <= self.offline_ratio <= 1:
            raise InputError(f'offline_ratio: got {self.offline_ratio}; allowed: 0 to 1, or null '
                             '(uniform over all)')
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise InputError(f'learning_rate: got {self.learning_rate}; allowed: a finite number '
                             "> 0, or null (the checkpoint's)")
