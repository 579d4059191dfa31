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

"""Small inputs from other people's reports, and what the command must say and do about each."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from iql_ros.cli import cli
from iql_ros.data.bags.files import Allowed
from iql_ros.data.bags.survey.robot_draft import draft_robot
from iql_ros.data.bags.survey.survey import survey_bag
from iql_ros.data.datasets import load_dataset
from iql_ros.robot.robot_interface import parse_robot_interface
from tests.places import SHARED

CASES = SHARED / 'cases'

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason='../shared is absent')


class Case:
    """A case's bags in a test's own folder, and the command."""

    def __init__(self, folder, capsys, name):
        self.folder, self._capsys, self.name = folder, capsys, name
        subprocess.run([sys.executable, CASES / f'{name}.py', folder], check=True)
        given = CASES / f'{name}.robot.yaml'
        if given.exists():
            shutil.copy(given, folder / 'robot.yaml')

    def bag(self, name='bag'):
        return self.folder / self.name / name

    def draft(self, bag='bag'):
        """Write the drafted robot, with a task; return it."""
        text = draft_robot(survey_bag(self.bag(bag), Allowed()), 'robot').replace(
            'reward: TODO', 'reward: -1.0').replace('time_limit: TODO', 'time_limit: 20.0')
        (self.folder / 'robot.yaml').write_text(text)
        return parse_robot_interface(text, 'draft')

    def convert(self, bag='bag', *options, code=0):
        """Return what the command says of a bag: its error where the code is 2."""
        self._capsys.readouterr()
        assert cli.main(['convert', str(self.bag(bag)), '--robot-config',
                         str(self.folder / 'robot.yaml'), '--dataset', f'case/{bag}-v0',
                         *options]) == code
        said = self._capsys.readouterr()
        assert 'Warning' not in said.err
        return said.err if code else said.out

    def inspect(self, bag='bag'):
        self._capsys.readouterr()
        assert cli.main(['inspect', str(self.bag(bag))]) == 0
        said = self._capsys.readouterr()
        assert 'Warning' not in said.err
        return ' '.join(said.out.split())


@pytest.fixture
def case(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'datasets'))
    return lambda name: Case(tmp_path, capsys, name)


def test_too_close_to_measure_is_range_min_and_nothing_in_range_is_range_max(case):
    scan = case('scan_inf')
    scan.convert()
    observations = load_dataset('case/bag-v0').observations
    assert set(observations[:, 0]) == {3.5}
    nearest = observations[:, 1]
    assert nearest[0] == 1.0 and (np.diff(nearest) <= 0).all()
    assert nearest[-1] == nearest.min() == pytest.approx(0.12)


def test_what_moves_by_metres_at_thousands_of_kilometres_is_in_the_draft(case):
    gps = case('constant_gps')
    names = gps.draft().observation_names
    assert {'pose pose.position.x', 'pose pose.position.y'} <= set(names)
    assert any(name.endswith('latitude') for name in names)
    assert any(name.endswith('longitude') for name in names)
    assert 'altitude' not in ' '.join(names)
    text = gps.inspect()
    assert 'longitude -82.3468 .. -82.3465' in text


def test_a_millimetre_at_a_northing_of_4000_km_is_in_the_dataset(case, monkeypatch):
    monkeypatch.syspath_prepend(str(CASES))
    car = case('utm')
    car.convert()
    northings = load_dataset('case/bag-v0').observations[:, 1]
    assert len(set(northings)) == len(northings) == 599


@pytest.mark.parametrize('bag, farthest', [('e6', '4.7e+06'), ('e30', '3.4e+30'),
                                           ('e226', '-4.738e+226')])
def test_a_corrupt_value_is_named_refused_or_left_out_and_rules_no_draft(case, bag, farthest):
    robot = case('outlier')
    said = robot.inspect(bag)
    assert (f"'/joint_states': position[left] lies far outside of all other values (-1 to 1) in 6 "
            f'of 3,000 messages, as far as {farthest}, first at 30.000 s') in said
    robot.draft(bag)
    assert '-1 to 1' in (robot.folder / 'robot.yaml').read_text()
    line = robot.convert(bag, code=2)
    assert f"bag '{robot.bag(bag)}': observation 'joint_states position[left]'" in line
    assert f'as far as {farthest}, at 2 of 602 ticks, first 30.000 s' in line
    assert '--allow outliers' in line
    said = robot.convert(bag, '--allow', 'outliers')
    assert '3 with a value far outside of all others' in said
    assert np.abs(load_dataset(f'case/{bag}-v0').observations).max() <= 1.0


def test_two_publishers_that_disagree_are_refused_with_the_ticks(case):
    robot = case('two_publishers')
    line = robot.convert('bag2', code=2)
    assert "topic '/joint_states': 8 of 99 ticks see messages with another list" in line
    assert 'At 3.097, 3.197, 3.297, 3.397, 6.597, ... s (--allow publishers' in line
    said = robot.convert('bag2', '--allow', 'publishers')
    assert '8 of 99 ticks see messages' in said and '98 transitions' in said


def test_an_array_beside_a_name_is_the_command(case):
    robot = case('group_command')
    assert 'joints: a, r, m' not in robot.inspect()
    action, = robot.draft().action
    assert (action.fields, action.size, action.joints) == (('cmd',), 2, ())
    assert action.set == {'name': 'arm'}


def test_an_empty_trajectory_ends_the_command(case):
    arm = case('jtraj')
    arm.convert('stream')
    said = ' '.join(arm.convert('with_empty').split())
    assert 'the trajectory has no points: no command until the next: once, 4.801 s' in said
    whole, cut = (load_dataset(f'case/{name}-v0') for name in ('stream', 'with_empty'))
    assert len(whole.rewards) > len(cut.rewards)
    assert cut.episode_lengths[0] == 47    # from 0.1 to 4.8 s: the next tick has no command


@pytest.mark.parametrize('bag, reason', [
    ('js_empty_velocity', "field 'velocity' has 0 values for 2 joints"),
    ('js_empty_all', 'its list of joints is empty'),
    ('multiarray_empty', "field 'data' has 0 values; the interface says size: 2")])
def test_one_odd_message_is_refused_with_its_time_and_can_be_left_out(case, bag, reason):
    robot = case('one_odd')
    line = robot.convert(bag, code=2)
    assert f'{reason}, 0.000 s after the start of the bag (--allow unfit-messages' in line
    said = robot.convert(bag, '--allow', 'unfit-messages')
    assert f'{reason}: once, 0.000 s' in said and '98 of 100 ticks used' in said


def test_a_gripper_that_is_sent_when_it_changes_gets_no_false_remark(case):
    said = ' '.join(case('joy').convert().split())
    assert '298 transitions' in said
    for remark in ('nothing of that time', 'control_rate of', 'No action is seen',
                   'gripper/close data lies at low or high'):
        assert remark not in said


def test_axes_and_buttons_are_one_stream(case):
    joy = case('joy')
    path = joy.folder / 'robot.yaml'
    text = path.read_text()
    for old, new in (('size: 6, fields: [axes]', "fields: ['axes[0:6]', 'buttons[0:4]']"),
                     ('-1.0,-1.0,-1.0,-1.0,-1.0,-1.0', '-1.0,-1.0,-1.0,-1.0,-1.0,-1.0,0,0,0,0'),
                     ('1.0,1.0,1.0,1.0,1.0,1.0]', '1.0,1.0,1.0,1.0,1.0,1.0,1,1,1,1]')):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    joy.convert()
    actions = load_dataset('case/bag-v0').actions
    # a button changes every 2 s, 1 ms after a tick
    assert actions.shape == (298, 11) and set(np.round(actions[:, 6], 1)) == {-1.0, 1.0}
    np.testing.assert_allclose(actions[:, 7:10], -1.0, atol=1e-4)
    text = draft_robot(survey_bag(joy.bag(), Allowed()), 'robot')
    assert '- "axes[0:6]"' in text and '- "buttons[0:4]"' in text


def test_joints_that_come_in_several_messages_are_a_stream_each_with_an_age_of_their_own(case):
    arm = case('partial_joints')
    text = draft_robot(survey_bag(arm.bag(), Allowed()), 'robot').replace(
        'reward: TODO', 'reward: -1.0').replace('time_limit: TODO', 'time_limit: 20.0')
    (arm.folder / 'robot.yaml').write_text(text.replace(
        'control_rate: 20', 'control_rate: 10'))
    interface = parse_robot_interface(text, 'draft')
    assert [(stream.topic, stream.joints) for stream in interface.observation] == [
        ('joint_states', ('arm_1', 'arm_2')), ('joint_states', ('gripper',))]
    assert interface.observation[1].max_age > 2 * 0.04 > interface.observation[0].max_age
    assert '98 transitions' in arm.convert()
    observations = load_dataset('case/bag-v0').observations
    # the newest one before a tick: of the arm 20 ms apart, of the gripper 5 ms after every second
    assert observations.shape == (98, 3) and len(np.unique(observations[:, 2])) == 2
