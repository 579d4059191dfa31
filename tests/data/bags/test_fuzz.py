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

"""Tests for bags/damage.py, rosbag.py and survey.py: damage anywhere, see fuzz_bags.py."""

import pytest

from tests.data.bags.bag_kinds import KINDS
from tests.data.bags.fuzz_bags import fuzz


@pytest.mark.parametrize('job, mutations, commands', [('convert', 44, 2), ('inspect', 11, 0)])
def test_a_bag_damaged_anywhere_loads_right_or_is_refused_on_one_line(tmp_path, job, mutations,
                                                                      commands):
    ends, faults, _, _ = fuzz(tmp_path, mutations, commands, seed=1, job=job)
    assert faults == []
    assert list(ends) == list(KINDS)
