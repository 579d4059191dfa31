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

"""Tests for what is built and installed: package.xml, setup.py, constraints.txt."""

import ast
import os
import re
import runpy
import xml.etree.ElementTree as ElementTree

import pytest

import iql_ros
from tests.places import ROOT


@pytest.fixture(name='setup')
def setup_arguments(monkeypatch):
    """Return what setup.py hands to setuptools."""
    setuptools = pytest.importorskip('setuptools')
    captured = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **keywords: captured.update(keywords))
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / 'setup.py'))
    return captured


def manifest():
    return ElementTree.parse(ROOT / 'package.xml').getroot()


def names(requirements):
    return {re.split(r'[\[<>=!~ ]', requirement)[0].lower() for requirement in requirements}


def test_name_and_version_agree_everywhere(setup):
    changelog = (ROOT / 'CHANGELOG.rst').read_text()
    assert manifest().findtext('name') == setup['name'] == 'iql_ros'
    assert manifest().findtext('version') == setup['version'] == iql_ros.__version__
    assert re.search(r'^(\d+\.\d+\.\d+) \(', changelog, re.MULTILINE)[1] == setup['version']
    assert manifest().findtext('license') == setup['license'] == 'Apache-2.0'


def test_everything_launch_files_and_nodes_read_is_installed(setup):
    installed = {os.path.join(target, os.path.basename(path)): path
                 for target, paths in setup['data_files'] for path in paths}
    assert installed['share/ament_index/resource_index/packages/iql_ros'] == 'resource/iql_ros'
    assert installed['share/iql_ros/package.xml'] == 'package.xml'
    for top in ('benchmarks', 'config', 'launch', 'share', 'sim'):
        wanted = [path.relative_to(ROOT) for path in (ROOT / top).rglob('*')
                  if path.is_file() and path.suffix != '.pyc']
        assert wanted, top
        for path in wanted:
            assert installed[f'share/iql_ros/{path}'] == str(path)


def test_no_build_leftover_is_installed(setup):
    paths = [path for _, files in setup['data_files'] for path in files]
    assert [path for path in paths if '__pycache__' in path or '/.' in path] == []


def test_every_console_script_is_a_function_of_the_package(setup):
    scripts = dict(script.split(' = ') for script in setup['entry_points']['console_scripts'])
    assert set(scripts) == {'iql-ros', 'finetune_node', 'policy_node', 'sim_node', 'train_node'}
    for target in scripts.values():
        module, function = target.split(':')
        path = ROOT / module.replace('.', '/')
        path = path / '__init__.py' if path.is_dir() else path.with_suffix('.py')
        functions = [node.name for node in ast.parse(path.read_text()).body
                     if isinstance(node, ast.FunctionDef)]
        assert function in functions, target


def test_the_base_install_is_four_packages_and_all_holds_every_extra(setup):
    assert names(setup['install_requires']) == {'numpy', 'pyyaml', 'torch', 'safetensors'}
    extras = dict(setup['extras_require'])
    everything = set(extras.pop('all'))
    assert everything == {requirement for extra in extras.values() for requirement in extra}


def test_colcon_sees_that_pytest_runs_the_tests(setup):
    colcon = pytest.importorskip('colcon_core.task.python.test')
    assert colcon.has_test_dependency(setup, 'pytest')
    del setup['extras_require']['test']
    assert not colcon.has_test_dependency(setup, 'pytest')


def test_every_dependency_is_pinned_once(setup):
    lines = [line for line in (ROOT / 'constraints.txt').read_text().splitlines()
             if line and not line.startswith('#')]
    pinned = [line.split('==')[0].lower().replace('_', '-') for line in lines]
    assert len(set(pinned)) == len(pinned)
    required = names(setup['install_requires'] + setup['extras_require']['all'])
    assert sorted(required - set(pinned)) == []
    assert 'torch==2.13.0' in lines  # without a local version, so that CPU and CUDA builds fit


def test_every_message_package_that_the_nodes_import_is_in_the_manifest():
    depends = {element.text for element in manifest() if element.tag.endswith('depend')}
    imported = set()
    for path in [*(ROOT / 'iql_ros' / 'nodes').glob('*.py'), *(ROOT / 'launch').glob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split('.')[0])
    ros = {name for name in imported
           if name in ('rclpy', 'launch', 'launch_ros', 'ament_index_python', 'std_srvs')
           or name.endswith(('_msgs', '_interfaces'))}
    assert 'rclpy' in ros
    assert sorted(ros - depends) == []
