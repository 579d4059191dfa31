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

"""Tests for robot_draft.py."""


import numpy as np
import pytest

from iql_ros.data.bags.files import Allowed, find_bags
from iql_ros.data.bags.survey.robot_draft import draft_robot
from iql_ros.data.bags.survey.survey import survey_bag
from iql_ros.data.rosbag import read_episodes
from iql_ros.files import InputError, share_folder
from iql_ros.robot.robot_interface import parse_robot_interface
from iql_ros.robot.task import Task
from tests.data.bags.make_bag import CUSTOM, header, make, SECOND, twist, write_rosbag2
from tests.data.bags.survey.test_survey import odometry
from tests.places import DATA

needs_shared = pytest.mark.skipif(not DATA.is_dir(), reason='../shared is absent')
TASK = (('reward: TODO', 'reward: iql_ros.tasks:docking_cost'),
        ('time_limit: TODO', 'time_limit: 20.0'))


def times(rate=10, seconds=20.0, start=1.0):
    return np.arange(start, start + seconds, 1 / rate)


def stream(name, message_of, at=None):
    """Return messages received at times [s], each made of its time [s]."""
    at = times() if at is None else at
    return [(name, round(time * SECOND), message_of(time)) for time in at]


def commands(name='/cmd_vel', at=None, scale=1.0):
    return stream(name, lambda time: twist(scale * np.sin(time), 0.5), at)


def odom(name='/odom', at=None, behind=0.0):
    def message(time):
        return odometry(round((time - behind) * SECOND))
    return stream(name, message, at)


def joints(names, positions, velocities=()):
    def message(time):
        return make('sensor_msgs/msg/JointState', header(round(time * SECOND)), names,
                    np.array([value * time for value in positions]),
                    np.array([value * np.sin(time) for value in velocities]), np.zeros(0))
    return message


def draft(tmp_path, *streams, name='robot'):
    """Return the YAML text that a bag of these streams begins."""
    return written(tmp_path, *streams, name=name)[0]


def written(tmp_path, *streams, name='robot'):
    messages = sorted((message for stream in streams for message in stream),
                      key=lambda message: message[1])
    bag = write_rosbag2(tmp_path / 'bag', messages)
    return draft_robot(survey_bag(bag, Allowed()), name), bag


def flat(text):
    """Return the text on one line, without the marks of comments."""
    return ' '.join(text.replace('#', ' ').split())


def with_task(text):
    for line, filled in TASK:
        assert text.count(line) == 1
        text = text.replace(line, filled)
    return text


def loaded(*arguments, **named):
    return parse_robot_interface(draft(*arguments, **named), 'draft.yaml')


@needs_shared
@pytest.mark.parametrize('name, transitions', [
    ('turtlebot3.bag', 300), ('selfdriving_nav', 140), ('wx200_waist.bag', 990),
    ('crazyflie_bag1', 240), ('crazyflie_bags_pitch0bag', 360),
    ('crazyflie_bags_roll2bag', 240), ('selfdriving_circular.db3', 130)])
def test_a_recordings_draft_converts_it_with_only_the_task_filled_in(name, transitions):
    bag = DATA / 'bags' / name
    text = draft_robot(survey_bag(bag, Allowed()), 'robot')
    interface = parse_robot_interface(with_task(text), 'draft.yaml')
    episodes, report = read_episodes([bag], interface)
    assert report['transitions'] >= transitions
    assert sum(len(episode.actions) for episode in episodes) == report['transitions']
    low, high = interface.action_scaling.low, interface.action_scaling.high
    for episode in episodes:
        assert np.all((low <= episode.actions) & (episode.actions <= high))


@needs_shared
@pytest.mark.parametrize('bag', find_bags(DATA / 'bags') if DATA.is_dir() else [],
                         ids=lambda bag: bag.name)
def test_a_recordings_draft_fits_the_page_and_loads_or_says_what_is_missing(bag):
    text = draft_robot(survey_bag(bag, Allowed()), 'robot')
    assert max(map(len, text.splitlines())) <= 99 or 'all_types' in bag.name
    if 'action: TODO' not in text:
        assert parse_robot_interface(text, 'draft.yaml').observation_dim > 0
    else:
        with pytest.raises(InputError, match="got 'TODO'; expected a list of streams"):
            parse_robot_interface(text, 'draft.yaml')


def test_the_draft_of_a_plain_robot(tmp_path):
    text, bag = written(tmp_path, odom(), commands())
    interface = parse_robot_interface(text, 'draft.yaml')
    assert interface.observation_names == ['odom pose.pose.position.x',
                                           'odom pose.pose.position.y']
    assert interface.action_names == ['cmd_vel linear.x']
    assert interface.control_rate == 10
    action, = interface.action
    assert (action.low, action.high, action.rule) == ((-1.0,), (1.0,), 'mean')
    assert action.stamp == 'receive' and interface.observation[0].stamp == 'header'
    assert action.gate.downstream_timeout == 0.5 == action.max_age
    assert 'left out: constant: linear.y = 0' in text and 'angular.z = 0.5' in text
    assert action.set == {}   # of a velocity the stop would have it, too
    episodes, _ = read_episodes([bag], parse_robot_interface(with_task(text), 'draft.yaml'))
    assert sum(len(episode.actions) for episode in episodes) > 190


def test_an_unfilled_task_is_refused_on_one_line(tmp_path):
    with pytest.raises(InputError, match='TODO') as error:
        Task(loaded(tmp_path, odom(), commands()))
    assert '\n' not in str(error.value)


def test_a_text_that_never_changed_in_a_command_is_set(tmp_path):
    text = draft(tmp_path, odom(), stream('/grip_command', lambda time: make(
        CUSTOM, 'left', time, np.zeros(0, np.float32))))
    action, = parse_robot_interface(text, 'draft.yaml').action
    assert action.value_names == ['grip_command force'] and action.set == {'finger': 'left'}


def test_an_orientation_that_tilts_is_six_numbers_and_what_wraps_is_sine_and_cosine(tmp_path):
    def tilted(time):
        message = odometry(round(time * SECOND))
        orientation = message.pose.pose.orientation
        orientation.x, orientation.w = np.sin(0.4 * np.sin(time)), np.cos(0.4 * np.sin(time))
        orientation.y = orientation.z = 0.0
        message.pose.pose.position.z = (3 * time + np.pi) % (2 * np.pi) - np.pi
        return message
    observation, = loaded(tmp_path, stream('/odom', tilted), commands()).observation
    assert observation.fields[0] == 'rotation_6d(pose.pose.orientation)'
    assert observation.fields[-2:] == ('sin(pose.pose.position.z)', 'cos(pose.pose.position.z)')


def test_a_command_that_was_never_zero_stops_nearest_to_it(tmp_path):
    text = draft(tmp_path, odom(), stream('/cmd_vel', lambda time: twist(
        0.3 + 0.1 * np.sin(time), -0.5 + 0.1 * np.sin(time))))
    assert parse_robot_interface(text, 'draft.yaml').action[0].gate.stop == (0.2, -0.4)
    assert 'TODO check: zero was never commanded' in flat(text)


def test_what_is_commented_out_loads_when_it_is_uncommented(tmp_path):
    text = draft(tmp_path, commands(), odom('/odom'), odom('/odometry', times(20)))
    uncommented = '\n'.join(
        f'  {line[4:]}' if line.startswith(('  # - ', '  #   ')) and 'Left out' not in line
        else line for line in text.splitlines())
    assert len(parse_robot_interface(uncommented, 'x').observation) == 2


def test_a_bag_without_commands_has_a_todo_and_says_why(tmp_path):
    text = draft(tmp_path, odom())
    assert 'action: TODO' in text and 'the bag holds no command' in text
    with pytest.raises(InputError, match="action: got 'TODO'; expected a list of streams"):
        parse_robot_interface(text, 'x')


@pytest.mark.parametrize('name', ['my_robot', 'yes', '12', 'a: b', '[x', '"', 'x # y', ''])
def test_names_cannot_break_the_yaml(tmp_path, name):
    if name:
        assert loaded(tmp_path, odom(), commands(), name=name).robot == name
    text = draft(tmp_path / 'joints', commands(), stream('/joint_states', joints(
        [name or 'null', 'new\nline: 5'], [1.0, 2.0])))
    joint_names = parse_robot_interface(text, 'x').observation[0].joints
    assert joint_names == (name or 'null', 'new\nline: 5')


def test_the_draft_of_our_own_recording_knows_its_marks_and_its_clock_from_zero():
    bag = share_folder() / 'share' / 'diffbot_recording' / 'dock_good'
    text = draft_robot(survey_bag(bag, Allowed()), 'robot')
    interface = parse_robot_interface(with_task(text), 'draft.yaml')
    assert {stream.stamp for stream in (*interface.observation, *interface.action)} == {'header'}
    assert interface.task['episode'] == {'topic': 'sim/policy_node/event'}
    assert len(read_episodes([bag], interface)[0]) == 30
