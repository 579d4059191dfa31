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

"""Tests for graph_update.py: what a graph would hold, run here without one."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from iql_ros.learner.graph_update import GraphUpdate
from tests.learner.test_iql import make_agent, make_buffer

SETTINGS = [{}, {'dropout_rate': 0.1}, {'algorithm': 'bc'}, {'hidden_dims': (24,)},
            {'actor_schedule': 'constant'}]
_TO_HOST = {'aten._local_scalar_dense.default', 'aten.item.default', 'aten.nonzero.default',
            'aten.lift_fresh.default'}


class NoLookFromTheHost(TorchDispatchMode):
    """Refuses what a captured graph may not do."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        assert str(function) not in _TO_HOST, function
        if str(function).startswith('aten._fused_adam_'):
            assert isinstance((options or {})['lr'], torch.Tensor)
        return function(*arguments, **(options or {}))


def far(one, other):
    """Return the largest difference of two agents' parameters."""
    return max((tensor - other.state(optimisers=False)[name]).abs().max().item()
               for name, tensor in one.state(optimisers=False).items())


@pytest.mark.parametrize('changes', SETTINGS)
def test_its_updates_are_those_of_the_fast_update(changes):
    buffer, one, other = make_buffer(), make_agent(**changes), make_agent(**changes)
    one.use_fast_update()
    expected = one.update_many(buffer, 57)
    found, = GraphUpdate([other], buffer).run(57)
    assert far(one, other) < 2e-6 and other.step == 57
    assert found.keys() == expected.keys()
    assert all(abs(found[name] - expected[name]) < 1e-4 * max(1, abs(expected[name]))
               for name in found)


def test_it_goes_on_where_it_was_as_if_it_had_never_stopped():
    buffer, one, other = make_buffer(), make_agent(), make_agent()
    graphs = [GraphUpdate([agent], buffer) for agent in (one, other)]
    graphs[0].run(103)
    for count in (50, 3, 50):
        graphs[1].run(count)
    assert far(one, other) == 0


@pytest.mark.parametrize('changes', SETTINGS)
def test_several_seeds_together_are_what_each_is_alone(changes):
    buffer = make_buffer()
    together = [make_agent(seed=seed, **changes) for seed in (0, 1, 2)]
    alone = [make_agent(seed=seed, **changes) for seed in (0, 1, 2)]
    found = GraphUpdate(together, buffer).run(60)
    for agent, other, metrics in zip(together, alone, found):
        expected, = GraphUpdate([other], buffer).run(60)
        assert far(agent, other) < 1e-5 and agent.step == 60
        assert abs(metrics['actor/loss'] - expected['actor/loss']) < 1e-3 * (
            1 + abs(expected['actor/loss']))
    assert far(together[0], together[1]) > 1e-3


def test_nothing_in_it_waits_for_the_host():
    graph = GraphUpdate([make_agent(dropout_rate=0.1), make_agent(dropout_rate=0.1)],
                        make_buffer())
    with NoLookFromTheHost():
        graph._do(3)


def test_a_look_from_the_host_would_be_seen():
    with pytest.raises(AssertionError), NoLookFromTheHost():
        torch.ones(1).item()
