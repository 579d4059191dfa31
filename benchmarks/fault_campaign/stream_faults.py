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

"""Faults of what the robot publishes."""

import time

from fault_campaign.fault import DRIVES_ON, EITHER, either, Fault, goes_on, STOPS, trips
from fault_campaign.setting import MAX_AGE, SLOWEST
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState

_POSE, _JOINTS = 'robot_pose', 'joint_states'
_LAST_GOOD = f'last good stamp + max_age ({MAX_AGE:g} s)'
_SENT = 'the message is sent'
_BURST = 1000


def _heal(stream):
    return lambda run: run.stage.order(stream, None)


def _stale(stream, do, seconds=None):
    """Return a cause: from the last good sample on, the stream is too old after max_age."""
    def cause(run):
        more = {} if seconds is None else {'seconds': seconds(run) if callable(seconds)
                                           else seconds}
        return run.stage.order(stream, do, **more)['last_mono'] + MAX_AGE
    return cause


def _sent(stream, do, **more):
    return lambda run: run.stage.order(stream, do, **more)['mono']


def _for_the_actor(stream, do):
    """Return a cause that nothing but the next command can tell."""
    def cause(run):
        run.stage.order(stream, do)
        return run.due_after_last
    return cause


def _beyond_tolerance(run) -> float:
    return max(0.1, run.period) + 0.05


def _future_then_silence(run):
    _heal(_POSE)(run)  # before: 3 s of it
    run.stage.order(_POSE, 'stop')
    run.pause(0.5)
    run.stage.order(_POSE, None)


def _future_for_a_while(run):
    run.stage.order(_POSE, 'stamp', seconds=2.0, y=-8.0)
    run.pause(0.15 - 0.03)
    run.stage.order(_POSE, None)


def _never_slow(run, begin):
    slow = [each for each in run.stage.commands(begin) if each.values[0] < SLOWEST]
    run.check(not slow, f'{len(slow)} commands by samples from the future')


def _stale_faults():
    for stream in (_POSE, _JOINTS):
        yield Fault(f'{stream}_stops', f'{stream} stops', STOPS, _LAST_GOOD, trips(
            _stale(stream, 'stop'), _heal(stream), stream))
    for name, what, do, seconds in (
            ('freezes', 'repeats an old sample', 'freeze', None),
            ('stamps_past', 'is stamped 10 s ago', 'stamp', -10.0),
            ('stamps_zero', 'is stamped 0', 'stamp_zero', None),
            ('stamps_ahead', 'is stamped just beyond the tolerance ahead', 'stamp',
             _beyond_tolerance)):
        yield Fault(name, f'{_POSE} {what}', STOPS, _LAST_GOOD, trips(
            _stale(_POSE, do, seconds), _heal(_POSE), _POSE))
    yield Fault('stamps_far_ahead', f'{_POSE} is stamped 6 s ahead, then stops', STOPS, _LAST_GOOD,
                trips(_stale(_POSE, 'stamp', 6.0), _future_then_silence, _POSE))
    yield Fault('stamps_ahead_for_a_while', f'0.15 s of {_POSE} are stamped 2 s ahead', DRIVES_ON,
                '', goes_on(_future_for_a_while, seconds=2.5, look=_never_slow))


def _value_faults():
    for stream in (_POSE, _JOINTS):
        for do in ('nan', 'inf'):
            yield Fault(f'{stream}_{do}', f'{do} in {stream}', STOPS, _SENT, trips(
                _sent(stream, do), _heal(stream), f'{do}|finite'))
    yield Fault('one_nan', f'one nan in {_POSE}', STOPS, _SENT, trips(
        _sent(_POSE, 'nan', count=1), words='nan|finite', refused=False))
    yield Fault('zero_quaternion', 'an orientation of zeros', STOPS, _SENT, trips(
        _sent(_POSE, 'zero_quaternion'), _heal(_POSE), 'nan|finite|orientation|quaternion'))
    yield Fault('scaled_quaternion', 'an orientation of length 3', STOPS, _SENT, trips(
        _sent(_POSE, 'scaled_quaternion'), _heal(_POSE), 'orientation|quaternion|norm'))
    yield Fault('large_observation', '1e30 in an observation', DRIVES_ON, '', goes_on(
        _sent(_POSE, 'large'), _heal(_POSE)))
    yield Fault('actor_nan', 'an observation for which the actor gives NaN', STOPS,
                'the next command was due', trips(
                    _for_the_actor(_POSE, 'overflow'), _heal(_POSE), 'action.*(nan|inf|finite)',
                    refused=False))


def _stranger_publishes(make, period=0.02):
    """Return a cause: a second publisher of joint_states."""
    def cause(run):
        publisher = run.person.create_publisher(JointState, _JOINTS, 10)
        run.stranger = publisher
        run.pause(0.3)

        def publish():
            message = make()
            message.header.stamp = run.person.get_clock().now().to_msg()
            publisher.publish(message)
        publish()
        if period:
            run.person.repeat(publish, period)
        return time.monotonic()
    return cause


def _stranger_leaves(run):
    run.person.stop_repeating()
    run.person.destroy_publisher(run.stranger)


def _other_joints():
    return JointState(name=['gripper'], velocity=[1.0])


def _many_joints():
    names = [f'joint_{index}' for index in range(100_000)]
    return JointState(name=names, velocity=[0.0] * len(names))


def _second_publisher(run):
    run.stranger = run.person.create_publisher(PoseStamped, _POSE, 10)


def _joint_faults():
    yield Fault('joints_shuffled', 'joints in another order', DRIVES_ON, '', goes_on(
        _sent(_JOINTS, 'shuffled'), _heal(_JOINTS)))
    yield Fault('joints_missing', 'a joint is missing', STOPS, _SENT, trips(
        _sent(_JOINTS, 'missing'), _heal(_JOINTS), 'left_wheel'))
    yield Fault('joints_short', 'fewer values than joints', STOPS, _SENT, trips(
        _sent(_JOINTS, 'short'), _heal(_JOINTS), 'values|joints'))
    yield Fault('other_joints', "another publisher's JointState with other joints", DRIVES_ON, '',
                goes_on(_stranger_publishes(_other_joints), _stranger_leaves))
    yield Fault('burst', f'{_BURST} messages at once (10 kHz)', DRIVES_ON, '', goes_on(
        lambda run: run.stage.order(_POSE, 'burst', count=_BURST)))
    yield Fault('many_extra_joints', 'a JointState with 100,000 more joints',
                EITHER, '', either(_sent(_JOINTS, 'many', count=1)))
    yield Fault('many_joints', 'a JointState of 100,000 joints from another publisher',
                EITHER, '', either(
                    _stranger_publishes(_many_joints, 0.0), _stranger_leaves))
    yield Fault('second_publisher', f'a second publisher of {_POSE}', 'goes on, is named', '',
                goes_on(_second_publisher, _stranger_leaves, words=_POSE))


FAULTS = (*_stale_faults(), *_value_faults(), *_joint_faults())
