"""What happens at one control tick, without ROS: policy, gate, transition, end of an episode."""

import dataclasses

import numpy as np

from iql_ros.robot_interface import RobotInterface
from iql_ros.safety import Gate
from iql_ros.task import Task
from iql_ros.transitions import Transition, TransitionBuilder


@dataclasses.dataclass(frozen=True)
class TickResult:
    """The outcome of a tick."""

    command: np.ndarray | None       # (action_dim,) to send; None when the episode ended
    transition: Transition | None    # the one that this tick completed
    ended: str | None                # terminated | truncated | end | success | failure | trip


@dataclasses.dataclass
class EpisodeSummary:
    """The running totals of an episode."""

    return_: float = 0.0
    length: int = 0
    terminated: bool = False
    truncated: bool = False


class EpisodeRunner:
    """Runs episodes tick by tick; the caller owns the clock and the topics."""

    def __init__(self, act, interface: RobotInterface, task: Task):
        """Take `act`: observation (observation_dim,) -> action (action_dim,), physical units."""
        self._act, self._interface, self._task = act, interface, task
        self.gate = Gate(interface)
        self.builder = TransitionBuilder(interface, task)
        self.running = False
        self.summary = EpisodeSummary()
        self._request: str | None = None

    def start(self) -> None:
        """Begin an episode at the next tick."""
        self.builder.end_episode()
        self.gate.start()
        self.summary = EpisodeSummary()
        self._request, self.running = None, True

    def request(self, kind: str) -> None:
        """End the episode at the next tick: end (truncated), success, failure (terminated)."""
        self._request = kind

    def tick(self, tick_ns: int, observation: np.ndarray) -> TickResult:
        """
        Complete the last transition and decide on the next command.

        Nothing that is not finite enters a transition: a trip leaves the last one out.
        """
        self.gate.check_observation(observation)
        if self.gate.trip_reason is not None:
            return TickResult(self.gate.stop, None, self._over('trip'))
        request, self._request = self._request, None
        transition = self.builder.tick(tick_ns, observation, self._outcome(request))
        ended = self._end_of(transition, request)
        command = None
        if ended is None:
            command = self.gate.apply(self._act(observation), tick_ns).command
            ended = 'trip' if self.gate.trip_reason is not None else None
        if transition is not None:
            transition = dataclasses.replace(
                transition, truncated=ended is not None and not transition.terminated)
            self._count(transition)
        if ended:
            return TickResult(command, transition, self._over(ended))
        for index, part in enumerate(self._interface.split_action(command)):
            self.builder.add_command(index, tick_ns, part)
        return TickResult(command, transition, None)

    def abort(self, reason: str) -> None:
        """Trip between ticks; a running episode is over and truncated."""
        self.gate.trip(reason)
        if self.running:
            self._over('trip')

    def _outcome(self, request: str | None) -> float | None:
        return {'success': self._task.success_reward,
                'failure': self._task.failure_reward}.get(request)

    @staticmethod
    def _end_of(transition: Transition | None, request: str | None) -> str | None:
        if request == 'end' or (request and transition is not None):
            return request
        if transition is not None and transition.terminated:
            return 'terminated'
        return 'truncated' if transition is not None and transition.truncated else None

    def _count(self, transition: Transition) -> None:
        self.summary.return_ += transition.reward
        self.summary.length += 1
        self.summary.terminated = transition.terminated

    def _over(self, ended: str) -> str:
        self.running = False
        self.summary.truncated = not self.summary.terminated
        self.builder.end_episode()
        return ended
