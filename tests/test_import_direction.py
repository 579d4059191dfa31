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

"""Tests for who may import whom, over the syntax trees, and for what the base install imports."""

import ast
import functools
import subprocess
import sys

import pytest

from tests.places import ROOT

PACKAGE = ROOT / 'iql_ros'

# Each family may import itself and those before it, not even inside a function the ones after it.
GROUND = ('files', 'interrupts', 'pages', 'parallel', 'ray_cluster', 'tasks', 'text_table',
          'yaml_loader')
FAMILIES = ('ground', 'learner', 'robot', 'sim', 'data', 'comparison', 'runs', 'replay', 'sweeps',
            'online', 'demo', 'nodes', 'cli')
# The nodes start processes of their own, so that the command line never needs them.
APART = {'demo': {'nodes'}, 'cli': {'nodes'}}
# The nodes themselves stand over their parts, which are in such an order too.
NODE_ROOMS = ('hosting', 'learning', 'sentry', 'control')

BASE = {'numpy', 'yaml', 'torch', 'safetensors'}
MAY_NEED = {'ground': {'numpy', 'yaml', 'matplotlib', 'ray'},
            'learner': {'numpy', 'yaml', 'torch'}, 'robot': {'numpy', 'yaml'}}
ROS_NAMES = ('rclpy', 'rosidl_runtime_py', 'ament_index_python', 'std_srvs', 'launch')


@functools.cache
def modules():
    """Return the modules of the package by dotted name below it, `__init__` among them."""
    return {'.'.join(path.relative_to(PACKAGE).with_suffix('').parts): path
            for path in sorted(PACKAGE.rglob('*.py')) if path != PACKAGE / '__init__.py'}


def family(module):
    """Return the family that a module belongs to."""
    first = module.split('.')[0]
    return 'ground' if first in GROUND else first


@functools.cache
def imports(module, lazy=True):
    """Return what a module imports, as dotted names; without `lazy`, only while it is loaded."""
    return frozenset(imported_names(modules()[module].read_text(), lazy))


def imported_names(text, lazy=True):
    """Return the dotted names that a module's text imports."""
    pending, found = [ast.parse(text)], set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, 'relative import'
            found |= {f'{node.module}.{alias.name}' for alias in node.names}
        elif lazy or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(node))
    return found


def ours_of(names):
    """Return the modules of the package among imported names."""
    found = set()
    for name in names:
        parts = name.split('.')
        if parts[0] == 'iql_ros':
            found |= {known for known in modules() if known.split('.') in (
                parts[1:], parts[1:-1], [*parts[1:], '__init__'], [*parts[1:-1], '__init__'])}
    return found


@functools.cache
def ours(module, lazy=True):
    """Return the modules of the package that a module imports."""
    return frozenset(ours_of(imports(module, lazy)) - {module})


def others(module, lazy=True):
    """Return the top names of what a module imports from outside; not the standard library."""
    tops = {name.split('.')[0] for name in imports(module, lazy)}
    return {top for top in tops if top not in sys.stdlib_module_names} - {'iql_ros'}


def reached(module, lazy=True):
    """Return a module and all of ours that importing it brings along."""
    seen, pending = set(), [module]
    while pending:
        current = pending.pop()
        if current not in seen:
            seen.add(current)
            pending.extend(ours(current, lazy))
    return seen


def against_the_order(importer, imported):
    """Return the modules among `imported` that a family must not know."""
    allowed = FAMILIES[:FAMILIES.index(importer) + 1]
    return sorted(module for module in imported if family(module) not in allowed
                  or family(module) in APART.get(importer, ()))


def is_ros(name):
    return name in ROS_NAMES or name.endswith(('_msgs', '_interfaces'))


def test_every_module_has_a_family():
    assert {family(module) for module in modules()} == set(FAMILIES)


@pytest.mark.parametrize('name', FAMILIES)
def test_a_family_imports_itself_and_those_before_it_alone(name):
    for module in modules():
        if family(module) == name:
            assert against_the_order(name, ours(module)) == [], module


@pytest.mark.parametrize('later', range(1, len(FAMILIES)))
def test_an_import_of_a_later_family_would_be_seen(later):
    module = next(module for module in modules() if family(module) == FAMILIES[later])
    text = f'def lazily():\n    import iql_ros.{module.removesuffix(".__init__")}\n'
    assert against_the_order(FAMILIES[later - 1], ours_of(imported_names(text))) == [module]


def test_the_rooms_of_the_nodes_are_in_an_order_too():
    for module in modules():
        parts = module.split('.')
        if parts[0] == 'nodes' and len(parts) == 3:
            allowed = NODE_ROOMS[:NODE_ROOMS.index(parts[1]) + 1]
            wrong = [name for name in ours(module) if family(name) == 'nodes'
                     and name.split('.')[1] not in (*allowed, '__init__')]
            assert wrong == [], module


def test_no_module_reaches_itself():
    for module in modules():
        for imported in ours(module):
            assert module not in reached(imported), f'{module} and {imported}'


def test_the_face_of_a_family_imports_nothing_and_says_what_belongs_there():
    for module, path in modules().items():
        if module.endswith('__init__') and module != 'nodes.__init__':
            tree = ast.parse(path.read_text())
            assert ast.get_docstring(tree) and len(tree.body) == 1, module


def test_only_nodes_import_ros():
    assert any(is_ros(name) for module in modules() if family(module) == 'nodes'
               for name in others(module))
    for module in modules():
        if family(module) != 'nodes':
            assert [name for name in others(module) if is_ros(name)] == [], module


@pytest.mark.parametrize('name', MAY_NEED)
def test_an_early_family_needs_few_libraries(name):
    for module in modules():
        if family(module) == name:
            needed = {other for each in reached(module) for other in others(each)}
            assert needed <= MAY_NEED[name], module


@pytest.mark.parametrize('module', ['runs.train', 'runs.evaluate', 'runs.checkpoint', 'cli.cli',
                                    'nodes.__init__'])
def test_loading_needs_the_base_install_alone(module):
    needed = {each: others(each, lazy=False) - BASE for each in reached(module, lazy=False)}
    assert {each: names for each, names in needed.items() if names} == {}


@pytest.mark.parametrize('module', ['runs.train', 'cli.cli'])
def test_a_base_only_python_imports_it(module):
    blocker = (
        'import sys\n'
        'class Absent:\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        "        top = name.split('.')[0]\n"
        "        if top in ABSENT or top.endswith(('_msgs', '_srvs', '_interfaces')):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        'sys.meta_path.insert(0, Absent())\n')
    absent = ('ament_index_python', 'gymnasium', 'gymnasium_robotics', 'h5py', 'launch',
              'matplotlib', 'minari', 'mujoco', 'ray', 'rclpy', 'rosbags', 'tensorboard', 'tqdm')
    code = f'ABSENT = {absent!r}\n{blocker}import iql_ros.{module}\n'
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
