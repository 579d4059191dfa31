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

"""What a policy sees of places, as RViz draws it: where the robot is and was, goal and limits."""

import dataclasses
import math
import re

from geometry_msgs.msg import Point
import numpy as np
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker

from iql_ros.robot.gate_rules import gate_rules
from iql_ros.robot.observations import Previous
from iql_ros.robot.robot_interface import RobotInterface

_EVERY = 0.1            # [s] between two drawings: who looks sees no more
_KEPT = 600             # pieces of the path
_X = re.compile(r'(?P<before>.*(?:position|translation)\.)x')
_WIDTH, _SIZE, _LENGTH = 0.02, 0.15, 0.3    # [m] of lines, of a goal, of the arrow
_COLOURS = {'pose': (0.1, 0.5, 0.9), 'path': (0.1, 0.5, 0.9), 'goal': (0.1, 0.7, 0.2),
            'limits': (0.8, 0.2, 0.1)}


@dataclasses.dataclass(frozen=True)
class Position:
    """A place that an observation holds: where in it x, y and z are, and a heading."""

    topic: str
    names: tuple[str, str]          # of x and y
    indices: tuple[int, int, int]   # -1: it has no z
    heading: tuple[int, ...]        # cosine and sine, or the angle; empty: none
    goal: bool
    frame: str                      # that the YAML says; empty: that of the messages
    seen_from: str                  # topic of the pose from which it is given; empty: of none


def positions(interface: RobotInterface) -> list[Position]:
    """Return the places that an observation holds, in its order."""
    found, first = [], 0
    for part in interface.parts:
        if isinstance(part, Previous):
            first += part.history * interface.action_dim
            continue
        where = {name: first + index for index, name in enumerate(part.value_names)}
        for name in where:
            match = _X.fullmatch(name)
            if match and f"{match['before']}y" in where:
                found.append(_position(part, match['before'], where))
        first += part.history * part.dim
    return found


def _position(part, before: str, where: dict[str, int]) -> Position:
    names = f'{before}x', f'{before}y'
    angle = re.escape(part.label) + r' {}\(.*(?:orientation|rotation)\)'
    said = {function: index for function in ('yaw_cos', 'yaw_sin', 'yaw')
            for name, index in where.items() if re.fullmatch(angle.format(function), name)}
    both = 'yaw_cos' in said and 'yaw_sin' in said
    heading = (said['yaw_cos'], said['yaw_sin']) if both else (
        (said['yaw'],) if 'yaw' in said else ())
    return Position(part.topic, names, (where[names[0]], where[names[1]],
                                        where.get(f'{before}z', -1)),
                    heading, part.goal, getattr(part, 'within', part.frame_id), part.relative_to)


class DebugMarkers:
    """Draws an episode; knows no topic but those whose frames it looks for."""

    def __init__(self, interface: RobotInterface):
        """Find out what there is to draw."""
        self.positions = positions(interface)
        self._limits = {each.names: _limits(interface, each.names) for each in self.positions}
        self.frames = {}                # of messages, by the topic's name in the YAML
        self._last_ns, self._pieces, self._fresh = None, 0, True
        self._before = {}               # where each was drawn last

    def begin(self) -> None:
        """Draw the path anew."""
        self._fresh, self._before, self._pieces = True, {}, 0

    def draw(self, stamp_ns: int, observation) -> list[Marker]:
        """Return what is new of a tick [ns]; empty: it was drawn a moment ago, or nothing is."""
        recent = self._last_ns is not None and 0 <= stamp_ns - self._last_ns < _EVERY * 1e9
        if observation is None or (recent and not self._fresh):
            return []
        self._last_ns = stamp_ns
        markers = [Marker(action=Marker.DELETEALL)] if self._fresh else []
        self._fresh = False
        for number, each in enumerate(self.positions):
            drawn = self._place(number, each, observation)
            for marker in drawn:
                marker.header.frame_id = each.frame or self.frames.get(each.topic, '') or 'map'
                marker.header.stamp.sec, marker.header.stamp.nanosec = divmod(stamp_ns, 10**9)
            markers += drawn
        return markers

    def _place(self, number: int, each: Position, observation) -> list[Marker]:
        x, y, z = (float(observation[index]) if index >= 0 else 0.0 for index in each.indices)
        if each.goal:
            if each.seen_from:
                place = self._where_it_is(each, (x, y), observation)
                if place is None:
                    return []
                x, y = place
            marker = _marker('goal', number, Marker.SPHERE, _SIZE)
            marker.pose.position = Point(x=x, y=y, z=z)
            return [marker]
        markers = [self._pose(number, each, (x, y, z), observation)]
        before, self._before[number] = self._before.get(number), (x, y, z)
        if before is not None:
            self._pieces += 1
            markers.append(_line('path', self._pieces % _KEPT, [before, (x, y, z)]))
        corners = self._limits[each.names]
        if corners is not None:
            markers.append(_line('limits', number, [(*corner, z) for corner in corners]))
        return markers

    def _where_it_is(self, goal: Position, seen, observation) -> tuple[float, float] | None:
        """Return x and y of a goal that is seen from a pose, None where no heading is known."""
        pose = next((each for each in self.positions if each.topic == goal.seen_from
                     and not each.goal and each.heading), None)
        if pose is None:
            return None
        x, y = (float(observation[index]) for index in pose.indices[:2])
        yaw = _yaw(pose, observation)
        return (x + math.cos(yaw) * seen[0] - math.sin(yaw) * seen[1],
                y + math.sin(yaw) * seen[0] + math.cos(yaw) * seen[1])

    @staticmethod
    def _pose(number: int, each: Position, place, observation) -> Marker:
        marker = _marker('pose', number, Marker.ARROW if each.heading else Marker.SPHERE,
                         _WIDTH * 2)
        marker.pose.position = Point(x=place[0], y=place[1], z=place[2])
        if each.heading:
            yaw = _yaw(each, observation)
            marker.pose.orientation.z = math.sin(yaw / 2)
            marker.pose.orientation.w = math.cos(yaw / 2)
            marker.scale.x = _LENGTH
        return marker


def _yaw(each: Position, observation) -> float:
    said = [float(observation[index]) for index in each.heading]
    return math.atan2(said[1], said[0]) if len(said) == 2 else said[0]


def _limits(interface: RobotInterface, names) -> list[tuple[float, float]] | None:
    """Return the corners that x and y keep to, closed; None where the gate does not say."""
    rules, sensed = gate_rules(interface), interface.sensed_names
    ends = []
    for name in names:
        found = np.flatnonzero(interface.measured == sensed.index(name))
        if not found.size:
            return None
        index = found[0]
        low, high = (rules.low, rules.high) if rules.position[index] else (
            rules.range_low, rules.range_high)
        ends.append((float(low[index]), float(high[index])))
    if not np.isfinite(ends).all():
        return None
    (left, right), (bottom, top) = ends
    return [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]


def _marker(what: str, number: int, kind: int, size: float) -> Marker:
    red, green, blue = _COLOURS[what]
    marker = Marker(ns=what, id=number, type=kind, action=Marker.ADD,
                    color=ColorRGBA(r=red, g=green, b=blue, a=1.0))
    marker.scale.x = marker.scale.y = marker.scale.z = size
    marker.pose.orientation.w = 1.0
    return marker


def _line(what: str, number: int, points) -> Marker:
    marker = _marker(what, number, Marker.LINE_STRIP, _WIDTH)
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points]
    return marker
