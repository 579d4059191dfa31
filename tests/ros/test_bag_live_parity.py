"""Tests that a lockstep run recorded to a bag converts to what the policy node saw live."""

import threading

import numpy as np
import pytest
from rclpy.parameter import Parameter

from iql_ros.bags.reader import Bag
from iql_ros.files import share_folder
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.nodes.sim_node import SimNode
from iql_ros.robot_interface import load_robot_interface
from iql_ros.rosbag import read_episodes

ROBOTS = share_folder() / 'config' / 'robots'
SIMULATED = pytest.mark.ros_args('-r', '__ns:=/sim', '-r', '/clock:=clock')


def run(graph, wait_for, tmp_path, robot, env_id):
    """Record two episodes of a random policy at both nodes; return the live transitions."""
    rng, transitions, done = np.random.default_rng(0), [], threading.Event()
    robot_config = ROBOTS / f'{robot}.yaml'
    scaling = load_robot_interface(robot_config).action_scaling
    common = [Parameter('robot_config', value=str(robot_config)),
              Parameter('lockstep', value=True), Parameter('record', value=True)]
    simulator = graph.add(SimNode(threading.Event(), overrides=[
        *common, Parameter('env_id', value=env_id),
        Parameter('record_folder', value=str(tmp_path / 'simulator'))]))
    simulator.begin()
    policy = PolicyNode(
        done, make_act=lambda interface: lambda observation: scaling.to_physical(
            rng.uniform(-1.2, 1.2, scaling.low.size)),
        overrides=[*common, Parameter('episodes', value=2),
                   Parameter('record_folder', value=str(tmp_path / 'policy'))])
    policy.on_transition = transitions.append
    graph.add(policy).begin()
    wait_for(done.is_set, timeout=60.0, what='the last episode')
    policy.leave()
    simulator.leave()
    return transitions


def as_rows(episodes):
    """Return a tuple of every transition's numbers, episode after episode."""
    return [(*episode.observations[step], *episode.actions[step], episode.rewards[step],
             *episode.observations[step + 1], episode.terminations[step],
             episode.truncations[step])
            for episode in episodes for step in range(len(episode.actions))]


def live_rows(transitions):
    return [(*step.observation, *step.action, step.reward, *step.next_observation,
             step.terminated, step.truncated) for step in transitions]


@SIMULATED
@pytest.mark.parametrize('robot, env_id', [
    ('diffbot', 'iql_ros/Diffbot-v0'), ('hopper', 'Hopper-v5')])
def test_every_transition_of_the_bags_is_the_live_one_to_the_bit(
        graph, tmp_path, wait_for, robot, env_id):
    transitions = run(graph, wait_for, tmp_path, robot, env_id)
    interface = load_robot_interface(ROBOTS / f'{robot}.yaml')
    episodes, _ = read_episodes([tmp_path / 'policy'], interface)
    if robot == 'hopper':  # names no topic for its events: like the simulator's bag, see below
        assert as_rows(episodes)[:len(transitions)] == live_rows(transitions)
    else:
        assert len(episodes) == 2 and as_rows(episodes) == live_rows(transitions)
    # The simulator knows no episodes, only that its clock jumps with a reset; on leaving, the
    # policy's stop makes it do one step more.
    episodes, _ = read_episodes([tmp_path / 'simulator'], interface)
    rows = as_rows(episodes)
    assert rows[:len(transitions)] == live_rows(transitions)
    assert len(rows) <= len(transitions) + 1


@SIMULATED
def test_a_bag_holds_what_the_interface_names_and_no_more(graph, tmp_path, wait_for):
    run(graph, wait_for, tmp_path, 'diffbot', 'iql_ros/Diffbot-v0')
    topics = {'/sim/robot_pose', '/sim/joint_states', '/sim/cmd_vel'}
    for node, others in (('policy', {'/sim/policy_node/event'}),
                         ('simulator', {'/sim/reward', '/sim/terminated'})):
        path, = (tmp_path / node).iterdir()
        with Bag(path) as bag:
            assert set(bag.topics) == topics | others
