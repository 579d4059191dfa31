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

"""The arm of sim/arm.xml as a Gymnasium environment: it is to place a block on a tray."""

import gymnasium
import mujoco
import numpy as np

from iql_ros.files import InputError, share_folder, unknown_name
from iql_ros.sim.arm_kinematics import joint_angles
from iql_ros.sim.controllers import ForwardController, TrajectoryController
from iql_ros.sim.start_regions import drawn, finite_number, start_region
from iql_ros.tasks import placed, placing_cost

CONTROL_RATE = 10                      # [Hz]
TRAY = np.array([0.45, 0.25, 0.008])   # [m] its upper side, in the base's frame
LOW = np.array([-1.6, -1.0, 0.6, -1.5, -2.0, -1.2, 0.0])    # [rad; m of each finger]
HIGH = np.array([1.2, 1.0, 2.8, 0.8, -1.1, 1.2, 0.04])
_HELD = 0.0198                         # [m] of each finger, with the block between them
_GRIP = 0.01                           # [m] what the fingers are told, to press on the block
_SETTLE = 60                           # [physics steps] until the block hangs still
# Where the tool is at an episode's start, in the base's frame, and how its last joint is turned.
START = {'x': (0.3, 0.62), 'y': (-0.38, 0.38), 'z': (0.06, 0.4), 'twist': (-0.8, 0.8)}
CONTROLLERS = 'trajectory', 'forward'


class ArmEnv(gymnasium.Env):
    """
    A six-joint arm that holds a block and is to put it down on a tray.

    Observation (10,): x, y, z [m] of the block in the tray's frame, the six joints [rad], then
    how far each finger is from the middle [m]. Action (7,): positions of the six joints [rad] and
    the fingers [m], which go to a simulated controller. A tick is 0.1 s. The task is
    iql_ros.tasks' placing: -1 a tick until the block lies on the tray and is let go.
    """

    metadata = {'render_modes': ['rgb_array'], 'render_fps': CONTROL_RATE}

    def __init__(self, start=None, controller='trajectory', time_from_start=0.2,
                 interpolate_from_desired_state=True, payload=0.0, offsets=(0.0,) * 6,
                 render_mode=None, width=960, height=720):
        """
        Load the model; the defaults are the arm of the recordings.

        Args:
            start: region of starts: any of x, y, z, twist -> [low, high].
            controller: trajectory or forward: which of ros2_control's holds the arm; the
                gripper is always behind a forward_command_controller.
            time_from_start: of a trajectory's point, for a command that `step` gives [s].
            interpolate_from_desired_state: the parameter of joint_trajectory_controller.
            payload: mass at the hand that nothing compensates [kg].
            offsets: by how much each joint is further than it says [rad].
            render_mode: None or 'rgb_array' (height, width, 3).

        Raises:
            InputError: for a start region or a value that cannot be.

        """
        self.start = start_region(start, START, START)
        if controller not in CONTROLLERS:
            raise unknown_name('controller', controller, CONTROLLERS)
        if render_mode not in (None, 'rgb_array'):
            raise InputError(f"render_mode: got '{render_mode}'; allowed: rgb_array")
        self.time_from_start = finite_number('time_from_start', time_from_start)
        self.offsets = np.array([finite_number('offsets', value) for value in offsets])
        if len(self.offsets) != 6:
            raise InputError(f'offsets: got {len(self.offsets)} values; expected 6')
        self.render_mode = render_mode
        self._size, self._renderer = (height, width), None
        self._model = mujoco.MjModel.from_xml_path(str(share_folder() / 'sim' / 'arm.xml'))
        self._load(finite_number('payload', payload))
        self._data = mujoco.MjData(self._model)
        timestep = self._model.opt.timestep
        self.frame_skip = round(1 / (CONTROL_RATE * timestep))
        self._arm = ForwardController() if controller == 'forward' else TrajectoryController(
            timestep, bool(interpolate_from_desired_state))
        self._gripper = ForwardController()
        self.action_space = gymnasium.spaces.Box(LOW, HIGH, dtype=np.float64)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (10,), np.float64)

    def _load(self, payload: float) -> None:
        if payload < 0:
            raise InputError(f'payload: got {payload!r}; allowed: >= 0')
        self._model.body('payload').mass = payload
        self._model.geom('payload').rgba[3] = float(payload > 0)
        mujoco.mj_setConst(self._model, mujoco.MjData(self._model))

    @property
    def dt(self) -> float:
        """Return the time of a step [s]: a tick, unless somebody lowers `frame_skip`."""
        return self._model.opt.timestep * self.frame_skip

    def reset(self, *, seed=None, options=None):
        """Let the arm stand at a start that the seed decides, the block between its fingers."""
        super().reset(seed=seed)
        *position, twist = drawn(self.start, self.np_random)
        data = self._data
        mujoco.mj_resetData(self._model, data)
        joints = joint_angles(position, twist)
        data.qpos[:8] = [*joints, _HELD, _HELD]
        mujoco.mj_kinematics(self._model, data)
        block = data.joint('block').qpos
        block[:3] = data.site('tool').xpos
        mujoco.mju_mat2Quat(block[3:], data.site('tool').xmat)
        data.ctrl[:] = [*joints, _GRIP]
        mujoco.mj_step(self._model, data, _SETTLE)
        self._arm.activate(joints - self.offsets)
        self._gripper.activate([_GRIP])
        return self._observation(), {'is_success': False}

    def take_command(self, action, seconds: float | None = None) -> bool:
        """
        Hand a command to the controllers; return whether they take it.

        Args:
            action: (7,); what is NaN is not commanded anew, all of a controller's or none.
            seconds: Until it is to be reached [s]; None: time_from_start. What is past is dropped.

        """
        seconds = self.time_from_start if seconds is None else seconds
        action = np.clip(action, LOW, HIGH)
        return all([controller.take(part, self._data.time, seconds)
                    for controller, part in ((self._arm, action[:6]), (self._gripper, action[6:]))
                    if not np.isnan(part).any()])

    def step(self, action):
        """Give a command, as `take_command` does, and go on for `dt`."""
        action = np.asarray(action, dtype=np.float64)
        if action.shape != (7,) or np.isinf(action).any():
            raise ValueError(f'action: got {action}; expected 7 finite numbers')
        before = self._observation()
        self.take_command(action)
        data = self._data
        for _ in range(self.frame_skip):
            data.ctrl[:6] = self._arm.update(data.time, data.qpos[:6] - self.offsets)
            data.ctrl[:6] += self.offsets
            data.ctrl[6:] = self._gripper.update(data.time, data.qpos[6:7])
            mujoco.mj_step(self._model, data)
        observation = self._observation()
        success = placed(before, action, observation)
        return (observation, placing_cost(before, action, observation), success, False,
                {'is_success': success})

    def render(self):
        """Return arm and table, uint8 (height, width, 3), or None without render_mode."""
        if self.render_mode is None:
            return None
        if self._renderer is None:
            self._renderer = mujoco.Renderer(self._model, *self._size)
        self._renderer.update_scene(self._data, camera='front')
        return self._renderer.render()

    def close(self):
        """Free the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _observation(self) -> np.ndarray:
        qpos = self._data.qpos
        return np.concatenate([self._data.joint('block').qpos[:3] - TRAY,
                               qpos[:6] - self.offsets, qpos[6:7]])
