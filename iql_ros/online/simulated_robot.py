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

"""An environment driven in process as a policy node drives it over topics in lockstep."""

import numpy as np
import yaml

from iql_ros.files import InputError
from iql_ros.online.experience import Experience
from iql_ros.robot.episode_runner import EpisodeRunner
from iql_ros.robot.robot_interface import parse_robot_interface, RobotInterface
from iql_ros.robot.task import Task
from iql_ros.sim.envs import control_rate, observation_vector, success_of


def interface_of_environment(env, observation_dim: int, action_low, action_high
                             ) -> RobotInterface:
    """
    Return a robot interface for an environment that has none: its own reward and ends.

    Args:
        env: A Gymnasium environment with a time limit.
        observation_dim: Length of its observation vector.
        action_low: What -1 of the policy means (action_dim,).
        action_high: What +1 means.

    Raises:
        InputError: for an environment without a time limit or a rate.

    """
    rate, steps = control_rate(env), env.spec.max_episode_steps
    if not rate or not steps:
        raise InputError(f"environment '{env.spec.id}': says no control rate or no time limit; "
                         'give a --robot-config that does')
    period, rate = 1 / rate, float(f'{rate:.9g}')
    numbers = {'type': 'std_msgs/msg/Float64MultiArray', 'fields': ['data'], 'stamp': 'receive',
               'max_age': period}
    return parse_robot_interface(yaml.safe_dump({
        'robot': 'simulated', 'control_rate': rate,
        'observation': [{**numbers, 'topic': 'observation', 'size': observation_dim}],
        'action': [{**numbers, 'topic': 'action', 'size': len(action_low), 'rule': 'last',
                    'low': [float(value) for value in action_low],
                    'high': [float(value) for value in action_high],
                    'gate': {'max_rate': 'none', 'downstream_timeout': 'none'}}],
        'task': {'time_limit': steps / rate,
                 'reward': {'topic': 'reward', 'type': 'std_msgs/msg/Float64', 'field': 'data'},
                 'terminated': {'topic': 'terminated', 'type': 'std_msgs/msg/Bool',
                                'field': 'data'}}}, sort_keys=False), f'{env.spec.id}')


class SimulatedRobot:
    """
    Runs episodes in an environment and hands out what happened, transition by transition.

    The same runner, gate and task as over topics; the environment's own time limit is not used.
    """

    def __init__(self, env, act, interface: RobotInterface, task: Task, observation_keys=(),
                 seed: int = 0, session: int = 0):
        """Take `act` as EpisodeRunner; episode n is reset with seed + n."""
        self._env, self._interface, self._task = env.unwrapped, interface, task
        self._runner = EpisodeRunner(act, interface, task)
        self._keys, self._seed, self._session = observation_keys, seed, session
        self._index, self._episode, self._step = 0, 0, 0
        self._success = None

    def run_episode(self):
        """Yield the Experience of an episode's steps; each is taken before the next is driven."""
        observation = self._reset()
        while True:
            tick_ns = self._interface.tick_ns(self._index)
            result = self._runner.tick(tick_ns, observation)
            if result.transition is not None:
                yield self._experience(result)
            if result.ended:
                self._episode += 1
                return
            observation = self._advance(result.command)

    def _reset(self) -> np.ndarray:
        longest = max(self._interface.max_age_ns,
                      *(stream.max_age_ns for stream in self._interface.action))
        self._index += longest // self._interface.period_ns + 2  # as the simulator over topics
        self._runner.start()
        observation, info = self._env.reset(seed=self._seed + self._episode)
        self._success = success_of(info)
        return observation_vector(observation, self._keys)

    def _advance(self, command: np.ndarray) -> np.ndarray:
        observation, reward, terminated, _, info = self._env.step(
            np.asarray(command, self._env.action_space.dtype))
        self._success = success_of(info)
        self._index += 1
        stamp_ns = self._interface.tick_ns(self._index)
        if self._task.reward_source:
            self._runner.builder.add_reward(stamp_ns, float(reward))
        if self._task.terminated_source:
            self._runner.builder.add_terminated(stamp_ns, bool(terminated))
        return observation_vector(observation, self._keys)

    def _experience(self, result) -> Experience:
        success = self._success if result.ended else None
        step = self._step
        self._step += 1
        return Experience(result.transition, '', self._session, step, step, self._episode, 0,
                          success=success)
