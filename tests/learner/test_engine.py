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

"""Tests for engine.py."""

import re

import torch

from iql_ros.learner.engine import choose, measure
from tests.learner.test_iql import make_agent, make_buffer, snapshot


def test_measuring_leaves_the_agent_and_its_generators_as_they_are():
    agent, buffer = make_agent(dropout_rate=0.1), make_buffer()
    before = snapshot(agent)
    rates = measure(agent, buffer)
    assert set(rates) == {'autograd', 'fast'} and min(rates.values()) > 0
    assert agent.step == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in agent.state().items())


def test_the_faster_engine_is_taken_and_said():
    engine, why = choose(make_agent(), make_buffer(), 10_000)
    said, autograd, fast = re.fullmatch(
        r"engine '(\w+)': autograd does (\d+) updates/s here, fast (\d+)", why).groups()
    assert said == engine == ('fast' if int(fast) >= int(autograd) else 'autograd')


def test_a_short_training_is_not_kept_waiting_by_a_measurement():
    engine, why = choose(make_agent(), make_buffer(), 100)
    assert engine == 'fast' and why == (
        "engine 'fast': too few updates to measure which is faster")
