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

"""How a first robot YAML is written: lines with their comments, names, numbers."""

import json
import textwrap

import yaml

from iql_ros.data.bags.survey.draft_choice import Choice

_COLUMN = 39         # where comments begin
_WIDTH = 99


def number_list(head: str, texts) -> list[str]:
    """Return the lines of a list, broken where it is long."""
    return textwrap.wrap(f'{head}[{", ".join(texts)}]', _WIDTH,
                         subsequent_indent=' ' * (len(head) + 1), break_on_hyphens=False)


def yaml_line(text: str, comment: str) -> str:
    """Return a line and its comment, which goes on below where it is long."""
    first = f'{text:<{_COLUMN}}' if len(text) < _COLUMN else f'{text}  '
    width = max(_WIDTH - len(first) - 2, 30)
    parts = textwrap.wrap(_clean(comment), width, break_on_hyphens=False)
    indent = ' ' * len(first)
    return '\n'.join(f'{first if index == 0 else indent}# {part}'
                     for index, part in enumerate(parts))


def comment(text: str, first: str = '# ', later: str = '# ') -> list[str]:
    """Return the lines of a comment."""
    return textwrap.wrap(_clean(text), _WIDTH, initial_indent=first, subsequent_indent=later,
                         break_on_hyphens=False, break_long_words=False)


def _clean(text: str) -> str:
    """Keep what a bag calls things from ending a comment."""
    return ''.join(letter if letter.isprintable() else '?' for letter in text)


def topic_name(name: str, choice: Choice) -> str:
    """Return a topic as the YAML writes it."""
    return scalar(name.lstrip('/') if choice.relative else name)


def scalar(text: str) -> str:
    """Write a text so that YAML reads it as that text."""
    try:
        plain = yaml.safe_load(f'[{text}]') == [text]
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text)


def number(value: float) -> str:
    """Write a number so that YAML reads a float."""
    text = f'{value:.10g}'
    return text if any(mark in text for mark in '.e') else f'{text}.0'
