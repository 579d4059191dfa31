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

"""Tests for nodes/control/recorder.py: whole bags or none, and nobody waits for them."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Goals
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
from std_msgs.msg import ByteMultiArray, Header, String

from iql_ros.data.bags.files import find_bags
from iql_ros.data.bags.reader import Bag
from iql_ros.files import InputError, share_folder
from iql_ros.nodes.control import recorder
from iql_ros.nodes.control.recorder import definitions, Recorder
from iql_ros.nodes.hosting.message_classes import message_class
from iql_ros.nodes.policy_node import PolicyNode
from iql_ros.sim.node_command import node_command

DIFFBOT = share_folder() / 'config' / 'robots' / 'diffbot.yaml'


class Logger:
    """A node's logger that remembers."""

    def __init__(self):
        self.infos, self.warnings = [], []
        self.info, self.warning = self.infos.append, self.warnings.append


def record(folder, messages, types=('std_msgs/msg/String',), **settings):
    """Record (topic, message, stamp) triples, None for an episode's end; return the logger."""
    logger = Logger()
    recording = Recorder(folder, 'toy-node', types, logger, **settings)
    for item in messages:
        if item is None:
            recording.end_episode()
        else:
            recording.add(*item)
    recording.close()
    return logger


def contents(path):
    """Return (topic, time, message) of a bag's messages."""
    with Bag(path) as bag:
        decode = {topic: bag.deserializer(topic) for topic in bag.topics}
        return [(message.topic, message.received_ns, decode[message.topic](message.data))
                for message in bag.messages(bag.topics)]


def texts(path):
    return [(topic, stamp, message.data) for topic, stamp, message in contents(path)]


def test_a_recording_is_one_bag_with_its_node_and_time_in_its_name(tmp_path):
    logger = record(tmp_path / 'new', [('/a', String(data='x'), 5), ('/b', String(data='y'), 7)])
    path, = (tmp_path / 'new').iterdir()
    name, day, time = path.name.rsplit('-', 2)
    assert name == 'toy-node' and len(day) == 8 and len(time) == 6
    assert texts(path) == [('/a', 5, 'x'), ('/b', 7, 'y')]
    assert logger.infos == [f"recorded '{path}'"] and logger.warnings == []


def test_a_message_is_logged_when_it_passed_only_if_it_says_itself_what_counts(tmp_path):
    stamped = PoseStamped()
    stamped.header.stamp.nanosec = 40
    record(tmp_path, [('/a', String(), 40, 50), ('/b', stamped, 40, 50), ('/b', stamped, 30, 60),
                      ('/b', stamped, 40, None)],
           types=['std_msgs/msg/String', 'geometry_msgs/msg/PoseStamped'])
    path, = tmp_path.iterdir()
    assert sorted((topic, stamp) for topic, stamp, _ in contents(path)) == [
        ('/a', 40), ('/b', 30), ('/b', 40), ('/b', 50)]


def test_a_bag_that_is_old_ends_with_its_episode_and_the_next_one_begins(tmp_path):
    messages = [('/a', String(data=word), 1) for word in 'xyz']
    record(tmp_path, [messages[0], None, messages[1], messages[2], None], bag_duration=0.0)
    first, second = find_bags(tmp_path)  # and no third one without a message
    assert second.name == f'{first.name}-002'
    assert texts(first) == [('/a', 1, 'x')]
    assert texts(second) == [('/a', 1, 'y'), ('/a', 1, 'z')]


def test_what_was_said_once_and_stays_in_force_is_said_again_at_the_start_of_every_bag(tmp_path):
    record(tmp_path, [('/goal', String(data='home'), 1), ('/goal', String(data='dock'), 2),
                      ('/a', String(data='x'), 3), None, ('/a', String(data='y'), 9), None],
           bag_duration=0.0, kept_topics=['/goal'])
    first, second = find_bags(tmp_path)
    assert texts(first) == [('/goal', 1, 'home'), ('/goal', 2, 'dock'), ('/a', 3, 'x')]
    assert texts(second) == [('/goal', 9, 'dock'), ('/a', 9, 'y')]


def test_a_next_bag_that_cannot_be_made_ends_the_recording_and_nothing_is_lost(
        tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, '_name', lambda name: name)
    (tmp_path / 'toy-node-002').mkdir()
    messages = [('/a', String(data=word), 1) for word in 'xy']
    logger = record(tmp_path, [messages[0], None, messages[1]], bag_duration=0.0)
    assert texts(tmp_path / 'toy-node') == [('/a', 1, 'x')]
    warning, = logger.warnings
    assert warning.startswith("recording ends: bag '") and "toy-node-002' exists" in warning


def test_a_young_bag_goes_on_after_an_episode(tmp_path):
    record(tmp_path, [('/a', String(data='x'), 1), None, ('/a', String(data='y'), 2)])
    path, = find_bags(tmp_path)
    assert texts(path) == [('/a', 1, 'x'), ('/a', 2, 'y')]


def test_a_type_that_the_stores_do_not_know_is_defined_in_the_bag(tmp_path):
    assert 'nav_msgs/msg/Goals' not in get_typestore(Stores.ROS2_JAZZY).fielddefs
    goals = Goals(header=Header(frame_id='map'), goals=[PoseStamped(), PoseStamped()])
    goals.goals[1].pose.position.x = 2.5
    record(tmp_path, [('/goals', goals, 1)], types=['nav_msgs/msg/Goals'])
    path, = find_bags(tmp_path)
    (_, _, message), = contents(path)
    assert message.header.frame_id == 'map' and message.goals[1].pose.position.x == 2.5


@pytest.mark.parametrize('name', [
    'sensor_msgs/msg/JointState', 'nav_msgs/msg/Odometry', 'trajectory_msgs/msg/JointTrajectory',
    'rcl_interfaces/msg/ParameterDescriptor', 'std_msgs/msg/ByteMultiArray', 'std_msgs/msg/Empty'])
def test_a_definition_made_from_a_class_is_the_types_own(name):
    store = get_typestore(Stores.EMPTY)
    for inner, text in definitions(name).items():
        store.register(get_types_from_msg(text, inner))
    assert store.hash_rihs01(name) == get_typestore(Stores.ROS2_JAZZY).hash_rihs01(name)


@pytest.mark.parametrize('field', ['', 'position', 'velocity', 'effort'])
def test_joints_of_which_only_some_fields_are_filled_can_be_read_back(tmp_path, field):
    joints = message_class('sensor_msgs/msg/JointState')(name=['a'])
    if field:
        setattr(joints, field, [0.25])
    record(tmp_path, [('/joints', joints, 1)], types=['sensor_msgs/msg/JointState'])
    path, = find_bags(tmp_path)
    (_, _, message), = contents(path)
    assert message.name == ['a']
    assert [len(getattr(message, name)) for name in ('position', 'velocity', 'effort')] == [
        int(name == field) for name in ('position', 'velocity', 'effort')]


def test_a_disk_that_refuses_ends_the_recording_with_a_warning(tmp_path):
    noise = [ByteMultiArray(data=[bytes([byte]) for byte in os.urandom(300_000)])] * 6
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        logger = record(tmp_path, [('/a', message, 1) for message in noise],
                        types=['std_msgs/msg/ByteMultiArray'], wait=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    warning, = logger.warnings
    assert warning.startswith('recording ends, bag ') and 'File too large' in warning
    assert list(tmp_path.iterdir()) == [] and logger.infos == []


def stuck_recording(folder, logger, leave, **settings):
    """Return a recording that is about to write its first message, and does when let."""
    entered = threading.Event()
    recording = Recorder(folder, 'toy-node', ['std_msgs/msg/String'], logger, **settings)
    write = recording._writer.write

    def slow_write(*message):
        entered.set()
        leave.wait(20.0)
        write(*message)
    recording._writer.write = slow_write
    recording.add('/a', String(data='0'), 0)
    assert entered.wait(20.0)
    return recording


def test_a_disk_that_is_stuck_ends_the_recording_of_a_lockstep_run_too(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, '_QUEUE_SIZE', 1)
    monkeypatch.setattr(recorder, '_CLOSING', 0.05)
    logger, leave = Logger(), threading.Event()
    recording = stuck_recording(tmp_path, logger, leave, wait=True)
    for number in (1, 2):
        recording.add('/a', String(data=str(number)), number)
    assert recording.trouble == 'recording ends: 1 messages wait for the disk'
    recording.close()
    assert 'is not whole: the disk has not taken it in 0.05 s' in logger.warnings[1]
    leave.set()


def test_a_queue_that_is_full_ends_the_recording_and_what_was_taken_is_kept(
        tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, '_QUEUE_SIZE', 2)
    logger, leave = Logger(), threading.Event()
    recording = stuck_recording(tmp_path, logger, leave)
    for number in range(1, 5):
        recording.add('/a', String(data=str(number)), number)
    leave.set()
    recording.close()
    assert logger.warnings == ['recording ends: 2 messages wait for the disk']
    assert recording.trouble == logger.warnings[0]
    path, = find_bags(tmp_path)
    assert [text for _, _, text in texts(path)] == ['0', '1', '2']


def test_after_kill_9_nothing_looks_like_a_bag(tmp_path):
    code = (
        'import sys\n'
        'from std_msgs.msg import String\n'
        'from iql_ros.nodes.control.recorder import Recorder\n'
        f'recording = Recorder({str(tmp_path)!r}, "toy-node", ["std_msgs/msg/String"], None)\n'
        'recording.add("/a", String(data="x"), 1)\n'
        'print("ready", flush=True)\n'
        'sys.stdin.read()\n')
    process = subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'ready\n'
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hidden, = tmp_path.iterdir()
    assert hidden.name.startswith('.toy-node-') and hidden.name.endswith('.partial')
    with pytest.raises(InputError, match='holds no bag'):
        find_bags(tmp_path)


def test_ctrl_c_closes_the_bag_whole(tmp_path, wait_for):
    process = subprocess.Popen(node_command('sim_node', {
        'robot_config': DIFFBOT, 'record': True, 'record_folder': tmp_path}))
    try:
        wait_for(lambda: list(tmp_path.iterdir()), what='the recording')
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30.0) == 0
    finally:
        process.kill()
    path, = find_bags(tmp_path)
    assert path.name.startswith('diffbot-sim_node-')
    assert {topic for topic, *_ in contents(path)} == {
        '/sim/robot_pose', '/sim/joint_states', '/sim/reward', '/sim/terminated'}


def policy_node(graph, tmp_path, **parameters):
    parameters = {'robot_config': str(DIFFBOT), 'record': True, 'record_folder': str(tmp_path),
                  **parameters}
    return graph.add(PolicyNode(
        threading.Event(), make_act=lambda interface: lambda observation: observation[:2],
        overrides=[Parameter(name, value=value) for name, value in parameters.items()]))


def test_a_recording_is_not_begun_into_a_name_that_exists(graph, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, '_name', lambda name: f'{name}-now')
    for name in ('diffbot-policy_node-now', '.diffbot-policy_node-now.partial'):
        (tmp_path / name).mkdir()
        node = policy_node(graph, tmp_path)
        node.begin()
        assert node.exit_code == 2 and node._running_loop is None
        assert [path.name for path in tmp_path.iterdir()] == [name]
        (tmp_path / name).rmdir()


def test_a_folder_that_cannot_be_made_is_refused_on_one_line(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be written: Not a directory'):
        Recorder(tmp_path / 'file', 'toy-node', [], Logger())


def test_deactivating_closes_the_bag_and_activating_again_begins_another(
        graph, tmp_path, monkeypatch):
    times = iter(('first', 'second'))
    monkeypatch.setattr(recorder, '_name', lambda name: f'{name}-{next(times)}')
    node = policy_node(graph, tmp_path)
    node.trigger_configure()
    for name in ('first', 'second'):
        node.trigger_activate()
        assert (tmp_path / f'.diffbot-policy_node-{name}.partial').is_dir()
        node.trigger_deactivate()  # sends the stop: the one message
        path = tmp_path / f'diffbot-policy_node-{name}'
        assert [topic for topic, *_ in contents(path)] == ['/cmd_vel']


def test_a_recording_that_fails_leaves_the_node_as_it_is(graph, tmp_path):
    node = policy_node(graph, tmp_path / 'recordings')
    node.begin()
    shutil.rmtree(tmp_path / 'recordings')
    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert node.exit_code == 0 and list(tmp_path.iterdir()) == []
