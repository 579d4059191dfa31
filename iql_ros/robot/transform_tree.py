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

"""Where frames are in each other, as /tf and /tf_static say (REP 105), asked for by time."""

import bisect
import math
import typing

from iql_ros.robot import rotations

# Whoever may publish may send frames without end: what is kept and said of them is bounded.
_MOST_FRAMES, _LONGEST_NAME, _LISTED = 500, 256, 24
_KEPT = 400              # poses of a frame between two ticks; of a flood the oldest go first
_NORM_OFF = 0.1          # by which a quaternion's norm may be off


class Edge(typing.NamedTuple):
    """Where one frame is in another, its parent."""

    child: str
    parent: str
    stamp_ns: int | None     # [ns]; None: it stays so, as /tf_static says
    pose: rotations.Pose


class Found(typing.NamedTuple):
    """Where a frame is in another, over all edges between them."""

    stamp_ns: int | None     # [ns] of the oldest edge; None: all of them stay so
    pose: rotations.Pose
    oldest: str              # the edge of that stamp, as words


def read_edges(message, static: bool) -> list[Edge]:
    """
    Return the edges of a TFMessage, or the one of a TransformStamped, by duck typing.

    What is no rotation, or not finite, is kept as NaN: only who needs that edge is to mind.
    """
    found = []
    for each in getattr(message, 'transforms', None) or (
            [message] if hasattr(message, 'child_frame_id') else []):
        stamp, place, turn = each.header.stamp, each.transform.translation, each.transform.rotation
        found.append(Edge(
            each.child_frame_id.lstrip('/'), each.header.frame_id.lstrip('/'),
            None if static else stamp.sec * 1_000_000_000 + stamp.nanosec,
            rotations.Pose((place.x, place.y, place.z), _unit(turn))))
    return found


def _unit(turn) -> tuple[float, float, float, float]:
    norm = math.hypot(turn.x, turn.y, turn.z, turn.w)
    if not abs(norm - 1.0) <= _NORM_OFF:     # NaN too
        return (math.nan,) * 4
    return turn.x / norm, turn.y / norm, turn.z / norm, turn.w / norm


class TransformTree:
    """
    The recent poses of frames in their parents; knows no clock.

    Causal: of every edge the latest pose stamped at or before the time that is asked for; nothing
    is interpolated or foretold (ros2/geometry2#98), so a bag gives what was seen live.
    """

    def __init__(self):
        """Start without any frame."""
        self._stamps: dict[str, list[int]] = {}      # by the child's name
        self._edges: dict[str, list[Edge]] = {}
        self._static: dict[str, Edge] = {}

    def clear(self) -> None:
        """Forget what moves, as after a reset of the clock; what stays is not sent again."""
        self._stamps.clear(), self._edges.clear()

    def push(self, edge: Edge) -> None:
        """Take an edge; late ones are put where they belong."""
        if max(len(edge.child), len(edge.parent)) > _LONGEST_NAME:
            return
        known = self._static if edge.stamp_ns is None else self._edges
        if edge.child not in known and len(known) >= _MOST_FRAMES:
            return
        if edge.stamp_ns is None:
            self._static[edge.child] = edge
            return
        stamps = self._stamps.setdefault(edge.child, [])
        edges = self._edges.setdefault(edge.child, [])
        place = bisect.bisect_right(stamps, edge.stamp_ns)
        stamps.insert(place, edge.stamp_ns)
        edges.insert(place, edge)
        if len(stamps) > _KEPT:
            del stamps[0], edges[0]

    def forget_before(self, time_ns: int) -> None:
        """Forget what no later time would ask for; of every frame the latest pose stays."""
        for child, stamps in self._stamps.items():
            if len(stamps) > 1 and stamps[1] <= time_ns:
                keep = bisect.bisect_right(stamps, time_ns) - 1
                del stamps[:keep], self._edges[child][:keep]

    def newest_ns(self) -> int | None:
        """Return the newest stamp of any edge [ns]."""
        return max((stamps[-1] for stamps in self._stamps.values()), default=None)

    def find(self, of: str, within: str, time_ns: int) -> Found | None:
        """Return where frame `of` is in frame `within` at a time, None: nothing leads there."""
        up, other = self._way_up(of, time_ns), self._way_up(within, time_ns)
        if up is None or other is None:
            return None
        meet = self._meeting(of, up, within, other)
        if meet is None:
            return None
        taken = _until(up, meet), _until(other, meet)
        moving = [edge for edge in (*taken[0], *taken[1]) if edge.stamp_ns is not None]
        oldest = min(moving, key=lambda edge: edge.stamp_ns, default=None)
        pose = _chain(taken[0])
        if taken[1]:
            pose = rotations.compose(rotations.inverse(_chain(taken[1])), pose)
        return Found(oldest and oldest.stamp_ns, pose,
                     f"'{oldest.child}' in '{oldest.parent}'" if oldest else '')

    def missing(self, of: str, within: str, time_ns: int) -> str:
        """Return in words why nothing leads from one frame to the other, and what is known."""
        known = sorted({name for edges in (*self._edges.values(), self._static.values())
                        for edge in edges for name in (edge.child, edge.parent)})
        listed = ', '.join(known[:_LISTED]) + (f' and {len(known) - _LISTED} more'
                                               if len(known) > _LISTED else '')
        if not known:
            return 'no frame is known'
        for frame in (of, within):
            if frame not in known:
                return f"no frame '{frame}'; known: {listed}"
        ways = [self._way_up(frame, time_ns) for frame in (of, within)]
        if None in ways:
            return f"the parents of '{(of, within)[ways.index(None)]}' go in a circle"
        tops = [way[-1].parent if way else frame for way, frame in zip(ways, (of, within))]
        return (f"'{of}' leads up to '{tops[0]}' and '{within}' to '{tops[1]}', and nothing joins "
                f'them; known: {listed}')

    def _edge(self, child: str, time_ns: int) -> Edge | None:
        stamps = self._stamps.get(child)
        place = bisect.bisect_right(stamps, time_ns) if stamps else 0
        return self._edges[child][place - 1] if place else self._static.get(child)

    def _way_up(self, frame: str, time_ns: int) -> list[Edge] | None:
        """Return the edges from a frame to the top of its tree, None where they go in a circle."""
        found, seen = [], {frame}
        while (edge := self._edge(frame, time_ns)) is not None:
            found.append(edge)
            frame = edge.parent
            if frame in seen:    # of two publishers that disagree
                return None
            seen.add(frame)
        return found

    @staticmethod
    def _meeting(of: str, up: list[Edge], within: str, other: list[Edge]) -> str | None:
        """Return the first frame on the one way that is on the other, too."""
        on_other = {within, *(edge.parent for edge in other)}
        return next((name for name in (of, *(edge.parent for edge in up)) if name in on_other),
                    None)


def _until(way: list[Edge], frame: str) -> list[Edge]:
    """Return the edges of a way up to a frame."""
    if not way or way[0].child == frame:
        return []
    ends = [edge.parent for edge in way].index(frame)
    return way[:ends + 1]


def _chain(edges: list[Edge]) -> rotations.Pose:
    """Return the pose of the first edge's child in the last one's parent."""
    if not edges:
        return rotations.HERE
    pose = edges[0].pose
    for edge in edges[1:]:
        pose = rotations.compose(edge.pose, pose)
    return pose
