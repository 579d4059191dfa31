"""The whole loop on the sample recording: convert, train, evaluate, deploy, report."""

import csv
import dataclasses
import importlib.util
import os
from pathlib import Path
import shutil
import subprocess
import time

from iql_ros.checkpoint import load_policy, Policy
from iql_ros.convert import convert_bags
from iql_ros.demo_report import write_demo_report
from iql_ros.evaluate import EpisodeResult, evaluate_policy, write_results
from iql_ros.files import InputError, read_yaml, share_folder
from iql_ros.report import write_run_report
from iql_ros.robot_interface import load_robot_interface
from iql_ros.run_directory import RunDirectory, runs_folder
from iql_ros.safety import Gate
from iql_ros.simulation import node_command, simulation_environment
from iql_ros.train import settings_from_mapping, train

ENVIRONMENT = 'iql_ros/Diffbot-v0'
STARTS_SEED = 10_000         # of the start poses: the same for every policy and every run
_DATASET = 'diffbot/sample-v0'
_MODULES = {'minari': 'data', 'rosbags': 'data', 'mujoco': 'sim', 'matplotlib': 'report'}
_LEARNERS = {                # run name -> (title, settings over config/iql/robot.yaml)
    'iql': ('IQL', {}),
    'cloning': ('Cloning', {'algorithm': 'bc'}),
    'cloning-best': ('Cloning of the best 20 %', {'algorithm': 'bc', 'best_episodes': 0.2})}


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of everything the demo does."""

    updates: int | None      # None: what the settings say
    starts: int              # start poses of the evaluation
    episodes: int            # over topics
    time_limit: float        # [s] of the deployment


FULL = Size(updates=None, starts=100, episodes=20, time_limit=300.0)
SMOKE = Size(updates=300, starts=5, episodes=2, time_limit=60.0)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One policy of the demo and what it reached."""

    title: str
    run: Path
    policy: Policy
    results: list[EpisodeResult]
    paths: list              # (T + 1, 2) positions [m] of the first episodes


def run_demo(size: Size, seed: int = 0) -> Path:
    """
    Do everything and return the report's path; prints what it does as it goes.

    Raises:
        InputError: when ROS or the simulation is not installed, or a node fails.

    """
    _check_installed()
    started, folder = time.monotonic(), runs_folder().resolve() / 'demo'
    if (folder / 'config.yaml').exists():
        raise InputError(f'{folder} is a training run of yours; rename it: the demo writes there')
    shutil.rmtree(folder, ignore_errors=True)  # of the last demo
    folder.mkdir(parents=True)
    os.environ['IQL_RUNS'] = str(folder)
    os.environ['MINARI_DATASETS_PATH'] = str(folder / 'datasets')

    def say(text):
        print(f'\n[{time.monotonic() - started:4.0f} s] {text}', flush=True)

    robot_config = share_folder() / 'config' / 'robots' / 'diffbot.yaml'
    interface = load_robot_interface(robot_config)
    say('1/5 Converting the recording of the simulated robot (bags) to a dataset')
    dataset, report = convert_bags([share_folder() / 'share' / 'diffbot_recording'], _DATASET,
                                   interface, environment=ENVIRONMENT)
    print(f'{report["transitions"]:,} transitions in {len(dataset.returns())} episodes')
    outcomes = []
    for number, (name, (title, changes)) in enumerate(_LEARNERS.items(), start=1):
        say(f'2/5 Training {title} ({number} of {len(_LEARNERS)})')
        outcomes.append(_learn(name, title, changes, size, seed, interface))
    say(f'3/5 From {size.starts} start poses all over the arena:')
    for outcome in outcomes:
        print(f'{outcome.title:<26} docks from {_share(outcome.results):.0%}')
    say(f'4/5 IQL drives over ROS topics: sim_node and policy_node, {size.episodes} episodes')
    deployed = deploy(RunDirectory('iql').latest(), robot_config, size,
                      folder / 'deployment.csv')
    print(f'docked in {sum(deployed)} of {len(deployed)} episodes')
    say('5/5 Writing the report')
    for outcome in outcomes:
        write_run_report(outcome.run)
    path = write_demo_report(folder / 'report.html', outcomes, dataset, report, deployed)
    say(f'Done. Open {path}')
    return path


def _check_installed() -> None:
    if importlib.util.find_spec('rclpy') is None:
        raise InputError("the demo drives over ROS topics, and module 'rclpy' is not installed; "
                         "source ROS 2 Jazzy's setup.bash, or pip install 'iql_ros[wheels]'")
    for module, extra in _MODULES.items():
        if importlib.util.find_spec(module) is None:
            raise InputError(f"the demo needs module '{module}': pip install 'iql_ros[{extra}]'")


def _share(results: list[EpisodeResult]) -> float:
    return sum(result.success for result in results) / len(results)


def _learn(name: str, title: str, changes: dict, size: Size, seed: int, interface) -> Outcome:
    mapping = {**read_yaml(share_folder() / 'config' / 'iql' / 'robot.yaml'), **changes,
               'dataset': _DATASET, 'name': name, 'seed': seed}
    if size.updates is not None:
        mapping.update(updates=size.updates, log_every=100, evaluation_episodes=2)
    run = train(*settings_from_mapping(mapping, 'demo'))
    policy = load_policy(RunDirectory(name).latest(), 'cpu')
    return _evaluated(title, run, policy, size, interface)


def _evaluated(title: str, run: Path, policy: Policy, size: Size, interface) -> Outcome:
    from iql_ros.envs import make_env
    env = make_env(ENVIRONMENT)
    paths = []
    results = evaluate_policy(policy, _Tracked(env, paths), size.starts, STARTS_SEED,
                              interface.action_scaling, Gate(interface))
    env.close()
    write_results(run / 'evaluation.csv', results)
    # its first reset only compares the dimensions
    return Outcome(title, run, policy, results, paths[-len(results):])


class _Tracked:
    """An environment that notes where the robot was."""

    def __init__(self, env, paths: list):
        self._env, self._paths = env, paths
        self.action_space, self.spec = env.action_space, env.spec

    def reset(self, **kwargs):
        observation, info = self._env.reset(**kwargs)
        self._paths.append([observation[:2]])
        return observation, info

    def step(self, action):
        result = self._env.step(action)
        self._paths[-1].append(result[0][:2])
        return result


def deploy(checkpoint: Path, robot_config: Path, size: Size, results: Path) -> list[bool]:
    """
    Drive by a checkpoint over topics, two processes in lockstep.

    Returns whether each episode ended docked.

    Raises:
        InputError: when a node fails or does not end in time.

    """
    environment = {'ROS_DOMAIN_ID': str(1 + os.getpid() % 100), **simulation_environment()}
    common = {'robot_config': robot_config, 'lockstep': True, 'seed': STARTS_SEED}
    simulator = subprocess.Popen(
        node_command('sim_node', {**common, 'env_id': ENVIRONMENT}), env=environment)
    try:
        policy = subprocess.run(
            node_command('policy_node', {
                **common, 'checkpoint': checkpoint, 'device': 'cpu',
                'episodes': size.episodes, 'results': results}),
            env=environment, timeout=size.time_limit)
    except subprocess.TimeoutExpired:
        raise InputError(f'policy_node did not finish {size.episodes} episodes in '
                         f'{size.time_limit:.0f} s') from None
    finally:
        simulator.terminate()
        simulator.wait()
    if policy.returncode:
        raise InputError(f'policy_node ended with exit code {policy.returncode}')
    with open(results, newline='') as file:
        return [row['terminated'] == '1' for row in csv.DictReader(file)]
