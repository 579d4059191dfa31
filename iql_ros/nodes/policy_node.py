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

"""The lifecycle node that drives a robot by a checkpoint: observe, act, gate, publish."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout  # its own until Python 3.11
import functools
import threading
import time
import traceback

from std_srvs.srv import Trigger

from iql_ros.files import check_new_file, InputError
from iql_ros.nodes.control.commands import DirectCommands, SentryCommands
from iql_ros.nodes.control.control_loop import RUNNING
from iql_ros.nodes.control.debug_topics import DebugTopics
from iql_ros.nodes.control.enable import Enable
from iql_ros.nodes.control.episode_log import EpisodeLog
from iql_ros.nodes.control.interventions import Interventions
from iql_ros.nodes.control.lockstep_loop import LockstepLoop
from iql_ros.nodes.control.loop_host import LoopHost
from iql_ros.nodes.control.observation_limit import ObservationLimit
from iql_ros.nodes.control.parameters import PARAMETERS
from iql_ros.nodes.control.real_time_loop import RealTimeLoop
from iql_ros.nodes.control.reset_client import ResetClient
from iql_ros.nodes.control.robot_bridge import RobotBridge
from iql_ros.nodes.control.shadow import check_shadow, Shadow
from iql_ros.nodes.control.shadow_commands import ShadowCommands
from iql_ros.nodes.control.shadow_loop import ShadowLoop
from iql_ros.nodes.control.status import Status
from iql_ros.nodes.control.step_collector import LOCKSTEP_QOS
from iql_ros.nodes.control.stops import Stops
from iql_ros.nodes.hosting import process
from iql_ros.nodes.hosting.diagnostics import DiagnosticsPublisher
from iql_ros.nodes.hosting.lifecycle import GuardedLifecycleNode
from iql_ros.nodes.hosting.message_classes import make_message
from iql_ros.nodes.learning.learning_link import LearningLink, load_driver, refuse_learning
from iql_ros.nodes.sentry.publishers import COMMAND_QOS
from iql_ros.robot.episode_runner import EpisodeRunner
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.robot.shadow_runner import ShadowRunner
from iql_ros.robot.task import Task

_LAST_WORDS = 2.0  # [s] for a learner that listens, when the node ends
_COMING_BACK = 2.0  # [s] for the control loop, when it is to end


class PolicyNode(GuardedLifecycleNode):
    """
    Owns the control loop; silent unless active.

    Gate and task always come from the local robot_config, never from the checkpoint.
    """

    def __init__(self, done: threading.Event, make_act=None, tap=None, overrides=()):
        """
        Declare; nothing is loaded before configure.

        Args:
            done: Set when the node has done what was asked of it.
            make_act: interface -> act, in place of a checkpoint (scripted drivers).
            tap: Sees every message of the robot's topics and events, see RobotBridge.
            overrides: Parameters that win over the command line's.

        """
        super().__init__('policy_node', done, overrides)
        self.declare_table(PARAMETERS)
        self._make_act, self._tap = make_act, tap
        # The model is loaded, warmed up and run in this one thread.
        self._control_thread = ThreadPoolExecutor(1, thread_name_prefix='control')
        self._bridge = self._loop = self._running_loop = self._learning = None
        self.hung = False   # the control thread does not come back: see process.run
        self._stops = Stops(self, self.get_parameter('e_stops').value,
                            self.get_parameter('e_stop_timeout').value, self._trip)

    def leave(self) -> None:
        """End in order: the stop is sent last; what a learner lacks goes out with it."""
        super().leave()
        self._deactivate()
        if self._learning:
            self._learning.flush(_LAST_WORDS)
        self._control_thread.shutdown(wait=not self.hung)
        if self._bridge is not None:
            self._commands.destroy()
        self._stops.flush()

    # Lifecycle ---------------------------------------------------------------------------

    def _configure(self) -> None:
        self._settings = self.settings()
        check_shadow(self._settings)
        if self._settings.results:
            check_new_file(self._settings.results, "parameter 'results':")
        if not self._settings.robot_config:
            raise InputError("parameter 'robot_config' is empty; expected the robot's YAML file")
        interface = load_robot_interface(self._settings.robot_config)
        task = Task(interface)
        if self._settings.lockstep and task.reset is None:
            wrong = "reset: got 'manual'" if task.manual_reset else "key 'reset' is missing"
            raise InputError(f"robot '{interface.robot}': task: {wrong}; lockstep needs the reset "
                             'service of the simulator')
        act = self._make_driver(interface, task)
        if self._settings.enable_timeout and self._settings.lockstep:
            raise InputError(f"parameter 'enable_timeout': got {self._settings.enable_timeout}; "
                             'lockstep is for simulation, where nobody holds a switch: 0')
        self._enable = Enable(self, self._settings.enable_timeout)
        self._interface, self._task = interface, task
        self._episode_log = EpisodeLog(self, self._settings, self._tap)
        self._debug = DebugTopics(self, interface)
        self._shadow = Shadow(self, interface, self._episode_log.message, self._stops.note) \
            if self._settings.shadow else None
        self._runner = runner = self._make_runner(act)
        self._stops.configure(interface, runner.gate, self._settings.lockstep,
                              self.simulated_time, self._settings.shadow)
        self._commands = self._make_commands(interface)
        self._bridge = RobotBridge(self, interface, task, self._settings.lockstep,
                                   on_fault=self._stops.note, on_unfit=self._on_unfit,
                                   tap=self._on_message)
        self._interventions = Interventions(
            self, interface, self._settings.intervention_timeout,
            (lambda: self._bridge.steps.stamp_ns) if self._settings.lockstep else (
                time.monotonic_ns),
            runner.gate.stop_from_here)
        self._loop = self._make_loop(interface, task)
        self._status = Status(runner, self._loop, self._bridge, self._stops, self._episode_log,
                              self._loop.statistics, self._learning, self._observation_limit,
                              self._shadow)
        self._make_entities()

    def _make_driver(self, interface, task):
        self._observation_limit = None
        if self._make_act:
            refuse_learning(self._settings)
            return self._control_thread.submit(self._make_act, interface).result()
        policy = self._control_thread.submit(load_driver, self._settings, interface,
                                             self.get_logger().info).result()
        self._learning = LearningLink(self, self._settings, interface, task, policy)
        self._observation_limit = ObservationLimit(
            policy, interface.observation_names, self._settings.observation_limit,
            self._settings.observation_margin)
        return self._learning.act

    def _make_runner(self, act) -> EpisodeRunner:
        parts, check = (act, self._interface, self._task), self._observation_limit
        runner = ShadowRunner(*parts, self._shadow.heard.take, check) if self._shadow \
            else EpisodeRunner(*parts, check)
        runner.gate.scale = self._settings.limit_scale
        return runner

    def _make_commands(self, interface):
        for stream in interface.action:
            stream.check_message(make_message)
        tap = self._episode_log.message
        if self._shadow:
            return ShadowCommands(self, interface, tap, self._shadow.heard)
        if self._settings.lockstep:
            return DirectCommands(self, interface, LOCKSTEP_QOS, tap)
        return SentryCommands(self, interface, COMMAND_QOS, tap,
                              self._stops.for_sentry(interface), self._trip)

    def _make_loop(self, interface, task):
        host = LoopHost(self, self._stops, self._episode_log,
                        None if self._shadow else self._interventions, self._enable,
                        self._learning, self._debug, self._call_reset)
        reset = task.reset.service if task.reset and not self._shadow else ''
        parts = (self._runner, self._bridge, self._commands, interface, host, reset,
                 self._settings.episodes)
        if self._shadow:
            return ShadowLoop(*parts)
        if self._settings.lockstep:
            return LockstepLoop(*parts, timeout=self._settings.lockstep_timeout)
        return RealTimeLoop(*parts)

    def _make_entities(self) -> None:
        self._reset_client = None
        diagnostics = DiagnosticsPublisher(self, 'control', self._interface.robot, self._describe)
        if self._shadow:
            self._shadow.subscribe(self._loop, self._runner, self._interventions)
        else:
            self._interventions.subscribe(self._loop.wake, self._trip, self._stops.note)
        self._enable.subscribe(self._loop.pause)
        self._destroyers = [diagnostics.destroy, self._interventions.destroy, self._enable.destroy,
                            self._episode_log.destroy, self._commands.destroy,
                            self._debug.destroy]
        if self._shadow:
            self._destroyers.append(self._shadow.destroy)
        if self._learning:
            self._learning.connect()
            self._destroyers.append(self._learning.destroy)
        for name, ask in (
                ('start_episode', self._loop.ask_start), ('clear_trip', self._clear_trip),
                ('end_episode', functools.partial(self._loop.request, 'end')),
                ('success', functools.partial(self._loop.request, 'success')),
                ('failure', functools.partial(self._loop.request, 'failure'))):
            service = self.create_service(Trigger, f'~/{name}',
                                          functools.partial(self._on_request, ask))
            self._destroyers.append(functools.partial(self.destroy_service, service))
        if self._task.reset is not None and not self._shadow:
            self._reset_client = ResetClient(self, self._task.reset.service,
                                             self._settings.lockstep_timeout)
            self._destroyers.append(self._reset_client.destroy)

    def _activate(self) -> None:
        self._bridge.check_fits()
        self._stops.activate(self._runner.gate, self._settings.allow_other_commanders)
        if self._shadow:
            self._runner.comparison.clear()
        self._episode_log.open(self._interface.robot, self._bridge.types,
                               self._bridge.kept_topics)
        self._bridge.tap_kept()
        self._bridge.sampled = True
        try:
            self._loop.enter()
        except InputError:
            self._fall_silent()
            raise
        self._running_loop = self._control_thread.submit(self._run_loop)

    def _run_loop(self) -> None:
        try:
            self._loop.run()
            if self._loop.all_done():
                if self._settings.lockstep and self._learning:
                    self._learning.wait(self._loop.stopping)
                self._done.set()
        except Exception as error:
            self._loop.trip(f'the control loop ended: {error!r}')
            self.get_logger().fatal(traceback.format_exc())
            self.exit_code = 1
            self._done.set()

    def _deactivate(self) -> None:
        if self._running_loop is None:
            return
        self._loop.leave()
        running, self._running_loop = self._running_loop, None
        if running is None:  # a transition and the end of the process came together
            return
        try:
            running.result(timeout=_COMING_BACK)
        except FutureTimeout:
            self.get_logger().fatal('the control loop does not come back: ending')
            self.hung, self.exit_code = True, 1
            self._done.set()
        self._fall_silent()

    def _fall_silent(self) -> None:
        self._loop.close()
        self._bridge.sampled = False
        self._episode_log.close()

    def _clean_up(self) -> None:
        if self._bridge is None:
            return
        self._bridge.destroy()
        for destroy in self._destroyers:
            destroy()
        self._bridge = self._loop = self._learning = None

    def _check_change(self, names, settings) -> None:
        if self._observation_limit:
            self._observation_limit.check(settings.observation_limit)
        if self._learning:
            self._learning.check(names, settings)

    def _change(self) -> None:
        self._interventions.set_timeout(self._settings.intervention_timeout)
        self._runner.gate.scale = self._settings.limit_scale
        if self._observation_limit:
            self._observation_limit.set(self._settings.observation_limit,
                                        self._settings.observation_margin)
        if self._learning:
            self._learning.change(self._settings)

    # For the parts -------------------------------------------------------------------------

    @property
    def simulated_time(self) -> bool:
        """Say whether time comes from /clock."""
        return self.get_parameter('use_sim_time').value

    def now_ns(self) -> int:
        """Return the node's time [ns]."""
        return self.get_clock().now().nanoseconds

    def log(self, text: str) -> None:
        """Log what a person should know."""
        self.get_logger().warning(text)

    def on_transition(self, transition) -> None:
        """Take a completed transition; for those who look on."""

    def _call_reset(self, stopping: threading.Event) -> int | None:
        if self._settings.lockstep and self._learning:
            self._learning.wait(stopping)
        return self._reset_client.call(stopping)

    # What people ask for -------------------------------------------------------------------

    def _on_request(self, ask, request, response):
        refusal = ask()
        response.success, response.message = refusal is None, refusal or ''
        return response

    def _clear_trip(self) -> str | None:
        self._stops.e_stops.forgive()
        refusal = self._loop.clear_trip()
        if refusal is None:
            self._stops.forget()
        return refusal

    def _trip(self, reason: str) -> None:
        if self._running_loop is not None:
            self._loop.trip(reason)

    def _on_message(self, topic: str, message, stamp_ns: int) -> None:
        self._debug.tap(topic, message)
        self._episode_log.message(topic, message, stamp_ns)

    def _on_unfit(self, text: str) -> None:
        self._stops.note(text)
        if self._running_loop is not None and self._loop.state == RUNNING:
            self._loop.trip(text)

    def _describe(self):
        self._debug.look()      # once a second, with /diagnostics
        return self._status.describe(self._running_loop is not None)


def main(args=None) -> int:
    """Run the node; return the exit code."""
    return process.run('policy_node', PolicyNode, args)
