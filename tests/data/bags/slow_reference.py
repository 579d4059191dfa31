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

"""
The slow and obvious way from a bag to episodes, which shares no code with the quick one.

Every message of the bag is read at once, and every tick looks through all of them.
"""

from fractions import Fraction
import math
import re
import types

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.typesys import get_typestore, Stores

SECOND = 1_000_000_000  # [ns]


def slow_episodes(path, robot, task):
    """Return the episodes of a bag: tick_ns, observations, actions, rewards, ends."""
    samples = read_samples(path, [*robot.observation, *robot.action])
    stamps = np.concatenate([stream_stamps for stream_stamps, _ in samples])
    rate = Fraction(str(robot.control_rate))
    first, last = math.ceil(int(stamps.min()) * rate / SECOND), int(stamps.max()) * rate // SECOND
    observed, commanded = samples[:len(robot.observation)], samples[len(robot.observation):]
    episodes, steps, before = [], [], None  # before: (tick, observation) that waits for the next
    for tick in [int(index * SECOND // rate) for index in range(first, last + 1)]:
        observation = observe(tick, robot.observation, observed)
        step = action = None
        if before and observation is not None:
            action = act(before[0], tick, robot.action, commanded)
        if action is not None:
            step = make_step(task, before, action, observation)
            steps.append(step)
        ended = step is None or step.terminated or len(steps) == task.time_limit_ticks
        if ended and steps:
            episodes.append(put_together(steps))
            steps = []
        # what the task ended is over: the next episode starts with the next tick
        over = observation is None or (step is not None and step.terminated)
        before = None if over else (tick, observation)
    return episodes + ([put_together(steps)] if steps else [])


def read_samples(path, streams):
    """Return (stamps [ns], vectors) of every stream, sorted by stamp, ties as received."""
    found = [[] for _ in streams]
    store = get_typestore(Stores.ROS2_JAZZY)
    with AnyReader([path], default_typestore=store) as reader:
        for connection, received_ns, raw in reader.messages():
            for stream, samples in zip(streams, found):
                if connection.topic.endswith('/' + stream.topic):
                    message = reader.deserialize(raw, connection.msgtype)
                    stamp_ns = received_ns
                    if stream.stamp == 'header':
                        stamp = message.header.stamp
                        stamp_ns = stamp.sec * SECOND + stamp.nanosec
                    samples.append((stamp_ns, vector(message, stream)))
    for samples in found:
        samples.sort(key=lambda sample: sample[0])
    return [(np.array([stamp for stamp, _ in samples]), [values for _, values in samples])
            for samples in found]


def matrix(quaternion):
    """Return the rotation matrix of a quaternion: how it turns the three axes."""
    unit = np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w])
    unit = unit / math.hypot(*unit)
    return np.stack([axis + 2 * np.cross(unit[:3], np.cross(unit[:3], axis) + unit[3] * axis)
                     for axis in np.eye(3)], axis=1)


def hemisphere(quaternion):
    """Return of the two quaternions of a rotation the one whose w is not negative."""
    unit = np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w])
    unit = unit / math.hypot(*unit)
    return (-unit if unit[3] < 0 else unit).tolist()


FIELD = re.compile(r'(?:(\w+)\()?([\w.]+)(?:\[([\d:]+)\])?\)?')
ANGLES = {'sin': math.sin, 'cos': math.cos}
TURNS = {   # from the matrix: R = Rz(yaw) Ry(pitch) Rx(roll)
    'rotation_6d': lambda turn: matrix(turn)[:, :2].T.ravel().tolist(),
    'projected_gravity': lambda turn: (matrix(turn).T @ [0.0, 0.0, -1.0]).tolist(),
    'roll': lambda turn: [math.atan2(matrix(turn)[2, 1], matrix(turn)[2, 2])],
    'pitch': lambda turn: [-math.asin(matrix(turn)[2, 0])],
    'yaw': lambda turn: [math.atan2(matrix(turn)[1, 0], matrix(turn)[0, 0])],
    'hemisphere': hemisphere}


def vector(message, stream):
    """Return the numbers that the fields of a stream name."""
    numbers = []
    for field in stream.fields:
        value, (function, path, place) = message, FIELD.fullmatch(field).groups()
        for name in path.split('.'):
            value = getattr(value, name)
        if place is not None:
            first, _, last = place.partition(':')
            chosen = [float(each) for each in value[int(first):int(last or int(first) + 1)]]
            numbers += [ANGLES[function](each) if function else each for each in chosen]
        elif function in ANGLES:
            numbers.append(ANGLES[function](value))
        elif function in TURNS:
            numbers += TURNS[function](value)
        elif stream.joints:
            numbers += [value[list(message.name).index(joint)] for joint in stream.joints]
        elif stream.beams:
            numbers += [min(distance(each, message) for each in sector)
                        for sector in np.array_split(value, stream.beams)]
        elif field.startswith('yaw_'):
            norm = math.hypot(value.x, value.y, value.z, value.w)
            norm = norm if abs(norm - 1.0) > 5e-7 else 1.0       # else it is rounded to float32
            x, y, z, w = value.x / norm, value.y / norm, value.z / norm, value.w / norm
            sine, cosine = 2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)
            numbers.append((cosine if field.startswith('yaw_cos') else sine)
                           / math.hypot(sine, cosine))
        else:
            numbers.append(value)
    return np.array(numbers, dtype=np.float64)


def distance(reading, scan):
    """Return a reading of a scan, its range where it saw nothing."""
    return float(scan.range_max) if reading == math.inf or reading < scan.range_min else reading


def observe(tick, streams, samples):
    """Return the latest vectors at or before a tick, None where one is missing or too old."""
    vectors = []
    for stream, (stamps, values) in zip(streams, samples):
        latest = int(np.sum(stamps <= tick)) - 1
        if latest < 0 or tick - int(stamps[latest]) > stream.max_age * SECOND:
            return None
        vectors.append(values[latest])
    return np.concatenate(vectors)


def act(start, end, streams, samples):
    """Return the commands in force over [start, end), reduced; None where none was in force."""
    vectors = []
    for stream, (stamps, values) in zip(streams, samples):
        latest = int(np.sum(stamps <= start)) - 1
        if latest < 0:
            return None
        parts = []                       # (from, vector) of the commands one after the other
        for index in range(latest, int(np.sum(stamps < end))):
            until = int(stamps[index + 1]) if index + 1 < len(stamps) else end
            if min(until, end) - int(stamps[index]) > stream.max_age * SECOND:
                return None
            parts.append((min(until, end) - max(start, int(stamps[index])), values[index]))
        vectors.append(REDUCE[stream.rule](parts))
    return np.concatenate(vectors)


def mean(parts):
    """Weigh commands by the time in which they were in force."""
    return sum(duration * value for duration, value in parts) / sum(
        duration for duration, _ in parts)


def longest(parts):
    """Return what was in force for most of the time, the later of two equals."""
    runs = []
    for duration, value in parts:
        if runs and np.array_equal(runs[-1][1], value):
            duration += runs.pop()[0]
        runs.append((duration, value))
    best = runs[0]
    for run in runs[1:]:
        if run[0] >= best[0]:
            best = run
    return best[1]


REDUCE = {'mean': mean, 'longest': longest, 'last': lambda parts: parts[-1][1]}


def make_step(task, before, action, observation):
    """Return one transition."""
    return types.SimpleNamespace(
        tick_ns=before[0], observation=before[1], action=action, next_observation=observation,
        reward=task.reward(before[1], action, observation),
        terminated=task.terminated(before[1], action, observation))


def put_together(steps):
    """Return an episode's arrays."""
    terminated = steps[-1].terminated
    return types.SimpleNamespace(
        tick_ns=steps[0].tick_ns,
        observations=np.array([steps[0].observation] + [step.next_observation for step in steps]),
        actions=np.array([step.action for step in steps]),
        rewards=np.array([step.reward for step in steps]),
        terminations=np.array([False] * (len(steps) - 1) + [terminated]),
        truncations=np.array([False] * (len(steps) - 1) + [not terminated]))
