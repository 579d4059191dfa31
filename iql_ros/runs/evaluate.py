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

"""Seeded episodes of a policy in a Gymnasium environment, and their results."""

from collections.abc import Iterator
import csv
import dataclasses
import io

import numpy as np

from iql_ros.files import InputError, read_text, write_atomic
from iql_ros.learner.choice import Draw
from iql_ros.robot.action_scaling import ActionScaling
from iql_ros.robot.memory import ObservationMemory
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.safety import Gate

_FLAGS = {'': None, '0': False, '1': True}   # in the file of results
_PERIODIC_SEED = 1_000_000  # far from the seeds that `evaluate` reports on


@dataclasses.dataclass(frozen=True)
class EpisodeResult:
    """How one episode went."""

    episode: int          # from 0
    seed: int             # of the environment's reset
    return_: float        # undiscounted
    length: int           # [steps]
    terminated: bool
    truncated: bool
    success: bool | None  # as the last step says; None where nothing is said of it


def evaluate_policy(policy, env, episodes: int, seed: int, scaling: ActionScaling,
                    gate: Gate | None = None, observation_keys=()) -> list[EpisodeResult]:
    """Return the results of all episodes, see run_episodes."""
    return list(run_episodes(policy, env, episodes, seed, scaling, gate, observation_keys))


def run_episodes(policy, env, episodes: int, seed: int, scaling: ActionScaling,
                 gate: Gate | None = None, observation_keys=()) -> Iterator[EpisodeResult]:
    """
    Run episodes, and yield the result of each as it ends; episode n is reset with seed + n.

    Args:
        policy: Has act(observation, draw), observation_dim and action_dim.
        env: A Gymnasium environment; the caller closes it.
        episodes: How many.
        seed: Of the first.
        scaling: From [-1, 1] to the environment's units.
        gate: What every action passes, as on the robot; None: none.
        observation_keys: Of a Dict observation, in the order of the vector.

    Raises:
        InputError: when the environment's dimensions are not the policy's.

    """
    check_environment(env, gate.interface.sensed_dim if gate else policy.observation_dim,
                      policy.action_dim, observation_keys)
    for number in range(episodes):
        yield _run_episode(policy, env, number, seed, scaling, gate, observation_keys)


def check_environment(env, observation_dim: int, action_dim: int, observation_keys=()) -> None:
    """
    Refuse an environment of other dimensions.

    Raises:
        InputError: naming both.

    """
    from iql_ros.sim.envs import observation_vector
    name = f"environment '{env.spec.id}'" if env.spec else 'environment'
    observation, _ = env.reset(seed=0)
    for what, theirs, ours in (
            ('observation', observation_vector(observation, observation_keys).size,
             observation_dim), ('action', env.action_space.shape[0], action_dim)):
        if theirs != ours:
            raise InputError(f'{name}: has {theirs} {what} values; the policy has {ours}')


def _run_episode(policy, env, number: int, seed: int, scaling, gate, keys) -> EpisodeResult:
    from iql_ros.sim.envs import observation_vector, success_of
    observation, info = env.reset(seed=seed + number)
    observation, memory = observation_vector(observation, keys), None
    if gate is not None:
        gate.rest()
        memory, sensed = ObservationMemory(gate.interface), observation
        observation = memory.begin(sensed)
    return_, length, terminated, truncated = 0.0, 0, False, False
    while not (terminated or truncated):
        action = scaling.to_physical(policy.act(observation, Draw(seed, number, length)))
        if gate is not None:
            action = _gated(gate, sensed, action, length)
            if gate.trip_reason is not None:
                truncated = True
                break
        observation, reward, terminated, truncated, info = env.step(
            np.asarray(action, env.action_space.dtype))
        observation = observation_vector(observation, keys)
        if memory is not None:
            sensed, observation = observation, memory.observe(observation, action)
        return_, length = return_ + float(reward), length + 1
    return EpisodeResult(number, seed + number, return_, length, bool(terminated), bool(truncated),
                         success_of(info))


def _gated(gate: Gate, sensed, action, tick: int) -> np.ndarray:
    gate.observe(sensed, tick * gate.period_ns)
    return gate.apply(action, tick * gate.period_ns).command


def summary(results: list[EpisodeResult]) -> dict[str, float]:
    """Return episodes, mean and standard deviation of the returns, lengths and successes."""
    returns = np.array([result.return_ for result in results])
    figures = {'episodes': len(results), 'return_mean': float(returns.mean()),
               'return_std': float(returns.std()),
               'length_mean': float(np.mean([result.length for result in results]))}
    successes = [result.success for result in results]
    if None not in successes:
        figures['success_rate'] = float(np.mean(successes))
    return figures


def write_results(path, results: list[EpisodeResult]) -> None:
    """Write a CSV file with a row an episode; success is empty where nothing said so."""
    write_atomic(path, RESULTS_HEADER + ''.join(map(result_row, results)))


def result_row(result: EpisodeResult) -> str:
    """Return an episode's line of the CSV file."""
    return _line([_cell(value) for value in dataclasses.astuple(result)])


def read_results(path) -> list[EpisodeResult]:
    """
    Return what write_results, or a policy node, wrote.

    Raises:
        InputError: for a file that is none of theirs, naming the line.

    """
    lines = read_text(path).splitlines()
    if not lines or f'{lines[0]}\n' != RESULTS_HEADER:
        raise InputError(f'{path}: is no file of results; its first line must be '
                         f'{RESULTS_HEADER.strip()}')
    results = []
    for number, cells in enumerate(csv.reader(lines[1:]), start=2):
        try:
            episode, seed, return_, length, *flags = cells
            terminated, truncated, success = (_FLAGS[flag] for flag in flags)
            results.append(EpisodeResult(int(episode), int(seed), float(return_), int(length),
                                         bool(terminated), bool(truncated), success))
        except (ValueError, KeyError):
            raise InputError(f'{path}:{number}: is no row of results: {",".join(cells)}') from None
    return results


def _line(cells) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerow(cells)
    return text.getvalue()


def _cell(value) -> str:
    if value is None:
        return ''
    return str(int(value)) if isinstance(value, bool) else repr(value)


RESULTS_HEADER = _line([field.name.rstrip('_') for field in dataclasses.fields(EpisodeResult)])


class Evaluator:
    """Evaluates in the environment of the data, while training and at its end."""

    def __init__(self, env, episodes: int, scaling: ActionScaling, gate: Gate | None, keys):
        """Take what evaluate_policy needs."""
        self._env, self._episodes = env, episodes
        self._parts = {'scaling': scaling, 'gate': gate, 'observation_keys': keys}

    @classmethod
    def find(cls, dataset, interface: RobotInterface | None, episodes: int, required: bool):
        """
        Return the evaluator of a dataset's environment, None where it knows none.

        One that cannot be made here is left out with a line, unless it is `required`.

        Raises:
            InputError: for a required environment that cannot be made, or one that does not
                fit the data.

        """
        if dataset.environment is None:
            return None
        try:
            from iql_ros.sim.envs import make_env
            env = make_env(dataset.environment)
        except InputError as error:
            if required:
                raise
            print(f'no evaluation while training: {error}', flush=True)
            return None
        keys = dataset.observation_keys
        check_environment(env, interface.sensed_dim if interface else (
            dataset.observations.shape[1]), dataset.actions.shape[1], keys)
        return cls(env, episodes,
                   ActionScaling(dataset.action_low, dataset.action_high),
                   interface and Gate(interface), keys)

    def evaluate(self, policy) -> dict[str, float]:
        """Return the figures of an evaluation; its starts are the same each time."""
        return summary(list(self.run(policy, self._episodes, _PERIODIC_SEED)))

    def run(self, policy, episodes: int, seed: int) -> Iterator[EpisodeResult]:
        """Run other episodes, see run_episodes."""
        return run_episodes(policy, self._env, episodes, seed, **self._parts)

    def close(self) -> None:
        """Close the environment."""
        self._env.close()
