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

"""Tests for share/make_layouts.py: the layouts are of the kinds that the two tools read."""

import json
import re
import sys
from xml.etree import ElementTree

import pytest

from iql_ros.robot.robot_interface import load_robot_interface
from tests.places import ROOT

sys.path.append(str(ROOT / 'share'))
import make_layouts  # noqa: E402, I100 (of share)

ROBOTS = ROOT / 'config' / 'robots'
NODE = '/sim/policy_node'
# Foxglove's grammar of a message path (packages/message-path/src/grammar.ne): as much of it as
# is used, a topic, a field and an index
_PATH = re.compile(r'(?P<topic>(?:/[a-zA-Z0-9_-]+)+)\.position\[(?P<index>\d+)\]')


def robot(name='diffbot.yaml'):
    return load_robot_interface(ROBOTS / name)


def names(interface):
    """Return what DebugTopics calls the values of its two messages, by topic."""
    return {f'{NODE}/debug/observation': interface.observation_names,
            f'{NODE}/debug/action': [
                f'{name}/{kind}' for name in interface.action_names
                for kind in ('raw', 'gated', 'sent', 'clipped')]}


@pytest.mark.parametrize('name, write', make_layouts.WRITERS.items())
def test_the_shipped_layouts_are_those_of_the_shipped_robot(name, write):
    assert (ROOT / 'share' / 'layouts' / name).read_text() == write(robot(), NODE)


@pytest.mark.parametrize('name', ['diffbot.yaml', 'hopper.yaml',
                                  'examples/arm_joint_trajectory.yaml'])
def test_every_value_is_a_curve_by_the_name_that_plotjuggler_gives_it(name):
    interface = robot(name)
    root = ElementTree.fromstring(make_layouts.plotjuggler(interface, NODE))
    curves = [curve.get('name') for curve in root.iter('curve')]
    # its parser of a JointState calls a value <topic>/<name>/position
    assert sorted(curves) == sorted(f'{topic}/{value}/position'
                                    for topic, values in names(interface).items()
                                    for value in values)


def test_plotjuggler_finds_as_many_places_as_it_is_told():
    root = ElementTree.fromstring(make_layouts.plotjuggler(robot(), NODE))
    window, = root.findall('tabbed_widget')
    assert (root.tag, window.get('name')) == ('root', 'Main Window')
    splitter, = window.findall('Tab/Container/DockSplitter')
    areas, sizes = splitter.findall('DockArea'), splitter.get('sizes').split(';')
    assert len(areas) == len(sizes) == int(splitter.get('count')) == len(list(splitter))
    assert splitter.get('orientation') == '-' and sum(map(float, sizes)) == pytest.approx(1)
    assert {plot.get('mode') for area in areas for plot in area.findall('plot')} == {'TimeSeries'}
    assert root.find('Plugins/plugin').get('ID') == root.find(
        'previouslyLoaded_Streamer').get('name')
    topics = root.find('Plugins/plugin/selected_topics').get('value').split(';')
    assert sorted(topics) == sorted(names(robot()))


@pytest.mark.parametrize('name', ['diffbot.yaml', 'hopper.yaml',
                                  'examples/arm_joint_trajectory.yaml'])
def test_foxglove_labels_every_index_by_the_values_name(name):
    interface = robot(name)
    panels = json.loads(make_layouts.foxglove(interface, NODE))['configById']
    found = {}
    for key, panel in panels.items():
        for path in panel.get('paths', ()):
            match = _PATH.fullmatch(path['value'])
            assert path['timestampMethod'] == 'headerStamp'
            found.setdefault(match['topic'], {})[int(match['index'])] = path['label']
    assert found == {topic: dict(enumerate(values))
                     for topic, values in names(interface).items()}


def leaves(node):
    return [node] if isinstance(node, str) else leaves(node['first']) + leaves(node['second'])


def test_foxglove_places_every_panel_once():
    layout = json.loads(make_layouts.foxglove(robot(), NODE))
    assert sorted(leaves(layout['layout'])) == sorted(layout['configById'])
    assert set(layout) == {'configById', 'globalVariables', 'userNodes', 'playbackConfig',
                           'layout'}
    assert list(layout['configById']['3D!policy']['topics']) == [f'{NODE}/debug/markers']
