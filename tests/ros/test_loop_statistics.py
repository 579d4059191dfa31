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

"""Tests for nodes/control/loop_statistics.py."""

import numpy as np

from iql_ros.nodes.control.loop_statistics import LoopStatistics


def test_periods_durations_late_ticks_and_clipping_are_told():
    statistics = LoopStatistics(0.02, ['cmd_vel x', 'cmd_vel yaw'])
    for tick in range(101):
        late = 0.003 if tick % 50 == 49 else 0.0001
        statistics.tick(tick * 0.02 + late, late, 0.001, np.array([tick < 25, False]))
    found = statistics.describe()
    assert found['late ticks'] == '2' and found['inference [ms]'] == 'p50 1.00, p99 1.00, max 1.00'
    assert found['tick period [ms]'].startswith('p50 20.00, p99 22.90, max 22.90')
    assert found['clipped cmd_vel x'] == '24.8%' and found['clipped cmd_vel yaw'] == '0.0%'


def test_the_time_between_episodes_is_no_period():
    statistics = LoopStatistics(0.02, ['a'])
    for sampled_at in (0.0, 0.02):
        statistics.tick(sampled_at, 0.0, 0.001, None)
    statistics.pause()
    for sampled_at in (10.0, 10.02):
        statistics.tick(sampled_at, 0.0, 0.001, None)
    assert statistics.describe()['tick period [ms]'] == 'p50 20.00, p99 20.00, max 20.00'
    assert not any(name.startswith('clipped') for name in statistics.describe())
