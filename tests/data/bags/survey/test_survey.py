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

"""Tests for survey.py."""

import json
import tracemalloc

import numpy as np
import pytest

from iql_ros.data.bags.files import Allowed, find_bags
from iql_ros.data.bags.survey import survey as survey_module
from iql_ros.data.bags.survey.survey import survey_bag, survey_text
from iql_ros.files import InputError
from tests.data.bags.count_messages import count_messages
from tests.data.bags.make_bag import (
    CUSTOM, header, make, point, SECOND, twist, write_rosbag1, write_rosbag2)
from tests.data.bags.test_reader import change, grips
from tests.places import DATA

needs_shared = pytest.mark.skipif(not DATA.is_dir(), reason='../shared is absent')
READABLE = ('no_metadata', 'qos_mismatch_mcap', 'qos_mismatch_sqlite3', 'split_missing')


def recordings():
    """Return every shared bag that can be read."""
    if not DATA.is_dir():
        return []
    folders = [DATA / 'bags', *(DATA / 'bags_damaged' / name for name in READABLE)]
    return [bag for folder in folders for bag in find_bags(folder)]


def survey(bag, *allowed):
    result = survey_bag(bag, Allowed(allowed))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    return result


def topic(result, name):
    return next(entry for entry in result['topics'] if entry['name'] == name)


def drive(seconds=20.0, rate=10, start=0.0):
    """Return commands and stamped points of a robot that drives."""
    times = [start + index / rate for index in range(int(seconds * rate))]
    return [message for time in times for message in (
        ('/cmd_vel', round(time * SECOND), twist(np.sin(time))),
        ('/pose', round(time * SECOND), point(round(time * SECOND) + 5, time)))]


@needs_shared
@pytest.mark.parametrize('bag', recordings(), ids=lambda bag: bag.name)
def test_the_counts_of_a_recording_equal_an_independent_count(bag):
    result = survey(bag, 'missing-parts')
    counts = {entry['name']: entry['messages'] for entry in result['topics']}
    assert counts == count_messages(bag) and sum(counts.values()) == result['messages'] > 0
    assert survey_text(result)


@needs_shared
@pytest.mark.parametrize('name, texts', [
    ('turtlebot3.bag', ["'/cmd_vel': 8 gaps or more (no message for 4.06 s at 13.0 s",
                        "'/joint_states': velocity, effort always empty"]),
    ('wx200_waist.bag', ["'/wx200/joint_states': never moved: gripper, left_finger"]),
    ('abitobot', ['no topic looks like a command',
                  '/imu/data, /joint_states: simulated time (100.6 s to 194.8 s)']),
    ('selfdriving_nav', ['no topic says where the robot is',
                         'header stamps of /scan: simulated time (774.7 s to 809.9 s)',
                         '/cmd_vel has no header: only the receive time',
                         "'/cmd_vel': covers only 4.5 s to 33.9 s of the bag's 35.2 s"]),
    ('selfdriving_circular.db3', ['header stamps of /scan: 8.01657e+06 s before the receive',
                                  "'/scan': 1 gap (no message for 5.69 s at 139.9 s)"]),
    ('crazyflie_bag1', ['no message on /cf_appchannel', "'/cf_controll': comes irregularly"]),
    ('jackal.bag', ['no topic looks like a command']),
])
def test_what_is_odd_about_a_recording_is_said(name, texts):
    found = '\n'.join(survey(DATA / 'bags' / name)['remarks'])
    for text in texts:
        assert text in found


def test_a_sound_bag_has_its_figures_and_no_remark(tmp_path):
    result = survey(write_rosbag2(tmp_path / 'bag', [
        *drive(), *[('/odom', time + 1, odometry(time + 5)) for _, time, _ in drive()[::2]]]))
    assert result['remarks'] == [] and result['notes'] == []
    assert (result['file'], result['messages'], result['start']) == ('bag', 600, 0.0)
    pose = topic(result, '/pose')
    assert pose['type'] == 'geometry_msgs/msg/PointStamped' and pose['declared'] == 200
    assert pose['rate'] == pytest.approx(10) and pose['header']['rate'] == pytest.approx(10)
    assert pose['bytes'] > 200 * 40 and pose['error'] is None


def odometry(stamp_ns):
    place = make('geometry_msgs/msg/Point', 1e-9 * stamp_ns, 2e-9 * stamp_ns, 0.0)
    pose = make('geometry_msgs/msg/Pose', place,
                make('geometry_msgs/msg/Quaternion', 0.0, 0.0, 0.0, 1.0))
    return make('nav_msgs/msg/Odometry', header(stamp_ns), 'base',
                make('geometry_msgs/msg/PoseWithCovariance', pose, np.zeros(36)),
                make('geometry_msgs/msg/TwistWithCovariance', twist(0.0), np.zeros(36)))


def test_a_ros1_bag_is_surveyed_alike(tmp_path):
    result = survey(write_rosbag1(tmp_path / 'x.bag', [
        message for message in drive() if message[0] == '/cmd_vel']))
    fields = {field['name']: field for field in topic(result, '/cmd_vel')['fields']}
    assert fields['linear.x']['maximum'] == pytest.approx(1, abs=0.01)
    assert fields['linear.y']['constant']


def test_a_topic_of_an_unknown_type_keeps_its_counts_and_says_why(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', grips() + drive(), 'SQLITE3')
    change(bag, 'DELETE FROM message_definitions')
    result = survey(bag)
    grip = topic(result, '/grip')
    assert grip['messages'] == 2 and grip['fields'] == []
    assert f'is of type {CUSTOM}, which is not defined in the bag' in grip['error']
    assert topic(result, '/cmd_vel')['fields'] and result['notes'][0].startswith('without a def')


def test_messages_that_cannot_be_read_keep_their_counts_and_the_others_their_ranges(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', drive(), 'SQLITE3')
    change(bag, "UPDATE messages SET data = x'0001' WHERE id % 20 = 0")
    result = survey(bag)
    damaged = [entry for entry in result['topics'] if entry['error']]
    assert damaged and result['messages'] == 400
    for entry in damaged:
        assert entry['messages'] == 200 and '\n' not in entry['error']
        assert entry['fields'][0]['count'] in range(100, 200)


def test_a_bag_that_lacks_declared_messages_is_refused_unless_allowed(tmp_path):
    bag = write_rosbag2(tmp_path / 'bag', drive())
    text = (bag / 'metadata.yaml').read_text()
    (bag / 'metadata.yaml').write_text(text.replace('message_count: 200', 'message_count: 300'))
    with pytest.raises(InputError, match='declares 300 messages, and 200 were read'):
        survey(bag)
    result = survey(bag, 'counts')
    assert len(result['notes']) == 2 and '200 of 300' in survey_text(result)


def test_an_empty_bag_says_that_it_is(tmp_path):
    result = survey(write_rosbag2(tmp_path / 'bag', []))
    assert result['remarks'] == ['the bag has no message'] and result['start'] is None
    assert '0 messages' in survey_text(result)


def test_progress_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(survey_module, '_PROGRESS', 100)
    calls = []
    survey_bag(write_rosbag2(tmp_path / 'bag', drive()), Allowed(),
               on_progress=lambda *call: calls.append(call))
    assert calls == [(100, 400), (200, 400), (300, 400), (400, 400)]


def test_values_are_thinned_out_and_counts_times_and_commands_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(survey_module, '_LOOKED_AT', 50)
    bag = write_rosbag2(tmp_path / 'bag', drive())
    result = survey(bag)
    pose = topic(result, '/pose')
    assert pose['messages'] == 200 and pose['last'] == pytest.approx(19.9)
    count = pose['fields'][0]['count']
    assert count == 50 + 50 + 12  # of 200: all of 50, half of 100, a quarter of the rest
    assert topic(result, '/cmd_vel')['fields'][0]['count'] == 200
    assert survey(bag) == result


def test_memory_stays_bounded(tmp_path):
    long = [('/cmd_vel', index * SECOND // 100, twist(0.1 * index)) for index in range(30_000)]
    bag = write_rosbag2(tmp_path / 'bag', long, compression='STORAGE')
    survey(bag)
    tracemalloc.start()
    survey(bag)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000


def test_the_text_shows_ranges_constants_and_what_is_never_finite(tmp_path):
    def lost(time):
        return make('geometry_msgs/msg/Vector3', float(time), 2.0, np.nan)
    text = survey_text(survey(write_rosbag2(tmp_path / 'bag', [
        *drive(), *[('/force', index * SECOND // 10, lost(index)) for index in range(100)]])))
    assert 'bag bag: 500 messages on 3 topics' in text
    assert 'x  0 .. 99' in text and 'constant: y = 2' in text and 'never finite: z' in text
    assert "'/force': never a finite number in z" in text
    assert max(map(len, text.splitlines())) < 130


def test_the_text_of_many_topics_does_not_drown_the_reader(tmp_path):
    names = [f'/topic{index}' for index in range(94)]
    text = survey_text(survey(write_rosbag2(tmp_path / 'bag', [
        (name, index, point(5, 1.0)) for index in range(2) for name in names])))
    assert len(text.splitlines()) < 110 and 'values not shown of 94 topics' in text
