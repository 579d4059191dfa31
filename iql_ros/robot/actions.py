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

"""A stream that the policy commands, and what goes with it: constants, stamps, heartbeats."""

import dataclasses

import numpy as np

from iql_ros.files import InputError, unknown_name
from iql_ros.robot import field_paths, message_writing
from iql_ros.robot.action_scaling import ActionScaling
from iql_ros.robot.gate_settings import check_vector, GateSettings, KINDS
from iql_ros.robot.streams import check_topic, check_type, kind_of, Stream, TRAJECTORY

_RULES = ('mean', 'last', 'longest')
_HIGHEST_RATE = 1000  # [Hz]


@dataclasses.dataclass(frozen=True)
class StampField:
    """Where a message without a header has its time: the field, and what it counts."""

    field: str           # path of the number, as in timestamp
    unit: str            # what it counts; allowed: s | ms | us | ns

    def __post_init__(self):
        field_paths.parse_field(self.field)
        if self.unit not in message_writing.UNITS:
            raise unknown_name('unit', self.unit, message_writing.UNITS)


@dataclasses.dataclass(frozen=True)
class Heartbeat:
    """A message that a controller wants to hear as long as it is commanded."""

    topic: str           # under the node's namespace unless it begins with /
    type: str            # of its messages; allowed: pkg/msg/Name
    rate: float          # [Hz] how often it is sent; allowed: 0 < Hz <= 1000
    # what every one holds, as an action's `set`
    set: dict = dataclasses.field(default_factory=dict)
    # where it has its time; allowed: header | none | {field: timestamp, unit: us}
    stamp: str | StampField = 'none'

    def __post_init__(self):
        where = f"heartbeat '{self.topic}'"
        check_topic(f'{where}: topic', self.topic)
        check_type(where, self.type)
        if not 0 < self.rate <= _HIGHEST_RATE:
            raise InputError(f'{where}: rate: got {self.rate}; allowed: 0 < Hz <= '
                             f'{_HIGHEST_RATE}')
        if isinstance(self.stamp, str) and self.stamp not in ('header', 'none'):
            raise InputError(f"{where}: {unknown_name('stamp', self.stamp, ('header', 'none'))}")
        try:
            field_paths.check_constants(self.set, ())
        except InputError as error:
            raise InputError(f'{where}: set: {error}') from None

    def encode(self, time_ns: int, make_message):
        """
        Return the message of a time [ns].

        Raises:
            InputError: naming the topic and the constant that does not fit.

        """
        message = make_message(self.type)
        try:
            message_writing.write_constants(message, self.set)
            if self.stamp == 'header':
                message_writing.set_stamp(message, time_ns)
            elif isinstance(self.stamp, StampField):
                message_writing.write_time(message, self.stamp.field, self.stamp.unit, time_ns)
        except InputError as error:
            raise InputError(f"heartbeat '{self.topic}' ({self.type}): {error}") from None
        return message


@dataclasses.dataclass(frozen=True, kw_only=True)
class Action(Stream):
    """A stream that the policy commands."""

    # where a command has its time; in a recording one without a header has that of its arrival;
    # allowed: header | receive | {field: timestamp, unit: us}
    stamp: str | StampField = 'header'
    low: tuple[float, ...]               # what -1 of the policy means, per value; below high
    high: tuple[float, ...]              # what +1 of the policy means, per value
    # what several commands within one tick count as; allowed: mean | last | longest
    rule: str
    gate: GateSettings                   # what may be sent
    time_from_start: float = 0.0         # [s] of a JointTrajectory's point; allowed: >= 0
    # topic of what the robot executed; where a recording has it, it is what is learned from
    executed: str = ''
    # what the values do; default: what the type says (JointState, JointTrajectory, Twist);
    # allowed: position | velocity | effort
    controls: str = ''
    # names of the observed values, as `inspect` prints them, that measure these, in their order:
    # of a joint that is driven by velocity or effort its position
    measured: tuple[str, ...] = ()
    # what every command holds besides, the stop too: path, or element as data[2], -> a number
    # (.nan, too), text, true or false, or a list of them
    set: dict = dataclasses.field(default_factory=dict)
    # [Hz] how often the last command is sent, with a stamp of its own each time, while the policy
    # acts and while a trip lasts; null: once a tick; allowed: control_rate < Hz <= 1000
    publish_rate: float | None = None
    # what is sent besides, as long; null: nothing
    heartbeat: Heartbeat | None = None

    def __post_init__(self):
        super().__post_init__()
        where = f"action '{self.topic}'"
        if self.rule not in _RULES:
            raise InputError(f'{where}: {unknown_name("rule", self.rule, _RULES)}')
        check_vector(self.low, self.dim, f'{where}: low')
        check_vector(self.high, self.dim, f'{where}: high')
        if self.executed:
            check_topic(f'{where}: executed', self.executed)
        if self.time_from_start < 0:
            raise InputError(f'{where}: time_from_start: got {self.time_from_start}; allowed: '
                             '>= 0 s')
        self.check_invertible()
        ActionScaling(self.low, self.high)  # refuses low >= high
        if self.controls and self.controls not in KINDS:
            raise InputError(f'{where}: {unknown_name("controls", self.controls, KINDS)}')
        if self.measured and len(self.measured) != self.dim:
            raise InputError(f'{where}: measured: got {len(self.measured)} names; expected '
                             f'{self.dim}, one a value')
        self.gate.check(self.kinds, self.low, self.high, bool(self.measured), where)
        try:
            field_paths.check_constants(self.set, self.parsed)
        except InputError as error:
            raise InputError(f'{where}: set: {error}') from None

    def check_message(self, make_message) -> None:
        """
        See that a message of the type can be made of a vector, before the first one has to be.

        Raises:
            InputError: naming the topic, the field or the constant, and what is there.

        """
        try:
            self.encode(np.zeros(self.dim), 0, make_message)
            if self.heartbeat is not None:
                self.heartbeat.encode(0, make_message)
        except InputError as error:
            raise InputError(f"action '{self.topic}' ({self.type}): {error}") from None

    def check_rate(self, control_rate: float, where: str) -> None:
        """
        Refuse a `publish_rate` that repeats nothing.

        Raises:
            InputError: naming it, and what is allowed.

        """
        if self.publish_rate is not None and not (
                control_rate < self.publish_rate <= _HIGHEST_RATE):
            raise InputError(f'{where}: publish_rate: got {self.publish_rate:g}; allowed: '
                             f'{control_rate:g} (control_rate) < Hz <= {_HIGHEST_RATE}')

    def _with_constants(self, message, time_ns: int) -> None:
        message_writing.write_constants(message, self.set)
        if isinstance(self.stamp, StampField):
            message_writing.write_time(message, self.stamp.field, self.stamp.unit, time_ns)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what every value controls, of KINDS; '' where nobody says."""
        return tuple(self.controls or kind_of(self.type, field.path)
                     for field, width in zip(self.parsed, self.widths) for _ in range(width))

    def contract(self) -> dict:
        """Return what gives the vector its meaning, with what -1 and +1 stand for."""
        return {**super().contract(), 'low': list(self.low), 'high': list(self.high)}

    def _with_joints(self, message, make_message):
        target = super()._with_joints(message, make_message)
        if self.type == TRAJECTORY:
            duration = target.time_from_start
            duration.sec, duration.nanosec = divmod(round(self.time_from_start * 1e9), 10 ** 9)
        return target
