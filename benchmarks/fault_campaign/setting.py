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

"""The robot of the campaign: its YAML, its task functions, a policy that drives, weights."""

from pathlib import Path

from fault_campaign.judge import Allowed
import h5py
import numpy as np
import torch
import yaml

from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.runs.checkpoint import make_header, pack, save_checkpoint

MAX_AGE = 0.2            # [s] of both streams
DOWNSTREAM_TIMEOUT = 0.5  # [s]
LOW, HIGH = (-0.5, -1.5), (0.5, 1.5)               # what -1 and +1 of the policy mean
LIMIT_LOW, LIMIT_HIGH = (-0.3, -1.2), (0.3, 1.2)   # less, so that there is something to clip
MAX_RATE = (3.0, 15.0)
BLEND_IN = 1.0     # [s], in blend_in.yaml
FARTHEST = 3.0     # [m] the robot may drive, in range.yaml
LIFT_ERROR, LIFT_ERROR_TIME = 0.1, 0.095   # of the lift, [m] and [s], in lift.yaml
SLOWEST = 0.228    # [m/s] the policy drives while |y| <= 1, once it has come to that
LEARNER_RUN = 77
DATASET = {'name': 'none', 'fingerprint': 'none', 'action_low': list(LOW),
           'action_high': list(HIGH), 'observation_keys': [], 'environment': None}
_TASK = Path(__file__).parent / 'task_functions.py'


def allowed(rate: float) -> Allowed:
    """Return what the YAML allows, for the judge."""
    return Allowed(LIMIT_LOW, LIMIT_HIGH, MAX_RATE, (0.0, 0.0), 1 / rate)


def settle(rate: float) -> float:
    """Return how long after its time a tick is sampled [s]; written into the YAML."""
    return min(0.005, 0.1 / rate)


def robot_yaml(rate: float, gate: dict | None = None, lift: bool = False, **drive) -> str:
    """
    Return the robot's YAML.

    `gate` is added to the wheels' gate and `drive` to their stream; `lift`: one more thing that
    holds a position.
    """
    observed, driven = _lift() if lift else ([], [])
    return yaml.safe_dump({
        'robot': 'fault_robot', 'control_rate': rate, 'settle': settle(rate),
        'observation': [
            {'topic': 'robot_pose', 'type': 'geometry_msgs/msg/PoseStamped', 'max_age': MAX_AGE,
             'fields': ['pose.position.x', 'pose.position.y', 'yaw_cos(pose.orientation)',
                        'yaw_sin(pose.orientation)']},
            {'topic': 'joint_states', 'type': 'sensor_msgs/msg/JointState', 'max_age': MAX_AGE,
             'joints': ['left_wheel', 'right_wheel'], 'fields': ['velocity']}, *observed],
        'action': [
            {'topic': 'cmd_vel', 'type': 'geometry_msgs/msg/TwistStamped', 'max_age': 0.5,
             'fields': ['twist.linear.x', 'twist.angular.z'], 'low': list(LOW),
             'high': list(HIGH), 'rule': 'mean', 'gate': {
                 'limit': {'low': list(LIMIT_LOW), 'high': list(LIMIT_HIGH)},
                 'max_rate': list(MAX_RATE), 'stop': 'zero',
                 'downstream_timeout': DOWNSTREAM_TIMEOUT, **(gate or {})}, **drive}, *driven],
        'task': {'reward': 'fault_task:reward', 'time_limit': 3600.0,
                 'reset': {'service': 'reset_world', 'type': 'std_srvs/srv/Trigger'}}},
        sort_keys=False)


def _lift() -> tuple[list, list]:
    """Return what is observed and what is commanded of a lift."""
    return [{'topic': 'lift_state', 'type': 'sensor_msgs/msg/JointState', 'max_age': MAX_AGE,
             'joints': ['lift'], 'fields': ['position']}], [
        {'topic': 'lift/command', 'type': 'std_msgs/msg/Float64MultiArray', 'size': 1,
         'fields': ['data'], 'stamp': 'receive', 'controls': 'position', 'max_age': 0.5,
         'rule': 'last', 'low': [-1.0], 'high': [1.0],
         'measured': ['lift_state position[lift]'],
         'gate': {'max_rate': [1.0], 'stop': 'hold', 'max_error': [LIFT_ERROR],
                  'error_time': LIFT_ERROR_TIME, 'downstream_timeout': DOWNSTREAM_TIMEOUT}}]


def variants(rate: float) -> dict[str, str]:
    """Return the YAMLs that set something besides, by name."""
    x, yaw = 'robot_pose pose.position.x', 'robot_pose yaw_sin(pose.orientation)'
    return {
        'blend_in': robot_yaml(rate, {'blend_in': BLEND_IN}),
        'range': robot_yaml(rate, {'range': {'low': [-FARTHEST] * 2, 'high': [FARTHEST] * 2}},
                            controls='velocity', measured=[x, yaw]),
        'lift': robot_yaml(rate, lift=True)}


def make_agent(lift: bool = False, width: int = 8) -> IQLAgent:
    """
    Return an agent whose actor drives forwards whatever |y| <= 1 the pose has.

    A y of -8 makes it drive backwards, so a sample that must not count is seen in the
    commands (SLOWEST); an x near the largest float32 makes infinity less infinity, which is NaN.
    """
    observed, driven = (7, 3) if lift else (6, 2)
    agent = IQLAgent(observed, driven, IQLConfig(hidden_dims=(width, width), batch_size=8), seed=1)
    first, second, last = agent.actor.mlp.layers
    with torch.no_grad():
        for layer in (first, second, last):
            layer.weight.zero_()
            layer.bias.zero_()
        first.weight[0, 1], first.weight[1, 1] = 1.0, -1.0
        first.weight[2, 0], first.weight[3, 0] = 2.0, 2.0
        second.weight[0, 0] = second.weight[1, 1] = 1.0
        second.weight[2, 2], second.weight[2, 3] = 1.0, -1.0
        last.weight[0, :3] = torch.tensor([0.3, -0.3, 1.0])
        last.weight[1, :3] = torch.tensor([0.7, -0.7, 1.0])
        last.bias[:2] = torch.tensor([0.8, 0.5])
        if lift:   # up and down with y
            last.weight[2, :2] = torch.tensor([1.0, -1.0])
    agent.fit_normaliser(np.array([[-1.0] * observed, [1.0] * observed]))  # mean 0, deviation 1
    return agent


def write_setting(folder: Path, rate: float) -> None:
    """Write YAMLs, fault_task.py, checkpoints, and what a learner begins with."""
    text = robot_yaml(rate)
    (folder / 'robot.yaml').write_text(text)
    (folder / 'fault_task.py').write_text(_TASK.read_text())
    (folder / 'flag').write_bytes(bytes(64))
    save_checkpoint(folder / 'policy.safetensors', make_agent(), training={}, robot_config=text,
                    dataset=DATASET)
    save_checkpoint(folder / 'ranged.safetensors', make_agent(), training={}, robot_config=text,
                    dataset={**DATASET, 'observation_low': [-5.0] * 6,
                             'observation_high': [5.0] * 6})
    for name, other in variants(rate).items():
        (folder / f'{name}.yaml').write_text(other)
    save_checkpoint(folder / 'lift.safetensors', make_agent(lift=True), training={},
                    robot_config=variants(rate)['lift'],
                    dataset={**DATASET, 'action_low': [*LOW, -1.0], 'action_high': [*HIGH, 1.0]})
    _write_dataset(folder)


def _write_dataset(folder: Path) -> None:
    """Write what a learner begins with: random steps, and settings for a small run."""
    rng, steps = np.random.default_rng(0), 60
    with h5py.File(folder / 'data.hdf5', 'w') as file:
        for name in ('observations', 'next_observations'):
            file[name] = rng.normal(size=(steps, 6)).astype(np.float32)
        file['actions'] = rng.uniform(LOW, HIGH, (steps, 2)).astype(np.float32)
        file['rewards'] = np.zeros(steps)
        file['terminals'] = np.zeros(steps, bool)
        file['timeouts'] = np.arange(1, steps + 1) % 10 == 0
    (folder / 'learn.yaml').write_text(yaml.safe_dump(
        {'checkpoint_every': 1000, 'log_every': 100, 'steps': 0,
         'capacity': 10_000}))   # full at once: what grows then is a leak


def weights(rate: float) -> dict[str, bytes]:
    """Return messages of weights that must not act, and 'good', by name."""
    agent, text = make_agent(), robot_yaml(rate)
    header = make_header(agent, training={}, dataset=DATASET, robot_config=text,
                         reward_transform=None)
    tensors = {f'actor.{name}': tensor.clone()
               for name, tensor in agent.actor.state_dict().items()}
    name = 'actor.mlp.layers.1.weight'

    def message(version, header=header, **changes):
        said = {'run': LEARNER_RUN, 'version': version, 'updates': 10}
        return pack({**header, 'weights': said}, {**tensors, **changes})
    other = text.replace('pose.position.x', 'pose.position.z')
    bomb = 'a: &a [x, x, x, x, x, x, x, x, x]\n' + '\n'.join(
        f'{chr(98 + i)}: &{chr(98 + i)} [{", ".join([f"*{chr(97 + i)}"] * 9)}]' for i in range(8))
    good = message(1)
    return {
        'good': good, 'cut': good[:len(good) // 2], 'empty': b'',
        'nan': message(2, **{name: torch.full_like(tensors[name], float('nan'))}),
        'large': message(3, **{key: torch.full_like(value, 1e30)
                               for key, value in tensors.items() if 'weight' in key}),
        'bool': message(4, **{key: value.bool() for key, value in tensors.items()}),
        'foreign': message(5, {**header, 'robot_config': other}),
        'number': message(6, {**header, 'robot_config': 7}),
        'bomb': message(7, {**header, 'robot_config': bomb}),
        'long_header': message(8, {**header, 'training': {'x': [0] * 300_000}}),
        'digits': message(10**400), 'noise': bytes(2_000_000),
        'huge': bytes(20_000_000)}
