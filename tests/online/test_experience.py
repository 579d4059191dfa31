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

"""Tests for experience.py."""

import dataclasses
import types

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.online.experience import ExperienceFormat
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from tests.small_run import experience, INTERFACE, TASK, TEXT

FORM = ExperienceFormat(INTERFACE, TASK)


def send(sent, form=FORM, ours=FORM, **parts):
    """Return what is decoded of an experience whose numbers are changed on the way."""
    numbers = form.join([form.encode(sent)], sent.oldest_step)
    for name, value in parts.items():
        begin = 0
        for label, size in form.labels(sent.session):
            if label.split(';')[0] == name:
                numbers[begin:begin + size] = value
            begin += size
    came, = ours.decode(form.labels(sent.session), numbers, sent.robot)
    return came


def values_of(sent):
    values = dataclasses.asdict(sent)
    return {**values.pop('transition'), **values}


@pytest.mark.parametrize('sent', [
    experience(0),
    experience(9, robot='/r1', session=2**53 - 1, oldest_step=3, weights_version=12),
    experience(4, terminated=True, intervention=True, evaluation=True, success=True),
    experience(4, terminated=True, success=None),
    experience(4, truncated=True, success=False, tick_ns=1_700_000_000_123_456_789),
])
def test_an_experience_comes_out_as_it_went_in_to_the_bit(sent):
    came = values_of(send(sent))
    for name, value in values_of(sent).items():
        assert np.array_equal(came[name], value) and type(came[name]) is type(value), name


def test_steps_that_share_a_message_come_out_in_order_and_say_what_is_kept_now():
    sent = [experience(step) for step in (4, 5, 6)]
    numbers = FORM.join([FORM.encode(each) for each in sent], oldest_step=3)
    came = FORM.decode(FORM.labels(7), numbers, '')
    assert [(each.step, each.oldest_step) for each in came] == [(4, 3), (5, 3), (6, 3)]
    for ours, theirs in zip(sent, came):
        np.testing.assert_array_equal(theirs.transition.observation, ours.transition.observation)


def test_a_message_with_one_number_that_cannot_be_is_refused_whole():
    numbers = FORM.join([FORM.encode(experience(step)) for step in (4, 5, 6)], oldest_step=4)
    numbers[2 * FORM.size] = np.nan
    with pytest.raises(InputError, match=r'observation\[0\] is NaN'):
        FORM.decode(FORM.labels(7), numbers, '')


def test_every_dimension_is_labelled_and_the_first_says_whose_numbers_they_are():
    labels = FORM.labels(7)
    assert sum(size for _, size in labels) == FORM.size == len(FORM.encode(experience(0)))
    said = dict(part.split('=') for part in labels[0][0].split(';')[1:])
    assert said == {'schema': '2', 'robot': 'diffbot', 'session': '7',
                    'contract': INTERFACE.contract_hash[:16], 'task': TASK.task_hash[:16]}
    assert [label for label, _ in labels][1:6] == ['action', 'next_observation', 'reward',
                                                   'terminated', 'truncated']


@pytest.mark.parametrize('old, new, key', [
    ('robot_pose', 'robot_pose', None),                       # a robot of the same contract
    ('velocity]', 'position]', 'contract'),
    ('high: [0.3, 1.5]\n', 'high: [0.4, 1.5]\n', 'contract'),
    ('failure_reward: -100.0', 'failure_reward: -1.0', 'task'),
    ('time_limit: 20.0', 'time_limit: 30.0', 'task'),
    ('topic: robot_pose', 'topic: pose', None),
])
def test_the_experience_of_another_contract_or_task_is_refused_by_its_name(old, new, key):
    assert old in TEXT
    interface = parse_robot_interface(TEXT.replace(old, new, 1), 'other.yaml')
    other = ExperienceFormat(interface, Task(interface))
    if key is None:
        assert send(experience(0), form=other).step == 0
        return
    with pytest.raises(InputError, match=f"experience of robot '/r1'.*: {key} is ") as error:
        send(experience(0, robot='/r1'), form=other)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('parts, message', [
    ({'observation': np.nan}, r'observation\[0\] is NaN or infinite'),
    ({'next_observation': [0, 0, 0, np.inf, 0, 0]}, r'next_observation\[3\] is NaN or infinite'),
    ({'reward': np.nan}, r'reward\[0\] is NaN'),
    ({'sec': np.nan}, r'sec\[0\] is NaN'),
    ({'action': [0.0, 1.6]}, r'action\[1\] is 1.6; allowed: -1.5 to 1.5'),
    ({'terminated': 0.5}, 'terminated is 0.5; allowed: whole numbers 0 to 1'),
    ({'success': -2}, 'success is -2; allowed: whole numbers -1 to 1'),
    ({'step': -1}, 'step is -1'),
    ({'episode': 1.5}, 'episode is 1.5'),
    ({'observation': [0, 0, 1e39, 0, 0, 0]}, r'observation\[2\] is .* beyond float32'),
    ({'reward': -1e300}, r'reward\[0\] is .* beyond float32'),
    ({'sec': 2**53}, 'sec is 9.0072e.15; allowed: whole numbers 0 to 9000000000'),
    ({'nanosec': 10**9}, 'nanosec is 1e.09; allowed: whole numbers 0 to 999999999'),
])
def test_numbers_that_cannot_be_are_refused_by_name(parts, message):
    with pytest.raises(InputError, match=message):
        send(experience(0), **parts)


def test_what_a_gate_rounds_beyond_the_range_passes():
    assert send(experience(0), action=[0.3 + 1e-8, -1.5]).step == 0


@pytest.mark.parametrize('labels, count, message', [
    ([], FORM.size, "schema is None; this learner has '2'"),
    ([('observation', 6)], FORM.size, 'schema is None'),
    ([(FORM.labels(7)[0][0].replace('schema=2', 'schema=3'), 6)], FORM.size,
     "schema is '3'; this learner has '2'"),
    ([(FORM.labels(7)[0][0].replace('session=7', 'session=x'), 6)], FORM.size,
     "session is 'x'; expected a number"),
    *(([(FORM.labels(7)[0][0].replace('session=7', f'session={said}'), 6)], FORM.size,
       'session is .*; expected a number up to 9007199254740992')
      for said in (2**53 + 1, '1' * 300, '²', '')),
    (FORM.labels(7), FORM.size - 1, f'got {FORM.size - 1} values .*expected {FORM.size}'),
    (FORM.labels(7), 0, 'got 0 values'),
    (FORM.labels(7)[:-1], FORM.size, f'got {FORM.size} values in dimensions'),
])
def test_messages_of_another_form_are_refused(labels, count, message):
    for form in (FORM, ExperienceFormat(INTERFACE, TASK)):
        with pytest.raises(InputError, match=message):
            form.decode(labels, np.zeros(count), '')


@pytest.mark.parametrize('labels, count, message', [
    (10_000 * [('observation', 6)], FORM.size, 'got 10000 dimensions; expected 15'),
    ([('observation' + 10**6 * 'x', 6)], FORM.size, 'a label of 1000011 characters; allowed: 400'),
    (FORM.labels(7), 1001 * FORM.size, 'values; allowed: 1000 steps of 26'),
])
def test_a_message_too_large_to_be_looked_into_is_refused_by_its_size(labels, count, message):
    dims = [types.SimpleNamespace(label=label, size=size) for label, size in labels]
    with pytest.raises(InputError, match=message) as error:
        FORM.check_size(dims, range(count), '/r1')
    assert len(str(error.value)) < 200
    FORM.check_size([types.SimpleNamespace(label=label, size=size)
                     for label, size in FORM.labels(7)], range(1000 * FORM.size), '/r1')
