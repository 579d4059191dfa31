"""The lifecycle node that drives a robot by a checkpoint: observe, act, gate, publish."""

from concurrent.futures import ThreadPoolExecutor
import functools
import threading
import traceback

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from std_msgs.msg import Bool, Header
from std_srvs.srv import Trigger

from iql_ros.checkpoint import load_policy
from iql_ros.episode_runner import EpisodeRunner
from iql_ros.evaluate import EpisodeResult, write_results
from iql_ros.files import check_new_file, InputError
from iql_ros.nodes import hosting, recorder
from iql_ros.nodes.control_loop import LockstepLoop, TRIPPED
from iql_ros.nodes.diagnostics import DiagnosticsPublisher
from iql_ros.nodes.hosting import Parameter
from iql_ros.nodes.real_time_loop import RealTimeLoop
from iql_ros.nodes.reset_client import ResetClient
from iql_ros.nodes.robot_bridge import RobotBridge
from iql_ros.robot_interface import load_robot_interface
from iql_ros.task import Task

PARAMETERS = (
    Parameter('checkpoint', '', 'checkpoint file of the policy'),
    Parameter('robot_config', '', 'YAML of the robot: topics, gate and task'),
    Parameter('device', 'auto', 'where the actor runs', choices=('auto', 'cpu', 'cuda')),
    Parameter('lockstep', False, 'answer a simulator step by step, as fast as it goes'),
    Parameter('lockstep_timeout', 5.0, 'after which one says whom one waits for [s]',
              range=(0.1, 3600.0)),
    Parameter('seed', 0, 'of the first episode, as the results name it', range=(0, 2**31 - 1)),
    Parameter('autostart', True, 'configure and activate at the start'),
    Parameter('episodes', 0, 'how many to run before ending; 0: without end',
              range=(0, 2**31 - 1)),
    Parameter('results', '', 'CSV file for a row an episode'),
    Parameter('record', False, 'record what passes while active as bags'),
    Parameter('record_folder', 'recordings', 'folder of the bags'),
)


class PolicyNode(LifecycleNode):
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
        super().__init__('policy_node', parameter_overrides=list(overrides))
        hosting.declare(self, PARAMETERS)
        self._done, self._make_act, self._tap = done, make_act, tap
        # The model is loaded, warmed up and run in this one thread.
        self._control_thread = ThreadPoolExecutor(1, thread_name_prefix='control')
        self._bridge, self._loop, self._running_loop = None, None, None
        self._recorder = None
        self._results: list[EpisodeResult] = []
        self.exit_code = 0

    # Lifecycle ---------------------------------------------------------------------------

    def begin(self) -> None:
        """Configure and activate, with `autostart`."""
        if not self.get_parameter('autostart').value:
            return
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                self._done.set()  # the reason has been logged
                return

    def on_configure(self, state) -> TransitionCallbackReturn:
        """Load the checkpoint and the robot interface, and check that they fit."""
        return self._guarded(self._configure)

    def on_activate(self, state) -> TransitionCallbackReturn:
        """Open the command topics and start the control loop."""
        super().on_activate(state)
        return self._guarded(self._activate)

    def on_deactivate(self, state) -> TransitionCallbackReturn:
        """Send the stop, close the command topics, be silent."""
        super().on_deactivate(state)
        return self._guarded(self._deactivate)

    def on_cleanup(self, state) -> TransitionCallbackReturn:
        """Forget the policy and the robot."""
        return self._guarded(self._clean_up)

    def on_shutdown(self, state) -> TransitionCallbackReturn:
        """Leave from any state."""
        self._deactivate()
        self._clean_up()
        return TransitionCallbackReturn.SUCCESS

    def leave(self) -> None:
        """End in order: the stop is sent last."""
        self._deactivate()
        self._control_thread.shutdown(wait=True)

    def _guarded(self, transition) -> TransitionCallbackReturn:
        # rclpy 7.1 swallows exceptions of transition callbacks without a word
        try:
            transition()
        except InputError as error:
            self.exit_code = 2
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.exit_code = 1
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        self.exit_code = 0
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        self._settings = hosting.values(self, PARAMETERS)
        if self._settings.results:
            check_new_file(self._settings.results, "parameter 'results':")
        if not self._settings.robot_config:
            raise InputError("parameter 'robot_config' is empty; expected the robot's YAML file")
        interface = load_robot_interface(self._settings.robot_config)
        task = Task(interface)
        if self._settings.lockstep and task.reset is None:
            raise InputError(f"robot '{interface.robot}': task: key 'reset' is missing; lockstep "
                             'needs the reset service of the simulator')
        make_act = self._make_act or self._load_act
        act = self._control_thread.submit(make_act, interface).result()
        self._interface, self._task = interface, task
        runner = EpisodeRunner(act, interface, task)
        self._bridge = RobotBridge(self, interface, task, self._settings.lockstep,
                                   on_fault=self._on_decode_fault, tap=self._on_message)
        parts = (runner, self._bridge, interface, self, task.reset is not None,
                 self._settings.episodes)
        self._loop = (LockstepLoop(*parts, timeout=self._settings.lockstep_timeout)
                      if self._settings.lockstep else RealTimeLoop(*parts))
        self._runner, self._results, self._decode_fault = runner, [], ''
        self._make_entities()

    def _load_act(self, interface):
        if not self._settings.checkpoint:
            raise InputError("parameter 'checkpoint' is empty; expected a checkpoint file")
        policy = load_policy(self._settings.checkpoint, self._settings.device)
        where = f"checkpoint '{self._settings.checkpoint}'"
        policy.check_robot(interface, where)
        scaling = interface.action_scaling
        policy.act([0.0] * interface.observation_dim)  # warm up
        bound = '' if policy.interface else ', bound to it here: dimensions and range fit'
        self.get_logger().info(f'{where} drives robot {interface.robot} on {policy.device}{bound}')
        return lambda observation: scaling.to_physical(policy.act(observation))

    def _make_entities(self) -> None:
        self._event_publisher = self.create_publisher(Header, '~/event', 10)
        diagnostics = DiagnosticsPublisher(self, 'control', self._interface.robot, self._describe)
        e_stop = self.create_subscription(Bool, '~/e_stop', self._on_e_stop, 10)
        self._destroyers = [
            functools.partial(self.destroy_publisher, self._event_publisher),
            functools.partial(self.destroy_subscription, e_stop), diagnostics.destroy]
        for name, ask in (
                ('start_episode', self._loop.ask_start), ('clear_trip', self._clear_trip),
                ('end_episode', functools.partial(self._loop.request, 'end')),
                ('success', functools.partial(self._loop.request, 'success')),
                ('failure', functools.partial(self._loop.request, 'failure'))):
            service = self.create_service(Trigger, f'~/{name}',
                                          functools.partial(self._on_request, ask))
            self._destroyers.append(functools.partial(self.destroy_service, service))
        self._reset_client, self._e_stop = None, False
        if self._task.reset is not None:
            self._reset_client = ResetClient(self, self._task.reset.service,
                                             self._settings.lockstep_timeout)
            self._destroyers.append(self._reset_client.destroy)

    def _activate(self) -> None:
        self._recorder = recorder.start(self, self._settings, self._interface.robot,
                                        [*self._bridge.types, 'std_msgs/msg/Header'])
        self._bridge.open()
        self._running_loop = self._control_thread.submit(self._run_loop)

    def _run_loop(self) -> None:
        try:
            self._loop.run()
            if self._loop.all_done():
                self._done.set()
        except Exception:
            self.get_logger().fatal(traceback.format_exc())
            self.exit_code = 1
            self._done.set()

    def _deactivate(self) -> None:
        if self._running_loop is None:
            return
        self._loop.leave()
        self._running_loop.result()
        self._running_loop = None
        self._bridge.close()
        if self._recorder:
            self._recorder.close()

    def _clean_up(self) -> None:
        if self._bridge is None:
            return
        self._bridge.destroy()
        for destroy in self._destroyers:
            destroy()
        self._bridge = self._loop = None

    # What the loop tells -------------------------------------------------------------------

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

    def on_event(self, kind: str, tick_ns: int) -> None:
        """Mark an episode's event on ~/event."""
        message = Header(frame_id=kind)
        message.stamp.sec, message.stamp.nanosec = divmod(tick_ns, 1_000_000_000)
        self._event_publisher.publish(message)
        self._on_message(self._event_publisher.topic_name, message, tick_ns)

    def _on_message(self, topic: str, message, stamp_ns: int) -> None:
        """Show a message to `tap` and to the recorder; see RobotBridge."""
        if self._tap:
            self._tap(topic, message, stamp_ns)
        if self._recorder:
            still = self._settings.lockstep or self.simulated_time
            self._recorder.add(topic, message, stamp_ns, None if still else self.now_ns())

    def on_transition(self, transition) -> None:
        """Take a completed transition; fine-tuning sends it to the learner."""

    def on_episode(self, summary) -> None:
        """Note an episode's result, and write the results so far."""
        if self._recorder:
            self._recorder.end_episode()
        number = len(self._results)
        self._results.append(EpisodeResult(
            episode=number, seed=self._settings.seed + number, return_=summary.return_,
            length=summary.length, terminated=summary.terminated, truncated=summary.truncated,
            success=None))
        end = 'terminated' if summary.terminated else 'truncated'
        self.get_logger().info(f'episode {number}: return {summary.return_:.2f}, '
                               f'{summary.length} ticks, {end}')
        if self._settings.results:
            write_results(self._settings.results, self._results)

    def call_reset(self, stopping: threading.Event) -> int | None:
        """Call the task's reset service; see ResetClient."""
        return self._reset_client.call(stopping)

    # What people ask for -------------------------------------------------------------------

    def _on_request(self, ask, request, response):
        refusal = ask()
        response.success, response.message = refusal is None, refusal or ''
        return response

    def _clear_trip(self) -> str | None:
        return 'e_stop is still true' if self._e_stop else self._loop.clear_trip()

    def _on_e_stop(self, message: Bool) -> None:
        self._e_stop = message.data
        if message.data and self._running_loop is not None:
            self._loop.trip('e_stop')

    def _on_decode_fault(self, text: str) -> None:
        if text != self._decode_fault:
            self._decode_fault = text
            self.get_logger().error(text)

    def _describe(self):
        """Return level, message and values for /diagnostics."""
        state = self._loop.state if self._running_loop is not None else 'INACTIVE'
        reason = (self._runner.gate.trip_reason or ', '.join(self._loop.waiting_for)
                  or self._decode_fault)
        level = DiagnosticStatus.WARN if reason else DiagnosticStatus.OK
        if state == TRIPPED:
            level = DiagnosticStatus.ERROR
        values = {'episodes': self._loop.finished_episodes, 'decode fault': self._decode_fault}
        return level, f'{state}: {reason}' if reason else state, values


def main(args=None) -> int:
    """Run the node; return the exit code."""
    return hosting.run('policy_node', PolicyNode, args)
