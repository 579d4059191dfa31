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

"""What a control loop asks, and whom it tells, among the parts of a policy node."""

import threading


class LoopHost:
    """The `host` of a ControlLoop; knows the parts, decides nothing."""

    def __init__(self, node, stops, episode_log, interventions, enable, learning, debug, reset):
        """
        Take the parts.

        Args:
            node: The policy node: its clock, its log, `on_transition`.
            stops: Buttons and trips, Stops.
            episode_log: Whom events and results go to, EpisodeLog.
            interventions: What an operator commands, Interventions; None: nobody may.
            enable: The dead man's switch, Enable.
            learning: LearningLink, None for a scripted driver.
            debug: Who shows ticks to those who listen, DebugTopics.
            reset: Called with an event that ends it, returns the stamp [ns] of the new episode's
                first step; None where no service resets.

        """
        self._node, self._stops, self._episode_log = node, stops, episode_log
        self._interventions, self._enable = interventions, enable
        self._learning, self._debug, self._reset = learning, debug, reset

    @property
    def simulated_time(self) -> bool:
        """Say whether time comes from /clock."""
        return self._node.simulated_time

    def now_ns(self) -> int:
        """Return the node's time [ns]."""
        return self._node.now_ns()

    def log(self, text: str) -> None:
        """Log what a person should know."""
        self._node.log(text)

    def operator(self):
        """Return the action of an operator who has control, else None; see Interventions."""
        return self._interventions.action() if self._interventions else None

    def not_ready(self) -> list[str]:
        """Return what has to be heard before anything may drive."""
        e_stops = self._stops.e_stops
        hold = '' if self._enable.held() else 'somebody to hold ~/enable'
        return [text for text in (e_stops.unknown(), e_stops.silent(), hold) if text]

    def enabled(self) -> bool:
        """Say whether an episode may go on."""
        return self._enable.held()

    def lasting_cause(self) -> str:
        """Return which button keeps the robot from driving; empty: none."""
        return self._stops.e_stops.pressed() or self._stops.e_stops.silent()

    def on_event(self, kind: str, stamp_ns: int) -> None:
        """Mark an event on ~/event."""
        self._node.get_logger().debug(f'event {kind} at {stamp_ns} ns')
        self._episode_log.event(kind, stamp_ns)

    def on_trip(self, reason: str) -> None:
        """Remember a trip, and say so."""
        self._stops.keep(reason)
        self._stops.announce(reason)

    def on_start(self) -> None:
        """Begin an episode: with the newest weights."""
        self._debug.begin()
        if self._learning:
            self._learning.start_episode()

    def on_tick(self, result, told) -> None:
        """Take what a tick brought; its command has gone out. `told`: see DebugTopics."""
        self._debug.show(result, told)
        if result.transition is not None:
            self._node.on_transition(result.transition)
        if self._learning:
            self._learning.take(result)

    def on_episode(self, summary) -> None:
        """Note an episode's result."""
        self._episode_log.episode(summary)

    def call_reset(self, stopping: threading.Event) -> int | None:
        """Call the task's reset service."""
        return self._reset(stopping)
