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

"""Tests for page.py and figures.py."""

import re

import pytest

from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.quality.figures import _rebinned, _runs
from iql_ros.data.bags.quality.page import write_bag_page
from iql_ros.data.bags.survey.survey import survey_bag
from iql_ros.data.rosbag import read_episodes
from iql_ros.robot.robot_interface import load_robot_interface
from tests.data.bags.quality.test_text import bag, report, stream
from tests.places import BAGS, ROBOTS

needs_bags = pytest.mark.skipif(not BAGS.exists(), reason='needs the real bags')


def topic(name, **changes):
    return {**stream(name, None), 'name': name, 'error': None, 'joints': [], 'bytes': 8000,
            'fields': [{'name': 'data', 'minimum': 0.0, 'maximum': 1.0, 'constant': False,
                        'nan': 0.0, 'count': 2000, 'changes': 1999}], **changes}


def survey(file='drive.bag', **changes):
    return {'file': file, 'path': f'/bags/{file}', 'start': 1000.0, 'end': 1100.0,
            'messages': 4000, 'topics': [topic('/odom'), topic('/cmd_vel', offset=None)],
            'notes': [], 'remarks': [], **changes}


def written(tmp_path, **content):
    path = tmp_path / 'page.html'
    write_bag_page(path, **content)
    return path.read_text()


def words(text):
    """Return what a reader sees of a page, without its pictures."""
    text = re.sub(r'base64,[^"]*|<wbr>', '', text)
    return ' '.join(re.sub(r'<[^>]*>', ' ', text).replace('&#x27;', "'").split())


def test_a_page_is_one_file_that_needs_no_network(tmp_path):
    text = written(tmp_path, report=report(), surveys=[survey()])
    sources = re.findall(r'(?:src|href)="([^"]{0,22})', text)
    assert set(sources) == {'data:image/png;base64,'}
    assert 'http' not in re.sub(r'base64,[^"]*', '', text) and '<script' not in text


def test_a_conversion_is_shown_from_what_is_wrong_to_its_values(tmp_path):
    made = report(remarks=["'/cmd_vel' stops and comes back"])
    made['bags'][1]['notes'] = ['a note']
    text = words(written(tmp_path, report=made))
    for fact in ('Recordings of toy', "What is wrong '/cmd_vel' stops and comes back",
                 'second.bag: a note', '/odom observation 4,000 20 Hz', 'second.bag 100 s 1,000',
                 'second.bag, 51.0 s 490 -90 terminated', 'cmd_vel x -1 to 1 -0.9 to 0.95 5% 10%',
                 'cmd_vel x leads odom x by 120 ms (r 0.83, 2 of 2 bags)', 'odom x 0 1'):
        assert fact in text, fact


def test_nothing_wrong_is_said_too(tmp_path):
    assert 'Nothing suspicious was found' in words(written(tmp_path, report=report()))
    assert 'Nothing suspicious was found' in words(written(tmp_path, surveys=[survey()]))


def test_a_survey_shows_topics_and_values(tmp_path):
    odd = survey(remarks=['too <slow>'], notes=['a note'])
    odd['topics'][0]['fields'] += [
        {'name': 'still', 'minimum': 2.0, 'maximum': 2.0, 'constant': True, 'nan': 0.25},
        {'name': 'lost', 'minimum': None, 'maximum': None, 'constant': False, 'nan': 1.0}]
    odd['topics'].append(topic('/odd', messages=0, fields=[], error='type unknown', gaps=[],
                               offset=None, rate=0.0))
    odd['topics'].append(topic('/bad', fields=[], error='a message is damaged'))
    raw = written(tmp_path, surveys=[odd])
    text = words(raw)
    assert 'too &lt;slow&gt;' in raw
    for fact in ('What is in drive.bag', '4,000 messages, 100 s', '/cmd_vel some_msgs/Type 2,000',
                 'no header', '/odom still 2 2 never changes; 25.0% not finite',
                 '/odom lost never a finite number', 'a message is damaged', '0 of 2,000'):
        assert fact in text, fact


def test_several_surveys_are_told_apart(tmp_path):
    text = words(written(tmp_path, surveys=[survey(), survey('two.bag', remarks=['odd'])]))
    assert 'What is in 2 bags' in text and 'Topics: two.bag' in text and 'two.bag: odd' in text


def test_of_forty_bags_the_worst_have_a_timeline(tmp_path):
    bags = [bag(f'{n}.bag', dropped={'no odom young enough': n}) for n in range(40)]
    raw = written(tmp_path, report=report(*bags))
    assert 'Of 40 bags, the 6 in which most ticks were not used' in words(raw)
    assert raw.count('data:image/png') == 6 + 6
    assert 'and 60 more.' in words(raw)


def test_a_bag_without_messages_or_episodes_has_a_page(tmp_path):
    empty = survey(messages=0, start=None, end=None, topics=[topic(
        '/odom', messages=0, fields=[], offset=None, first=None, last=None, gaps=[])])
    assert 'No topic has numbers' in words(written(tmp_path, surveys=[empty]))
    none = bag(used=0, episodes=[], ended={}, delays=[], dropped={'no odom young enough': 1000})
    none['streams'][0]['age'] = None
    none['streams'][0]['offset'] = None
    text = words(written(tmp_path, report=report(none, actions=[], observations=[])))
    assert '0 transitions in 0 episodes from 1 bag' in text


def test_activity_ends_at_a_gap():
    busy = {'activity': {'width': 1.0, 'bins': [[0.0, 20], [1.0, 20], [4.0, 20], [5.0, 20]]},
            'period': 0.05, 'gaps': []}
    assert _runs(busy) == [(0.0, 2.0), (4.0, 2.0)]
    assert _runs({**busy, 'period': 2.0}) == [(0.0, 6.0)]
    assert _runs({**busy, 'gaps': [[0.5, 1.2]]}) == [(0.0, 1.0), (1.0, 1.0), (4.0, 2.0)]


def test_ages_of_several_bags_share_their_bins():
    ages = [{'age': {'edges': [0.0, 0.01, 0.02], 'counts': [4, 2]}}, {'age': None},
            {'age': {'edges': [0.0, 0.04], 'counts': [8]}}]
    assert _rebinned(ages, [0.0, 10.0, 20.0, 30.0, 40.0]).tolist() == [6.0, 4.0, 2.0, 2.0]


@needs_bags
@pytest.mark.parametrize('name, source, said', [
    ('turtlebot3', 'turtlebot3.bag',
     ["'/cmd_vel' stops and comes back: 8 or more gaps, the longest of 4.06 s at 13.0 s",
      'no command in force', 'cmd_vel linear.x leads odom twist.twist.linear.x by 1']),
    ('selfdriving_nav', 'selfdriving_nav',
     ["'/scan' has header stamps 1,714,557,222 s before the receive time",
      "'/cmd_vel' begins 4.54 s after and ends 1.27 s before the other streams",
      'a gap of 600 ms at 15.3 s', 'No action is seen to move any observation'])])
def test_a_stranger_is_told_what_is_wrong_with_a_real_conversion(tmp_path, name, source, said):
    _, made = read_episodes([BAGS / source], load_robot_interface(ROBOTS / f'{name}.yaml'))
    text = words(written(tmp_path, report=made))
    for fact in said:
        assert fact in text, fact


@needs_bags
def test_a_stranger_is_told_what_is_in_a_real_bag(tmp_path):
    text = words(written(tmp_path, surveys=[survey_bag(BAGS / 'turtlebot3.bag', Allowed())]))
    assert '4.06 s at 13.0 s' in text and '/cmd_vel linear.x' in text
