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

"""Gymnasium environments: the robot of sim/ as iql_ros/Diffbot-v0; making and reading any."""

import collections
import contextlib
import difflib
import importlib
import inspect
import io
import math

import numpy as np

from iql_ros.files import InputError, share_folder, unknown_name
from iql_ros.sim.start_regions import finite_number, start_region
from iql_ros.tasks import docked, docking_cost

try:
    import gymnasium
    import mujoco
except ImportError as error:
    raise InputError(f"'{error.name}' is not installed: pip install 'iql_ros[sim]'") from None

DIFFBOT = 'iql_ros/Diffbot-v0'
DIFFBOT_REAL = 'iql_ros/DiffbotReal-v0'
ARM, ARM_FORWARD = 'iql_ros/Arm-v0', 'iql_ros/ArmForward-v0'
ARM_REAL = 'iql_ros/ArmReal-v0'
# What stands in for the real robot: policies learned from Diffbot's recordings lost 26 to 54
# points of docking with it, 39 in the mean. Nothing is trained on it before fine-tuning.
_REAL = {'speed_scale': 0.8, 'turn_scale': 0.8, 'pull': 0.5, 'delay_ticks': 1}
# The same for the arm [kg, rad]: a load at its hand, and a joint that is not where it says.
_ARM_REAL = {'payload': 2.0, 'offsets': (0.12, 0.0, 0.0, 0.0, 0.0, 0.0)}
_CONTROL_RATE = 5                      # [Hz]
_TIME_LIMIT = 100                      # [ticks] 20 s
_ACTION_HIGH = np.array([0.3, 1.5])    # [m/s, rad/s]
_SETTLE = 100                          # [physics steps] until the robot stands still
# Any pose of the 3 x 3 m arena off the plate; `distance` is from the plate's centre.
_START = {'x': (-1.5, 1.5), 'y': (-1.5, 1.5), 'heading': (-math.pi, math.pi),
          'distance': (0.12, 3.0)}     # [m, m, rad, m]


class DiffbotEnv(gymnasium.Env):
    """
    A two-wheeled robot in a 3 x 3 m arena that is to drive onto a charging plate.

    Observation (6,): x, y [m], cos and sin of the heading in the dock's frame, then the left
    and right wheel's speed [rad/s]. Action (2,): linear [m/s] and angular velocity [rad/s].
    A tick is 0.2 s. The task is iql_ros.tasks' docking: -1 a tick until docked.
    """

    metadata = {'render_modes': ['rgb_array'], 'render_fps': _CONTROL_RATE}

    def __init__(self, start=None, speed_scale=1.0, turn_scale=1.0, pull=0.0, delay_ticks=0,
                 render_mode=None, width=960, height=720):
        """
        Load the model; the defaults are the robot of the recordings, the rest a "real" variant.

        Args:
            start: region of start poses: any of x, y, heading, distance -> [low, high].
            speed_scale: the linear velocity reached, as a factor of the commanded one.
            turn_scale: the same for the angular velocity.
            pull: turn rate at full speed ahead that nobody commanded [rad/s]; it grows with
                the speed, as with wheels of unequal size, and turns round when reversing.
            delay_ticks: ticks by which every command comes late.
            render_mode: None or 'rgb_array' (height, width, 3).

        Raises:
            InputError: for a start region or a value that cannot be.

        """
        self.start = _start_region(start)
        self.speed_scale = finite_number('speed_scale', speed_scale)
        self.turn_scale = finite_number('turn_scale', turn_scale)
        self.pull = finite_number('pull', pull)
        self.delay_ticks = int(finite_number('delay_ticks', delay_ticks))
        if delay_ticks != self.delay_ticks or delay_ticks < 0:
            raise InputError(f'delay_ticks: got {delay_ticks!r}; expected a whole number >= 0')
        if render_mode not in (None, 'rgb_array'):
            raise InputError(f"render_mode: got '{render_mode}'; allowed: rgb_array")
        self.render_mode = render_mode
        self._size = (height, width)
        self._renderer = None
        self._model = mujoco.MjModel.from_xml_path(str(share_folder() / 'sim' / 'diffbot.xml'))
        self._data = mujoco.MjData(self._model)
        self._frames_a_tick = round(1 / (_CONTROL_RATE * self._model.opt.timestep))
        self.frame_skip = self._frames_a_tick
        self._radius = self._model.geom('left_wheel').size[0]
        self._half_track = self._model.body('left_wheel').pos[1]
        self._wheels = [self._model.joint(f'{side}_wheel').dofadr[0] for side in ('left', 'right')]
        self.action_space = gymnasium.spaces.Box(-_ACTION_HIGH, _ACTION_HIGH, dtype=np.float64)
        bound = np.array([np.inf, np.inf, 1.0, 1.0, np.inf, np.inf])
        self.observation_space = gymnasium.spaces.Box(-bound, bound, dtype=np.float64)

    @property
    def dt(self) -> float:
        """Return the time of a step [s]: a tick, unless somebody lowers `frame_skip`."""
        return self._model.opt.timestep * self.frame_skip

    def reset(self, *, seed=None, options=None):
        """Place the robot at a start pose that the seed decides, at rest on its wheels."""
        super().reset(seed=seed)
        x, y, heading = _draw_start(self.start, self.np_random)
        mujoco.mj_resetData(self._model, self._data)
        base = self._data.joint('base').qpos
        base[:2] = x, y
        base[3:] = math.cos(heading / 2), 0.0, 0.0, math.sin(heading / 2)
        mujoco.mj_step(self._model, self._data, _SETTLE)
        late = self.delay_ticks * self._frames_a_tick // self.frame_skip
        self._delayed = collections.deque([np.zeros(2)] * (late + 1), maxlen=late + 1)
        return self._observation(), {'is_success': False}

    def step(self, action):
        """Drive for `dt`; actions beyond the action space are clipped to it."""
        action = np.asarray(action, dtype=np.float64)
        if action.shape != (2,) or not np.isfinite(action).all():
            raise ValueError(f'action: got {action}; expected 2 finite numbers')
        before = self._observation()
        self._delayed.append(np.clip(action, -_ACTION_HIGH, _ACTION_HIGH))
        self._data.ctrl[:] = self._wheel_speeds(*self._delayed[0])
        mujoco.mj_step(self._model, self._data, self.frame_skip)
        observation = self._observation()
        success = docked(before, action, observation)
        reward = docking_cost(before, action, observation)
        return observation, reward, success, False, {'is_success': success}

    def render(self):
        """Return the arena from above, uint8 (height, width, 3), or None without render_mode."""
        if self.render_mode is None:
            return None
        if self._renderer is None:
            self._renderer = mujoco.Renderer(self._model, *self._size)
        self._renderer.update_scene(self._data, camera='overhead')
        return self._renderer.render()

    def close(self):
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _wheel_speeds(self, linear: float, angular: float):
        """Return the left and right wheel's speed [rad/s] for a velocity of the base."""
        angular = angular * self.turn_scale + self.pull * linear / _ACTION_HIGH[0]
        linear = linear * self.speed_scale
        difference = angular * self._half_track
        return (linear - difference) / self._radius, (linear + difference) / self._radius

    def _observation(self) -> np.ndarray:
        x, y, _, qw, qx, qy, qz = self._data.qpos[:7]
        heading = math.atan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz))
        left, right = self._data.qvel[self._wheels]
        return np.array([x, y, math.cos(heading), math.sin(heading), left, right])


def _start_region(start) -> dict:
    """Return every key's (low, high) of a start region, the arena's where none is given."""
    region = start_region(start, _START, {**_START, 'heading': (-2 * math.pi, 2 * math.pi)})
    _draw_start(region, np.random.default_rng(0))  # fails now rather than at a reset
    return region


def _draw_start(region: dict, rng: np.random.Generator):
    """Return a pose (x, y, heading), uniform over the region."""
    low, high = np.array([region[key] for key in ('x', 'y', 'heading')]).T
    nearest, farthest = region['distance']
    for _ in range(10_000):
        x, y, heading = rng.uniform(low, high)
        if nearest <= math.hypot(x, y) <= farthest:
            return x, y, heading
    raise InputError(f'start: x {list(region["x"])}, y {list(region["y"])}: none of it lies '
                     f'{nearest:g} to {farthest:g} m from the plate (distance)')


def make_env(env_id: str, **kwargs) -> gymnasium.Env:
    """
    Make a registered Gymnasium environment whose actions are a bounded vector.

    Environments of gymnasium-robotics are found too where that is installed.

    Raises:
        InputError: for an unknown id or keyword, something missing, another action space.

    """
    spec = _find_spec(env_id)
    try:
        env = gymnasium.make(spec, **kwargs)
    except (gymnasium.error.Error, ImportError, TypeError, AssertionError) as error:
        allowed = f'; allowed: {_keywords(spec)}' if isinstance(error, TypeError) else ''
        reason = ' '.join((str(error) or repr(error)).split())
        raise InputError(f"environment '{env_id}': {reason}{allowed}") from None
    space = env.action_space
    if (not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1
            or not np.isfinite([space.low, space.high]).all()):
        env.close()
        raise InputError(f"environment '{env_id}': its action space is {space}; allowed: a "
                         'bounded Box of one dimension')
    return env


def import_environment(env_id: str | None) -> None:
    """
    Import the module of an environment that a person named as MODULE:ID, which registers it.

    Never for a name out of a dataset or checkpoint: those do not say what is run here.

    Raises:
        InputError: for a module that cannot be imported.

    """
    module, colon, _ = (env_id or '').rpartition(':')
    if not colon:
        return
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever a module of the user's raises
        raise InputError(f"environment '{env_id}': module '{module}' cannot be imported: "
                         f'{" ".join((str(error) or repr(error)).split())}') from None


def _find_spec(env_id: str):
    name = env_id.rpartition(':')[2]  # its module is here, or is not to be: see above
    with contextlib.suppress(gymnasium.error.Error):
        return gymnasium.spec(name)
    with contextlib.suppress(ImportError), contextlib.redirect_stderr(io.StringIO()):
        gymnasium.register_envs(importlib.import_module('gymnasium_robotics'))  # it advertises
    with contextlib.suppress(gymnasium.error.Error):
        return gymnasium.spec(name)
    near = difflib.get_close_matches(env_id, gymnasium.registry, n=3, cutoff=0.5)
    raise InputError(f"unknown environment '{env_id}'"
                     + (f"; the nearest known: {', '.join(near)}" if near else ''))


def _keywords(spec) -> str:
    creator = spec.entry_point
    if not callable(creator):
        creator = gymnasium.envs.registration.load_env_creator(creator)
    parameters = inspect.signature(creator).parameters.values()
    return ', '.join(item.name for item in parameters if item.kind is not item.VAR_KEYWORD)


def observation_vector(observation, keys=()) -> np.ndarray:
    """
    Return an observation as one float64 vector (O,).

    Args:
        observation: an array, or a dict of arrays.
        keys: of a dict: which of its entries make the vector, in this order.

    Raises:
        InputError: for keys that the observation has not, or a dict without keys.

    """
    if not isinstance(observation, dict):
        if keys:
            raise InputError(f'observation keys: got {list(keys)}, but an observation is one '
                             'array; expected none')
        return np.asarray(observation, dtype=np.float64).ravel()
    if not keys:
        raise InputError('observation keys: got none, but an observation is a dict; allowed: '
                         f'{", ".join(observation)}')
    for key in keys:
        if key not in observation:
            raise unknown_name('observation key', key, observation)
    return np.concatenate([np.asarray(observation[key], dtype=np.float64).ravel()
                           for key in keys])


def success_of(info: dict) -> bool | None:
    """
    Return whether an environment says that its task is done; None: it says nothing of it.

    `is_success` is what gymnasium-robotics' Fetch and ours say, `success` what its Adroit hands,
    OGBench and Meta-World do.
    """
    said = info.get('is_success', info.get('success'))
    return None if said is None else bool(said)


def control_rate(env) -> float | None:
    """Return how many steps of the environment make a second [Hz], where it says so."""
    period = getattr(env.unwrapped, 'dt', None)
    if period:
        return 1 / period
    rate = env.metadata.get('render_fps')
    return float(rate) if rate else None


if DIFFBOT not in gymnasium.registry:
    for name, settings in ((DIFFBOT, {}), (DIFFBOT_REAL, _REAL)):
        gymnasium.register(name, entry_point='iql_ros.sim.envs:DiffbotEnv', kwargs=settings,
                           max_episode_steps=_TIME_LIMIT)
    for name, settings in ((ARM, {}), (ARM_FORWARD, {'controller': 'forward'}),
                           (ARM_REAL, _ARM_REAL)):
        gymnasium.register(name, entry_point='iql_ros.sim.arm:ArmEnv', kwargs=settings,
                           max_episode_steps=100)
