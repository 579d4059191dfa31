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

"""The robots of config/robots/examples: each loads, and a bag of its own messages converts."""

import functools

import numpy as np
import pytest

from iql_ros.data.bags.writer import BagWriter
from iql_ros.data.rosbag import read_episodes
from iql_ros.files import share_folder
from iql_ros.robot.observations import Previous
from iql_ros.robot.robot_interface import load_robot_interface
from iql_ros.robot.task import Task
from tests.data.bags.empty_messages import empty, store_with_others

EXAMPLES = sorted((share_folder() / 'config' / 'robots' / 'examples').glob('*.yaml'))
STORE = store_with_others()
MAKE = functools.partial(empty, store=STORE)
TICKS = 30
START = 1_000_000_000_000   # [ns], a tick of every robot


def values(stream, tick, seed):
    """Return numbers that change from tick to tick, inside what a command may be."""
    wave = 0.5 + 0.3 * np.sin(0.2 * tick + seed + np.arange(stream.dim))
    if hasattr(stream, 'low'):
        return np.array(stream.low) + wave * (np.array(stream.high) - np.array(stream.low))
    return wave


def message_of(stream, tick, seed, time_ns):
    if stream.beams:
        scan = MAKE(stream.type)
        scan.header.stamp.sec, scan.header.stamp.nanosec = divmod(time_ns, 10 ** 9)
        scan.range_max = 10.0
        scan.ranges = np.repeat(values(stream, tick, seed), 3).astype(np.float32)
        return scan
    message = MAKE(stream.type)
    return stream.encode(values(stream, tick, seed), time_ns, MAKE, message)


def recorded(interface, folder):
    """Write a bag in which every stream speaks at every tick; return what each said."""
    said = {'observation': [], 'action': []}
    with BagWriter(folder, typestore=STORE) as writer:
        for tick in range(TICKS):
            time_ns = START + interface.tick_ns(tick)
            for key, streams in (('observation', interface.observation),
                                 ('action', interface.action)):
                messages = [message_of(stream, tick, seed, time_ns)
                            for seed, stream in enumerate(streams)]
                for stream, message in zip(streams, messages):
                    writer.write('/' + stream.topic.lstrip('/'), stream.type, time_ns,
                                 bytes(STORE.serialize_cdr(message, stream.type)))
                said[key].append(np.concatenate([
                    stream.decode(STORE.deserialize_cdr(STORE.serialize_cdr(
                        message, stream.type), stream.type))
                    for stream, message in zip(streams, messages)]))
    return said


def expected(interface, said, tick):
    """Return the observation of a tick, put together value by value."""
    found, first = [], 0
    for part in interface.parts:
        for back in range(part.history):
            if isinstance(part, Previous):
                at = tick - 1 - back
                found += list(said['action'][at]) if at >= 0 else [0.0] * interface.action_dim
            else:
                found += list(said['observation'][max(tick - back, 0)][first:first + part.dim])
        first += 0 if isinstance(part, Previous) else part.dim
    return found


@pytest.mark.parametrize('path', EXAMPLES, ids=lambda path: path.stem)
def test_a_bag_of_an_example_robot_converts_to_what_its_messages_said(path, tmp_path):
    interface = load_robot_interface(path)
    Task(interface)
    said = recorded(interface, tmp_path / 'bag')
    (episode,), _ = read_episodes([tmp_path / 'bag'], interface)
    steps = len(episode.actions)
    assert steps >= TICKS - 2
    np.testing.assert_allclose(episode.actions, said['action'][:steps], rtol=0, atol=1e-12)
    for tick in range(4, steps + 1):       # of what the stop stands for, test_memory.py
        assert episode.observations[tick].tolist() == expected(interface, said, tick)


def test_there_is_an_example_of_every_kind_of_robot():
    assert [path.stem for path in EXAMPLES] == [
        'arm_forward_command', 'arm_joint_trajectory', 'arm_moveit_servo', 'auv', 'car',
        'px4_drone']


def test_a_setpoint_of_a_px4_drone_holds_nan_and_its_time_in_microseconds():
    action, = load_robot_interface(EXAMPLES[-1]).action
    message = action.encode([1.0, 0.5, -0.5, 0.1], 1_796_000_000_123_456_789, MAKE)
    back = STORE.deserialize_cdr(STORE.serialize_cdr(message, action.type), action.type)
    assert back.timestamp == 1_796_000_000_123_456
    for name in ('position', 'acceleration', 'jerk', 'yaw'):
        assert np.isnan(getattr(back, name)).all()
    np.testing.assert_allclose(action.decode(back), [1.0, 0.5, -0.5, 0.1], rtol=1e-6)
    beat = action.heartbeat.encode(1_796_000_000_123_456_789, MAKE)
    assert (beat.velocity, beat.position) == (True, False)
    assert beat.timestamp == 1_796_000_000_123_456
