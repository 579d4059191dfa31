"""Tests for who may import whom, over the syntax trees, and for what the base install imports."""

import ast
import functools
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'iql_ros'

# Of two modules of one chain, the earlier never reaches the later, not even inside a function.
CHAINS = (
    ('files', 'networks', 'iql', 'checkpoint', ('train', 'evaluate', 'online'), ('cli', 'nodes')),
    ('replay_buffer', ('iql', 'datasets'), 'train'),
    ('robot_interface', ('safety', 'task'), 'transitions', ('rosbag', 'nodes')),
    ('robot_interface', ('checkpoint', 'datasets', 'evaluate')),
    ('transitions', 'bags', 'rosbag', 'convert', ('cli', 'nodes')),
)
WAIST = ('gate_settings', 'message_fields', 'robot_interface', 'safety', 'streams', 'task',
         'transitions')
BASE = {'numpy', 'yaml', 'torch', 'safetensors'}
ROS_NAMES = ('rclpy', 'rosidl_runtime_py', 'ament_index_python', 'std_srvs', 'launch')


def modules():
    """Return the modules of the package by dotted name below it; nodes/ is one room, `nodes`."""
    return {'.'.join(path.relative_to(PACKAGE).with_suffix('').parts): path
            for path in PACKAGE.rglob('*.py') if path != PACKAGE / '__init__.py'}


def room(module):
    return module.split('.')[0]


@functools.cache
def imports(module, lazy=True):
    """Return what a module imports, as dotted names; without `lazy`, only while it is loaded."""
    pending, found = [ast.parse(modules()[module].read_text())], set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{module}: relative import'
            found |= {f'{node.module}.{alias.name}' for alias in node.names}
        elif lazy or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(node))
    return frozenset(found)


@functools.cache
def ours(module, lazy=True):
    """Return the modules of the package that a module imports."""
    found = set()
    for name in imports(module, lazy):
        parts = name.split('.')
        if parts[0] == 'iql_ros':
            found |= {known for known in modules() if known.split('.') in (
                parts[1:], parts[1:-1], [*parts[1:], '__init__'], [*parts[1:-1], '__init__'])}
    return frozenset(found - {module})


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


def is_ros(name):
    return name in ROS_NAMES or name.endswith(('_msgs', '_interfaces'))


@pytest.mark.parametrize('chain', CHAINS)
def test_imports_run_in_one_direction(chain):
    rooms = [(link,) if isinstance(link, str) else link for link in chain]
    for index, earlier in enumerate(rooms):
        later = {name for link in rooms[index + 1:] for name in link}
        for module in modules():
            if room(module) in earlier:
                assert later & {room(name) for name in reached(module)} == set(), module


def test_no_module_reaches_itself():
    for module in modules():
        for imported in ours(module):
            assert module not in reached(imported), f'{module} and {imported}'


def test_nobody_imports_the_command_line_or_a_node():
    for module in modules():
        allowed = {'nodes': {'nodes'}, '__main__': {'cli'}}.get(room(module), set())
        assert {room(name) for name in ours(module)} & {'cli', 'nodes'} <= allowed, module


def test_only_nodes_import_ros():
    assert any(is_ros(name) for module in modules() if room(module) == 'nodes'
               for name in others(module))
    for module in modules():
        if room(module) != 'nodes':
            assert [name for name in others(module) if is_ros(name)] == [], module


@pytest.mark.parametrize('module', WAIST)
def test_the_waist_needs_numpy_and_yaml_alone(module):
    assert {name for each in reached(module) for name in others(each)} <= {'numpy', 'yaml'}


@pytest.mark.parametrize('module', ['train', 'evaluate', 'checkpoint', 'cli', 'nodes.__init__'])
def test_loading_needs_the_base_install_alone(module):
    needed = {each: others(each, lazy=False) - BASE for each in reached(module, lazy=False)}
    assert {each: names for each, names in needed.items() if names} == {}


@pytest.mark.parametrize('module', ['train', 'cli'])
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
              'matplotlib', 'minari', 'mujoco', 'rclpy', 'rosbags', 'tensorboard', 'tqdm')
    code = f'ABSENT = {absent!r}\n{blocker}import iql_ros.{module}\n'
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
