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

"""Tests for binding.py."""

import numpy as np
import pytest

from iql_ros.files import InputError
from iql_ros.runs.policy import load_policy
from iql_ros.runs.run_directory import RunDirectory
from iql_ros.runs.train import train
from tests.robot.test_robot_interface import TEXT
from tests.runs.small_training import CONFIG, pendulum_robot, settings, write_data

pytestmark = pytest.mark.usefixtures('workplace')


def test_a_robot_binds_data_without_one_and_travels_in_the_checkpoint(capsys):
    folder = train(settings(updates=2), CONFIG, robot_config=pendulum_robot())
    assert "the policy is bound to robot 'toy'" in capsys.readouterr().out
    assert load_policy(folder / 'latest').interface.robot == 'toy'


def test_a_robot_of_other_dimensions_or_range_is_refused():
    with pytest.raises(InputError, match="robot 'toy': observation values: 6; .* has 3"):
        train(settings(), CONFIG, robot_config=TEXT)
    with pytest.raises(InputError, match=r"robot 'toy': action low: \[-2.0\]; .* has \[-1.0\]"):
        train(settings(), CONFIG, robot_config=pendulum_robot(high=2.0))
    assert not RunDirectory('run').path.exists()


@pytest.mark.parametrize(('failure', 'warned'), [
    ('failure_reward: -1.0, ', True), ('failure_reward: -100.0, ', False), ('', True)])
def test_it_is_warned_of_when_failing_pays(failure, warned, capsys):
    write_data('data.hdf5', rewards=-np.ones(60))  # for ever: -100
    train(settings(updates=1), CONFIG, robot_config=pendulum_robot(failure=failure))
    errors = capsys.readouterr().err
    assert ('failing pays' in errors) == warned
