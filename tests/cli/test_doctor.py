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

"""Tests for the doctor; its probes are real processes, each test starts one or two."""

import json
import re
import runpy
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import pytest

from iql_ros.cli import cli
from iql_ros.cli.doctor import libraries, places, probing, ros
from iql_ros.cli.doctor.doctor import CHECKS, closing_text
from iql_ros.cli.json_output import DOCTOR_KEYS
from tests.cli.command import files_in
from tests.places import ROOT

VARIABLES = ('AMENT_PREFIX_PATH', 'MUJOCO_GL', 'PYTHONPATH', 'RMW_IMPLEMENTATION',
             'ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_DOMAIN_ID', 'ROS_LOCALHOST_ONLY')


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Leave out what the shell of the tests may say."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def put_module(workplace, monkeypatch, name, text):
    """Put a module in front of the installed one of that name, as PYTHONPATH does."""
    folder = workplace / 'mine'
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / '__init__.py').write_text(text)
    monkeypatch.setattr(sys, 'path', [str(folder), *sys.path])
    monkeypatch.setenv('PYTHONPATH', str(folder))
    return folder


def test_everything_is_checked_and_nothing_is_left_behind(workplace, monkeypatch, capsys):
    for name in ('home', 'tmp', 'here'):
        (workplace / name).mkdir()
    monkeypatch.chdir(workplace / 'here')
    monkeypatch.setenv('HOME', str(workplace / 'home'))
    monkeypatch.setattr(tempfile, 'tempdir', str(workplace / 'tmp'))
    before = files_in(workplace)
    assert cli.main(['doctor', '--json']) == 0
    out, error = capsys.readouterr()
    document = json.loads(out)
    assert list(document) == list(DOCTOR_KEYS) and document['ok'] and error == ''
    checks = {check['name']: check for check in document['checks']}
    assert len(checks) == len(CHECKS)
    assert {checks[name]['state'] for name in ('python', 'base', 'torch', 'runs')} == {'ok'}
    assert checks['torch']['facts']['threads'] >= 1
    assert checks['datasets']['facts']['datasets'] is None  # of a folder that is not there
    assert checks['runs']['facts']['free_bytes'] > 2**20
    assert all((check['cure'] is None) == (check['state'] == 'ok') for check in checks.values())
    assert files_in(workplace) == before


def test_what_is_broken_makes_the_exit_code_1(workplace, monkeypatch, capsys):
    (workplace / 'file').touch()
    monkeypatch.setenv('IQL_RUNS', str(workplace / 'file' / 'runs'))
    monkeypatch.setattr('iql_ros.cli.doctor.doctor.CHECKS', [
        check for check in CHECKS if check in (
            libraries.check_base, libraries.check_torch, places.check_runs)])
    monkeypatch.setattr('iql_ros.cli.doctor.doctor.NEEDS', {'act': 'torch'})
    assert cli.main(['doctor']) == 1
    *_, runs, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch('!!  runs +/.*runs cannot be written: Not a directory -> '
                        'export IQL_RUNS=FOLDER, another one', runs)
    assert last == 'can act; broken, to be mended in this order: runs'


def test_the_last_line_says_what_this_machine_can_do():
    assert closing_text({'a': 'ok', 'b': 'missing'}, {'train': True, 'run nodes': False}) == (
        'can train; cannot run nodes; nothing is broken')
    assert closing_text({'a': 'broken', 'b': 'broken'}, {'train': False}) == (
        'cannot train; broken, to be mended in this order: a, b')


def test_a_broken_torch_is_named_with_the_folder_that_it_comes_from(workplace, monkeypatch):
    folder = put_module(workplace, monkeypatch, 'torch', 'raise ImportError("no\\nlibtorch")')
    finding = libraries.check_torch()
    assert finding.state == 'broken' and 'ImportError: no libtorch' in finding.text
    assert finding.cure == (f'take {folder} out of PYTHONPATH, or '
                            'pip install --force-reinstall torch')


@pytest.mark.parametrize('text, reason', [
    ('import os; os.kill(os.getpid(), 11)', 'ended by SIGSEGV'),
    ('import os, sys; sys.stderr.write("a\\nlast word\\n"); sys.stderr.flush(); os._exit(7)',
     'ended with code 7: last word'),
    ('print("hello"); raise OSError("no such library")', 'OSError: no such library')])
def test_a_library_that_crashes_does_not_take_the_doctor_with_it(workplace, monkeypatch, text,
                                                                 reason):
    put_module(workplace, monkeypatch, 'h5py', text)
    finding = libraries.check_data()
    assert finding.state == 'broken'
    assert finding.text == f'h5py cannot be imported: {reason}'


def test_a_library_that_hangs_is_left_alone(monkeypatch):
    monkeypatch.setattr(probing, '_TIMEOUT', 0.001)
    assert probing.probe('libraries', 'numpy') == {'error': 'no answer within 0.001 s'}


def test_what_others_print_while_python_starts_is_no_fact(workplace, monkeypatch):
    put_module(workplace, monkeypatch, 'sitecustomize', 'print("hello"); print("3")')
    assert list(probing.probe('libraries', 'json', 'absent_a')) == ['json', 'absent_a']


def test_missing_libraries_are_named_with_what_they_are_for_and_their_extra(monkeypatch):
    monkeypatch.setitem(libraries.EXTRAS, 'data', (('json', 'absent_a', 'absent_b'), 'training'))
    finding = libraries.check_data()
    assert finding.line() == ('-   data       absent_a, absent_b are missing, for training -> '
                              "pip install 'iql_ros[data]'")


def test_the_extras_are_those_of_setup_py(monkeypatch):
    setuptools = pytest.importorskip('setuptools')
    monkeypatch.setattr(setuptools, 'setup', lambda **keywords: None)
    monkeypatch.chdir(ROOT)
    extras = runpy.run_path(str(ROOT / 'setup.py'))['EXTRAS']
    for name, (names, _) in libraries.EXTRAS.items():
        asked = {found for line in extras[name] for found in re.findall(r'[a-z0-9]+', line)}
        assert set(names) <= asked
        assert {re.match(r'\w+', line)[0] for line in extras[name]} <= set(names)


def test_a_gpu_that_torch_does_not_use_is_told():
    facts = {'version': '2.13.0', 'threads': 8, 'cuda': '12.8', 'gpus': ['GPU A', 'GPU B']}
    assert libraries.judge_torch(facts, True).line() == (
        'ok  torch      2.13.0, GPU A, GPU B, 8 threads')
    alone = {**facts, 'gpus': [], 'threads': 1}
    assert libraries.judge_torch(alone, False).text == '2.13.0, no CUDA device, 1 thread'
    finding = libraries.judge_torch(alone, True)
    assert finding.state == 'missing' and 'nvidia-smi' in finding.cure
    assert 'with CUDA' in libraries.judge_torch({**alone, 'cuda': None}, True).cure


def test_a_wrong_mujoco_gl_is_told_with_its_cure(monkeypatch):
    pytest.importorskip('mujoco')
    monkeypatch.setenv('MUJOCO_GL', 'nonsense')
    assert libraries.check_sim().state == 'ok'  # one fault is told once
    finding = libraries.check_drawing()
    assert finding.state == 'broken' and 'MUJOCO_GL: nonsense' in finding.text
    assert re.match('export MUJOCO_GL=egl|unset MUJOCO_GL', finding.cure)


def test_two_ros_at_once_are_refused(workplace, monkeypatch):
    for name in ('a', 'b'):
        (workplace / name / 'rclpy').mkdir(parents=True)
        (workplace / name / 'rclpy' / '__init__.py').touch()
    (workplace / 'again').symlink_to('a')
    monkeypatch.setattr(sys, 'path', [str(workplace / name) for name in ('a', 'again', 'b')])
    finding = ros.check_ros()
    assert finding.state == 'broken'
    assert finding.text == f'there are two: {workplace}/a and {workplace}/b'
    monkeypatch.setattr(sys, 'path', [str(workplace)])
    assert ros.check_ros().state == 'missing'


def test_wheels_in_a_shell_that_has_sourced_a_ros_are_refused(workplace, monkeypatch):
    (workplace / 'site' / 'rclpy').mkdir(parents=True)
    (workplace / 'site' / 'rclpy' / '__init__.py').touch()
    (workplace / 'site' / 'ros_jazzy_rclpy-7.1.6.dist-info').mkdir()
    (workplace / 'site' / 'ros_jazzy_rclpy-7.1.6.dist-info' / 'METADATA').write_text(
        'Metadata-Version: 2.1\nName: ros-jazzy-rclpy\nVersion: 7.1.6\n')
    (workplace / 'ros' / 'share' / 'rclpy').mkdir(parents=True)
    monkeypatch.setattr(sys, 'path', [str(workplace / 'site'), *sys.path[:1]])
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{workplace}/overlay:{workplace}/ros')
    finding = ros.check_ros()
    assert finding.text == f'there are two: {workplace}/site and {workplace}/ros'


def test_the_ros_that_is_here_is_named_with_its_rmw(monkeypatch):
    pytest.importorskip('rclpy')
    finding = ros.check_ros()
    assert finding.state == 'ok', finding.text
    assert finding.facts['rmw'].startswith('rmw_') and finding.facts['rmw'] in finding.text
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'rmw_absent_cpp')
    finding = ros.check_ros()
    assert finding.state == 'broken' and 'unset RMW_IMPLEMENTATION' in finding.cure


@pytest.mark.parametrize('changes, state, words', [
    ({}, 'ok', r'jazzy from /ros \(rclpy 7.1.5\), rmw_x \(its default\)'),
    ({'wheels': True}, 'ok', 'jazzy from wheels'),
    ({'version': '3.3.16', 'distribution': 'humble'}, 'missing', 'humble .* is too old'),
    ({'error': 'ImportError: _rclpy'}, 'broken', 'does not work: ImportError: _rclpy'),
    ({'missing': ['std_srvs']}, 'broken', 'has no std_srvs')])
def test_a_ros_is_judged_by_what_the_nodes_need(changes, state, words):
    facts = {'distribution': 'jazzy', 'wheels': False, 'place': '/ros', 'version': '7.1.5',
             'rmw': 'rmw_x', 'missing': [], **changes}
    finding = ros.judge_ros(facts, None)
    assert finding.state == state and re.search(words, finding.text)


def test_the_message_packages_are_those_of_package_xml():
    manifest = ElementTree.parse(ROOT / 'package.xml').getroot()
    needed = {entry.text for entry in manifest.iter('exec_depend')
              if entry.text.endswith(('_msgs', '_srvs', '_interfaces'))}
    assert set(ros.MESSAGES) == needed


@pytest.mark.parametrize('variables, state, words', [
    ({}, 'ok', 'domain 0, range SUBNET'),
    ({'ROS_DOMAIN_ID': '42', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}, 'ok',
     "domain 42, range LOCALHOST: this machine's nodes"),
    ({'ROS_LOCALHOST_ONLY': '1'}, 'ok', 'range LOCALHOST'),
    ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'}, 'missing', 'no node finds another'),
    ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'local'}, 'broken', 'RANGE is local'),
    ({'ROS_DOMAIN_ID': '233'}, 'broken', 'ROS_DOMAIN_ID is 233'),
    ({'ROS_DOMAIN_ID': '-1'}, 'broken', 'ROS_DOMAIN_ID is -1')])
def test_discovery_is_told_from_the_environment(monkeypatch, variables, state, words):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    finding = ros.check_discovery()
    assert finding.state == state and words in finding.text


def test_the_folder_of_datasets_is_counted_and_not_made(workplace, monkeypatch):
    pytest.importorskip('minari')
    assert places.check_datasets().text.startswith(f'{workplace}/minari, not made yet, ')
    assert not (workplace / 'minari').exists()
    (workplace / 'minari' / 'robot' / 'drive-v0' / 'data').mkdir(parents=True)
    (workplace / 'minari' / 'robot' / 'drive-v0' / 'data' / 'metadata.json').write_text('{}')
    monkeypatch.setenv('MINARI_DATASETS_PATH', 'minari')  # seen from here
    finding = places.check_datasets()
    assert finding.state == 'ok' and f'{workplace}/minari, 1 dataset, ' in finding.text
    (workplace / 'file').touch()
    monkeypatch.setenv('MINARI_DATASETS_PATH', 'file')
    finding = places.check_datasets()
    assert finding.state == 'broken' and 'cannot be written: Not a directory' in finding.text
    assert finding.cure == 'export MINARI_DATASETS_PATH=FOLDER, another one'


def test_little_room_is_told(monkeypatch):
    monkeypatch.setattr(places, '_LITTLE', 2**80)
    finding = places.check_runs()
    assert finding.state == 'missing' and finding.cure.startswith('make room')
