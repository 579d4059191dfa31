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

"""Tests for transform_reading.py: what bags say of frames, against products of matrices."""

import numpy as np
import pytest

from iql_ros.data.rosbag import read_episodes
from iql_ros.files import InputError
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.data.bags.make_bag import header, make, SECOND, twist, write_rosbag2

TEXT = """
robot: reacher
control_rate: 10.0
observation:
  - {transform: {of: camera, in: wall}, max_age: 0.25,
     fields: [translation.x, translation.y, translation.z, rotation_6d(rotation)]}
action:
  - {topic: cmd_vel, type: geometry_msgs/msg/TwistStamped, max_age: 0.5,
     fields: [twist.linear.x], low: [-1.0], high: [1.0], rule: last,
     gate: {max_rate: none, downstream_timeout: 0.5}}
task: {reward: -1.0, time_limit: 60.0}
"""
ROBOT = parse_robot_interface(TEXT, 'reacher.yaml')
# child, parent and rate [Hz]: a chain of four edges that move, beside one to a frame that stays
MOVING = (('base', 'odom', 50), ('odom', 'map', 20), ('hand', 'base', 40), ('noise', 'hand', 30))
STATIC = (('camera', 'hand'), ('wall', 'map'))


def pose_of(child, time):
    """Return the place and the unit quaternion that a frame has in its parent at a time [s]."""
    seed = sum(map(ord, child))
    place = np.sin(time + seed + np.arange(3))
    turn = np.cos(0.7 * time + seed + np.array([0.0, 1.0, 2.5, 4.0]))
    return place, turn / np.linalg.norm(turn)


def stamped(child, parent, stamp_ns, pose):
    place, turn = pose
    return make('geometry_msgs/msg/TransformStamped',
                make('std_msgs/msg/Header', make('builtin_interfaces/msg/Time',
                                                 *divmod(stamp_ns, SECOND)), parent),
                child, make('geometry_msgs/msg/Transform',
                            make('geometry_msgs/msg/Vector3', *map(float, place)),
                            make('geometry_msgs/msg/Quaternion', *map(float, turn))))


def tf(*edges):
    return make('tf2_msgs/msg/TFMessage', list(edges))


def recorded(path, seconds=3.0, offset_ns=0, ahead_ns=0, skip=None, static_at=0.0, twice=False):
    """
    Write a bag of the tree and of commands.

    `offset_ns` is receive time less the clock of the stamps, `ahead_ns` by how much the frame
    odom is stamped ahead, `skip` (child, from, to [s]) what fails to come, `static_at` [s] when
    the frames that stay are said, `twice` whether the clock is set back to begin again.
    """
    entries = []
    for child, parent, rate in MOVING:
        for number in range(round(rate * seconds)):
            time = number / rate + 1.0
            if skip and child == skip[0] and skip[1] <= time < skip[2]:
                continue
            stamp = round(time * SECOND)
            entries.append((stamp + offset_ns + 2_000_000, '/tf', tf(stamped(
                child, parent, stamp + (ahead_ns if child == 'odom' else 0),
                pose_of(child, time)))))
    for number in range(round(10 * seconds)):
        stamp = round((1.0 + 0.1 * number) * SECOND)
        entries.append((stamp + offset_ns, '/cmd_vel', make(
            'geometry_msgs/msg/TwistStamped', header(stamp), twist(0.01 * number))))
    entries.sort(key=lambda entry: entry[0])
    if twice:
        later = round(2 * seconds * SECOND)
        entries += [(received + later, topic, message) for received, topic, message in entries]
    entries.append((round(static_at * SECOND) + offset_ns, '/tf_static', tf(*(
        stamped(child, parent, 7 * SECOND, pose_of(child, 0.0)) for child, parent in STATIC))))
    return write_rosbag2(path, [(topic, received, message) for received, topic, message in sorted(
        entries, key=lambda entry: entry[0])])


def homogeneous(pose):
    """Return the 4 x 4 matrix of a pose, the rotation column by column."""
    place, (x, y, z, w) = pose
    columns = [axis + 2 * np.cross([x, y, z], np.cross([x, y, z], axis) + w * axis)
               for axis in np.eye(3)]
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = np.stack(columns, axis=1), place
    return found


def expected(tick, ahead=0.0, skip=None):
    """Return the vector of a tick [s], and the stamp of the oldest edge [s]."""
    matrices, stamps = {}, []
    for child, _, rate in MOVING[:3]:
        late = ahead if child == 'odom' else 0.0
        number = min(int(np.floor(round((tick - 1.0 - late) * rate, 6))), 3 * rate - 1)
        while skip and child == skip[0] and skip[1] <= number / rate + 1.0 < skip[2]:
            number -= 1
        matrices[child] = homogeneous(pose_of(child, number / rate + 1.0))
        stamps.append(number / rate + 1.0 + late)
    whole = (np.linalg.inv(homogeneous(pose_of('wall', 0.0))) @ matrices['odom']
             @ matrices['base'] @ matrices['hand'] @ homogeneous(pose_of('camera', 0.0)))
    return np.concatenate([whole[:3, 3], whole[:3, 0], whole[:3, 1]]), min(stamps)


@pytest.mark.parametrize('settings', [
    {}, {'offset_ns': 1_700_000_000 * SECOND}, {'ahead_ns': SECOND},
    {'skip': ('hand', 2.0, 2.6)}])
def test_every_tick_sees_the_whole_way_as_matrices_say_it(tmp_path, settings):
    path = recorded(tmp_path / 'bag', **settings)
    episodes, report = read_episodes([path], ROBOT)
    rest = {'ahead': settings.get('ahead_ns', 0) / SECOND, 'skip': settings.get('skip')}
    seen = []
    for episode, said in zip(episodes, report['bags'][0]['episodes']):
        for number, row in enumerate(episode.observations):
            seen.append(round(said['start'] + 0.1 * number, 3))
            wanted, oldest = expected(seen[-1], **rest)
            assert np.allclose(row, wanted, rtol=0, atol=1e-12)
            assert seen[-1] - oldest <= 0.25 + 1e-9
    # what is left out is what is too old, and the first second of a frame stamped ahead
    left_out = [tick for tick in np.arange(1.0 + rest['ahead'], 3.9, 0.1).round(3)
                if tick not in seen]
    assert all(tick - expected(tick, **rest)[1] > 0.25 - 1e-9 for tick in left_out)
    assert bool(left_out) == bool(rest['skip'])


def test_what_stays_is_still_known_after_the_clock_was_set_back(tmp_path):
    episodes, report = read_episodes([recorded(tmp_path / 'bag', twice=True)], ROBOT)
    assert len(episodes) == 2
    count = len(episodes[1].observations)     # a tick less: it takes one message to be seen
    assert count >= 28
    assert np.array_equal(episodes[0].observations[-count:], episodes[1].observations)
    assert [said['ended'] for said in report['bags'][0]['episodes']] == [
        'clock set back', 'end of bag']


def test_frames_that_stay_may_be_said_while_the_robot_drives(tmp_path):
    episodes, report = read_episodes([recorded(tmp_path / 'bag', static_at=2.05)], ROBOT)
    said = report['bags'][0]
    assert [round(each['start'], 3) for each in said['episodes']] == [2.1]
    lacking = "no camera in wall (no frame 'camera'; known: base, hand, map, noise, odom)"
    assert said['dropped'][f'{lacking} young enough'] >= 9
    assert np.allclose(episodes[0].observations[0], expected(2.1)[0], rtol=0, atol=1e-12)


def test_a_transform_whose_stamp_is_not_set_is_refused(tmp_path):
    later = header(5 * SECOND)
    path = write_rosbag2(tmp_path / 'bag', [
        ('/tf', 5 * SECOND, tf(stamped('base', 'odom', 0, pose_of('base', 0.0)))),
        ('/cmd_vel', 5 * SECOND, make('geometry_msgs/msg/TwistStamped', later, twist(0.0)))])
    with pytest.raises(InputError, match="'/tf' has transforms with stamps of zero"):
        read_episodes([path], ROBOT)
