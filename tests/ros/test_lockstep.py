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

"""Tests for nodes/control/lockstep.py."""

from iql_ros.nodes.control.lockstep import StepAssembler


def test_a_step_is_one_message_of_every_stream_with_its_stamp():
    steps = StepAssembler(['pose', 'reward'])
    steps.put(0, 100, 'a')
    assert steps.missing(100) == ['reward']
    steps.put(1, None, 'b')
    assert steps.missing(100) == [] and steps.values() == ['a', 'b']
    assert steps.missing(200) == ['pose']


def test_clearing_forgets_and_counts_what_was_waiting():
    steps = StepAssembler(['pose', 'reward'])
    steps.put(1, None, 'b')
    assert steps.clear() == 1
    assert steps.missing(0) == ['pose', 'reward']
