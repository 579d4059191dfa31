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

"""Tests for actions.py."""

import array
from types import SimpleNamespace

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.robot.actions import Action, Heartbeat, StampField
from iql_ros.robot.gate_settings import GateSettings


def command(fields=('data[1]',), **options):
    gate = GateSettings(max_rate='none', stop='zero', downstream_timeout='none')
    return Action(**{
        'topic': 'servo', 'type': 'px4_msgs/msg/Setpoint', 'stamp': 'receive', 'max_age': 0.5,
        'fields': fields, 'low': (-1.0,), 'high': (1.0,), 'rule': 'last', 'gate': gate, **options})


def setpoint(type_name):
    return SimpleNamespace(timestamp=0, data=array.array('d', [9.0] * 3), name='',
                           yaw=0.0, header=SimpleNamespace(frame_id=''))


def test_a_command_holds_constants_its_frame_and_its_time_beside_what_the_policy_says():
    action = command(stamp=StampField('timestamp', 'us'), frame_id='base_link',
                     set={'data': [np.nan] * 3, 'yaw': 2, 'name': 'arm'})
    message = action.encode([0.5], 1_796_000_000_123_456_789, setpoint)
    np.testing.assert_array_equal(message.data, [np.nan, 0.5, np.nan])
    assert (message.timestamp, message.yaw, message.name) == (1_796_000_000_123_456, 2.0, 'arm')
    assert message.header.frame_id == 'base_link' and action.decode(message).tolist() == [0.5]


@pytest.mark.parametrize('options, message', [
    ({'set': {'nme': 'arm'}}, r"action 'servo' \(px4_msgs/msg/Setpoint\): .*unknown name 'nme'"),
    ({'set': {'yaw': 'north'}}, "'yaw': got 'north'; expected what fits its float"),
    ({'fields': ('dta[1]',)}, "unknown name 'dta'"),
    ({'stamp': StampField('time_stamp', 'us')}, "unknown name 'time_stamp'")])
def test_a_command_of_which_no_message_can_be_made_is_refused_before_it_has_to_be(
        options, message):
    with pytest.raises(InputError, match=message):
        command(**options).check_message(setpoint)


@pytest.mark.parametrize('options, message', [
    ({'set': {'data[1]': 0.0}}, "action 'servo': set: 'data\\[1\\]' is one of 'fields'"),
    ({'fields': ('sin(yaw)',)}, "'sin\\(yaw\\)' cannot be turned back .* 'cos\\(yaw\\)'"),
    ({'type': 'sensor_msgs/msg/JointState', 'fields': ('position[0]',)}, 'by name, in any order')])
def test_a_command_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        command(**options)


@pytest.mark.parametrize('options, message', [
    ({'rate': 0.0}, "heartbeat 'alive': rate: got 0.0; allowed: 0 < Hz <= 1000"),
    ({'stamp': 'receive'}, "unknown stamp 'receive'; allowed: header, none"),
    ({'set': {'a': None}}, "heartbeat 'alive': set: 'a': got None"),
    ({'topic': 'not alive'}, "heartbeat 'alive': topic|got 'not alive'")])
def test_a_heartbeat_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Heartbeat(**{'topic': 'alive', 'type': 'a/msg/B', 'rate': 2.0, **options})


def test_a_heartbeat_says_what_is_set_and_its_time():
    beat = Heartbeat('alive', 'a/msg/B', 2.0, {'yaw': 1.5}, StampField('timestamp', 'us'))
    message = beat.encode(5_000, setpoint)
    assert (message.yaw, message.timestamp) == (1.5, 5)
    wrong = command(heartbeat=Heartbeat('alive', 'a/msg/B', 2.0, {'yw': 1.5}))
    with pytest.raises(InputError, match="heartbeat 'alive' .*unknown name 'yw'"):
        wrong.check_message(setpoint)


@pytest.mark.parametrize('rate', [5.0, 4.0, 1001.0])
def test_a_publish_rate_that_repeats_nothing_is_refused(rate):
    with pytest.raises(InputError, match='publish_rate: got .* allowed: 5 .control_rate. < Hz'):
        command(publish_rate=rate).check_rate(5.0, "action 'servo'")


def test_a_unit_of_time_that_is_none_is_refused():
    with pytest.raises(InputError, match="unknown unit 'min'; allowed: s, ms, us, ns"):
        StampField('timestamp', 'min')
