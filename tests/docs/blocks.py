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
The blocks of a page of documentation: its commands, the files it shows, what marks say of them.

A mark stands above its block, in a comment that neither GitHub nor the site shows:

    <!-- not run: needs ROS 2 -->    commands that no script can run, and why
    <!-- slow: a minute -->          commands that take longer than 30 s
    <!-- file: task.py -->           a block that a person saves under that name
    <!-- edit: sed -i ... x.yaml --> what a person does in an editor here, above any block or none
    <!-- needs: turtlebot3.bag -->   on top of a page: a file of another's that it works on
"""

import dataclasses
from pathlib import Path
import re

PROMPT = '$ '
COMMANDS = ('console', 'shell', 'shell-session', 'bash', 'sh', 'zsh')
MARKS = ('not run', 'slow', 'file', 'edit', 'needs')

_FENCE = re.compile(r'(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$')
_CODE = re.compile(r'\{(?:code|code-block|sourcecode)\} *')
_NESTING = re.compile(r'\{(?:note|tip|hint|important|warning|caution|danger|attention|seealso'
                      r'|admonition|dropdown|tab-set|tab-item|grid|grid-item|grid-item-card)\}')
_MARK = re.compile(rf'(?:<!-- (?P<html>{"|".join(MARKS)})(?:: (?P<text>.+?))? -->'
                   rf'|% (?P<myst>{"|".join(MARKS)})(?:: (?P<rest>.+))?)$')


@dataclasses.dataclass(frozen=True)
class Block:
    """Commands of a page, or a file that it shows."""

    page: Path
    line: int                            # of its first line
    commands: tuple[tuple[int, str], ...] = ()   # (line, text), joined where `\\` continues
    not_run: str = ''                    # why
    slow: bool = False
    file: str = ''                       # name under which a person saves `text`
    text: str = ''

    def __str__(self):
        """Return the first command, on one line."""
        text = self.commands[0][1].replace('\\\n', ' ') if self.commands else self.file
        return ' '.join(text.split())


@dataclasses.dataclass
class Page:
    """What stands on a page for the runner."""

    path: Path
    blocks: list[Block]
    needs: list[str]                     # names of files that come from elsewhere
    faults: list[str]                    # what the house's rules do not allow, with its line


def read_page(path: Path, text: str | None = None) -> Page:
    """Return the page at a path; `text` stands for what the file holds."""
    page = Page(path, [], [], [])
    lines = (path.read_text() if text is None else text).splitlines()
    marks, nested, number = {}, [], 0
    while number < len(lines):
        mark, fence = _MARK.match(lines[number].strip()), _FENCE.match(lines[number])
        if mark:
            _take_mark(page, marks, number + 1, mark)
            number += 1
            continue
        if fence and nested and not fence['info'] and fence['fence'].startswith(nested[-1]):
            nested.pop()
        elif fence and _NESTING.match(fence['info']):  # what is in a note counts
            nested.append(fence['fence'])
        elif fence:
            end = _end(lines, number, fence['fence'])
            if end == len(lines):
                page.faults.append(f'{number + 1}: the block has no end')
            _take_block(page, number + 1, _language(fence), [
                text.removeprefix(fence['indent']) for text in lines[number + 1:end]], marks)
            marks, number = {}, end
        else:
            _check_indent(page, lines, number)
        if marks and lines[number].strip():
            page.faults.append(f'{number + 1}: the mark above this line stands above no block')
            marks = {}
        number += 1
    return page


def _take_mark(page: Page, marks: dict, number: int, mark: re.Match) -> None:
    name, text = mark['html'] or mark['myst'], (mark['text'] or mark['rest'] or '').strip()
    if name != 'slow' and not text:
        page.faults.append(f"{number}: mark '{name}' says nothing; expected a reason or a name")
    elif name == 'needs':
        page.needs.append(text)
    elif name == 'edit':
        page.blocks.append(Block(page.path, number, commands=((number, text),)))
    else:
        marks[name] = text


def _language(fence: re.Match) -> str:
    words = _CODE.sub('', fence['info']).split()
    return words[0] if words else ''


def _end(lines: list[str], number: int, fence: str) -> int:
    """Return the index of the line that closes a fence, or of the end of the page."""
    for end in range(number + 1, len(lines)):
        if lines[end].strip().startswith(fence) and not lines[end].strip().strip(fence[0]):
            return end
    return len(lines)


def _take_block(page: Page, number: int, language: str, lines: list[str], marks: dict) -> None:
    """Note a block whose fence opens on the line `number`."""
    first, prompts = number + 1, any(line.startswith(PROMPT) for line in lines)
    if 'file' in marks:
        text = '\n'.join(lines) + '\n'
        page.blocks.append(Block(page.path, first, file=marks['file'], text=text))
    elif language in COMMANDS:
        commands = tuple(_commands(first, lines, prompts))
        page.blocks.append(Block(page.path, first, commands, marks.get('not run', ''),
                                 'slow' in marks))
        if language != 'console':
            page.faults.append(f'{number}: a block of {language}; write ```console')
        elif not prompts:
            page.faults.append(f"{number}: no command begins with '{PROMPT}'")
        if 'slow' in marks and 'not run' in marks:
            page.faults.append(f'{number}: both slow and not run')
    elif prompts:
        page.faults.append(f'{number}: commands in a block of {language or "no language"}; '
                           'write ```console')
    elif marks:
        page.faults.append(f'{number}: a mark above a block without commands')


def _commands(first: int, lines: list[str], prompts: bool):
    """Yield (line, text) of every command; what follows a command without a prompt is output."""
    continued, start, text = False, 0, ''
    for number, line in enumerate(lines, first):
        begins = line.startswith(PROMPT) or not prompts
        if not (begins or continued):
            continue
        if not continued:
            start, text = number, ''
        part = line.removeprefix(PROMPT) if begins else line.removeprefix('> ')
        text, continued = text + part + '\n', part.endswith('\\')
        if not continued and text.strip():
            yield start, text.rstrip()


def _check_indent(page: Page, lines: list[str], number: int) -> None:
    """Refuse code that is only indented: nothing says what it is."""
    if lines[number].startswith('    ') and (number == 0 or not lines[number - 1].strip()):
        page.faults.append(f'{number + 1}: an indented block; write a fenced one')
