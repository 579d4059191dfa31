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

"""Tests for envs.py."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

gymnasium = pytest.importorskip('gymnasium')
pytest.importorskip('mujoco')

from iql_ros.files import InputError, share_folder  # noqa: E402
from iql_ros.robot.robot_interface import load_robot_interface  # noqa: E402
from iql_ros.sim import envs  # noqa: E402

AT_REST = {'x': [-1.0, -1.0], 'y': [0.5, 0.5], 'heading': [0.0, 0.0]}
MOVES = [[0.3, 0.0], [0.1, -1.2], [-0.2, 0.7], [0.3, 1.5], [0.0, -1.5]]


def drive(ticks, command, **kwargs):
    """Return the observations (ticks + 1, 6) of a constant command from AT_REST."""
    env = envs.DiffbotEnv(start=AT_REST, **kwargs)
    rows = [env.reset(seed=0)[0]]
    rows += [env.step(np.array(command))[0] for _ in range(ticks)]
    return np.array(rows)


def turned(rows):
    """Return the angle turned over all rows [rad], counter-clockwise."""
    headings = np.unwrap(np.arctan2(rows[:, 3], rows[:, 2]))
    return headings[-1] - headings[0]


@pytest.mark.filterwarnings('ignore:.*(infinity|normalized).*:UserWarning')
def test_gymnasiums_own_checker_passes():
    from gymnasium.utils.env_checker import check_env
    check_env(envs.make_env('iql_ros/Diffbot-v0').unwrapped, skip_render_check=True)


def test_spaces_and_rate_agree_with_the_robots_yaml():
    env = envs.make_env('iql_ros/Diffbot-v0')
    robot = load_robot_interface(share_folder() / 'config' / 'robots' / 'diffbot.yaml')
    assert env.action_space.low.tolist() == list(robot.action[0].low)
    assert env.action_space.high.tolist() == list(robot.action[0].high)
    assert env.observation_space.shape == (robot.observation_dim,)
    assert envs.control_rate(env) == robot.control_rate
    assert env.spec.max_episode_steps == 20.0 * robot.control_rate


def test_the_same_seed_and_actions_give_bit_equal_observations_in_a_fresh_process():
    program = ('import numpy as np; from iql_ros.sim import envs; env = envs.DiffbotEnv(); '
               'rows = [env.reset(seed=5)[0]]; '
               f'rows += [env.step(np.array(move))[0] for move in {MOVES}]; '
               'print(np.array(rows).tobytes().hex())')
    fresh = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                           check=True, cwd=share_folder())
    env = envs.DiffbotEnv()
    env.reset(seed=1)
    env.step(np.array([0.3, 1.0]))    # what came before leaves no trace
    rows = [env.reset(seed=5)[0]] + [env.step(np.array(move))[0] for move in MOVES]
    assert np.array(rows).tobytes().hex() == fresh.stdout.strip()


def test_an_episode_begins_at_rest_in_its_start_region():
    env = envs.DiffbotEnv(start={'x': [-0.9, -0.4], 'y': [0.1, 0.3], 'heading': [-0.8, 0.8]})
    starts = np.array([env.reset(seed=seed)[0] for seed in range(50)])
    x, y, cosine, sine, *wheels = starts.T
    assert -0.905 < x.min() < -0.85 and -0.45 < x.max() < -0.395
    assert 0.1 - 1e-3 < y.min() and y.max() < 0.3 + 1e-3
    assert np.abs(np.arctan2(sine, cosine)).max() <= 0.801
    assert np.abs(wheels).max() < 1e-3


def test_the_default_region_is_the_whole_arena_but_the_plate():
    env = envs.DiffbotEnv()
    starts = np.array([env.reset(seed=seed)[0] for seed in range(300)])
    assert np.hypot(starts[:, 0], starts[:, 1]).min() > 0.10
    assert (starts[:, :2].min(axis=0) < -1.4).all() and (starts[:, :2].max(axis=0) > 1.4).all()
    assert starts[:, 2].min() < -0.95 and starts[:, 3].min() < -0.95


def test_full_speed_for_five_seconds_moves_one_and_a_half_metres_straight():
    rows = drive(25, [0.3, 0.0])
    assert rows[-1, 0] - rows[0, 0] == pytest.approx(1.5, abs=0.04)
    assert rows[-1, 1] == pytest.approx(0.5, abs=1e-3)
    assert rows[-1, 4:] == pytest.approx([0.3 / 0.05] * 2, rel=0.01)  # wheel radius 5 cm


def test_one_radian_a_second_for_five_seconds_turns_five_radians_on_the_spot():
    rows = drive(25, [0.0, 1.0])
    assert turned(rows) == pytest.approx(5.0, abs=0.1)
    assert np.ptp(rows[:, :2], axis=0).max() < 0.01
    assert rows[-1, 4] < 0.0 < rows[-1, 5]


def test_the_wheels_do_not_slip():
    rows = drive(20, [0.3, 1.0])
    path = np.hypot(*np.diff(rows[10:, :2], axis=0).T).sum()
    rolled = 0.05 * rows[11:, 4:].mean(axis=1).sum() / 5
    assert path == pytest.approx(rolled, rel=0.03)


def test_docking_ends_the_episode_within_ten_centimetres_and_costs_nothing():
    env = envs.make_env('iql_ros/Diffbot-v0', start={'x': [-0.5, -0.5], 'y': [0.0, 0.0],
                                                     'heading': [0.0, 0.0]})
    env.reset(seed=0)
    for _ in range(20):
        observation, reward, terminated, truncated, info = env.step(np.array([0.3, 0.0]))
        distance = math.hypot(*observation[:2])
        assert terminated == info['is_success'] == (distance <= 0.10)
        assert reward == (0.0 if terminated else -1.0)
        assert not truncated
        if terminated:
            break
    assert terminated


def test_the_time_limit_truncates_after_twenty_seconds():
    env = envs.make_env('iql_ros/Diffbot-v0')
    env.reset(seed=0)
    ends = [env.step(np.zeros(2))[2:4] for _ in range(100)]
    assert ends == [(False, False)] * 99 + [(False, True)]


def test_an_action_beyond_the_space_is_clipped_to_it():
    assert np.array_equal(drive(3, [9.0, -9.0]), drive(3, [0.3, -1.5]))


def test_an_action_that_is_not_two_finite_numbers_is_refused():
    env = envs.DiffbotEnv()
    env.reset(seed=0)
    for action in ([0.1], [0.1, math.nan]):
        with pytest.raises(ValueError, match='2 finite numbers'):
            env.step(np.array(action))


def test_speed_scale_and_turn_scale_scale_what_is_reached():
    distance = np.ptp(drive(25, [0.3, 0.0], speed_scale=0.8)[:, 0])
    assert distance == pytest.approx(0.8 * 1.5, abs=0.04)
    assert turned(drive(25, [0.0, 1.0], turn_scale=0.6)) == pytest.approx(0.6 * 5, abs=0.1)


def test_pull_turns_a_moving_robot_and_leaves_a_standing_one_alone():
    assert turned(drive(25, [0.3, 0.0], pull=0.2)) == pytest.approx(0.2 * 5, abs=0.05)
    assert turned(drive(25, [-0.15, 0.0], pull=0.2)) == pytest.approx(-0.1 * 5, abs=0.05)
    assert turned(drive(25, [0.0, 0.0], pull=0.2)) == pytest.approx(0.0, abs=1e-3)


def test_delay_ticks_makes_every_command_come_that_much_later():
    late = drive(7, [0.3, 0.5], delay_ticks=2)
    assert np.abs(late[2] - late[0]).max() < 1e-3
    assert np.allclose(late[2:], drive(5, [0.3, 0.5]), atol=1e-3)


def test_a_rendered_frame_shows_the_plate_and_the_robot():
    program = ('import mujoco\n'
               'from iql_ros.sim import envs\n'
               'try:\n'
               '    mujoco.Renderer(mujoco.MjModel.from_xml_string("<mujoco/>")).close()\n'
               'except Exception:\n'
               '    raise SystemExit("no OpenGL")\n'
               'env = envs.make_env(envs.DIFFBOT, render_mode="rgb_array")\n'
               'env.reset(seed=0)\n'
               'red, green, blue = env.render().astype(int).transpose(2, 0, 1)\n'
               'print(red.shape, ((green > red + 90) & (green > blue + 60)).sum() > 500,\n'
               '      ((red > green + 60) & (green > blue + 30)).sum() > 100)')
    result = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                            cwd=share_folder(), env={**os.environ, 'MUJOCO_GL': 'egl'})
    if 'no OpenGL' in result.stderr:
        pytest.skip('no OpenGL')
    assert result.stdout == '(720, 960) True True\n', result.stderr


def test_a_finer_frame_skip_divides_the_tick_and_keeps_the_delay():
    whole, fine = (envs.DiffbotEnv(start=AT_REST, delay_ticks=1) for _ in range(2))
    fine.frame_skip //= 10
    assert fine.dt == pytest.approx(0.02)
    whole.reset(seed=0)
    fine.reset(seed=0)
    for move in MOVES:
        ends = [fine.step(np.array(move))[0] for _ in range(10)]
        assert np.array_equal(ends[-1], whole.step(np.array(move))[0])


@pytest.mark.parametrize('kwargs, message', [
    ({'start': {'z': [0, 1]}}, "start: unknown key 'z'; allowed: x, y, heading, distance"),
    ({'start': {'x': [0, 2]}}, r'start: x: got \[0, 2\]; allowed: .*\[-1.5, 1.5\]'),
    ({'start': {'x': [1, 0]}}, r'start: x: got \[1, 0\]; allowed: \[low, high\]'),
    ({'start': {'x': 1}}, r'start: x: got 1; expected \[low, high\]'),
    ({'start': {'x': [0, 0.05], 'y': [0, 0]}}, 'none of it lies 0.12 to 3 m from the plate'),
    ({'pull': math.nan}, 'pull: got nan; expected a finite number'),
    ({'delay_ticks': -1}, 'delay_ticks: got -1; expected a whole number'),
    ({'render_mode': 'ansi'}, "render_mode: got 'ansi'; allowed: rgb_array"),
    ({'wings': 2}, "'wings'.*allowed: start, speed_scale"),
])
@pytest.mark.filterwarnings('ignore:.*render_mode.*:UserWarning')
def test_keywords_that_cannot_be_are_refused_on_one_line(kwargs, message):
    with pytest.raises(InputError, match=message) as error:
        envs.make_env('iql_ros/Diffbot-v0', **kwargs)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('env_id, message', [
    ('iql_ros/Difbot-v0', "unknown environment 'iql_ros/Difbot-v0'.*: iql_ros/Diffbot-v0"),
    ('hopper-v5', "unknown environment 'hopper-v5'; the nearest known: Hopper-v5"),
    ('os:anything', "unknown environment 'os:anything'"),
    ('CartPole-v1', r'action space is Discrete\(2\); allowed: a bounded Box'),
])
def test_an_environment_that_cannot_be_used_is_refused_on_one_line(env_id, message):
    with pytest.raises(InputError, match=message):
        envs.make_env(env_id)


def test_a_missing_simulator_names_the_extra():
    program = ("import sys; sys.modules['mujoco'] = None\n"
               'from iql_ros.files import InputError\n'
               'try:\n    import iql_ros.sim.envs\n'
               'except InputError as error:\n    print(error)')
    result = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                            check=True, cwd=share_folder())
    assert result.stdout == "'mujoco' is not installed: pip install 'iql_ros[sim]'\n"


def test_an_array_observation_becomes_one_float64_vector():
    vector = envs.observation_vector(np.array([[1, 2], [3, 4]], dtype=np.float32))
    assert vector.dtype == np.float64
    assert vector.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_dict_observation_is_concatenated_in_the_declared_order():
    observation = {'a': np.array([1.0, 2.0]), 'goal': np.array([3.0]), 'b': np.float32(4.0)}
    assert envs.observation_vector(observation, ('b', 'a')).tolist() == [4.0, 1.0, 2.0]


@pytest.mark.parametrize('observation, keys, message', [
    ({'a': [1.0]}, ('b',), "unknown observation key 'b'; allowed: a"),
    ({'a': [1.0]}, (), 'got none.*allowed: a'),
    ([1.0], ('a',), 'expected none'),
])
def test_observation_keys_that_do_not_fit_are_refused(observation, keys, message):
    with pytest.raises(InputError, match=message):
        envs.observation_vector(observation, keys)


def test_control_rate_comes_from_dt_or_from_the_frame_rate():
    assert envs.control_rate(gymnasium.make('Hopper-v5')) == 125.0
    assert envs.control_rate(gymnasium.make('MountainCarContinuous-v0')) == 30.0


@pytest.mark.parametrize(('info', 'said'), [
    ({}, None), ({'is_success': False}, False), ({'is_success': np.float32(1.0)}, True),
    ({'success': True}, True), ({'is_success': False, 'success': True}, False)])
def test_success_is_read_as_environments_say_it(info, said):
    assert envs.success_of(info) is said


def test_an_environment_of_a_module_is_found_once_a_person_has_named_both(tmp_path, monkeypatch):
    (tmp_path / 'my_envs.py').write_text(
        'import gymnasium\n'
        "gymnasium.register('Mine-v0', 'gymnasium.envs.classic_control:PendulumEnv')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="unknown environment 'my_envs:Mine-v0'"):
        envs.make_env('my_envs:Mine-v0')  # as out of a dataset
    assert 'my_envs' not in sys.modules
    envs.import_environment('my_envs:Mine-v0')
    envs.make_env('my_envs:Mine-v0').close()
    envs.import_environment('Pendulum-v1')
    envs.import_environment(None)


@pytest.mark.parametrize('name', ['no_such_module:A-v0', '.:A-v0', ':A-v0'])
def test_a_module_that_cannot_be_imported_is_named(name):
    with pytest.raises(InputError, match='^environment .*: module .* cannot be imported: '):
        envs.import_environment(name)
