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

"""The parameters of policy_node: names, defaults, what they say, what is allowed."""

from iql_ros.learner.choice import CHOICES, MOST_SAMPLES, MOST_TEMPERATURE
from iql_ros.nodes.hosting.parameters import AT_START, Parameter

PARAMETERS = (
    Parameter('checkpoint', '', 'checkpoint file of the policy'),
    Parameter('robot_config', '', 'YAML of the robot: topics, gate and task'),
    Parameter('device', 'auto', 'where the actor runs', choices=('auto', 'cpu', 'cuda')),
    Parameter('choice', 'auto', 'how the action comes out of the networks; auto: as the '
              'checkpoint says', choices=('auto', *CHOICES), counts='from the next tick'),
    Parameter('samples', 0, "of the actor that the critic chooses from; 0: the checkpoint's",
              range=(0, MOST_SAMPLES), counts='from the next tick'),
    Parameter('choice_temperature', 0.0, 'inverse temperature of the weighted choice; 0: as the '
              'checkpoint says', range=(0.0, MOST_TEMPERATURE), counts='from the next tick'),
    Parameter('lockstep', False, 'answer a simulator step by step, as fast as it goes'),
    Parameter('lockstep_timeout', 5.0, 'after which one says whom one waits for [s]',
              range=(0.1, 3600.0)),
    Parameter('seed', 0, 'of the first episode, as the results name it', range=(0, 2**31 - 1)),
    Parameter('autostart', True, 'configure and activate at the start', fixed=AT_START),
    Parameter('episodes', 0, 'how many to run before ending; 0: without end',
              range=(0, 2**31 - 1)),
    Parameter('results', '', 'CSV file for a row an episode'),
    Parameter('e_stops', ['~/e_stop'], 'topics of the emergency stops (Bool): all must be false',
              fixed=AT_START),
    Parameter('e_stop_timeout', 0.0, 'after which a silent e_stop trips, 0: never [s]',
              range=(0.0, 3600.0), fixed=AT_START),
    Parameter('enable_timeout', 0.0, 'for how long a true on ~/enable counts, 0: nobody need '
              'hold it [s]', range=(0.0, 3600.0)),
    Parameter('limit_scale', 1.0, 'of limits and rates, for first drives',
              range=(0.05, 1.0), counts='from the next tick'),
    Parameter('observation_limit', 'warn', "when an observation leaves the training data's range",
              choices=('off', 'warn', 'trip'), counts='from the next tick'),
    Parameter('observation_margin', 1.0, 'beyond that range, in standard deviations of the data',
              range=(0.0, 1e6), counts='from the next tick'),
    Parameter('allow_other_commanders', False, 'drive while others publish the command topics'),
    Parameter('shadow', False, 'send nothing to the robot: what would be sent goes to ~/shadow, '
              'and is compared with what others command'),
    Parameter('learner', '', 'name of the finetune_node that learns from this; empty: none'),
    Parameter('learner_run', '', "whose weights to follow, as it logs; empty: the only learner's"),
    Parameter('exploration_scale', 1.0, "of the actor's spread, for a learner; 0: the mean",
              range=(0.0, 10.0), counts='from the next tick'),
    Parameter('exploration_limit', '', "what exploring may use, text '{low: [...], high: [...]}'",
              counts='from the next tick'),
    Parameter('weights_at', 'episode', 'when new weights are taken', choices=('episode', 'step'),
              counts='from the next tick'),
    Parameter('experience_history', 5000, 'steps that are kept until they are acknowledged',
              range=(1, 10**7)),
    Parameter('learner_timeout', 10.0, 'after which a silent learner is away [s]',
              range=(0.1, 3600.0)),
    Parameter('max_lag', 0, 'updates the learner may be behind at the next episode, in lockstep',
              range=(0, 2**31 - 1)),
    Parameter('intervention_timeout', 0.5, "how long an operator's command counts [s]",
              range=(0.01, 60.0), counts='at once'),
    Parameter('evaluate_every', 2000, 'steps between evaluations for a learner; 0: none',
              range=(0, 2**31 - 1)),
    Parameter('evaluation_episodes', 5, 'of each evaluation', range=(1, 10000)),
    Parameter('record', False, 'record what passes while active as bags'),
    Parameter('record_folder', 'recordings', 'folder of the bags'),
)
