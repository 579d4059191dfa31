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

"""Tests for bags/quality_report.py."""

import pytest

from iql_ros.data.rosbag import read_episodes
from tests.data.toy_bags import drive, TOY, write_bag


def test_the_report_counts_every_tick_and_the_ages_of_the_streams(tmp_path):
    bag = write_bag(tmp_path / 'bag', drive(0, [3.0] * 4) + drive(20, [3.0] * 4))
    _, report = read_episodes([bag], TOY)
    read, = report['bags']
    assert read['ticks'] == read['used'] + len(read['episodes']) + sum(read['dropped'].values())
    stream = read['streams'][0]
    assert (stream['topic'], stream['role'], stream['stamp']) == ('/pose', 'observation', 'header')
    assert stream['messages'] == stream['declared'] == 8
    assert sum(stream['age']['counts']) == 9  # the last of the first drive serves one tick more
    assert report['actions'][0]['maximum'] == pytest.approx(0.22)
    assert report['observations'][1]['constant']
