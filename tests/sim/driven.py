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

"""An episode that a scripted driver drives in process."""

import numpy as np

from iql_ros.sim import envs


def episode(env_id, recording, seed):
    """Return the observations (T + 1, O), actions (T, A) and whether the task was done."""
    env = envs.make_env(env_id, start=recording.start)
    driver = recording.driver(np.random.default_rng(seed))
    observations, actions = [env.reset(seed=seed)[0]], []
    terminated = truncated = False
    while not (terminated or truncated):
        actions.append(driver(observations[-1]))
        observation, _, terminated, truncated, _ = env.step(actions[-1])
        observations.append(observation)
    return np.array(observations), np.array(actions), terminated
