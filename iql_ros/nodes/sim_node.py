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

"""Any Gymnasium environment behind a robot's own topics, in lockstep or in real time."""

import functools
import json
import threading

import numpy as np
from rclpy.clock import Clock as RosClock
from rclpy.clock import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool, Float64
from std_srvs.srv import SetBool, Trigger

from iql_ros.files import InputError
from iql_ros.nodes.control import recorder
from iql_ros.nodes.control.lockstep import StepAssembler
from iql_ros.nodes.control.robot_bridge import stream_qos
from iql_ros.nodes.control.step_collector import LOCKSTEP_QOS
from iql_ros.nodes.hosting import process
from iql_ros.nodes.hosting.message_classes import make_message, message_class
from iql_ros.nodes.hosting.parameters import GuardedParameters, Parameter
from iql_ros.nodes.hosting.real_time import set_garbage_aside
from iql_ros.robot import message_fields
from iql_ros.robot.robot_interface import load_robot_interface, RobotInterface
from iql_ros.robot.task import Task
from iql_ros.robot.trajectories import seconds_left
from iql_ros.sim.envs import import_environment, make_env, observation_vector

PARAMETERS = (
    Parameter('robot_config', '', 'YAML of the robot whose topics are served'),
    Parameter('env_id', 'iql_ros/Diffbot-v0', 'Gymnasium id of the environment'),
    Parameter('env_kwargs', '{}', 'keyword arguments of the environment, JSON'),
    Parameter('lockstep', False, 'one step an answer, as fast as the policy goes'),
    Parameter('lockstep_timeout', 5.0, 'after which one says whom one waits for [s]',
              range=(0.1, 3600.0)),
    Parameter('publish_clock', True, 'publish simulated time on /clock'),
    Parameter('seed', 0, 'reset n uses seed + n', range=(0, 2**31 - 1)),
    Parameter('record', False, 'record streams and commands as bags'),
    Parameter('record_folder', 'recordings', 'folder of the bags'),
)
_REAL_TIME_RATE = 50.0  # [Hz] streams are published at least this often in real time
_SECOND = 1_000_000_000


class SimNode(GuardedParameters, Node):
    """
    Owns one environment and its time; never resets itself.

    In lockstep time starts to move with the first reset, in real time at once: who joins needs
    a clock. Episodes are the policy node's: the environment's own time limit is not used.

    An environment that has `take_command(action, seconds)` holds what its robot is told: it is
    handed every command as it comes, NaN for what the message does not say, with the time until
    it is to be reached (None where the message says none), and says whether it takes it; its
    steps are then of NaN. Others are stepped with the last command, 0 before the first.
    """

    def __init__(self, done: threading.Event, overrides=()):
        """
        Make the environment; `begin` publishes its first step.

        `overrides` are parameters that win over the command line's.

        Raises:
            InputError: for an environment, a robot or parameters that do not fit together.

        """
        super().__init__('sim_node', parameter_overrides=list(overrides))
        self.declare_table(PARAMETERS)
        self._settings = self.settings()
        self.exit_code = 0
        if not self._settings.robot_config:
            raise InputError("parameter 'robot_config' is empty; expected the robot's YAML file")
        self._interface = load_robot_interface(self._settings.robot_config)
        self._task = Task(self._interface)
        self._env = self._make_env(self._interface)
        self._lockstep = self._settings.lockstep
        self._index, self._resets, self._dropped, self._looked_at = 0, 0, 0, 0
        self._paused, self._reset_index = self._lockstep, None
        self._commands = StepAssembler([stream.topic for stream in self._interface.action])
        # such an environment holds what its robot is told, and is told nothing by NaN
        self._holds = hasattr(self._env, 'take_command')
        self._action = self._unsaid()
        self._recorder = None

    def begin(self) -> None:
        """Publish the first step; a joiner needs one complete step before it calls reset."""
        set_garbage_aside()  # in real time a clock that stands for a moment stops the robot
        self._make_entities()
        streams = [*self._interface.observation, *self._interface.action]
        self._recorder = recorder.start(
            self, self._settings, self._interface.robot,
            [*(stream.type for stream in streams), 'std_msgs/msg/Float64', 'std_msgs/msg/Bool'])
        observation, _ = self._env.reset(seed=self._settings.seed)
        self._publish_step(observation, 0.0, False)

    def leave(self) -> None:
        """Close the environment and the recording."""
        self._env.close()
        if self._recorder:
            self._recorder.close()

    def _make_env(self, interface: RobotInterface):
        try:
            kwargs = json.loads(self._settings.env_kwargs)
        except json.JSONDecodeError as error:
            raise InputError(f"parameter 'env_kwargs': got {self._settings.env_kwargs!r}, "
                             f'which is not JSON: {error}') from None
        if not isinstance(kwargs, dict):
            raise InputError(f"parameter 'env_kwargs': got {self._settings.env_kwargs!r}; "
                             'expected a JSON object of keyword arguments')
        import_environment(self._settings.env_id)
        env = make_env(self._settings.env_id, **kwargs).unwrapped
        named = [stream.topic for stream in interface.observation if stream.joints]
        for stream in interface.observation:
            stream.check_invertible()
            if stream.joints and named.count(stream.topic) > 1:
                raise InputError(f"topic '{stream.topic}': several streams with 'joints' cannot "
                                 'be turned back into one message')
        shapes = {'observation': (np.prod(env.observation_space.shape or (0,)),
                                  interface.sensed_dim),
                  'action': (np.prod(env.action_space.shape), interface.action_dim)}
        for name, (theirs, ours) in shapes.items():
            if theirs != ours:
                raise InputError(f"environment '{self._settings.env_id}' has {theirs} "
                                 f"{name} values; robot '{interface.robot}' has {ours}")
        if not hasattr(env, 'frame_skip'):
            raise InputError(f"environment '{self._settings.env_id}' is no MuJoCo environment: "
                             'it has no frame_skip')
        if not np.isclose(env.dt, interface.period_ns / _SECOND, rtol=1e-9):
            raise InputError(f"environment '{self._settings.env_id}' steps {env.dt} s; robot "
                             f"'{interface.robot}' has control_rate {interface.control_rate} Hz, "
                             f'{interface.period_ns / _SECOND} s')
        self._step_ns, self._frames = interface.period_ns, 1
        if not self._settings.lockstep:
            self._frames = self._divide(env, interface)
        return env

    @staticmethod
    def _divide(env, interface: RobotInterface) -> int:
        """Let the environment step more often than the policy acts, in whole physics steps."""
        wanted = max(1, int(np.ceil(_REAL_TIME_RATE / interface.control_rate)))
        divisors = [n for n in range(wanted, env.frame_skip + 1) if env.frame_skip % n == 0]
        frames = divisors[0] if divisors else env.frame_skip
        env.frame_skip //= frames
        return frames

    def _make_entities(self) -> None:
        qos = LOCKSTEP_QOS if self._lockstep else QoSProfile(depth=10)
        self._publishers_of = {}     # by the name of a topic, which may have several streams
        self._topics = [self.resolve_topic_name(stream.topic)
                        for stream in self._interface.observation]
        for stream, name in zip(self._interface.observation, self._topics):
            if name not in self._publishers_of:
                self._publishers_of[name] = self.create_publisher(
                    message_class(stream.type), stream.topic, qos)
        self._reward_publisher = self.create_publisher(Float64, 'reward', qos)
        self._terminated_publisher = self.create_publisher(Bool, 'terminated', qos)
        self._clock_publisher = self.create_publisher(Clock, '/clock', qos)
        for index, stream in enumerate(self._interface.action):
            self.create_subscription(message_class(stream.type), stream.topic,
                                     functools.partial(self._on_command, index),
                                     stream_qos(stream, self._lockstep))
        if self._task.reset is not None:
            self.create_service(Trigger, self._task.reset.service, self._on_reset)
        self.create_service(Trigger, '~/step_simulation', self._on_step)
        self.create_service(SetBool, '~/set_pause', self._on_set_pause)
        steady = RosClock(clock_type=ClockType.STEADY_TIME)
        if self._lockstep:
            self.create_timer(self._settings.lockstep_timeout, self._say_waiting, clock=steady)
        else:
            self._step_ns //= self._frames
            self.create_timer(self._step_ns / _SECOND, self._on_timer, clock=steady)

    @property
    def _stamp_ns(self) -> int:
        """Return simulated time [ns]; in real time without /clock, the system's."""
        if not self._lockstep and not self._settings.publish_clock:
            return self.get_clock().now().nanoseconds
        ticks, part = divmod(self._index, 1 if self._lockstep else self._frames)
        return self._interface.tick_ns(ticks) + part * self._step_ns

    def _publish_step(self, observation, reward: float, terminated: bool) -> None:
        self._commands.clear()  # before anybody can answer
        stamp_ns = self._stamp_ns
        if self._lockstep or self._settings.publish_clock:  # first: nothing is from the future
            clock = Clock()
            clock.clock.sec, clock.clock.nanosec = divmod(stamp_ns, _SECOND)
            self._clock_publisher.publish(clock)
        vector = observation_vector(observation, ())
        messages = {}
        for stream, name, part in zip(self._interface.observation, self._topics,
                                      self._interface.split_sensed(vector)):
            messages[name] = stream.encode(part, stamp_ns, make_message, messages.get(name))
        for publisher, message in (
                (self._reward_publisher, Float64(data=float(reward))),
                (self._terminated_publisher, Bool(data=bool(terminated))),
                *((self._publishers_of[name], message) for name, message in messages.items())):
            if self._recorder:
                self._recorder.add(publisher.topic_name, message, stamp_ns)
            publisher.publish(message)

    def _on_command(self, index: int, message) -> None:
        stream = self._interface.action[index]
        try:
            vector = stream.decode(message)
        except InputError as error:
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        stamp_ns = message_fields.stamp_ns(message) if stream.stamp == 'header' else None
        late = self._lockstep and stamp_ns not in (None, self._stamp_ns)
        # nobody has seen yet where a reset has put the robot: what comes now is of the time before
        unseen = not self._lockstep and self._index == self._reset_index
        if self._paused or late or unseen:
            self._dropped += 1
            return
        if self._recorder:
            self._recorder.add(self.resolve_topic_name(stream.topic), message, self._stamp_ns)
        self._commands.put(index, stamp_ns, vector)
        starts = np.cumsum([0] + [action.dim for action in self._interface.action])
        action = self._unsaid() if self._holds else self._action
        action[starts[index]:starts[index + 1]] = vector
        if self._holds:
            self._dropped += not self._env.take_command(
                action, seconds_left(message, self._stamp_ns))
        if self._lockstep and not self._commands.missing(self._stamp_ns):
            self._step(self._action)

    def _unsaid(self) -> np.ndarray:
        """Return the action of a robot that has not been told anything."""
        return np.full(self._interface.action_dim, np.nan if self._holds else 0.0)

    def _step(self, action: np.ndarray) -> None:
        observation, reward, terminated, _, _ = self._env.step(
            np.array(action, self._env.action_space.dtype))
        self._index += 1
        self._publish_step(observation, reward, terminated)

    def _on_timer(self) -> None:
        if not self._paused:
            self._step(self._action)

    def _on_reset(self, request, response):
        ages = [self._interface.max_age_ns] + [stream.max_age_ns
                                               for stream in self._interface.action]
        jump = max(ages) // self._interface.period_ns + 2
        ticks = self._index if self._lockstep else self._index // self._frames + 1
        self._index = (ticks + jump) * (1 if self._lockstep else self._frames)
        self._reset_index = self._index
        self._dropped += self._commands.clear()
        if self._recorder:
            self._recorder.end_episode()
        observation, _ = self._env.reset(seed=self._settings.seed + self._resets)
        self.get_logger().debug(f'reset {self._resets} at {self._stamp_ns} ns')
        self._resets += 1
        self._paused, self._action = False, self._unsaid()
        response.success, response.message = True, str(self._stamp_ns)
        self._publish_step(observation, 0.0, False)
        return response

    def _on_step(self, request, response):
        response.success = self._paused
        response.message = '' if self._paused else 'not paused'
        if self._paused:
            self._step(self._action)
        return response

    def _on_set_pause(self, request, response):
        self._paused = request.data
        response.success = True
        return response

    def _say_waiting(self) -> None:
        moved, self._looked_at = self._index != self._looked_at, self._index
        if moved:
            return
        waiting = 'a reset' if self._paused else ', '.join(self._commands.missing(self._stamp_ns))
        self.get_logger().warning(f'waiting for {waiting}; {self._dropped} commands dropped')


def main(args=None) -> int:
    """Run the node; return the exit code."""
    return process.run('sim_node', SimNode, args)
