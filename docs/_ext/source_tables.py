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

"""
What the source says about its own tables, read without importing it: torch and ROS may be away.

A field's comment, behind it or in the lines above it, is its entry in the reference:
`[unit] meaning; default: words; allowed: values`, of which only the meaning must be there.
"""

import ast
import io
from pathlib import Path
import re
import tokenize
from typing import NamedTuple

import iql_ros

ROOT = Path(iql_ros.__file__).resolve().parents[1]
PARAMETER_FILE = 'iql_ros/nodes/hosting/parameters.py'
_COMMENT = re.compile(r'(?:\[(?P<unit>[^]]+)\] *)?(?P<meaning>.*?)'
                      r'(?:; default: (?P<default>.*?))?(?:; allowed: (?P<allowed>.*))?')
_UNIT_BEHIND = re.compile(r' \[([^]]+)\]$')
# of a Parameter: what Entry has, and why one is fixed, which the node says to who tries
_COLUMNS = ('name', 'default', 'description', 'range', 'choices', 'fixed')
_TYPES = {'np.ndarray': 'array', 'dict': 'mapping', 'None': 'null'}


class Entry(NamedTuple):
    """One row of a table, in words; '' where there is nothing to say."""

    name: str
    type: str = ''
    default: str = ''                # as one writes it in YAML; 'required' without one
    unit: str = ''
    allowed: str = ''
    meaning: str = ''


class SourceError(ValueError):
    """The source lacks what the reference needs."""


def fields(path: str, name: str) -> list[Entry]:
    """
    Return the fields of a dataclass or a NamedTuple, without those of its base.

    Args:
        path: The file, from the top of the repository.
        name: The class.

    Raises:
        SourceError: for a class without fields, or a field whose comment says nothing.

    """
    source = (ROOT / path).read_text()
    comments = _comments(source)
    return [_field(node, comments, f'{path}: {name}.{node.target.id}')
            for node in _field_nodes(source, path, name)]


def _field_nodes(source: str, path: str, name: str) -> list[ast.AnnAssign]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            found = [field for field in node.body if isinstance(field, ast.AnnAssign)]
            if found:
                return found
    raise SourceError(f'{path}: {name}: has no fields')


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """Return (text, whether it has the line to itself) of every comment by its line."""
    return {token.start[0]: (token.string.lstrip('# '), token.line.lstrip().startswith('#'))
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT}


def _field(node: ast.AnnAssign, comments: dict, where: str) -> Entry:
    lines, above = [], node.lineno - 1
    while comments.get(above, ('', False))[1]:
        lines.insert(0, comments[above][0])
        above -= 1
    said = _COMMENT.fullmatch(' '.join([*lines, *comments.get(node.end_lineno, ())[:1]]))
    words = said.groupdict('')
    if not words['meaning'] or words['meaning'].startswith('allowed: '):
        raise SourceError(f'{where}: needs a comment that says what it means')
    words['default'] = words['default'] or (value_words(node.value) if node.value else 'required')
    return Entry(node.target.id, _type_words(node.annotation), **words)


def _type_words(node: ast.expr) -> str:
    """Return an annotation in the words of the errors: `list of float or null`."""
    if isinstance(node, ast.BinOp):
        return f'{_type_words(node.left)} or {_type_words(node.right)}'
    if isinstance(node, ast.Subscript):
        return f'list of {_type_words(node.slice.elts[0])}'
    name = ast.unparse(node)
    return _TYPES.get(name, name if name.islower() else f'mapping ({name})')


def value_words(node: ast.expr) -> str:
    """Return a value as one writes it in YAML; what is computed stays as it is written."""
    if isinstance(node, (ast.Tuple, ast.List)):
        return f"[{', '.join(map(value_words, node.elts))}]"
    if isinstance(node, ast.Constant):
        return plain_words(node.value)
    return ast.unparse(node).replace(' ** ', '**')


def plain_words(value) -> str:
    """Return a value as one writes it in YAML."""
    if value is None or isinstance(value, bool):
        return {None: 'null', True: 'true', False: 'false'}[value]
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(plain_words, value))}]"
    return "''" if value == '' else str(value)


def parameters(path: str) -> tuple[list[Entry], dict[str, list[str]]]:
    """
    Return the parameters of a node, and what else their rows say: {column: [words a row]}.

    Raises:
        SourceError: for a file without the table, or a row without a description.

    """
    columns = [node.target.id for node in _field_nodes(
        (ROOT / PARAMETER_FILE).read_text(), PARAMETER_FILE, 'Parameter')]
    rows = [{**dict(zip(columns, call.args)), **{word.arg: word.value for word in call.keywords}}
            for call in _assigned(path, 'PARAMETERS').elts]
    return [_parameter(row, path) for row in rows], {
        name: [value_words(row[name]) if name in row else '' for row in rows]
        for name in columns if name not in _COLUMNS and any(name in row for row in rows)}


def _assigned(path: str, name: str) -> ast.expr:
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return _assigned(f'{node.module.replace(".", "/")}.py', name)
    raise SourceError(f'{path}: has no table {name}')


def _parameter(row: dict[str, ast.expr], path: str) -> Entry:
    words = {name: value_words(node) for name, node in row.items()}
    meaning = _UNIT_BEHIND.sub('', words['description'])
    if not meaning:
        raise SourceError(f"{path}: parameter '{words['name']}' needs a description")
    unit = _UNIT_BEHIND.search(words['description'])
    allowed = ' to '.join(map(value_words, row['range'].elts)) if 'range' in row else ''
    if 'choices' in row:
        allowed = ' | '.join(map(value_words, row['choices'].elts))
    return Entry(words['name'], _value_type(row['default']), words['default'],
                 unit[1] if unit else '', allowed, meaning)


def _value_type(node: ast.expr) -> str:
    value = ast.literal_eval(node)
    return f'list of {type(value[0]).__name__}' if isinstance(value, list) else (
        type(value).__name__)
