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

"""What a robot YAML takes of a message: a path, an element or slice there, a function of it."""

import dataclasses
import functools
import re

from iql_ros.files import InputError, shown, unknown_name
from iql_ros.robot import rotations

_FIELD = re.compile(r'(?:(\w+)\()?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)'
                    r'(?:\[(\d{1,6})(?::(\d{1,6}))?\])?\)?', re.ASCII)
ANGLES = ('sin', 'cos')     # of an angle: of a number, or of every one of an array or of joints
FUNCTIONS = (*rotations.WIDTHS, *ANGLES)


@dataclasses.dataclass(frozen=True)
class Field:
    """
    One field of a stream.

    `path` leads to a number, to an array of them, or to an orientation; of an array it may be the
    element `first`, or those from `first` to before `last`.
    """

    text: str                    # as the robot YAML has it
    function: str | None         # of FUNCTIONS
    path: str
    first: int | None = None
    last: int | None = None

    @property
    def part(self) -> tuple:
        """Return what of a message it is about: all fields of the same part make it together."""
        return self.path, self.first, self.last

    @property
    def turns(self) -> bool:
        """Say whether it is a function of an orientation."""
        return self.function in rotations.WIDTHS

    def width(self, array: int) -> int:
        """Return how many values it gives, in a stream of arrays of that size (0: of none)."""
        if self.turns:
            return rotations.WIDTHS[self.function]
        if self.first is not None:
            return (self.last or self.first + 1) - self.first
        return array or 1

    def names(self, parts) -> list[str]:
        """Return a name for every value; `parts` are the joints or places of an array."""
        if self.first is not None:
            places = range(self.first, self.last or self.first + 1)
            named = [f'{self.path}[{place}]' for place in places]
            return [f'{self.function}({name})' if self.function else name for name in named]
        if self.turns:
            width = self.width(0)
            parts = range(width) if width > 1 else ()
        return [f'{self.text}[{part}]' for part in parts] or [self.text]


@functools.lru_cache(maxsize=1024)
def parse_field(text: str) -> Field:
    """
    Return the field of what a robot YAML says.

    Raises:
        InputError: for what is none, naming what it may be.

    """
    match = _FIELD.fullmatch(text)
    if not match or (match[1] is None) == text.endswith(')'):
        raise InputError(f'field {shown(text)}: expected a path like pose.position.x, an element '
                         f'or a slice (data[0], data[0:3]), or one of {", ".join(FUNCTIONS)} of a '
                         'path')
    function, path, first, last = match.groups()
    if function is not None and function not in FUNCTIONS:
        raise unknown_name('field function', function, FUNCTIONS)
    if first is not None and function in rotations.WIDTHS:
        raise InputError(f"field '{text}': {function} is of an orientation, not of a number")
    first, last = (None if number is None else int(number) for number in (first, last))
    if last is not None and last <= first:
        raise InputError(f"field '{text}': the slice is empty; expected its end after its start")
    return Field(text, function, path, first, last)


def check_fields(fields, joints: bool, beams: bool) -> None:
    """
    Look at the fields of a stream together.

    Raises:
        InputError: naming the first one that cannot stand there.

    """
    for field in fields:
        where = f"field '{field.text}'"
        if joints and field.first is not None:
            raise InputError(f"{where}: with 'joints' the values are found by name; expected "
                             f"'{field.path}'")
        if joints and field.turns:
            raise InputError(f"{where}: with 'joints' only {' and '.join(ANGLES)} can be taken of "
                             'a field')
        if beams and (field.function or field.first is not None):
            raise InputError(f"{where}: with 'beams' the sectors of a whole scan are taken; "
                             f"expected '{field.path}'")
    texts = [field.text for field in fields]
    for text in texts:
        if texts.count(text) > 1:
            raise InputError(f"field '{text}' is given twice")


def check_invertible(fields) -> None:
    """
    Refuse what no message can be made of again.

    Raises:
        InputError: naming the field, and what is missing beside it.

    """
    for part, functions in parts_of(fields).items():
        first = next(field for field in fields if field.part == part)
        if first.turns:
            lacking = rotations.missing(functions)
            options = [[f'{name}({first.path})' for name in names] for names in lacking]
        else:
            complete = None in functions or functions.keys() >= set(ANGLES)
            other = ANGLES[first.function == ANGLES[0]] if first.function else ''
            options = [] if complete else [[first.text.replace(first.function, other, 1)]]
        if options:
            said = ' or '.join(' and '.join(f"'{name}'" for name in names) for names in options)
            raise InputError(f"field '{first.text}' cannot be turned back into a message without "
                             f'{said}')


def parts_of(fields) -> dict[tuple, dict]:
    """
    Return every part of a message that fields are about, with the functions taken of it.

    Of every function the place of its field among them.
    """
    found = {}
    for index, field in enumerate(fields):
        found.setdefault(field.part, {})[field.function] = index
    return found


def _covers(one: Field, other: Field) -> bool:
    """Say whether one is about all of the other."""
    if one.path != other.path or one.first is None or other.first is None:
        return one.path == other.path and one.first is None
    return one.first <= other.first < (one.last or one.first + 1)


def check_constants(constants: dict, fields) -> None:
    """
    Look at what is to be set in every message.

    Args:
        constants: Path, or element of an array, -> number, text, bool, or a list of them.
        fields: Of the same stream, which come from the vector.

    Raises:
        InputError: naming the path, or the value.

    """
    for text, value in constants.items():
        if not isinstance(text, str):
            raise InputError(f'got {shown(text)}; expected a path like header.frame_id')
        field = parse_field(text)
        if field.function or field.last is not None:
            raise InputError(f"'{text}': expected a path, or an element like data[0]")
        if any(_covers(other, field) for other in fields):
            raise InputError(f"'{text}' is one of 'fields': it comes from the policy")
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, (bool, int, float, str)):
                raise InputError(f"'{text}': got {shown(value)}; expected a number, a text, true "
                                 'or false, or a list of them')
