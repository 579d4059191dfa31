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
Fills the tables of docs/reference from the code's own, so that they cannot drift.

A page says which table stands where: `<!-- table: KIND ARGUMENT... -->`, see KINDS.
"""

import argparse
import os
import re
import runpy
from unittest import mock

from source_tables import Entry, fields, parameters, plain_words, ROOT, SourceError

from iql_ros.cli import json_output
from iql_ros.cli.subcommands import make_parser

_MARK = re.compile(r'<!-- table: (.+?) -->')
_SPECIAL = re.compile(r'([\\*_|$<>\[\]#~])')
_HEADINGS = {'name': 'Name', 'type': 'Type', 'default': 'Default', 'unit': 'Unit',
             'allowed': 'Allowed', 'counts': 'While running', 'meaning': 'Meaning'}
_VALUE = re.compile(r'(?!required)\S+|\[.*\]|<.*>\S*')  # not a sentence
_LAUNCH_MODULES = ('ament_index_python', 'ament_index_python.packages', 'launch',
                   'launch.actions', 'launch.substitutions', 'launch_ros', 'launch_ros.actions',
                   'launch.launch_description_sources', 'launch_ros.parameter_descriptions')


def fill(text: str) -> str:
    """
    Return a page with its tables.

    Raises:
        SourceError: for a mark of no KIND, and for what the code does not explain.

    """
    return _MARK.sub(_table_of, text)


def _table_of(mark: re.Match) -> str:
    kind, *arguments = mark[1].split()
    if kind not in KINDS:
        raise SourceError(f"{mark[0]}: unknown kind '{kind}'; allowed: {', '.join(KINDS)}")
    return KINDS[kind](*arguments)


def field_table(path: str, name: str, *left_out: str) -> str:
    """Return the fields of a class, without those that are left out."""
    return table([entry for entry in fields(path, name) if entry.name not in left_out])


def parameter_table(path: str) -> str:
    """Return the parameters of a node."""
    return table(*parameters(path))


def json_table(name: str, kind: str = '') -> str:
    """Return the keys of a document that `--json` prints, of one kind where there are several."""
    keys = getattr(json_output, name)
    return table([Entry(key, meaning=meaning) for key, meaning in
                  (keys[kind] if kind else keys).items()])


def launch_table(path: str) -> str:
    """Return the arguments of a launch file."""
    return table(launch_arguments(path))


def launch_arguments(path: str) -> list[Entry]:
    """Return what a launch file declares; ROS's launch need not be installed."""
    modules = {name: mock.MagicMock() for name in _LAUNCH_MODULES}
    modules['launch'].actions = modules['launch.actions']
    share = modules['ament_index_python.packages'].get_package_share_directory
    share.return_value = '<share of iql_ros>'
    with mock.patch.dict('sys.modules', modules):
        runpy.run_path(str(ROOT / path))['generate_launch_description']()
    calls = modules['launch.actions'].DeclareLaunchArgument.call_args_list
    return [Entry(call.args[0], default=plain_words(call.kwargs['default_value']),
                  allowed=_choices(call.kwargs.get('choices')),
                  meaning=call.kwargs['description']) for call in calls]


def command_sections() -> str:
    """Return a section for every command of `iql-ros`."""
    return '\n\n'.join(_command_section(name, parser) for name, parser in commands().items())


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of every command by its name, that of `iql-ros` itself first."""
    parser = make_parser()
    found = {'iql-ros': parser}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update({f'iql-ros {name}': sub for name, sub in action.choices.items()})
    return found


def command_options(parser: argparse.ArgumentParser) -> list[Entry]:
    """
    Return the arguments and options of a command.

    Raises:
        SourceError: for one without a help.

    """
    return [_option(action, parser) for action in parser._actions
            if not isinstance(action, (argparse._SubParsersAction, argparse._HelpAction))]


def _option(action: argparse.Action, parser: argparse.ArgumentParser) -> Entry:
    formatter = parser.formatter_class(prog=parser.prog)
    names = formatter._format_action_invocation(action)
    if not action.help:
        raise SourceError(f'{parser.prog}: {names} needs a help')
    return Entry(names, default=_option_default(action), allowed=_choices(action.choices),
                 meaning=formatter._expand_help(action))


def _option_default(action: argparse.Action) -> str:
    if action.required:
        return 'required'
    if action.nargs == 0 or action.default in (None, [], argparse.SUPPRESS):
        return ''
    return plain_words(action.default)


def _choices(values) -> str:
    return ' | '.join(map(plain_words, values or ()))


def _command_section(name: str, parser: argparse.ArgumentParser) -> str:
    with mock.patch.dict(os.environ, COLUMNS='80'):
        usage = parser.format_usage().replace('\n' + ' ' * len('usage: '), '\n')
    usage = usage.removeprefix('usage: ').strip()
    parts = [f'## {name}', escape(parser.description), f'```text\n{usage}\n```',
             table(command_options(parser))]
    if parser.epilog:
        title, _, lines = parser.epilog.partition('\n')
        example = '\n'.join(line.strip() for line in lines.splitlines())
        parts.append(f'{title.capitalize()}\n\n```text\n{example}\n```')
    return '\n\n'.join(parts)


def table(entries: list[Entry], others: dict[str, list[str]] | None = None) -> str:
    """Return a Markdown table with the columns in which any of the entries says something."""
    if not entries:
        return ''
    columns = {_HEADINGS[name]: [_cell(name, getattr(entry, name)) for entry in entries]
               for name in Entry._fields if any(getattr(entry, name) for entry in entries)}
    meaning = columns.pop(_HEADINGS['meaning'])
    columns.update({_HEADINGS.get(name, name.capitalize()): list(map(escape, words))
                    for name, words in (others or {}).items()})
    columns[_HEADINGS['meaning']] = meaning
    rows = [columns, ['---'] * len(columns), *zip(*columns.values())]
    lines = '\n'.join(f"| {' | '.join(row)} |" for row in rows)
    return f'```{{container}} entries\n\n{lines}\n```'  # see tables.css


def _cell(column: str, words: str) -> str:
    if column == 'name' or column == 'default' and _VALUE.fullmatch(words):
        return '`' + words.replace('|', r'\|') + '`'
    return escape(words)


def escape(words: str) -> str:
    """Return words as Markdown that reads the same; what stands in `backticks` is code."""
    parts = words.split('`')
    parts[::2] = [_SPECIAL.sub(r'\\\1', part) for part in parts[::2]]
    return '`'.join(parts)


KINDS = {'fields': field_table, 'parameters': parameter_table, 'launch': launch_table,
         'commands': command_sections, 'json': json_table}
