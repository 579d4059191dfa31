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

"""Tests for outliers.py, by bags that are converted."""

import numpy as np
import pytest

from tests.data.bags.oddities import drive, ROBOT, write

LONG = ROBOT.replace('time_limit: 100.0', 'time_limit: 5.0')


def with_value(topic, number, change):
    """Return a drive of 20 s with one message of a topic changed."""
    entries = drive(20.0)
    change([entry.message for entry in entries if entry.topic == topic][number])
    return entries


def corrupt_state(message):
    message.velocity[1] = -9999.0


def corrupt_command(message):
    message.twist.linear.x = 1e9


def test_a_sentinel_among_values_is_refused_and_its_transitions_can_be_left_out(workplace,
                                                                                capsys):
    bag = write(workplace.folder / 'bag', with_value('/joint_states', 400, corrupt_state))
    line = workplace.refusal(bag, LONG)
    assert "observation 'joint_states velocity[right]' lies absurdly far outside" in line
    assert 'as far as -9999, at 1 of 204 ticks, first 8.000 s after the start' in line
    dataset = workplace.convert(bag, LONG, allow=['outliers'])
    assert dataset.episode_lengths.tolist() == [50, 29, 19, 50, 50]
    assert np.abs(dataset.observations[:, 2:]).max() <= 1.0
    assert dataset.truncations[[78, 97]].tolist() == [True, True]
    said = capsys.readouterr().out
    assert '2 with a value far outside of all others' in said and '1 a value far outside' in said


def test_absurd_values_may_be_kept_by_name_and_are_remarked_on(workplace, capsys):
    bag = write(workplace.folder / 'bag', with_value('/joint_states', 400, corrupt_state))
    dataset = workplace.convert(bag, LONG, allow=['keep-outliers'])
    assert len(dataset.rewards) == 200 and dataset.observations.min() == -9999.0
    said = ' '.join(capsys.readouterr().out.split())
    assert 'velocity[right] lies far outside of all other values' in said


def test_a_command_that_is_absurd_is_refused_too(workplace):
    bag = write(workplace.folder / 'bag', with_value('/cmd_vel', 100, corrupt_command))
    line = workplace.refusal(bag, LONG)
    assert "action 'cmd_vel twist.linear.x' lies absurdly far outside" in line
    dataset = workplace.convert(bag, LONG, allow=['outliers'])
    assert len(dataset.rewards) == 199


@pytest.mark.parametrize('message', [0, -1])
def test_the_first_and_the_last_tick_can_be_left_out(workplace, message):
    bag = write(workplace.folder / 'bag', with_value('/joint_states', message, corrupt_state))
    dataset = workplace.convert(bag, LONG, allow=['outliers'])
    assert len(dataset.rewards) == 199 and dataset.next_observations.min() > -9999.0


@pytest.mark.parametrize(('allow', 'low', 'steps', 'said'), [
    ([], -300.0, 200, 'velocity[right] lies far outside of all other values'),
    (['outliers'], -1.0, 198, "'joint_states velocity[right]' lies far outside of its other")])
def test_what_lies_far_outside_and_is_not_absurd_is_left_out_by_allowance(
        workplace, capsys, allow, low, steps, said):
    def corrupt(message):
        message.velocity[1] = -300.0  # among others from -1 to 1
    bag = write(workplace.folder / 'bag', with_value('/joint_states', 400, corrupt))
    dataset = workplace.convert(bag, LONG, allow=allow)
    assert dataset.observations.min() == pytest.approx(low, abs=0.1)
    assert len(dataset.rewards) == steps
    assert said in ' '.join(capsys.readouterr().out.split())
