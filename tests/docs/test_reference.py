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

"""Tests for docs/reference and docs/_ext, which fills it: beside the code, nothing is missing."""

import dataclasses
import importlib
import json
import math
import re
import sys
import typing

import numpy as np
import pytest

from iql_ros.cli import json_output
from iql_ros.data.minari_writer import write_minari
from iql_ros.files import InputError
from iql_ros.learner.choice import Choice
from iql_ros.learner.iql import IQLAgent, IQLConfig
from iql_ros.online.experience import Acknowledgement, Experience, ExperienceFormat
from iql_ros.online.settings import FinetuneSettings
from iql_ros.online.weights import Weights
from iql_ros.robot.robot_interface import RobotInterface
from iql_ros.robot.task import TaskSettings, TopicSource
from iql_ros.robot.transitions import Episode
from iql_ros.runs.checkpoint import choice_facts, make_header, read_header, save_checkpoint
from iql_ros.runs.settings import TrainSettings
from tests import launch_recorder
from tests.places import ROOT
from tests.small_run import INTERFACE, TASK

sys.path.append(str(ROOT / 'docs' / '_ext'))
import reference  # noqa: E402, I100 (of docs/_ext)
import source_tables  # noqa: E402, I100

PAGES = ROOT / 'docs' / 'reference'
NODES = ('finetune_node', 'policy_node', 'sim_node', 'train_node')
LAUNCH_FILES = ('deploy.launch.py', 'finetune.launch.py', 'sim.launch.py', 'train.launch.py')


def rows(page: str, heading: str = '') -> dict[str, list[str]]:
    """Return the cells behind each name of a page's tables, of one section where it is named."""
    text = reference.fill((PAGES / page).read_text())
    if heading:
        level, = re.findall(f'^(#+) {re.escape(heading)}$', text, re.MULTILINE)
        section = re.split(f'^{level} {re.escape(heading)}$', text, flags=re.MULTILINE)[1]
        text = re.split(f'^#{{1,{len(level)}}} ', section, flags=re.MULTILINE)[0]
    found = {}
    for line in re.findall(r'^\| (`.*) \|$', text, re.MULTILINE):
        first, *cells = re.split(r' *(?<!\\)\| *', line)
        found.update(dict.fromkeys(re.findall('`(.+?)`', first.replace(r'\|', '|')), cells))
    return found


def parts(cls) -> set[type]:
    """Return a dataclass or NamedTuple and those that its fields are made of."""
    kinds = [kind for hint in typing.get_type_hints(cls).values() for kind in inside(hint)]
    return {cls}.union(*(parts(kind) for kind in kinds if dataclasses.is_dataclass(kind)))


def inside(hint) -> list:
    """Return a type, and those that it is made of."""
    return [hint, *(kind for each in typing.get_args(hint) for kind in inside(each))]


@pytest.mark.parametrize('page, classes', [
    ('robot-yaml.md', parts(RobotInterface) | parts(TaskSettings) | parts(TopicSource)),
    ('training-settings.md', parts(IQLConfig) | parts(TrainSettings)),
    ('finetune-settings.md', parts(FinetuneSettings)),
    ('files-and-messages.md', {Experience, Acknowledgement, Weights})])
def test_every_field_is_in_the_reference_and_says_what_it_means(page, classes):
    marks = re.findall(r'table: fields \S+/(\w+).py (\w+)', (PAGES / page).read_text())
    listed = rows(page)
    bases = {base for cls in classes for base in cls.__mro__ if vars(base).get('__annotations__')}
    for base in bases:
        assert (base.__module__.rpartition('.')[2], base.__name__) in marks
        for name in vars(base)['__annotations__']:
            assert (name in ('text', 'parts')) != bool(listed.get(name, [''])[-1]), (
                f'{base.__name__}.{name}')
    assert len(marks) == len(bases)


@pytest.mark.parametrize('cls', [IQLConfig, TrainSettings, FinetuneSettings])
def test_defaults_are_the_codes(cls):
    path = f"{cls.__module__.replace('.', '/')}.py"
    written = {entry.name: entry.default for entry in source_tables.fields(path, cls.__name__)}
    for field in dataclasses.fields(cls):
        default = field.default
        plain = list(default) if isinstance(default, tuple) else default
        assert written[field.name] == ('required' if default is dataclasses.MISSING
                                       else source_tables.plain_words(plain))


def bounds(allowed: str) -> list[tuple[float, float, bool]]:
    """Return (bound, direction out of the range, whether it is inside) of a range in words."""
    if match := re.fullmatch(r'(\S+) (<=?) \w+ (<=?) (\S+)', allowed):
        return [(float(match[1]), -1, match[2] == '<='), (float(match[4]), 1, match[3] == '<=')]
    if match := re.fullmatch(r'(>=?) (\S+)', allowed):
        return [(float(match[2]), -1, match[1] == '>=')]
    low, high = allowed.split(' to ')
    return [(float(low), -1, True), (float(eval(high)), 1, True)]


@pytest.mark.parametrize('cls, required', [
    (IQLConfig, {}), (TrainSettings, {'dataset': 'd', 'name': 'n'}),
    (FinetuneSettings, {'checkpoint': 'c', 'name': 'n'})])
def test_what_is_allowed_is_accepted_and_what_is_not_is_refused(cls, required):
    path = f"{cls.__module__.replace('.', '/')}.py"
    for entry in source_tables.fields(path, cls.__name__):
        good, bad = [], []
        if ' | ' in entry.allowed:
            good = entry.allowed.split(' | ')
            bad = [] if entry.name == 'device' else ['nonsense']  # resolve_device refuses it
        elif entry.allowed:
            for bound, out, inside in bounds(entry.allowed):
                number = round if 'int' in entry.type else float
                beyond = bound + out if number is round else np.nextafter(bound, out * math.inf)
                good += [number(bound)] if inside and bound < 2**60 else []
                bad += [number(beyond if inside else bound)]
        wrap = (lambda value: (value,)) if entry.type.startswith('list') else (lambda value: value)
        for value in good:
            cls(**{**required, entry.name: wrap(value)})
        for value in bad:
            with pytest.raises(InputError, match=entry.name.replace('_', '[_ ]')):
                cls(**{**required, entry.name: wrap(value)})


@pytest.mark.parametrize('node', NODES)
def test_every_parameter_is_in_the_reference(node):
    pytest.importorskip('rclpy')
    table = importlib.import_module(f'iql_ros.nodes.{node}').PARAMETERS
    listed = rows('nodes.md', node)
    assert {row.name for row in table} <= set(listed)
    entries, others = source_tables.parameters(f'iql_ros/nodes/{node}.py')
    for row, entry in zip(table, entries, strict=True):
        assert listed[row.name][-1] and entry.type.startswith(type(row.default).__name__)
        assert entry.default == source_tables.plain_words(row.default)
    for name, words in others.items():
        assert words == [getattr(row, name) for row in table]


@pytest.mark.parametrize('file', LAUNCH_FILES)
def test_every_launch_argument_is_in_the_reference(monkeypatch, file):
    given = {'run': 'r'} if file == 'finetune.launch.py' else {}
    arguments = launch_recorder.record(monkeypatch, file, **given).arguments
    listed = rows('launch-files.md', file)
    assert set(listed) == set(arguments)
    assert all(cells[-1] for cells in listed.values())


def test_every_launch_file_and_node_has_its_section():
    assert set(LAUNCH_FILES) == {path.name for path in (ROOT / 'launch').glob('*.launch.py')}
    assert set(NODES) == {path.stem for path in (ROOT / 'iql_ros/nodes').glob('*_node.py')}


def test_every_command_and_option_is_in_the_reference():
    commands = reference.commands()
    assert {'iql-ros', 'iql-ros convert', 'iql-ros train', 'iql-ros demo'} <= set(commands)
    for name, parser in commands.items():
        listed = rows('command-line.md', name)
        named = ' '.join(listed)
        for action in parser._actions:
            for option in set(action.option_strings) - {'-h', '--help'}:
                assert re.search(rf'(^| ){option}\b', named), f'{name} {option}'
        assert all(cells[-1] for cells in listed.values())
        assert not parser.epilog or 'example' in parser.epilog


@pytest.mark.parametrize('heading, keys', [
    *((f'inspect, {name}', json_output.INSPECT_KEYS[kind]) for name, kind in (
        ('bags', 'bags'), ('a dataset', 'dataset'), ('a checkpoint', 'checkpoint'))),
    ('evaluate', json_output.EVALUATE_KEYS),
    ('evaluate, two policies', json_output.SEQUENTIAL_KEYS),
    ('compare', json_output.COMPARE_KEYS), ('replay', json_output.REPLAY_KEYS),
    ('doctor', json_output.DOCTOR_KEYS)])
def test_every_key_that_json_prints_is_in_the_reference(heading, keys):
    assert list(rows('command-line.md', heading)) == list(keys) and all(keys.values())


def test_every_environment_variable_is_in_the_reference():
    listed = rows('environment-variables.md')
    sources = [*(ROOT / 'iql_ros').rglob('*.py'), *(ROOT / 'launch').glob('*.py')]
    found = {name for path in sources for name in re.findall(
        r"""(?x) (?: environ(?:\[|\.\w+\() | SetEnvironmentVariable\( )\s*'([A-Z_]+)' """,
        path.read_text())}
    found |= {name for path in sources for name in re.findall("'(ROS_[A-Z_]+)'", path.read_text())}
    assert {'IQL_RUNS', 'MINARI_DATASETS_PATH', 'ROS_DOMAIN_ID'} <= found
    assert sorted(found - set(listed)) == []
    assert all(cells[-1] for cells in listed.values())


def test_every_key_of_a_checkpoints_header_is_in_the_reference(tmp_path):
    agent = IQLAgent(2, 1, IQLConfig(hidden_dims=(2,)), seed=0)
    facts = {'training': {}, 'robot_config': None,
             'reward_transform': {'kind': 'none', 'scale': 1.0, 'shift': 0.0},
             'dataset': {'name': 'a', 'fingerprint': '', 'action_low': [-1.0],
                         'action_high': [1.0], 'observation_keys': [], 'environment': None}}
    save_checkpoint(tmp_path / 'a', agent, **facts, online={'position': 0, 'first_step': 0},
                    choice=choice_facts(Choice()))
    listed = rows('files-and-messages.md', "A checkpoint's header")
    assert set(listed) == {*read_header(tmp_path / 'a'), 'weights'}
    assert set(make_header(agent, **facts)) < set(listed)


def test_every_label_of_an_experience_message_is_in_the_reference():
    labels = {label.partition(';')[0] for label, _ in ExperienceFormat(INTERFACE, TASK).labels(1)}
    listed = rows('files-and-messages.md', 'An experience message')
    fields = {field.name for field in dataclasses.fields(Experience)}
    assert labels <= set(listed) <= labels | fields


def test_every_key_of_a_datasets_metadata_is_in_the_reference(tmp_path, monkeypatch):
    pytest.importorskip('minari')
    monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path))
    episode = Episode(np.zeros((2, 1)), np.zeros((1, 1)), np.zeros(1), np.ones(1, bool),
                      np.zeros(1, bool))
    folder = write_minari('test/a-v0', [episode], action_low=[-1.0], action_high=[1.0],
                          environment='Pendulum-v1')
    metadata = json.loads((folder / 'data' / 'metadata.json').read_text())
    listed = rows('files-and-messages.md', "A dataset's metadata")
    assert {'env_spec', 'iql_ros'} <= set(metadata)
    assert set(json.loads(metadata['iql_ros'])) == set(listed) - {'env_spec', 'iql_ros'}


@pytest.mark.parametrize('field, complaint', [
    ('a: int = 3', 'A.a: needs a comment'), ('a: int  # [s]', 'A.a: needs a comment'),
    ('a: int  # allowed: 1', 'A.a: needs a comment'), ('pass', 'A: has no fields')])
def test_a_field_without_a_meaning_is_refused(tmp_path, field, complaint):
    (tmp_path / 'a.py').write_text(f'class A:\n    {field}\n')
    with pytest.raises(source_tables.SourceError, match=complaint):
        source_tables.fields(str(tmp_path / 'a.py'), 'A')


def test_a_comment_is_read_from_above_and_behind(tmp_path):
    (tmp_path / 'a.py').write_text(
        'class A:\n    # [s] how long\n    # it takes;\n'
        '    a: float | None = None   # 0: for ever; allowed: >= 0\n'
        '    b: tuple[int, ...] = (1, 2)  # whole; default: as a; allowed: x | y\n')
    assert source_tables.fields(str(tmp_path / 'a.py'), 'A') == [
        ('a', 'float or null', 'null', 's', '>= 0', 'how long it takes; 0: for ever'),
        ('b', 'list of int', 'as a', '', 'x | y', 'whole')]


def test_words_keep_their_looks_in_a_table():
    entry = source_tables.Entry('a', allowed='x | y', meaning='in $IQL_RUNS/<run>, *not* `a_b`')
    assert reference.table([entry]).splitlines()[4] == (
        r'| `a` | x \| y | in \$IQL\_RUNS/\<run\>, \*not\* `a_b` |')


def test_an_unknown_table_is_refused_by_name():
    with pytest.raises(source_tables.SourceError, match="unknown kind 'feilds'; allowed: fields"):
        reference.fill('<!-- table: feilds a b -->')
