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

"""What `iql-ros evaluate` does: episodes of a policy, or two policies until one is the better."""

import dataclasses

from iql_ros.cli.data_commands import checkpoint_file, load_robot
from iql_ros.files import check_new_file, InputError

_EPISODES, _PAIRS = 10, 500   # of one policy, and of two at most, unless --episodes says so


def evaluate(options) -> dict:
    if options.csv is not None:
        check_new_file(options.csv, '--csv')
    if options.sequential:
        return _evaluate_sequentially(options)
    if options.results or options.error is not None:
        raise InputError(f'--{"results" if options.results else "error"} is for --sequential')
    if len(options.checkpoints) != 1:
        raise InputError(f'CHECKPOINT: got {len(options.checkpoints)} of them; expected one, or '
                         'two with --sequential')
    return _evaluate_one(options)


def _evaluate_one(options) -> dict:
    from iql_ros.runs.evaluate import summary, write_results
    checkpoint = checkpoint_file(options.checkpoints[0])
    policy, interface = _load(checkpoint, options)
    results = []
    for result in _episodes(policy, interface, options, options.episodes or _EPISODES):
        results.append(result)
        print(_episode_text(result), flush=True)
    figures = summary(results)
    if not options.as_json:
        print(f'{_summary_text(figures)}, acting by the {policy.choice}')
    if options.csv:
        write_results(options.csv, results)
    return {'checkpoint': checkpoint, 'environment': options.env,
            'robot': interface and interface.robot,
            'choice': dataclasses.asdict(policy.choice),
            'episodes': list(map(_episode_facts, results)),
            'summary': {**figures, 'success_rate': figures.get('success_rate')}}


def _evaluate_sequentially(options) -> dict:
    from iql_ros.runs.sequential import Comparison
    comparison = Comparison(0.05 if options.error is None else options.error)
    names, pairs = _pairs_of_files(options) if options.results else _pairs_of_policies(options)
    facts = []
    for first, second in pairs:
        comparison.add(first, second)
        facts.append([_episode_facts(first), _episode_facts(second)])
        print(f'{names[0]}: {_episode_text(first)}; {names[1]}: {_episode_text(second)}; evidence '
              f'{comparison.evidence:.3g}', flush=True)
        if comparison.better is not None:
            break
    if not options.as_json:
        print(comparison.in_words(names))
    return {'checkpoints': names, 'environment': options.env, 'pairs': facts,
            'wins': comparison.wins, 'evidence': comparison.evidence,
            'better': None if comparison.better is None else names[comparison.better]}


def _pairs_of_policies(options):
    """Return two policies' names, and pairs of their episodes, from the same starts."""
    if len(options.checkpoints) != 2:
        raise InputError(f'--sequential: got {len(options.checkpoints)} checkpoints; expected two')
    if options.csv:
        raise InputError('--csv is for one checkpoint')
    from iql_ros.runs.sequential import check_comparable
    loaded = [_load(checkpoint_file(name), options) for name in options.checkpoints]
    check_comparable([policy for policy, _ in loaded], options.checkpoints)
    episodes = [_episodes(policy, interface, options, options.episodes or _PAIRS)
                for policy, interface in loaded]
    return tuple(options.checkpoints), zip(*episodes)


def _pairs_of_files(options):
    """Return the names of two files of results, and the pairs of their episodes."""
    for name, given in (('CHECKPOINT', options.checkpoints), ('--env', options.env),
                        ('--episodes', options.episodes), ('--csv', options.csv)):
        if given:
            raise InputError(f'{name}: got {given}; --results compares what has been driven')
    from iql_ros.runs.evaluate import read_results
    return tuple(options.results), zip(*map(read_results, options.results))


def _load(checkpoint, options):
    """Return a policy that chooses as options say, and whose gate applies."""
    from iql_ros.sim.envs import import_environment
    if options.env is None:
        raise InputError('--env ID is missing')
    import_environment(options.env)
    policy = choosing_policy(checkpoint, options)
    return policy, _interface_of(policy, checkpoint, options)


def choosing_policy(checkpoint, options):
    """Return the policy of a checkpoint, which chooses as options say."""
    from iql_ros.runs.policy import load_policy
    policy = load_policy(checkpoint, options.device)
    try:
        policy.choice = policy.choice.but(options.choice, options.samples,
                                          options.choice_temperature)
    except InputError as error:
        raise InputError(f'{checkpoint}: {error}') from None
    return policy


def _episodes(policy, interface, options, count: int):
    """Yield the results of episodes as they end."""
    from iql_ros.robot.action_scaling import ActionScaling
    from iql_ros.robot.safety import Gate
    from iql_ros.runs.evaluate import run_episodes
    from iql_ros.sim.envs import make_env
    data = policy.header['dataset']
    scaling = ActionScaling(data['action_low'], data['action_high'])
    env = make_env(options.env)
    yield from run_episodes(policy, env, count, options.seed, scaling,
                            Gate(interface) if interface else None,
                            tuple(data['observation_keys']))
    env.close()


def _episode_text(result) -> str:
    outcome = {None: '', True: ', success', False: ', no success'}[result.success]
    return (f'episode {result.episode}: return {result.return_:.2f}, {result.length} steps'
            f'{outcome}')


def _episode_facts(result) -> dict:
    return {key.rstrip('_'): value for key, value in dataclasses.asdict(result).items()}


def _summary_text(figures: dict) -> str:
    success = f', success {figures["success_rate"]:.0%}' if 'success_rate' in figures else ''
    return (f'{figures["episodes"]} episodes: return {figures["return_mean"]:.2f} +- '
            f'{figures["return_std"]:.2f}, length {figures["length_mean"]:.1f}{success}')


def _interface_of(policy, checkpoint, options):
    """Return the interface whose gate applies: the local one once it fits, or the inner."""
    if options.robot_config is None:
        return policy.interface
    interface = load_robot(options.robot_config)
    policy.check_robot(interface, str(checkpoint))
    return interface
