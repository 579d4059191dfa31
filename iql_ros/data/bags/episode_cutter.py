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

"""Samples of one bag in order of time -> episodes, tick by tick, and why each one ended."""

import collections

import numpy as np

from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.outliers import leave_out
from iql_ros.data.bags.robot_streams import ACTION, OBSERVATION, REWARD, TERMINATED
from iql_ros.data.bags.statistics import Decimated
from iql_ros.data.bags.stream_reading import Unfit
from iql_ros.robot.observation_buffer import ObservationBuffer
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.task import Task
from iql_ros.robot.transitions import Episode, make_episode, TransitionBuilder

_ENDS = ('end', 'trip', 'success', 'failure')
_CONTROL = {'intervention_start': True, 'intervention_end': False}  # an operator has it
_SECOND = 1_000_000_000  # [ns]


class EpisodeCutter:
    """
    Walks the ticks of one bag and closes episodes for reasons that it counts.

    Only the task, or a person by success or failure, terminates; every other end truncates.
    Where the bag marks starts, what lies outside of them is left out.
    """

    def __init__(self, interface: RobotInterface, task: Task, allowed: Allowed, start_ns: int):
        """Start before the first sample of a bag, which began at `start_ns` of receive time."""
        self._interface, self._task, self._allowed = interface, task, allowed
        self._transitions, self._marked = [], False
        self._received_from_ns, self._start_ns = start_ns, None
        self.episodes: list[Episode] = []
        # of every episode: start [s], steps, return, ended, number (of the marked start, where the
        # bag marks them: also those of which no step came count)
        self.ends: list[dict] = []
        self._starts = 0                     # marked so far
        self.dropped = collections.Counter()
        self.ticks, self.notes = 0, []
        self.ages = [Decimated() for _ in interface.observation]  # [ns] at the ticks of episodes
        self._buffer = ObservationBuffer(interface, _vector)
        self._begin()

    def cut(self, samples) -> list[Episode]:
        """Return the episodes of Samples in order of time; None stands for a new clock."""
        index, next_ns, last_ns = None, 0, -1
        for sample in samples:
            if sample is None:
                self._end(next_ns, last_ns, 'clock set back')
                index, next_ns, last_ns = None, 0, -1
                continue
            last_ns = sample.stamp_ns
            if self._start_ns is None:  # on the clock of the ticks
                self._start_ns = last_ns - sample.received_ns + self._received_from_ns
            if index is None:
                index = self._first_tick_for(sample.stamp_ns)
                next_ns = self._interface.tick_ns(index)
            while next_ns < sample.stamp_ns:
                index += 1
                if not self._tick(next_ns):  # and nothing is seen before the next sample
                    first = self._first_tick_for(sample.stamp_ns)
                    self._skip(first - index)
                    index = max(index, first)
                next_ns = self._interface.tick_ns(index)
            self._push(sample)
        self._end(next_ns, last_ns, 'end of bag')
        self.episodes, self.ends, dropped = leave_out(
            self.episodes, self.ends, self._interface, self._allowed, self.start)
        self.dropped.update(dropped)
        return self.episodes

    @property
    def start(self) -> float:
        """Return when the bag began, on the clock of the ticks [s]; after its first sample."""
        return (self._start_ns or 0) / _SECOND

    def _begin(self) -> None:
        """Be ready for the first sample of a clock."""
        self._inside, self._events, self._why = not self._marked, [], ''
        self._buffer.clear()
        self._builder = TransitionBuilder(self._interface, self._task)

    def _end(self, tick_ns: int, last_ns: int, reason: str) -> None:
        """
        Take the last tick of a clock, and be ready for another clock.

        What would have come between the last sample and a later tick is not known, so that
        tick is taken only where a person's word waits for it.
        """
        if tick_ns == last_ns or self._events:
            self._tick(tick_ns)
        self._close(reason)
        self._begin()

    def _first_tick_for(self, stamp_ns: int) -> int:
        index = self._interface.tick_index(stamp_ns)
        return index if self._interface.tick_ns(index) == stamp_ns else index + 1

    def _skip(self, ticks: int) -> None:
        if ticks > 0:
            self.ticks += ticks
            self.dropped[self._why] += ticks

    def _push(self, sample) -> None:
        kind = sample.kind
        if kind == OBSERVATION:
            self._buffer.push(sample.index, sample.stamp_ns, sample.value)
        elif kind == ACTION:
            self._builder.add_command(sample.index, sample.stamp_ns, sample.value)
        elif kind == REWARD:
            self._builder.add_reward(sample.stamp_ns, sample.value)
        elif kind == TERMINATED:
            self._builder.add_terminated(sample.stamp_ns, bool(sample.value))
        elif sample.value in _CONTROL:
            self._builder.add_control(sample.stamp_ns, _CONTROL[sample.value])
        else:
            self._events.append(sample.value)

    def _tick(self, tick_ns: int) -> bool:
        """Take a tick; return whether every stream was young enough."""
        self.ticks += 1
        observation = self._observe(tick_ns)
        if observation is None:
            self._close(self._why)
        events, self._events = self._events, []
        for event in events:
            self._take_event(event, tick_ns, observation)
        if observation is None:
            self.dropped[self._why] += 1
        elif self._inside:
            self._step(tick_ns, observation)
        elif not any(event in _ENDS for event in events):
            self.dropped['outside of the marked episodes'] += 1
        return observation is not None

    def _take_event(self, event: str, tick_ns: int, observation) -> None:
        if event == 'start':
            self._close('next start')
            if not self._marked:
                self._forget_unmarked()
            self._marked = self._inside = True
            self._starts += 1
        elif event in _ENDS:
            ended = (self._inside and observation is not None
                     and self._step(tick_ns, observation, event))
            if event in ('success', 'failure') and not ended:
                self.notes.append(f"'{event}' at {(tick_ns - self._start_ns) / _SECOND:.3f} s "
                                  'ended no episode')
            self._close(event)
            self._inside = not self._marked

    def _forget_unmarked(self) -> None:
        """Leave out what lies before the first start: nobody said that it was an episode."""
        steps = sum(end['steps'] for end in self.ends)
        if steps:
            self.dropped['outside of the marked episodes'] += steps
        self.episodes, self.ends = [], []

    def _observe(self, tick_ns: int) -> np.ndarray | None:
        try:
            observation = self._buffer.sample(tick_ns)
        except _UnfitError as error:
            self._why = f'a message of {error} that does not fit'
            return None
        if observation is None:
            self._why = f'no {", ".join(self._buffer.lacking(tick_ns))} young enough'
            return None
        if not np.isfinite(observation).all():
            name = self._interface.sensed_names[np.flatnonzero(~np.isfinite(observation))[0]]
            self._refuse_value('observation', name, tick_ns)
            return None
        if self._inside:
            for kept, age in zip(self.ages, self._buffer.ages):
                kept.add(age)
        return observation

    def _refuse_value(self, what: str, name: str, tick_ns: int) -> None:
        self._allowed.leave_out('non-finite', f"{what} '{name}' is NaN or infinite",
                                (tick_ns - self._start_ns) / _SECOND)
        self._why = f'{name} not finite'

    def _step(self, tick_ns: int, observation, ended: str = '') -> bool:
        """Take a tick of an episode; return whether a transition came of it."""
        outcome = {'success': self._task.success_reward,
                   'failure': self._task.failure_reward}.get(ended)
        waiting = self._builder.waiting
        transition = self._builder.tick(tick_ns, observation, outcome)
        if transition is None:
            if waiting:
                self._close_transitions('no command in force')
                self.dropped['no command in force'] += 1
            return False
        if not np.isfinite(transition.action).all():
            name = self._interface.action_names[
                np.flatnonzero(~np.isfinite(transition.action))[0]]
            self._refuse_value('action', name, tick_ns)
            self._close(self._why)
            self.dropped[self._why] += 1
            return False
        self._transitions.append(transition)
        if transition.terminated or transition.truncated:
            reason = 'terminated' if transition.terminated else 'time limit'
            self._close(ended if ended in ('success', 'failure') else reason)
            self._inside = not self._marked
            if transition.truncated and self._inside and not ended:
                self._builder.tick(tick_ns, observation)  # the drive goes on: the next episode
        return True

    def _close(self, reason: str) -> None:
        self._builder.end_episode()
        self._close_transitions(reason)

    def _close_transitions(self, reason: str) -> None:
        if not self._transitions:
            return
        episode = make_episode(self._transitions)
        self.ends.append({'start': self._transitions[0].tick_ns / _SECOND,
                          'steps': len(self._transitions),
                          'return': float(episode.rewards.sum()), 'ended': reason,
                          'number': self._starts - 1 if self._marked else len(self.ends)})
        self.episodes.append(episode)
        self._transitions = []


class _UnfitError(Exception):
    """A tick's newest message on a topic does not fit the robot; that was allowed."""


def _vector(index: int, value) -> np.ndarray:
    """Return the vector of an observation, which may have waited for a tick to ask for it."""
    if isinstance(value, Unfit):
        raise _UnfitError(value.topic)
    return value if isinstance(value, np.ndarray) else value()
