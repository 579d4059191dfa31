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

"""The boundary with the user's files: strict reading, atomic writing, errors on one line."""

import contextlib
import dataclasses
import difflib
import os
from pathlib import Path
import reprlib
import tempfile
import types
import typing

import yaml

from iql_ros.yaml_loader import StrictLoader

TEMPORARY = '.iql_tmp'  # what ends the names of files half written, and of no other
_LISTED = 100             # of the names that exist, in an error
_LONGEST_ERROR = 1500     # characters
_LARGEST_FILE = 1 << 24   # characters of a text file of the user's
_PIECE = 1 << 16          # characters that are read at once: who asks for more gets the memory
_MOST_NODES = 5_000       # values of a YAML text, which may have come with a message or a file
_LONGEST_TEXT = 1 << 18   # characters of it
_MOST_OF_FILE = 200_000   # values of a YAML file of the user's
_MOST_INT = 2 ** 63 - 1   # what a 64-bit integer holds


class _Short(reprlib.Repr):
    """What others wrote may be long, deep, and a number that Python refuses to write."""

    def __init__(self):
        super().__init__()
        self.maxstring, self.maxother, self.maxlong = 120, 120, 500
        self.maxlist, self.maxtuple, self.maxdict, self.maxlevel = 12, 12, 12, 2

    def repr_int(self, value, level):
        if value.bit_length() > 10_000:
            return f'a number of {value.bit_length()} bits'
        return super().repr_int(value, level)


_SHORT = _Short()


class InputError(ValueError):
    """What the user gave cannot be used; its text is one line that says what and why."""

    def __init__(self, text: str):
        """Take the text; what it quotes may hold anything, and is cut in the middle if long."""
        if len(text) > _LONGEST_ERROR:
            text = f'{text[:_LONGEST_ERROR - 200]} ... {text[-190:]}'
        if not text.isprintable():  # line ends, escape sequences, what no terminal can encode
            text = ''.join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
        super().__init__(text)


def shown(value) -> str:
    """Return a value as an error shows it: as it is written, cut where it is long."""
    return _SHORT.repr(value)


def share_folder() -> Path:
    """Return the folder of config/, sim/ and the samples: the checkout, or share/iql_ros."""
    here = Path(__file__).resolve()
    checkout = here.parents[1]
    if (checkout / 'config' / 'robots').is_dir():
        return checkout
    return here.parents[4] / 'share' / 'iql_ros'  # <prefix>/lib/pythonX.Y/site-packages/iql_ros


def unknown_name(what: str, got, allowed) -> InputError:
    """Return the error for a name that does not exist, with the nearest that does."""
    allowed = list(allowed)
    got = got if isinstance(got, str) else shown(got)
    got, *names = (_cut(str(name)) for name in [got, *allowed[:_LISTED]])
    near = difflib.get_close_matches(got, names, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ''
    if len(allowed) > _LISTED:
        names.append(f'and {len(allowed) - _LISTED} more')
    return InputError(f"unknown {what} '{got}'{hint}; allowed: {', '.join(names) or 'none'}")


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT.maxstring else f'{text[:_SHORT.maxstring - 3]}...'


def read_config(folder: str, name: str) -> dict:
    """
    Read a YAML file of settings, or one that is shipped in config/`folder` by its name.

    Raises:
        InputError: when there is none.

    """
    shipped = {path.stem: path for path in (share_folder() / 'config' / folder).glob('*.yaml')}
    if name in shipped:
        return read_yaml(shipped[name])
    if not Path(name).exists() and not Path(name).suffix:
        raise unknown_name('config', name, [*sorted(shipped), 'or a YAML file'])
    return read_yaml(name)


def check_keys(mapping, allowed, where: str) -> dict:
    """
    Return the mapping when it is one and has no key beyond `allowed`.

    Raises:
        InputError: naming the key, where it stands and the legal ones.

    """
    if not isinstance(mapping, dict):
        raise InputError(f'{where}: got {shown(mapping)}; expected keys: {", ".join(allowed)}')
    for key in mapping:
        if key not in allowed:
            raise InputError(f'{where}: {unknown_name("key", key, allowed)}')
    return mapping


def parse_yaml(text: str, where: str, most_nodes: int = _MOST_NODES) -> dict:
    """
    Parse YAML text that must be a mapping; `where` names it in errors.

    What it may cost is bounded: a text may have come with a message.
    """
    longest = _LONGEST_TEXT if most_nodes == _MOST_NODES else _LARGEST_FILE
    if len(text) > longest:
        raise InputError(f'{where}: YAML of {len(text)} characters; allowed: {longest}')
    try:
        loader = StrictLoader(text, most_nodes)
        try:
            content = loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, AttributeError, LookupError,
            RecursionError) as error:  # PyYAML raises them all, such as KeyError at `!!bool x`
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise InputError(f'{where}: not valid YAML: {reason}') from None
    if not isinstance(content, dict):
        raise InputError(f'{where}: expected a mapping of keys, got {type(content).__name__}')
    return content


def read_text(path) -> str:
    """Read a UTF-8 text file of the user's."""
    try:
        with open(path, encoding='utf-8') as file:
            text = ''.join(_pieces(file))
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or 'not UTF-8 text'
        raise InputError(f'{path}: cannot be read: {reason}') from None
    if len(text) > _LARGEST_FILE:
        raise InputError(f'{path}: is larger than {_LARGEST_FILE} characters')
    return text


def _pieces(file):
    """Yield what a file holds, and no more than tells that it is too large."""
    size = 0
    while size <= _LARGEST_FILE and (piece := file.read(_PIECE)):
        size += len(piece)
        yield piece


def read_yaml(path) -> dict:
    """Read a YAML file that must be a mapping."""
    return parse_yaml(read_text(path), str(path), _MOST_OF_FILE)


def from_mapping(cls, mapping, where: str):
    """
    Build a dataclass from a mapping, strictly: no unknown key, no missing one, right types.

    A whole float passes for an int and an int for a float; lists become tuples.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    check_keys(mapping, list(fields), where)
    for name, field in fields.items():
        optional = (field.default is not dataclasses.MISSING
                    or field.default_factory is not dataclasses.MISSING)
        if name not in mapping and not optional:
            raise InputError(f"{where}: key '{name}' is missing")
    hints = typing.get_type_hints(cls)
    values = {key: _typed(value, hints[key], f'{where}: {key}')
              for key, value in mapping.items()}
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f'{where}: {error}') from None


def _typed(value, kind, where: str):
    options = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return _typed_union(value, options, where)
    if kind is type(None) and value is None:
        return None
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return from_mapping(kind, value, where)
    if typing.get_origin(kind) is tuple and isinstance(value, (list, tuple)):
        return tuple(_typed(item, options[0], where) for item in value)
    if isinstance(value, str) and kind is float:  # YAML 1.1 reads 3e-4 as a string
        with contextlib.suppress(ValueError):
            return float(value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind in (float, int) and number:
        with contextlib.suppress(OverflowError, ValueError):  # 10**400, or infinity and NaN
            if kind is float or (kind(value) == value and abs(value) <= _MOST_INT):
                return kind(value)
    if kind in (int, float) or not isinstance(value, typing.get_origin(kind) or kind):
        raise InputError(f'{where}: got {shown(value)}; expected {_type_name(kind)}')
    return value


def _typed_union(value, options, where: str):
    for option in options:
        if dataclasses.is_dataclass(option) and isinstance(value, dict):
            return from_mapping(option, value, where)  # its error says more than that of a union
        with contextlib.suppress(InputError):
            return _typed(value, option, where)
    names = ' or '.join(_type_name(option) for option in options)
    raise InputError(f'{where}: got {shown(value)}; expected {names}')


def _type_name(kind) -> str:
    if typing.get_origin(kind) is tuple:
        return f'a list of {_type_name(typing.get_args(kind)[0])}'
    if dataclasses.is_dataclass(kind):
        return f"keys {', '.join(field.name for field in dataclasses.fields(kind))}"
    return {type(None): 'null', dict: 'keys with values'}.get(
        kind, getattr(kind, '__name__', str(kind)))


def check_new_file(path, where: str) -> None:
    """Refuse a file that cannot be written, before the work that it is for."""
    folder, path = Path(path).resolve().parent, Path(path)
    if path.is_dir():
        raise InputError(f'{where} {path}: is a folder; expected a file')
    if not folder.is_dir():
        raise InputError(f'{where} {path}: its folder does not exist')
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f'{where} {path}: cannot be written: {error.strerror}') from None


def write_atomic(path, content) -> None:
    """
    Write bytes or text so that the path holds either the old content or the whole new one.

    A temporary file beside it, fsync, rename, fsync of the folder: safe under kill -9.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(TEMPORARY, f'.{path.name}.', path.parent)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
