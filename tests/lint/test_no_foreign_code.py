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

"""Tests over the syntax trees that nothing here runs what somebody else wrote."""

import ast

import pytest

from tests.lint.sources import python_files
from tests.places import ROOT

FOLDERS = ('iql_ros', 'launch', 'benchmarks')
MODULES = {'pickle', '_pickle', 'cPickle', 'cloudpickle', 'dill', 'joblib', 'marshal', 'shelve',
           'jsonpickle', 'pty', 'commands'}
BUILT_IN = {'eval', 'exec', 'compile', '__import__'}
CALLS = {'torch.load', 'torch.jit.load', 'torch.hub.load', 'os.system', 'os.popen',
         'subprocess.getoutput', 'subprocess.getstatusoutput', 'pandas.read_pickle',
         'runpy.run_path', 'runpy.run_module', 'code.interact',
         'yaml.unsafe_load', 'yaml.full_load', 'yaml.unsafe_load_all', 'yaml.full_load_all'}
SAFE_LOADERS = {'StrictLoader', 'SafeLoader', 'CSafeLoader', 'yaml.SafeLoader', 'yaml.CSafeLoader'}


def dotted(node):
    """Return the name that an expression spells, '' for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f'{dotted(node.value)}.{node.attr}'
    return ''


def complaints(text):
    """Return what a module's text does that would run what somebody else wrote."""
    tree = ast.parse(text)
    known = {}                       # the names under which things were imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.update((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            known.update((alias.asname or alias.name, f'{node.module}.{alias.name}')
                         for alias in node.names)
    found = [f'imports {name}' for name in known.values() if name.split('.')[0] in MODULES]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += complaints_of(node, full_name(node.func, known))
        elif isinstance(node, ast.Name) and node.id in BUILT_IN:
            found.append(f'names {node.id}')
        elif isinstance(node, ast.ClassDef):
            found += [f'{node.name} is a {dotted(base)}' for base in node.bases
                      if 'Loader' in dotted(base) and dotted(base) not in SAFE_LOADERS]
    return found


def full_name(node, known):
    """Return the dotted name of what is called, as it was imported."""
    first, dot, rest = dotted(node).partition('.')
    name = known.get(first, first) + dot + rest
    return 'numpy' + name[2:] if name.startswith('np.') else name


def complaints_of(call, name):
    """Return what is wrong with one call."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    found = [f'calls {name}'] if name in CALLS else []
    if 'allow_pickle' in given and not is_false(given['allow_pickle']):
        found.append(f'{name} may read pickles')
    if 'shell' in given and not is_false(given['shell']):
        found.append(f'{name} asks a shell')
    if name in ('yaml.load', 'yaml.load_all'):
        loader = given.get('Loader', call.args[1] if len(call.args) > 1 else None)
        if dotted(loader) not in SAFE_LOADERS:
            found.append(f'{name} with {dotted(loader) or "any"} loader')
    return found


def is_false(node):
    return isinstance(node, ast.Constant) and node.value is False


def files():
    return [path for path in python_files() if path.relative_to(ROOT).parts[0] in FOLDERS]


@pytest.mark.parametrize('path', files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_runs_nothing_that_somebody_else_wrote(path):
    assert complaints(path.read_text()) == []


def test_every_folder_is_looked_at():
    assert {path.relative_to(ROOT).parts[0] for path in files()} == set(FOLDERS)


@pytest.mark.parametrize('text', [
    'import pickle', 'from pickle import loads', 'import dill as d', 'import torch\ntorch.load(x)',
    'from torch import load\nload(x)', 'import numpy as np\nnp.load(x, allow_pickle=True)',
    'import numpy as np\nnp.load(x, allow_pickle=given)', 'eval(x)', 'exec(x)', 'run = eval',
    'compile(x, "a", "exec")', '__import__(x)', 'import yaml\nyaml.load(x)',
    'import yaml\nyaml.load(x, Loader=yaml.Loader)', 'import yaml\nyaml.load(x, yaml.FullLoader)',
    'import yaml\nyaml.unsafe_load(x)', 'import yaml\nclass Mine(yaml.UnsafeLoader): pass',
    'import subprocess\nsubprocess.run(x, shell=True)', 'import os\nos.system(x)',
    'from os import popen as p\np(x)', 'import marshal'])
def test_what_would_run_it_is_found(text):
    assert complaints(text)


@pytest.mark.parametrize('text', [
    'import re\nre.compile(x)', 'model.eval()', 'import numpy as np\nnp.load(x)',
    'import numpy as np\nnp.load(x, allow_pickle=False)', 'import yaml\nyaml.safe_load(x)',
    'import yaml\nyaml.load(x, Loader=yaml.SafeLoader)', 'import subprocess\nsubprocess.run([x])',
    'from safetensors.torch import load\nload(x)', 'import json\njson.load(x)'])
def test_what_only_looks_like_it_is_not(text):
    assert not complaints(text)
