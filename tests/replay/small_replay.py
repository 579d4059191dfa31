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

"""A few literal ticks of a replay, and a policy that says what it is told to: for tests."""

import numpy as np

from iql_ros.replay.replay import Replay
from tests.data.toy_bags import PERIOD, TOY


class Driver:
    """Acts by a function of the observation, and remembers what it was asked."""

    critic = observation_range = None

    def __init__(self, act=lambda observation: (0.1, 0.2)):
        """Take `act`: observation (O,) -> action in [-1, 1]."""
        self._act, self.asked = act, []

    def act(self, observation, draw):
        self.asked.append((observation.tolist(), tuple(draw)))
        return np.array(self._act(observation), np.float64)


class Judge(Driver):
    """Has a critic, which likes the first action large, and was trained on 0 to 2."""

    critic = True
    observation_range = np.array([0.0, 0.0]), np.array([2.0, 0.0]), np.array([0.5, 1.0])

    def advantages(self, observations, actions):
        return 10 * np.asarray(actions)[:, 0]


def small_replay(**changes) -> Replay:
    """Return four ticks of two episodes in two bags, with changes."""
    return Replay(**{
        'interface': TOY, 'bags': ('one', 'two'), 'bag': np.array([0, 0, 0, 1]),
        'episode': np.array([0, 0, 0, 1]), 'tick': np.array([0, 1, 2, 0]),
        'stamp_ns': PERIOD * np.array([0, 1, 2, 9]), 'seconds': np.array([0.0, 0.2, 0.4, 0.1]),
        'observations': np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [2.0, 0.0]]),
        'commanded': np.array([[0.1, 0.0], [0.1, 0.0], [0.3, 1.5], [-0.3, 0.0]]),
        'wanted': np.array([[0.1, 0.0], [0.2, 0.0], [0.3, -1.5], [0.3, 0.0]]),
        'sent': np.array([[0.1, 0.0], [0.16, 0.0], [0.3, -1.5], [0.3, 0.0]]),
        'gated': np.array([[False, False], [True, False], [False, False], [False, False]]),
        'operated': np.zeros(4, bool), 'trip': np.array(['', '', '', '']), 'advantage': None,
        'outside': None, 'trained_on': None, 'notes': (), **changes})


def judged_replay() -> Replay:
    """Return them with all that can be known, and a trip."""
    replay = small_replay()
    return small_replay(
        trip=np.array(['', '', 'too far', '']), operated=np.array([False, True, False, False]),
        advantage=np.array([0.0, 2.0, -1.0, 3.0]), outside=replay.observations > [2.0, 0.0],
        trained_on=Judge.observation_range, notes=('noted',))
