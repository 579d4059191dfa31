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

"""Tests for arm.py."""

import subprocess
import sys

import numpy as np
import pytest

gymnasium = pytest.importorskip('gymnasium')
pytest.importorskip('mujoco')

from iql_ros.files import InputError, share_folder  # noqa: E402
from iql_ros.robot.robot_interface import load_robot_interface  # noqa: E402
from iql_ros.sim import envs  # noqa: E402
from iql_ros.sim.arm import ArmEnv, TRAY  # noqa: E402
from iql_ros.sim.arm_kinematics import joint_angles, tool_position  # noqa: E402

ABOVE = {'x': [0.45, 0.45], 'y': [0.25, 0.25], 'z': [0.15, 0.15], 'twist': [0.0, 0.0]}
SIDE = {'x': [0.45, 0.45], 'y': [-0.2, -0.2], 'z': [0.3, 0.3], 'twist': [0.2, 0.2]}
CLOSED, OPEN = 0.01, 0.04


def command(position, opening=CLOSED):
    """Return the action (7,) that has the tool at a position in the base's frame."""
    return np.append(joint_angles(position), opening)


def held(env, ticks, action):
    """Return the observations (ticks, 10) of a constant action."""
    return np.array([env.step(action)[0] for _ in range(ticks)])


@pytest.mark.filterwarnings('ignore:.*(infinity|normalized).*:UserWarning')
def test_gymnasiums_own_checker_passes():
    from gymnasium.utils.env_checker import check_env
    check_env(envs.make_env('iql_ros/Arm-v0').unwrapped, skip_render_check=True)


@pytest.mark.parametrize('name, env_id', [('arm', 'iql_ros/Arm-v0'),
                                          ('arm_forward', 'iql_ros/ArmForward-v0')])
def test_spaces_and_rate_agree_with_the_robots_yaml(name, env_id):
    env = envs.make_env(env_id)
    robot = load_robot_interface(share_folder() / 'config' / 'robots' / f'{name}.yaml')
    scaling = robot.action_scaling
    assert env.action_space.low.tolist() == scaling.low.tolist()
    assert env.action_space.high.tolist() == scaling.high.tolist()
    assert env.observation_space.shape == (robot.observation_dim,)
    assert envs.control_rate(env) == robot.control_rate
    assert env.spec.max_episode_steps == robot.task['time_limit'] * robot.control_rate
    starts = {stream.time_from_start for stream in robot.action} - {0.0}
    assert starts in (set(), {env.unwrapped.time_from_start})


def test_the_same_seed_and_actions_give_bit_equal_observations_in_a_fresh_process():
    moves = [command((0.4, 0.1 * tick, 0.2), CLOSED).tolist() for tick in range(4)]
    program = ('import numpy as np; from iql_ros.sim.arm import ArmEnv; env = ArmEnv(); '
               'rows = [env.reset(seed=5)[0]]; '
               f'rows += [env.step(np.array(move))[0] for move in {moves}]; '
               'print(np.array(rows).tobytes().hex())')
    fresh = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                           check=True, cwd=share_folder())
    env = ArmEnv()
    env.reset(seed=1)
    held(env, 3, command((0.5, 0.2, 0.1), OPEN))    # what came before leaves no trace
    rows = [env.reset(seed=5)[0]] + [env.step(np.array(move))[0] for move in moves]
    assert np.array(rows).tobytes().hex() == fresh.stdout.strip()


def test_an_episode_begins_in_its_region_with_the_block_between_the_fingers():
    env = ArmEnv(start={'y': [-0.2, 0.0]})
    starts = np.array([env.reset(seed=seed)[0] for seed in range(30)])
    tools = np.array([tool_position(start[3:9]) for start in starts])
    assert np.abs(starts[:, :3] + TRAY - tools).max() < 0.005
    assert (tools[:, 1] > -0.205).all() and (tools[:, 1] < 0.005).all()
    assert np.ptp(tools[:, 0]) > 0.25 and np.ptp(tools[:, 2]) > 0.25
    assert np.abs(starts[:, 9] - 0.02).max() < 0.002


@pytest.mark.parametrize('controller', ['trajectory', 'forward'])
def test_the_arm_comes_to_where_it_is_told_to_be_and_keeps_the_block(controller):
    env = ArmEnv(start=SIDE, controller=controller)
    env.reset(seed=0)
    rows = held(env, 20, command((0.5, 0.0, 0.2)))
    assert tool_position(rows[-1, 3:9]) == pytest.approx([0.5, 0.0, 0.2], abs=0.003)
    assert rows[-1, :3] + TRAY == pytest.approx([0.5, 0.0, 0.2], abs=0.006)


def test_until_it_is_told_something_the_arm_stays_where_it_is():
    env = ArmEnv(start=SIDE)
    first = env.reset(seed=0)[0]
    rows = held(env, 20, np.full(7, np.nan))
    assert rows[-1] == pytest.approx(first, abs=0.002)


def test_a_trajectory_takes_its_time_and_a_forwarded_command_does_not():
    moved = {}
    for controller in ('trajectory', 'forward'):
        env = ArmEnv(start=SIDE, controller=controller)
        first = env.reset(seed=0)[0]
        target = first[3:].copy()
        target[0] += 0.1
        env.take_command(target, 0.4)
        moved[controller] = held(env, 8, np.full(7, np.nan))[:, 3] - first[3]
    assert moved['trajectory'][1] < 0.06 < moved['forward'][1]
    assert moved['trajectory'][-1] == pytest.approx(0.1, abs=0.002)


def test_a_trajectory_of_the_past_moves_nothing():
    env = ArmEnv(start=SIDE)
    first = env.reset(seed=0)[0]
    assert not env.take_command(command((0.5, 0.3, 0.3)), -0.01)
    assert held(env, 5, np.full(7, np.nan))[-1, 3:9] == pytest.approx(first[3:9], abs=0.001)


def test_smaller_steps_are_the_same_motion():
    whole, parts = ArmEnv(start=SIDE), ArmEnv(start=SIDE)
    for env in (whole, parts):
        env.reset(seed=0)
    parts.frame_skip //= 4
    target = command((0.5, 0.0, 0.2))
    assert parts.dt == whole.dt / 4
    parts.take_command(target)
    assert np.array_equal(held(parts, 4, np.full(7, np.nan))[-1], whole.step(target)[0])


def test_to_put_the_block_down_on_the_tray_and_let_go_ends_the_episode():
    env = ArmEnv(start=ABOVE)
    env.reset(seed=0)
    for height in np.linspace(0.15, TRAY[2] + 0.019, 12):
        _, reward, terminated, _, _ = env.step(command((*TRAY[:2], height)))
        assert reward == -1.0 and not terminated
    results = [env.step(command((*TRAY[:2], TRAY[2] + 0.02), OPEN)) for _ in range(4)]
    ended = [terminated for _, _, terminated, _, _ in results]
    assert True in ended and results[ended.index(True)][1] == 0.0
    assert results[-1][4] == {'is_success': True}


def test_to_let_go_beside_the_tray_does_not():
    env = ArmEnv(start=SIDE)
    env.reset(seed=0)
    held(env, 10, command((0.45, 0.1, 0.1)))
    rows = held(env, 10, command((0.45, 0.1, 0.1), OPEN))
    assert rows[-1, 2] < 0.02 and np.hypot(*rows[-1, :2]) > 0.1
    assert not env.step(command((0.45, 0.1, 0.1), OPEN))[2]


def test_a_block_that_falls_off_the_table_stays_on_the_floor():
    env = ArmEnv(start=SIDE)
    env.reset(seed=0)
    beyond = (0.15, -0.68, 0.2)
    rows = held(env, 25, command(beyond))
    assert rows[-1, 1] + TRAY[1] < -0.63
    rows = held(env, 20, command(beyond, OPEN))
    assert -0.75 < rows[-1, 2] + TRAY[2] < -0.65


def test_the_other_arm_sags_and_is_elsewhere_than_it_says():
    env = ArmEnv(start=SIDE, payload=2.0, offsets=[0.05, 0, 0, 0, 0, 0])
    env.reset(seed=0)
    row = held(env, 20, command((0.5, 0.0, 0.2)))[-1]
    straight = joint_angles((0.5, 0.0, 0.2))
    assert row[3] == pytest.approx(straight[0], abs=0.002)      # it says what it was told
    assert row[1] + TRAY[1] > 0.02                              # and is further to the left
    assert row[2] + TRAY[2] < 0.198


@pytest.mark.parametrize('kwargs, message', [
    ({'controller': 'pid'}, "unknown controller 'pid'"), ({'payload': -1}, 'payload: got -1'),
    ({'offsets': [0.1]}, 'offsets: got 1 values; expected 6'),
    ({'start': {'z': [0.0, 0.3]}}, 'start: z: got [0.0, 0.3]'),
    ({'render_mode': 'human'}, "render_mode: got 'human'; allowed: rgb_array")])
def test_what_cannot_be_is_refused_in_one_line(kwargs, message):
    with pytest.raises(InputError) as error:
        ArmEnv(**kwargs)
    assert message in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('action', [[0.0] * 6, [np.inf] * 7])
def test_an_action_that_is_none_is_a_programming_error(action):
    env = ArmEnv()
    env.reset(seed=0)
    with pytest.raises(ValueError, match='expected 7 finite numbers'):
        env.step(action)
