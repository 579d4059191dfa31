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

"""What a training is told: on what, for how long, how fast, and what it writes on the way."""

import dataclasses

from iql_ros.files import check_keys, from_mapping, InputError, unknown_name
from iql_ros.learner.choice import Choice, CHOICES, MOST_TEMPERATURE
from iql_ros.learner.engine import ENGINES, PRECISIONS
from iql_ros.learner.iql import IQLConfig


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """What a run trains on, for how long, and what it writes on the way."""

    dataset: str                         # Minari id or folder, or a flat .hdf5 file
    name: str                            # of the run, a folder in $IQL_RUNS
    updates: int = 20_000                # gradient steps in all; allowed: >= 1
    seed: int = 0                        # of weights, batches and dropout; allowed: 0 to 2**63 - 1
    device: str = 'auto'                 # where to train; allowed: auto | cpu | cuda
    # how an update is computed: by automatic differentiation, or on a CPU by gradients that are
    # written down; auto: what a second's measurement finds faster; allowed: auto | autograd | fast
    engine: str = 'auto'
    # of a CPU that updates use; 0: what is measured to pay, looked at again while training goes on
    # (one thread and two give other bits, so say a number where a run shall be repeated exactly);
    # allowed: 0 to 1024
    threads: int = 0
    # of the products of an update on a CPU that multiplies bf16 itself: bf16 is sooner, and parts
    # from fp32 by more than rounding; allowed: fp32 | bf16
    precision: str = 'fp32'
    log_every: int = 200                 # [updates] between rows of metrics; allowed: >= 1
    # [updates] between evaluations, where an environment is known; 0: at the end; allowed: >= 0
    evaluate_every: int = 5_000
    evaluation_episodes: int = 20        # of each evaluation; allowed: >= 1
    checkpoint_every: int = 5_000        # [updates] between checkpoints; allowed: >= 1
    environment: str | None = None       # Gymnasium id to evaluate in; null: the dataset's
    observation_keys: tuple[str, ...] = ()         # of a Dict observation, in the vector's order
    # what -1 of the policy stands for: one value, or one an action; null: the dataset's
    action_low: tuple[float, ...] | None = None
    action_high: tuple[float, ...] | None = None   # what +1 of the policy stands for, likewise
    # share of the episodes to train on, the best by return; allowed: 0 < share <= 1
    best_episodes: float = 1.0
    # how the action of a tick comes out of the networks: the actor's mean, the mean of samples
    # that the critic weighs, or the best of them; auto: what drives best in the environment, at
    # the end, and the mean where none is known; allowed: auto | mean | weighted | best
    choice: str = 'auto'
    samples: int = 32                    # of the actor that the critic judges; allowed: 1 to 1024
    # inverse temperature of the weighted choice; null: inverse_temperature; allowed: 0 to 1e6
    choice_temperature: float | None = None
    # in the environment, of each way, to pick one by; allowed: >= 2
    choice_episodes: int = 100

    def __post_init__(self):
        """
        Refuse what cannot be run.

        Raises:
            InputError: naming the field, the value got and the values allowed.

        """
        for name in ('updates', 'log_every', 'evaluation_episodes', 'checkpoint_every'):
            if getattr(self, name) < 1:
                raise InputError(f'{name}: got {getattr(self, name)}; allowed: >= 1')
        for name, allowed in (('engine', ENGINES), ('precision', PRECISIONS),
                              ('choice', ('auto', *CHOICES))):
            if getattr(self, name) not in allowed:
                raise unknown_name(name, getattr(self, name), allowed)
        if not 0 <= self.threads <= 1024:
            raise InputError(f'threads: got {self.threads}; allowed: 0 to 1024')
        if self.evaluate_every < 0:
            raise InputError(f'evaluate_every: got {self.evaluate_every}; allowed: >= 0')
        if not 0 <= self.seed < 2**63:
            raise InputError(f'seed: got {self.seed}; allowed: 0 to 2**63 - 1')
        if not 0 < self.best_episodes <= 1:
            raise InputError(f'best_episodes: got {self.best_episodes}; allowed: 0 < share <= 1')
        if self.choice_episodes < 2:
            raise InputError(f'choice_episodes: got {self.choice_episodes}; allowed: >= 2')
        self.first_choice(IQLConfig())

    def first_choice(self, config: IQLConfig) -> Choice:
        """
        Return how the policy chooses until something else is measured.

        Raises:
            InputError: for a value that is none, or a critic that is not trained.

        """
        kind, temperature = self.choice, self.choice_temperature
        if temperature is None:
            temperature = min(config.inverse_temperature, MOST_TEMPERATURE)
        if config.algorithm == 'bc' and kind not in ('auto', 'mean'):
            raise InputError(f"choice: got '{kind}', but algorithm bc trains no critic to choose "
                             'by; allowed: auto, mean')
        return Choice('mean' if kind == 'auto' else kind, self.samples, temperature)


def settings_from_mapping(mapping: dict, where: str) -> tuple[TrainSettings, IQLConfig]:
    """
    Build both settings from one flat mapping, strictly.

    Raises:
        InputError: for an unknown key, a wrong type or value; `where` names the mapping.

    """
    names = [{field.name for field in dataclasses.fields(cls)}
             for cls in (TrainSettings, IQLConfig)]
    check_keys(mapping, sorted(names[0] | names[1]), where)
    return tuple(from_mapping(cls, {key: mapping[key] for key in mapping if key in own}, where)
                 for cls, own in zip((TrainSettings, IQLConfig), names))
