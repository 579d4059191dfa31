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

import pytest
import torch

from iql_ros.files import InputError
from iql_ros.learner import engine as engines
from iql_ros.learner.engine import check_precision, choose, Engine, measure
from tests.learner.test_iql import make_agent, make_buffer, snapshot


@pytest.fixture
def two_cores():
    """Let PyTorch use two."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_measuring_leaves_the_agent_and_the_threads_as_they_are():
    agent, buffer, threads = make_agent(dropout_rate=0.1), make_buffer(), torch.get_num_threads()
    before = snapshot(agent)
    rates = measure(agent, buffer, [Engine('autograd', 1), Engine('fast', 2)])
    assert set(rates) == {Engine('autograd', 1), Engine('fast', 2)} and min(rates.values()) > 0
    assert agent.step == 0 and torch.get_num_threads() == threads
    assert all(torch.equal(tensor, before[name]) for name, tensor in agent.state().items())


def test_the_faster_engine_is_taken_and_said(two_cores):
    engine, why = choose(make_agent(), make_buffer(), 10_000)
    said = dict(re.findall(r"('\w+' on \d threads?) (\d+)", why))
    assert why.startswith(f'engine {engine}; updates/s here: ')
    assert set(said) >= {"'autograd' on 1 thread", f"'{engine.name}' on 2 threads"}


@pytest.mark.parametrize('rate, threads', [(110.0, 1), (120.0, 2)])
def test_a_second_thread_is_taken_only_where_it_pays(two_cores, monkeypatch, rate, threads):
    rates = {('autograd', 1): 50.0, ('fast', 1): 100.0, ('fast', 2): rate}
    monkeypatch.setattr(engines, 'measure', lambda agent, buffer, several: {
        each: rates[each.name, each.threads] for each in several})
    engine, why = choose(make_agent(), make_buffer(), 10_000)
    assert engine == Engine('fast', threads)
    assert why == (f"engine {engine}; updates/s here: 'autograd' on 1 thread 50, 'fast' on 1 "
                   f"thread 100, 'fast' on 2 threads {rate:.0f}")


def test_what_is_said_is_not_measured(monkeypatch):
    monkeypatch.setattr(engines, 'measure', None)
    assert choose(make_agent(), make_buffer(), 10_000, 'autograd', 3) == (
        Engine('autograd', 3), "engine 'autograd' on 3 threads")


def test_a_short_training_is_not_kept_waiting_by_a_measurement():
    engine, why = choose(make_agent(), make_buffer(), 100)
    assert engine == Engine('fast', 1) and why == (
        "engine 'fast' on 1 thread: too few updates to measure what is faster")


def test_a_precision_holds_while_an_engine_works_and_no_longer():
    backend = torch.backends.mkldnn.matmul
    before = backend.fp32_precision
    with Engine('fast', 1, 'bf16').at_work():
        assert backend.fp32_precision == 'bf16'
    assert backend.fp32_precision == before


def test_a_precision_that_cannot_be_had_is_said(monkeypatch):
    assert check_precision('fp32', torch.device('cuda')) == ''
    with pytest.raises(InputError, match="precision: got 'bf16' on cuda; allowed there: fp32"):
        check_precision('bf16', torch.device('cuda'))
    monkeypatch.setattr(torch.ops.mkldnn, '_is_mkldnn_bf16_supported', lambda: False)
    assert check_precision('bf16', torch.device('cpu')) == (
        'precision bf16: this CPU has no such products and computes fp32 instead')
