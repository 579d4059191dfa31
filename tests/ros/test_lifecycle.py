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

"""Tests for nodes/hosting/lifecycle.py: transitions that are asked for over the graph."""

import threading

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from std_srvs.srv import Trigger

from iql_ros.nodes.hosting.lifecycle import GuardedLifecycleNode
from iql_ros.nodes.hosting.parameters import Parameter

TABLE = (Parameter('autostart', True, 'begin'), Parameter('speed', 1.0, 'x', counts='at once'))


class Light(GuardedLifecycleNode):
    """A node that notes its transitions; what is in `do` is done in them."""

    def __init__(self, done):
        super().__init__('light', done, ())
        self.declare_table(TABLE)
        self.noted, self.do = [], {}

    def __getattr__(self, name):
        if name not in ('_configure', '_activate', '_deactivate', '_clean_up', '_change'):
            raise AttributeError(name)

        def note():
            self._settings = self.settings()
            self.noted.append(name)
            self.do.get(name, lambda: None)()
        return note

    def _check_change(self, names, settings):
        pass


@pytest.fixture
def light(graph):
    return graph.add(Light(threading.Event()))


@pytest.fixture
def ask(graph, wait_for):
    """Give a function that asks for a transition and returns a future of the answer."""
    client = graph.add(Node('person')).create_client(ChangeState, 'light/change_state')

    def ask(label='', number=0):
        assert client.wait_for_service(20.0)
        return client.call_async(ChangeState.Request(
            transition=Transition(id=number, label=label)))

    def answer(*arguments):
        future = ask(*arguments)
        wait_for(future.done, what='the answer')
        return future.result().success
    answer.later = ask
    return answer


@pytest.mark.parametrize('label, number', [
    ('activate', 0), ('', 1), ('configure', 3), ('', 0), ('', 99), ('', 255), ('nonsense', 2),
    ('create', 0), ('destroy', 0), ('transition_success', 0), ('', 10), ('x' * 10_000, 2),
    ('a\nb', 2)])
def test_a_transition_that_is_not_possible_is_answered_no_with_a_line_and_nothing_changes(
        light, ask, capfd, label, number):
    light.trigger_configure()
    if label == 'activate':
        light.trigger_activate()
    assert ask(label, number) is False
    text = capfd.readouterr().err
    assert text.count('\n') == 1 and len(text) < 400
    state = 'active' if label == 'activate' else 'inactive'
    assert f': possible while {state}: ' in text and light._lifecycle == state


def test_possible_transitions_are_done_by_label_and_by_number(light, ask):
    for label, number, state in (('configure', 0, 'inactive'), ('', 3, 'active'),
                                 ('deactivate', 77, 'inactive'), ('', 2, 'unconfigured'),
                                 ('shutdown', 0, 'finalized')):
        assert ask(label, number) is True and light._lifecycle == state
    assert ask('configure') is False


@pytest.mark.parametrize('error', [ZeroDivisionError, SystemExit])
def test_a_transition_that_fails_is_answered_no_and_may_be_tried_again(light, ask, capfd, error):
    def fail():
        raise error
    light.do['_configure'] = fail
    assert ask('configure') is False and light._lifecycle == 'unconfigured'
    assert error.__name__ in capfd.readouterr().err and light.exit_code == 1
    light.do.clear()
    assert ask('configure') is True and light.exit_code == 0


def test_a_name_that_rclpy_refuses_is_one_line(light, ask, capfd):
    light.do['_configure'] = lambda: light.create_client(Trigger, 'a b')
    assert ask('configure') is False and light.exit_code == 2
    text = capfd.readouterr().err
    assert text.count('\n') == 1 and 'Invalid service name: topic name must not contain' in text


def test_a_shutdown_that_fails_on_the_way_cleans_up_all_the_same(light, ask):
    def fail():
        raise ZeroDivisionError
    light.begin()
    light.do['_deactivate'] = fail
    assert ask('shutdown') is False and light._lifecycle == 'finalized'
    assert light.noted[-2:] == ['_deactivate', '_clean_up']


def test_what_is_asked_for_while_the_node_begins_is_refused_at_once(light, ask, wait_for, capfd):
    go_on = threading.Event()
    light.do['_configure'] = lambda: go_on.wait(20.0)
    beginning = threading.Thread(target=light.begin)
    beginning.start()
    wait_for(lambda: light.noted == ['_configure'], what='the transition')
    for label in ('configure', 'shutdown', 'transition_failure'):
        assert ask(label) is False
    assert "no transition 'configure': another transition is going on" in capfd.readouterr().err
    go_on.set()
    beginning.join(20.0)
    assert light.noted == ['_configure', '_activate'] and light._lifecycle == 'active'


def test_leaving_lets_a_transition_end_and_allows_no_other(light, ask, wait_for, capfd):
    go_on = threading.Event()
    light.do['_configure'] = lambda: go_on.wait(20.0)
    first = ask.later('configure')
    wait_for(lambda: light.noted == ['_configure'], what='the transition')
    leaving = threading.Thread(target=light.leave)
    leaving.start()
    second = ask.later('activate')
    assert leaving.is_alive()
    go_on.set()
    leaving.join(20.0)
    wait_for(second.done, what='the answer')
    assert first.result().success and not second.result().success
    # which of the two refusals it is depends on who was quicker
    assert "no transition 'activate'" in capfd.readouterr().err and light.noted == ['_configure']


def test_a_node_that_is_to_end_while_it_configures_is_not_activated(light):
    light.do['_configure'] = light._done.set
    light.begin()
    assert light.noted == ['_configure']


def test_what_is_set_while_a_node_activates_counts(light, wait_for):
    light.do['_activate'] = lambda: light.set_parameters([RosParameter('speed', value=2.0)])
    light.begin()
    assert light.noted[-1] == '_change' and light._settings.speed == 2.0
