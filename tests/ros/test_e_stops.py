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

"""Tests for nodes/sentry/e_stops.py: the button's state by itself, and over topics."""

import threading

import pytest
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool

from iql_ros.nodes.sentry.e_stops import Button, EStops

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
LATCHED, VOLATILE = DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE


def heard(*said):
    """Return a button that has heard pairs (pressed, publishers)."""
    button = Button()
    for now, (pressed, publishers) in enumerate(said):
        button.hear(pressed, publishers, float(now))
    return button


@pytest.mark.parametrize('said, pressed', [
    ([], False), ([(True, 1)], True), ([(True, 1), (False, 1)], False),
    ([(True, 2), (False, 2)], True), ([(True, 1), (False, 2)], True),
    ([(True, 2), (False, 1)], True), ([(True, 2), (False, 2), (False, 1)], True),
    ([(False, 2)], False), ([(False, 2), (True, 1), (False, 1)], False)])
def test_a_false_releases_only_the_button_that_is_alone_on_its_topic(said, pressed):
    assert heard(*said).pressed == pressed


def test_what_one_of_several_said_is_forgiven_unless_true_was_the_last_word():
    button = heard((True, 2), (False, 2))
    button.forgive()
    assert not button.pressed
    button = heard((False, 2), (True, 2))
    button.forgive()
    assert button.pressed


def listening(graph, topics=('button',), timeout=0.0):
    presses = []
    host = graph.add(Node('host'))
    return EStops(host, topics, timeout, presses.append), presses


@pytest.mark.parametrize('reliability, durability', [
    (RELIABLE, LATCHED), (RELIABLE, VOLATILE), (BEST_EFFORT, VOLATILE), (BEST_EFFORT, LATCHED)])
def test_every_kind_of_publisher_is_heard(graph, wait_for, reliability, durability):
    e_stops, presses = listening(graph)
    robot = graph.add(Node('robot'))
    publisher = robot.create_publisher(
        Bool, 'button', QoSProfile(depth=1, reliability=reliability, durability=durability))
    robot.create_timer(0.05, lambda: publisher.publish(Bool(data=True)))
    wait_for(e_stops.pressed, what='the button')
    assert presses == ["e_stop: '/button' is true"]


def test_a_button_that_keeps_its_state_is_heard_by_whoever_comes_later(graph, wait_for):
    robot = graph.add(Node('robot'))
    publisher = robot.create_publisher(Bool, 'button', QoSProfile(depth=1, durability=LATCHED))
    publisher.publish(Bool(data=True))
    e_stops, _ = listening(graph)
    wait_for(e_stops.pressed, what='the button')


@pytest.mark.parametrize('durability, patience, other', [
    (VOLATILE, '_ASKING', '_ASKING_KEPT'), (LATCHED, '_ASKING_KEPT', '_ASKING')])
def test_a_button_that_nobody_has_heard_yet_is_waited_for_and_not_for_ever(
        graph, wait_for, monkeypatch, durability, patience, other):
    for name, seconds in ((patience, 0.2), (other, 1e6)):
        monkeypatch.setattr(f'iql_ros.nodes.sentry.e_stops.{name}', seconds)
    robot = graph.add(Node('robot'))
    robot.create_publisher(Bool, 'button', QoSProfile(depth=1, durability=durability))
    e_stops, _ = listening(graph)
    assert e_stops.unknown() == "the state of e_stop '/button'"
    wait_for(lambda: graph.nodes[0].count_publishers('button'), what='the publisher')
    wait_for(lambda: not e_stops.unknown(), what='patience to end')


def test_with_a_timeout_a_button_must_have_been_heard_and_not_long_ago(graph, wait_for):
    e_stops, _ = listening(graph, timeout=0.2)
    robot = graph.add(Node('robot'))
    publisher = robot.create_publisher(Bool, 'button', 10)
    wait_for(e_stops.silent, what='silence')
    said = threading.Event()
    timer = robot.create_timer(0.05, lambda: (publisher.publish(Bool()), said.set()))
    wait_for(lambda: said.is_set() and not e_stops.silent(), what='the button')
    assert not e_stops.unknown()
    timer.cancel()
    wait_for(lambda: 'has been silent for' in e_stops.silent(), what='silence')


def test_of_several_topics_each_must_be_false(graph, wait_for):
    e_stops, _ = listening(graph, topics=('button', 'gate'))
    robot = graph.add(Node('robot'))
    keeping = QoSProfile(depth=1, durability=LATCHED)
    robot.create_publisher(Bool, 'button', keeping).publish(Bool(data=False))
    gate = robot.create_publisher(Bool, 'gate', keeping)
    gate.publish(Bool(data=True))
    wait_for(lambda: e_stops.pressed() == "e_stop: '/gate' is true", what='the gate')
    gate.publish(Bool(data=False))
    wait_for(lambda: not e_stops.pressed(), what='the gate to open')
