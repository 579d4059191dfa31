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

"""Tests for transform_tree.py."""

import math
import types

import numpy as np
import pytest

from iql_ros.robot.rotations import HERE, Pose
from iql_ros.robot.transform_tree import Edge, read_edges, TransformTree

HALF = math.sqrt(0.5)
LEFT = (0.0, 0.0, HALF, HALF)     # a quarter turn about z
AHEAD = Pose((1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def tree_of(*edges):
    tree = TransformTree()
    for child, parent, stamp_ns, pose in edges:
        tree.push(Edge(child, parent, stamp_ns, pose))
    return tree


def near(pose, place, turn):
    return np.allclose(pose.place, place) and np.allclose(pose.turn, turn)


def test_the_way_leads_over_every_edge_and_the_oldest_that_moves_counts():
    tree = tree_of(('base', 'odom', 100, Pose((2.0, 0.0, 0.0), LEFT)),
                   ('arm', 'base', None, AHEAD), ('hand', 'arm', 90, AHEAD))
    found = tree.find('hand', 'odom', 100)
    assert near(found.pose, (2.0, 2.0, 0.0), LEFT)
    assert (found.stamp_ns, found.oldest) == (90, "'hand' in 'arm'")
    assert near(tree.find('odom', 'hand', 100).pose, (-2.0, 2.0, 0.0), (0, 0, -HALF, HALF))


def test_two_branches_meet_at_their_last_common_frame():
    tree = tree_of(('left', 'base', 5, AHEAD), ('right', 'base', 7, Pose((0.0, 1.0, 0.0), LEFT)),
                   ('base', 'odom', 1, AHEAD))
    found = tree.find('left', 'right', 9)
    assert near(found.pose, (-1.0, -1.0, 0.0), (0, 0, -HALF, HALF))
    assert found.stamp_ns == 5      # of odom nobody asked


def test_of_every_edge_the_latest_at_or_before_the_time_counts_and_nothing_in_between():
    tree = tree_of(*(('base', 'odom', stamp, Pose((float(stamp), 0.0, 0.0), HERE.turn))
                     for stamp in (30, 10, 20)))
    assert [tree.find('base', 'odom', time).pose.place[0] for time in (10, 19, 20, 99)] == [
        10.0, 10.0, 20.0, 30.0]
    assert tree.find('base', 'odom', 9) is None
    tree.forget_before(25)
    assert tree.find('base', 'odom', 25).pose.place[0] == 20.0
    assert tree.find('base', 'odom', 19) is None


def test_frames_that_stay_have_no_age_and_outlive_a_new_clock():
    tree = tree_of(('camera', 'base', None, AHEAD), ('base', 'odom', 10, AHEAD))
    assert tree.find('camera', 'base', 0).stamp_ns is None
    tree.clear()
    assert tree.find('camera', 'base', 0).pose == AHEAD
    assert tree.find('base', 'odom', 99) is None


@pytest.mark.parametrize(('of', 'within', 'words'), [
    ('hand', 'odom', "no frame 'hand'; known: base, camera, map, odom"),
    ('camera', 'map', "'camera' leads up to 'base' and 'map' to 'map', and nothing joins them"),
])
def test_what_is_missing_is_named_with_what_the_tree_has(of, within, words):
    tree = tree_of(('camera', 'base', None, AHEAD), ('odom', 'map', 10, AHEAD))
    assert tree.find(of, within, 99) is None
    assert words in tree.missing(of, within, 99)
    assert TransformTree().missing(of, within, 99) == 'no frame is known'


def test_a_circle_of_two_publishers_that_disagree_leads_nowhere():
    tree = tree_of(('a', 'b', 1, AHEAD), ('b', 'a', 1, AHEAD))
    assert tree.find('a', 'b', 2) is None
    assert tree.missing('a', 'b', 2) == "the parents of 'a' go in a circle"


def test_a_frame_may_get_another_parent():
    tree = tree_of(('cup', 'table', 1, AHEAD), ('cup', 'hand', 5, AHEAD))
    assert tree.find('cup', 'table', 4) is not None
    assert tree.find('cup', 'table', 5) is None and tree.find('cup', 'hand', 5) is not None


def test_whoever_publishes_frames_without_end_fills_no_memory():
    tree = tree_of(*((f'frame{number}', 'base', 1, AHEAD) for number in range(2000)),
                   *(('frame0', 'base', stamp, AHEAD) for stamp in range(2000)),
                   ('x' * 1000, 'base', 1, AHEAD))
    assert len(tree._edges) == 500 and max(map(len, tree._stamps.values())) == 400
    assert tree.find('frame0', 'base', 5000).stamp_ns == 1999
    assert len(tree.missing('other', 'base', 1)) < 500


def transform(child, parent, turn=(0.0, 0.0, 0.0, 1.0), x=1.0):
    names = types.SimpleNamespace
    return names(
        child_frame_id=child,
        header=names(frame_id=parent, stamp=names(sec=1, nanosec=5)),
        transform=names(translation=names(x=x, y=0.0, z=0.0),
                        rotation=names(**dict(zip('xyzw', turn)))))


def test_a_message_of_the_tree_and_one_transform_alone_are_read_alike():
    many = types.SimpleNamespace(transforms=[transform('/base', '/odom'), transform('a', 'b')])
    assert read_edges(many, static=False)[0] == Edge('base', 'odom', 1_000_000_005, AHEAD)
    assert read_edges(transform('base', 'odom'), static=True) == [
        Edge('base', 'odom', None, AHEAD)]
    assert read_edges(types.SimpleNamespace(transforms=[]), static=False) == []


@pytest.mark.parametrize('turn', [(0, 0, 0, 0), (0, 0, 0, 2), (math.nan, 0, 0, 1),
                                  (math.inf, 0, 0, 1)])
def test_what_is_no_rotation_is_nan_for_who_needs_that_edge_alone(turn):
    tree = TransformTree()
    for edge in read_edges(types.SimpleNamespace(transforms=[
            transform('base', 'odom', turn), transform('odom', 'map')]), static=False):
        tree.push(edge)
    assert np.isnan(tree.find('base', 'map', 2 * 10**9).pose.turn).all()
    assert tree.find('odom', 'map', 2 * 10**9).pose == AHEAD
