"""Tests that a lockstep run recorded to a bag converts to what the policy node saw live."""

import threading

import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message

from iql_ros.files import share_folder
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.nodes.sim_node import SimNode
from iql_ros.robot_interface import load_robot_interface
from iql_ros.rosbag import BagWriter, read_episodes

DIFFBOT = share_folder() / 'config' / 'robots' / 'diffbot.yaml'


@pytest.mark.ros_args('-r', '/clock:=clock')
def test_every_transition_of_the_bag_is_the_live_one_to_the_bit(graph, tmp_path, wait_for):
    rng = np.random.default_rng(0)
    messages, transitions, done = [], [], threading.Event()
    common = [Parameter('robot_config', value=str(DIFFBOT)), Parameter('lockstep', value=True)]
    simulator = graph.add(SimNode(threading.Event(), overrides=common))
    simulator.begin()
    policy = PolicyNode(
        done, make_act=lambda interface: lambda observation: rng.uniform(-1.5, 1.5, 2),
        tap=lambda *message: messages.append(message),
        overrides=[*common, Parameter('episodes', value=2)])
    policy.on_transition = transitions.append
    graph.add(policy).begin()
    wait_for(done.is_set, timeout=60.0, what='the last episode')
    with BagWriter(tmp_path / 'bag') as writer:
        for topic, message, stamp_ns in list(messages):
            package = type(message).__module__.split('.')[0]
            writer.write(f'/{topic}', f'{package}/msg/{type(message).__name__}', stamp_ns,
                         serialize_message(message))
    episodes, _ = read_episodes([tmp_path / 'bag'], load_robot_interface(DIFFBOT))
    assert len(episodes) == 2 and len(transitions) == sum(len(e.actions) for e in episodes)
    for name, live in (('actions', 'action'), ('rewards', 'reward'),
                       ('terminations', 'terminated'), ('truncations', 'truncated')):
        assert np.array_equal(np.concatenate([getattr(e, name) for e in episodes]),
                              np.array([getattr(step, live) for step in transitions])), name
    for slots, live in ((slice(None, -1), 'observation'), (slice(1, None), 'next_observation')):
        assert np.array_equal(np.concatenate([e.observations[slots] for e in episodes]),
                              np.array([getattr(step, live) for step in transitions])), live
