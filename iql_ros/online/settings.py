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

    checkpoint: str                      # to begin with
    name: str                            # of the run, a folder in $IQL_RUNS
    dataset: str | None = None           # offline data; None: the checkpoint's own
    steps: int = 20_000                  # transitions to learn from; 0: without end
    seed: int = 0                        # of batches and, in process, exploration and episodes
    device: str = 'auto'                 # auto | cpu | cuda
    update_ratio: float = 1.0            # updates a transition; 0: gather only
    warm_up: int = 0                     # transitions before the first update
    offline_ratio: float | None = None   # share of a batch from offline data; None: uniform
    capacity: int = 1_000_000            # online transitions in memory; the newest stay
    actor_average: float = 0.001         # share of the actor that moves into what acts; 0: all
    learning_rate: float | None = None   # constant, of all networks; None: the checkpoint's
    weights_every: int = 0               # [steps] between weights; 0: at episodes' ends only
    weights_at: str = 'episode'          # in process: episode | step
    exploration_scale: float = 1.0       # in process: factor of the actor's spread
    environment: str | None = None       # Gymnasium id: evaluations, and in process the robot
    evaluate_every: int = 2_000          # [steps] in the environment; 0: at the end
    evaluation_episodes: int = 20        # of each evaluation, also of those on a robot
    guard: bool = False                  # go back to the best weights after a fall
    guard_evaluations: int = 3           # evaluations whose mean is compared with the start
    max_drop: float = 0.1                # of success; else a share of the start's return
    log_every: int = 200                 # [steps]
    checkpoint_every: int = 2_000        # [steps]

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
