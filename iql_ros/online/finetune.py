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

"""Fine-tuning: how a run is opened, and the whole of it in process, in an environment."""

import copy
import dataclasses
import json
from pathlib import Path
import secrets
import time

from iql_ros.data.datasets import Dataset, load_dataset, RewardTransform
from iql_ros.files import check_keys, from_mapping, InputError, write_atomic
from iql_ros.interrupts import first_interrupt
from iql_ros.learner.iql import IQLConfig
from iql_ros.learner.networks import resolve_device
from iql_ros.learner.replay_buffer import ReplayBuffer
from iql_ros.online.experience import Experience
from iql_ros.online.experience_inbox import ExperienceInbox
from iql_ros.online.experience_log import ExperienceLog
from iql_ros.online.judge import Judge
from iql_ros.online.learner import OnlineLearner
from iql_ros.online.settings import FinetuneSettings
from iql_ros.robot.exploration import Explorer
from iql_ros.robot.robot_interface import parse_robot_interface, RobotInterface
from iql_ros.robot.safety import Gate
from iql_ros.robot.task import hash_of_task, refuse_functions_of_others, Task
from iql_ros.runs.binding import bind, checkpoint_facts, report_facts
from iql_ros.runs.checkpoint import choice_facts, choice_of, load_agent, read_header
from iql_ros.runs.evaluate import check_environment, Evaluator
from iql_ros.runs.metrics_log import Progress
from iql_ros.runs.run_directory import RunDirectory

_FREE = ('steps', 'log_every', 'checkpoint_every', 'weights_every')  # when a run goes on
_DISK_WAIT = 5.0  # [s] until a full disk is tried again


@dataclasses.dataclass(frozen=True)
class Opened:
    """A run that is ready to take experience."""

    learner: OnlineLearner
    interface: RobotInterface
    task: Task
    run: RunDirectory
    observation_keys: tuple[str, ...]


def settings_from_mapping(mapping: dict, where: str) -> FinetuneSettings:
    """
    Build the settings, strictly.

    Raises:
        InputError: for an unknown key, a wrong type or value; `where` names the mapping.

    """
    check_keys(mapping, [field.name for field in dataclasses.fields(FinetuneSettings)], where)
    return from_mapping(FinetuneSettings, mapping, where)


def open_run(settings: FinetuneSettings, *, robot_config: str | None = None,
             resume: bool = False, allow_task: bool = False, env=None, on_say=print) -> Opened:
    """
    Check that checkpoint, data, robot and run go together, and open the run.

    Args:
        settings: See FinetuneSettings.
        robot_config: The robot's YAML text on this machine; None: the run's own or else the
            checkpoint's, whose task may name nothing but functions of iql_ros.tasks.
        resume: Go on with the run of that name.
        allow_task: Take data or a checkpoint of another task.
        env: An environment for evaluations, which the learner closes; None: none.
        on_say: Told what a person should know.

    Raises:
        InputError: for anything that cannot be used; nothing is written then.

    """
    run = RunDirectory(settings.name)
    flat = json.loads(json.dumps(dataclasses.asdict(settings)))
    run.check(flat, resume, _FREE)
    header = read_header(settings.checkpoint)
    config = _learner_config(header, settings.checkpoint)
    dataset = _offline_data(settings, header)
    said, whose = robot_config, 'robot_config'
    if robot_config is None:
        said, whose = _robot_of_files(run, settings, header)
    interface = bind(dataset, said, config.discount)
    if interface is None and env is not None:
        interface = _environment_interface(env, dataset)
    if interface is None:
        raise InputError(f"{settings.checkpoint}: is bound to no robot; give the robot's YAML "
                         '(robot_config) or an environment')
    if robot_config is None:
        refuse_functions_of_others(interface, whose)
    if not allow_task:
        _check_task(interface, header, dataset)
    transform = header['reward_transform']
    task = Task(interface)
    gate = Gate(interface)
    evaluator = None
    if env is not None:
        check_environment(env, interface.sensed_dim, dataset.actions.shape[1],
                          dataset.observation_keys)
        evaluator = Evaluator(env, settings.evaluation_episodes, interface.action_scaling, gate,
                              dataset.observation_keys)
    agent = load_agent(run.latest() or settings.checkpoint, settings.device)
    agent.seed = settings.seed
    agent.hold_learning_rate(settings.learning_rate)
    if agent.device.type == 'cpu':  # on a GPU its buffer may not grow
        agent.use_fast_update()
    buffer = ReplayBuffer(
        dataset.observations, dataset.actions,
        RewardTransform(transform['scale'], transform['shift']).apply(dataset.rewards),
        dataset.terminations, dataset.next_observations, agent.actor.normaliser,
        resolve_device(settings.device))
    run.path.mkdir(parents=True, exist_ok=True)
    log = ExperienceLog(run.path / 'experience.log', {  # before all else: it is the lock
        'contract': interface.contract_hash, 'task': task.task_hash}, buffer.observation_dim,
        buffer.action_dim)
    run.create(flat)
    write_atomic(run.path / 'dataset.json', json.dumps(report_facts(dataset, dataset), indent=1))
    facts = {'training': dataclasses.asdict(settings), 'dataset': checkpoint_facts(dataset),
             'robot_config': said,
             'reward_transform': transform,
             'choice': header.get('choice') or choice_facts(choice_of(header))}
    learner = OnlineLearner(settings, agent, buffer, ExperienceInbox(log, on_say), run, facts,
                            interface.action_scaling, Judge(settings, evaluator, on_say), on_say)
    return Opened(learner, interface, task, run, dataset.observation_keys)


def _robot_of_files(run: RunDirectory, settings: FinetuneSettings, header: dict):
    """Return the robot's YAML text of the run, or of the checkpoint to begin with, and whose."""
    latest = run.latest()
    if latest is not None:
        return read_header(latest)['robot_config'], str(latest)
    return header['robot_config'], settings.checkpoint


def _learner_config(header: dict, checkpoint: str) -> IQLConfig:
    config = from_mapping(IQLConfig, header['config'], f'{checkpoint}: config')
    if config.algorithm != 'iql':
        raise InputError(f"{checkpoint}: algorithm is '{config.algorithm}', which trains no "
                         'critic; fine-tuning needs one of: iql')
    return config


def _offline_data(settings: FinetuneSettings, header: dict) -> Dataset:
    known = header['dataset']
    name = settings.dataset or known['name']
    try:
        dataset = load_dataset(name, tuple(known['observation_keys']), known['action_low'],
                               known['action_high'])
    except InputError as error:
        whose = 'given' if settings.dataset else "the checkpoint's own; dataset names another"
        raise InputError(f"offline data '{name}' ({whose}) for {settings.checkpoint}: "
                         f'{error}') from None
    for what, theirs, ours in (
            ('observation', dataset.observations.shape[1], header['observation_dim']),
            ('action', dataset.actions.shape[1], header['action_dim'])):
        if theirs != ours:
            raise InputError(f'dataset {name}: has {theirs} {what} values; the checkpoint has '
                             f'{ours}')
    return dataset


def _environment_interface(env, dataset: Dataset) -> RobotInterface:
    from iql_ros.online.simulated_robot import interface_of_environment
    return interface_of_environment(env, dataset.observations.shape[1], dataset.action_low,
                                    dataset.action_high)


def _check_task(interface: RobotInterface, header: dict, dataset: Dataset) -> None:
    ours = hash_of_task(interface)
    for where, text in (('the checkpoint', header['robot_config']),
                        (f'dataset {dataset.name}', dataset.robot_config)):
        if text and hash_of_task(parse_robot_interface(text, where)) != ours:
            raise InputError(f"{where} is of another task than robot '{interface.robot}' here: "
                             'reward, terminated, time_limit, success_reward or failure_reward '
                             'differ; --allow task takes it all the same')


def finetune(settings: FinetuneSettings, *, robot_config: str | None = None,
             resume: bool = False, allow_task: bool = False, should_stop=None) -> Path:
    """
    Fine-tune in an environment, all in this process; return the run's folder.

    The transitions are those that a policy node and a simulator in lockstep would make.
    Stopped by Ctrl-C or `should_stop`, it saves; `resume` then begins with a new episode.

    Raises:
        InputError: as open_run; for settings without an environment; for diverged training.

    """
    from iql_ros.sim.envs import import_environment, make_env
    if settings.environment is None:
        raise InputError('environment: got none; expected a Gymnasium id (--env ID)')
    import_environment(settings.environment)
    opened = open_run(settings, robot_config=robot_config, resume=resume, allow_task=allow_task,
                      env=make_env(settings.environment))
    learner = opened.learner
    env = make_env(settings.environment)
    progress = Progress(learner.position, settings.steps, hidden=False, unit='steps')
    try:
        with first_interrupt() as interrupted:
            _drive(opened, settings, env, progress,
                   lambda: interrupted.is_set() or (should_stop and should_stop()))
    finally:
        progress.close()
        learner.close()
        env.close()
    if interrupted.is_set() and not learner.done:
        raise KeyboardInterrupt
    return opened.run.path


def _drive(opened: Opened, settings: FinetuneSettings, env, progress: Progress, stopped) -> None:
    """Run episodes until the run is done or stopped, learning from every step at once."""
    from iql_ros.online.simulated_robot import SimulatedRobot
    learner = opened.learner
    actor = copy.deepcopy(learner.acting.actor)  # the weights that drive
    explorer = Explorer(actor, opened.interface, settings.exploration_scale, seed=settings.seed,
                        draws=learner.received)
    robot = SimulatedRobot(
        env, explorer.act, opened.interface, opened.task, opened.observation_keys,
        settings.seed + learner.episodes, secrets.randbits(53))
    while not (learner.done or stopped()):
        actor.load_state_dict(learner.acting.actor.state_dict())
        for experience in robot.run_episode():
            _store(learner, experience, progress, stopped)
            while learner.learn():
                pass
            progress.update(learner.position, learner.metrics,
                            learner.position % settings.log_every == 0)
            if settings.weights_at == 'step':
                actor.load_state_dict(learner.acting.actor.state_dict())
            if learner.done or stopped():
                break


def _store(learner: OnlineLearner, experience: Experience, progress: Progress, stopped) -> None:
    """Let the learner have an experience, as soon as the disk has room for it."""
    while True:
        try:
            learner.add(experience)
            return
        except OSError as error:
            if stopped():
                raise
            progress.say(f'{error.strerror}: waiting for room on the disk of {learner.folder}')
            time.sleep(_DISK_WAIT)
