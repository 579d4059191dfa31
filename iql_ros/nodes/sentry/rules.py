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

"""What the sentry sends, and when it stops a robot by itself: rules without clock and topic."""

import math

import numpy as np

from iql_ros.nodes.sentry.channel import Kind, Message
from iql_ros.nodes.sentry.repeats import Repeats
from iql_ros.robot.gate_rules import gate_rules
from iql_ros.robot.robot_interface import RobotInterface

_PATIENCE = 1.7          # periods without a word from the watchdog, and of a command's age
_LATENESS = 0.85         # periods after which a command that was due is missed
_LONGEST_PATIENCE = 0.17  # [s] of any of them
_REPEAT = 1.2            # periods between a trip's stops
_ROUNDING = 1e-9         # of a command, relative: rates are computed twice
_SILENCE = 3              # periods without a command, after which a robot may be anywhere


def patience_ns(interface: RobotInterface) -> int:
    """Return how long [ns] one side may say nothing to the other."""
    return _within(_PATIENCE, interface)


def _within(periods: float, interface: RobotInterface) -> int:
    return min(round(periods * interface.period_ns), round(_LONGEST_PATIENCE * 1e9))


class Sentry:
    """
    Passes commands on, and sends the stop when they are unfit or nobody watches any more.

    Times are monotonic [ns]. Once it has tripped nothing but the stop goes out until CLEAR.
    Between episodes nobody needs to watch: the stop has been sent.
    """

    def __init__(self, interface: RobotInterface, publish, tell, unheard=lambda: (),
                 again=lambda what, command, stamp_ns: None):
        """
        Take the world.

        Args:
            interface: Of the robot.
            publish: Called with a command (action_dim,) and a stamp [ns].
            tell: Called with a message to policy_node.
            unheard: Returns the topics of positions to which nobody listens.
            again: Called with one of Repeats.take, what went out last and a stamp [ns].

        """
        self._rules = gate_rules(interface)
        self._publish, self._tell, self._unheard, self._again = publish, tell, unheard, again
        self._repeats = Repeats(interface)
        self._period_ns, self._patience_ns = interface.period_ns, patience_ns(interface)
        self._lateness_ns = _within(_LATENESS, interface)
        self.active, self.driving = False, False
        self.trip_reason: str | None = None
        self._unknown = np.full(interface.action_dim, np.nan)
        self._measured = self._unknown          # NaN where nothing measures it
        self._looked_ns, self._stopped_ns, self._sent_ns = 0, 0, 0
        self._next_ns = 0                      # when a command is due, 0: none is
        self._forget()
        self._clock_offset_ns = 0              # of the messages' clock to the monotonic one

    def take(self, message: Message, now_ns: int) -> None:
        """Do what policy_node says."""
        if message.kind == Kind.DRIVE:
            self._drive(message, now_ns)
        elif message.kind == Kind.LOOKED:
            self._looked_ns = message.time_ns
            self._measured = self._unknown if message.action is None else message.action
            self._clock_offset_ns = message.stamp_ns - message.time_ns
        elif message.kind == Kind.BEGIN and not self.driving:
            self._last = np.where(self._rules.position & ~np.isnan(message.action),
                                  message.action, self._last)
            if self.trip_reason is None:   # the way to the stop before led from elsewhere
                self._target = None
        elif message.kind == Kind.STOP:
            if message.action is not None:  # who sees the robot knows better where it stands
                self._target = np.clip(message.action, self._rules.low, self._rules.high)
            self._send_stop(message.stamp_ns, now_ns)
        elif message.kind == Kind.TRIP:
            self.trip(message.text, now_ns)
        elif message.kind == Kind.CLEAR:
            self.trip_reason = None
        elif message.kind == Kind.OPEN:
            self._open(message, now_ns)

    def _forget(self) -> None:
        """Forget what was sent: nobody has for a while, and the robot may be elsewhere."""
        self._last = self._rules.unsent         # what was sent, (action_dim,)
        self._last_stamp_ns: int | None = None  # None: it led to the stop
        self._target: np.ndarray | None = None  # where the stop leads to

    def _open(self, message: Message, now_ns: int) -> None:
        self.active, self.driving = True, False
        self._measured = self._unknown   # of before: the robot may have been moved meanwhile
        self._forget()
        self._clock_offset_ns = message.stamp_ns - message.time_ns
        self.trip_reason = None
        if message.text:
            self.trip(message.text, now_ns)

    def _drive(self, message: Message, now_ns: int) -> None:
        if self.trip_reason is not None:  # policy_node may have missed it while it began
            self._tell(Message(Kind.TRIPPED, now_ns, text=self.trip_reason))
        if not self.active or self.trip_reason is not None:
            return
        fault = self._fault(message, now_ns)
        if fault:
            self.trip(f'the sentry refused a command: {fault}', now_ns)
            return
        self._last, self._last_stamp_ns = message.action, message.stamp_ns
        self._target, self._next_ns = None, message.due_ns
        self._send(message.stamp_ns, now_ns)
        if not self.driving:
            self.driving, self._looked_ns = True, now_ns

    def _fault(self, message: Message, now_ns: int) -> str:
        action, age_ns = message.action, now_ns - message.time_ns
        if age_ns > self._patience_ns:
            return f'it is {age_ns * 1e-9:.3f} s old; allowed: {self._patience_ns * 1e-9:g} s'
        if action.shape != self._last.shape or not np.all(np.isfinite(action)):
            return f'{action.tolist()}; expected {self._last.size} finite values'
        elapsed_ns = self._period_ns
        if self._last_stamp_ns is not None:
            elapsed_ns = min(max(message.stamp_ns - self._last_stamp_ns, 1), self._period_ns)
        reach = self._rules.max_rate * (elapsed_ns * 1e-9) + _ROUNDING * (1 + np.abs(self._last))
        below, above = self._last - reach, self._last + reach
        below = np.where(self._rules.ranged, np.minimum(below, 0.0), below)
        above = np.where(self._rules.ranged, np.maximum(above, 0.0), above)
        for what, low, high in (('limit', self._rules.low, self._rules.high),
                                ('max_rate', below, above)):
            outside = np.flatnonzero(~((action >= low) & (action <= high)))  # NaN is none
            if outside.size:
                index = int(outside[0])
                return (f'action[{index}] is {action[index]:g}; allowed ({what}): '
                        f'{low[index]:g} to {high[index]:g}')
        return ''

    def trip(self, reason: str, now_ns: int) -> None:
        """Stop the robot, whoever says so, and let policy_node know."""
        if self.trip_reason is None:
            self.trip_reason = reason
            if now_ns - self._sent_ns > _SILENCE * self._period_ns:
                self._forget()
            self._tell(Message(Kind.TRIPPED, now_ns, text=reason))
            if self.active:
                self.repeat(now_ns)

    def _send_stop(self, stamp_ns: int, now_ns: int) -> None:
        self.driving, self._stopped_ns, self._last_stamp_ns = False, now_ns, None
        if self._unheard():   # else who comes to hear later would hear where the way there ends
            self._target = None
            self._last = np.where(np.isnan(self._rules.unsent), np.nan, self._last)
        measured, holds = self._rules.credible(self._measured), np.isnan(self._rules.stop)
        self._last = np.where(np.isnan(self._last), measured, self._last)
        if self._target is None or np.isnan(self._target).any():
            self._target = self._rules.stop_target(self._last, measured)
        # a hold leads to where the robot is
        self._last = np.where(np.isnan(self._last) & holds, self._target, self._last)
        if not self.active or np.isnan(self._last).all():
            return  # nothing but positions that nobody knows
        elapsed_ns = min(max(now_ns - self._sent_ns, 1), self._period_ns)
        self._last = self._rules.towards(self._target, self._last, elapsed_ns * 1e-9)
        self._send(stamp_ns, now_ns)

    def _send(self, stamp_ns: int, now_ns: int) -> None:
        self._sent_ns = now_ns
        self._repeats.sent(now_ns)
        self._publish(self._last, stamp_ns)

    @property
    def sent(self) -> np.ndarray:
        """Return what went out last, (action_dim,), NaN where nobody knows."""
        return self._last

    @property
    def stopping(self) -> bool:
        """Say whether what was sent leads to the stop and has not reached it."""
        return self._target is not None and bool(
            np.any(~np.isnan(self._last) & (self._last != self._target)))

    def look(self, now_ns: int) -> None:
        """See whether policy_node has been silent for too long, and repeat what is due."""
        self._look(now_ns)
        if self._speaks:
            stamp_ns = now_ns + self._clock_offset_ns
            if self.driving and self._last_stamp_ns is not None:
                # the next command has its tick's time: one sent again is to be older than that
                stamp_ns = min(stamp_ns, self._last_stamp_ns + self._period_ns - 1)
            for what in self._repeats.take(now_ns):
                self._again(what, self._last, stamp_ns)

    @property
    def _speaks(self) -> bool:
        """Say whether commands are repeated: while somebody watches, and while a trip lasts."""
        return self.driving or (self.active and self.trip_reason is not None)

    def _look(self, now_ns: int) -> None:
        due_ns = self._watch_ns()
        if due_ns is None or now_ns < due_ns:
            return
        if not self.driving:
            self.repeat(now_ns)
        elif now_ns < self._looked_ns + self._patience_ns:
            self.trip(f'a command is {(now_ns - self._next_ns) * 1e-9:.3f} s late', now_ns)
        else:
            silence = (now_ns - self._looked_ns) * 1e-9
            self.trip(f'no word from policy_node for {silence:.3f} s', now_ns)

    def repeat(self, now_ns: int) -> None:
        """Send the stop."""
        self._send_stop(now_ns + self._clock_offset_ns, now_ns)

    def due_ns(self) -> int | None:
        """Return when to look next; None: when there is a message."""
        due = [self._watch_ns(), self._repeats.due_ns() if self._speaks else None]
        return min((each for each in due if each is not None), default=None)

    def _watch_ns(self) -> int | None:
        if self.driving:
            late_ns = self._next_ns + self._lateness_ns if self._next_ns else math.inf
            return min(self._looked_ns + self._patience_ns, late_ns)
        if self.active and self.stopping:
            return self._stopped_ns + self._period_ns
        if self.active and self.trip_reason is not None:  # policy_node repeats it, too: be later
            return self._stopped_ns + min(self._patience_ns, round(_REPEAT * self._period_ns))
        return None
