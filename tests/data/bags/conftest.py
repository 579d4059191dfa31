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

"""A folder and the command for every test that converts odd bags."""

import pytest

from iql_ros.data.rosbag import read_episodes
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.data.bags.conversions import Workplace
from tests.data.bags.oddities import drive, ROBOT, write


@pytest.fixture
def workplace(tmp_path, monkeypatch, capsys):
    """Give every test its own folder of datasets."""
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'datasets'))
    return Workplace(tmp_path, capsys)


@pytest.fixture(scope='session')
def usual(tmp_path_factory):
    """Return the observations and actions of an ordinary bag."""
    bag = write(tmp_path_factory.mktemp('usual') / 'bag', drive())
    (episode,), _ = read_episodes([bag], parse_robot_interface(ROBOT, 'robot.yaml'))
    assert episode.observations[:2, :2].tolist() == [[1.0, 2.0], [1.05, 2.0]]
    return episode
