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

"""What keeps a policy node from driving besides its loop: buttons, trips of before, company."""

import time

from iql_ros.files import InputError, shown
from iql_ros.nodes.control.company import Company
from iql_ros.nodes.sentry.e_stops import DISCOVERY, EStops, SIMULATED_DISCOVERY
from iql_ros.nodes.sentry.trip_memory import TripMemory
from iql_ros.robot.streams import TOPIC_NAME

_NAMED_FOR = 5.0    # [s] /diagnostics speaks of a message that was not taken


class Stops:
    """Keeps buttons and trips over a node's transitions; not a Node."""

    def __init__(self, node, e_stops, timeout: float, on_press):
        """
        Listen to the buttons: topics and timeout [s] as of EStops, with `on_press(reason)`.

        Raises:
            InputError: for a name that is no topic's.

        """
        self._node = node
        e_stops = list(filter(None, e_stops))
        for topic in e_stops:
            if not TOPIC_NAME.fullmatch(topic.removeprefix('~/')):
                raise InputError(f"parameter 'e_stops': got {shown(topic)}; expected topics like "
                                 '~/e_stop or /e_stop, of letters, digits and _')
        discovery = SIMULATED_DISCOVERY if node.get_parameter('lockstep').value else DISCOVERY
        self.e_stops = EStops(node, e_stops, timeout, on_press, discovery)
        self._timeout = timeout
        self._memory: TripMemory | None = None
        self._shadow = False
        self._kept = ''
        self._fault, self._fault_at = '', 0.0

    @property
    def sentry_name(self) -> str:
        """Return the name of the sentry's node, in this one's namespace."""
        return f'{self._node.get_name()}_sentry'

    def configure(self, interface, gate, lockstep: bool, simulated_time: bool,
                  shadow: bool = False) -> None:
        """
        Look who else is there; a trip that nobody has cleared is one still.

        One in shadow is kept nowhere: no robot was stopped by it. One that is kept of a drive
        stays kept, whatever is cleared in shadow.
        """
        self._company = Company(self._node, interface, self.sentry_name, lockstep, shadow)
        self._place = interface.robot, self._node.get_fully_qualified_name()
        nowhere, self._shadow = lockstep or simulated_time or shadow, shadow
        self._memory = None if nowhere else TripMemory(*self._place)
        self._kept = self._kept or (self._memory and self._memory.load()) or ''
        if self._kept:
            gate.trip(self._kept)

    def for_sentry(self, interface) -> dict:
        """Return what the sentry is to know, see SentryProcess."""
        return {'robot_config': interface.text, 'name': self.sentry_name,
                'namespace': self._node.get_namespace(), 'e_stops': self.e_stops.topics,
                'e_stop_timeout': self._timeout,
                'trip_memory': self._place if self._memory else None}

    def activate(self, gate, allow_others: bool) -> None:
        """
        Trip where a button is pressed.

        Raises:
            InputError: when others send commands, and may not.

        """
        others = self._company.commanders()
        if others and not allow_others:
            raise InputError(f"{'; '.join(others)}; end that, or say that it may be so: parameter "
                             "'allow_other_commanders'")
        pressed = self.e_stops.pressed()
        if pressed:
            gate.trip(pressed)
        if gate.trip_reason:
            if not self._kept:
                self.keep(gate.trip_reason)
            self.announce(gate.trip_reason)

    def announce(self, reason: str) -> None:
        """Log a trip, and what it does."""
        if self._shadow:
            self._node.log(f'TRIPPED in shadow: {reason}; it would have stopped the robot, and '
                           'stops nobody; it looks on after ~/clear_trip')
        else:
            self._node.log(f'TRIPPED: {reason}; sending the stop until ~/clear_trip')

    def keep(self, reason: str) -> None:
        """Remember a trip until `forget`, also in the next process."""
        self._kept = reason
        if self._memory:
            self._memory.keep(reason)

    def forget(self) -> None:
        """Forget the trip: it has been cleared."""
        self._kept = ''
        if self._memory:
            self._memory.forget()

    def flush(self) -> None:
        """Let the disk have what it is to remember."""
        if self._memory:
            self._memory.flush(1.0)

    def note(self, text: str) -> None:
        """Name, for a while, a message that was not taken."""
        self._fault, self._fault_at = text, time.monotonic()
        self._node.get_logger().error(text, throttle_duration_sec=1.0)

    @property
    def fault(self) -> str:
        """Return why a message was not taken a moment ago; empty: all were."""
        return self._fault if time.monotonic() - self._fault_at < _NAMED_FOR else ''

    def remarks(self) -> list[str]:
        """Return what a person should know."""
        trouble = self._memory.trouble if self._memory else ''
        return [text for text in (self.e_stops.pressed(), self.fault, trouble,
                                  *self._company.remarks()) if text]
