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

"""Executes launch files up to the processes they would start, with or without ROS's launch."""

from dataclasses import dataclass, field
import importlib.util
import os
from pathlib import Path
import sys
import types

from tests.places import ROOT

REAL = importlib.util.find_spec('launch_ros') is not None


@dataclass
class Recording:
    """What a launch file would have done."""

    arguments: dict = field(default_factory=dict)   # name -> default
    nodes: list = field(default_factory=list)       # the keywords of each Node
    launch_configurations: dict = field(default_factory=dict)  # what the stand-in performs on


def record(monkeypatch, file_name: str, **given: str) -> Recording:
    """Execute launch/<file_name> with the given arguments; the environment is the test's."""
    recording = Recording(launch_configurations=dict(given))
    _find_package(monkeypatch)
    run = _run_real if REAL else _run_stand_in
    run(monkeypatch, ROOT / 'launch' / file_name, recording, given)
    for node in recording.nodes:
        node['files'] = [item for item in node['parameters'] if not isinstance(item, dict)]
        node['values'] = {key: getattr(value, 'plain', value)
                          for item in node['parameters'] if isinstance(item, dict)
                          for key, value in item.items()}
    return recording


def _find_package(monkeypatch) -> None:
    """Let the checkout be the package's share folder."""
    module = types.ModuleType('ament_index_python.packages')
    module.get_package_share_directory = lambda name: {'iql_ros': str(ROOT)}[name]
    if importlib.util.find_spec('ament_index_python') is None:
        parent = types.ModuleType('ament_index_python')
        monkeypatch.setitem(sys.modules, 'ament_index_python', parent)
        monkeypatch.setitem(sys.modules, 'ament_index_python.packages', module)
        return
    import ament_index_python.packages
    monkeypatch.setattr(ament_index_python.packages, 'get_package_share_directory',
                        module.get_package_share_directory)


def load(path: Path):
    """Return the launch description that a file generates."""
    spec = importlib.util.spec_from_file_location(path.name.split('.')[0], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def _run_real(monkeypatch, path: Path, recording: Recording, given: dict) -> None:
    import launch
    import launch_ros.actions

    class RecordedNode(launch_ros.actions.Node):
        """Keeps what it was made from, and starts nothing."""

        def __init__(self, **keywords):
            super().__init__(**keywords)
            self.keywords = keywords

        def execute(self, context):
            for item in self.keywords['parameters']:
                for value in item.values() if isinstance(item, dict) else ():
                    if hasattr(value, 'evaluate'):
                        value.plain = value.evaluate(context)
            recording.nodes.append(self.keywords)

    monkeypatch.setattr(launch_ros.actions, 'Node', RecordedNode)
    context = launch.LaunchContext()
    context.launch_configurations.update(given)
    description = load(path)
    for argument in description.get_launch_arguments():
        recording.arguments[argument.name] = argument.default_value[0].perform(context)
    pending = [description]
    while pending:
        pending = (pending[0].visit(context) or []) + pending[1:]


def _run_stand_in(monkeypatch, path: Path, recording: Recording, given: dict) -> None:
    for name, contents in _stand_in(recording).items():
        module = types.ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    for action in load(path):
        action()
    unknown = set(given) - set(recording.arguments)
    assert not unknown, f'{path.name} has no argument {unknown}'


def _stand_in(recording: Recording) -> dict:
    """Return the part of launch's API that our files use: an action is what is called in turn."""
    configurations = recording.launch_configurations

    def declare(name, *, default_value, description, choices=None):
        def action():
            recording.arguments[name] = default_value
            value = configurations.setdefault(name, default_value)
            if choices and value not in choices:
                raise RuntimeError(f'{name}: got {value!r}; allowed: {choices}')
        assert isinstance(default_value, str) and description
        return action

    def opaque_function(*, function):
        return lambda: [action() for action in function(None)]

    def include(source, *, launch_arguments):
        def action():
            declared = dict(recording.arguments)
            configurations.update(launch_arguments)
            for inner in load(Path(source)):
                inner()
            recording.arguments = declared
        return action

    def parameter_value(value, *, value_type):
        assert isinstance(value, value_type)
        return value

    return {
        'launch': {'LaunchDescription': list},
        'launch.actions': {
            'DeclareLaunchArgument': declare,
            'IncludeLaunchDescription': include,
            'OpaqueFunction': opaque_function,
            'SetEnvironmentVariable': lambda name, value: (
                lambda: os.environ.__setitem__(name, value)),
            'Shutdown': lambda *, reason: None,
        },
        'launch.launch_description_sources': {'PythonLaunchDescriptionSource': str},
        'launch.substitutions': {'LaunchConfiguration': lambda name: types.SimpleNamespace(
            perform=lambda context: configurations[name])},
        'launch_ros': {},
        'launch_ros.actions': {
            'Node': lambda **keywords: lambda: recording.nodes.append(keywords)},
        'launch_ros.parameter_descriptions': {'ParameterValue': parameter_value},
    }
