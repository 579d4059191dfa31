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

"""How the demo judges a policy: the same start poses for every one, in one environment."""

import dataclasses
from pathlib import Path

from iql_ros.learner.choice import Choice
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.safety import Gate
from iql_ros.runs.evaluate import EpisodeResult, evaluate_policy, write_results
from iql_ros.runs.policy import load_policy
from iql_ros.runs.run_directory import RunDirectory

STARTS_SEED = 10_000         # of the start poses: the same for every policy and every run


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One policy of the demo and what it reached."""

    title: str
    run: Path
    results: list[EpisodeResult]
    paths: list              # (T + 1, O) what was seen on the way, an episode each
    actions: list            # (T, A) what was done there, an episode each
    choice: Choice           # how it chose

    @property
    def share(self) -> float:
        """Return the share of the starts from which it succeeded."""
        return sum(result.success for result in self.results) / len(self.results)


def judge(title: str, run: Path, environment: str, starts: int, interface: RobotInterface,
          csv: str = 'evaluation.csv', choice: str = 'auto') -> Outcome:
    """
    Drive by the newest checkpoint of a run; a row an episode goes into its folder's `csv`.

    `choice` is how to choose; auto: as the checkpoint says.
    """
    from iql_ros.sim.envs import make_env
    env = make_env(environment)
    paths, actions = [], []
    policy = load_policy(RunDirectory(run.name).latest(), 'cpu')
    policy.choice = policy.choice.but(choice)
    results = evaluate_policy(policy, _Tracked(env, paths, actions), starts, STARTS_SEED,
                              interface.action_scaling, Gate(interface))
    env.close()
    write_results(run / csv, results)
    # its first reset only compares the dimensions
    return Outcome(title, run, results, paths[-len(results):], actions[-len(results):],
                   policy.choice)


class _Tracked:
    """An environment that notes what was seen and done on the way."""

    def __init__(self, env, paths: list, actions: list):
        self._env, self._paths, self._actions = env, paths, actions
        self.action_space, self.spec = env.action_space, env.spec

    def reset(self, **kwargs):
        observation, info = self._env.reset(**kwargs)
        self._paths.append([observation])
        self._actions.append([])
        return observation, info

    def step(self, action):
        result = self._env.step(action)
        self._paths[-1].append(result[0])
        self._actions[-1].append(action)
        return result
