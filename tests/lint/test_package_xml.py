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

"""Tests that package.xml is well-formed and says what catkin_pkg, and so colcon, must know."""

import pytest

from tests.places import ROOT

package = pytest.importorskip('catkin_pkg.package')

MANIFEST = (ROOT / 'package.xml').read_text()
ADDRESS = 'https://example.com/iql_ros'  # until the repository has a public one


def read(text):
    """Return the package that a manifest describes and what catkin_pkg has to say about it."""
    warnings = []
    return package.parse_package_string(text, 'package.xml', warnings=warnings), warnings


def test_it_is_read_without_a_warning():
    described, warnings = read(MANIFEST)
    described.validate(warnings)
    assert warnings == []
    assert described.package_format == 3
    assert described.get_build_type() == 'ament_python'


def test_it_says_where_the_package_lives():
    described, _ = read(MANIFEST)
    assert {url.type: url.url for url in described.urls} == {
        'website': ADDRESS, 'repository': f'{ADDRESS}.git', 'bugtracker': f'{ADDRESS}/issues'}


def test_it_names_what_colcon_test_needs():
    described, _ = read(MANIFEST)
    assert {depend.name for depend in described.test_depends} == {
        'ament_copyright', 'ament_flake8', 'ament_pep257', 'python3-hypothesis', 'python3-pytest'}


def test_the_licence_file_that_it_names_is_there():
    described, _ = read(MANIFEST)
    assert (ROOT / described.licenses[0].file).is_file()


@pytest.mark.parametrize('good, bad', [
    ('</package>', ''), ('<version>', '<version>v'), ('exec_depend>', 'run_depend>'),
    ('email="iql-ros@example.com"', ''), ('<name>iql_ros', '<name>IQL ROS'),
])
def test_a_wrong_one_would_be_seen(good, bad):
    assert good in MANIFEST
    with pytest.raises(package.InvalidPackage):
        _, warnings = read(MANIFEST.replace(good, bad))
        if warnings:
            raise package.InvalidPackage(warnings[0])
