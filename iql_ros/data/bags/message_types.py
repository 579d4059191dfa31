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

"""The message types of one bag: its own definitions, the standard ones, or those of folders."""

import functools
import os
from pathlib import Path

from iql_ros.files import InputError


class MessageTypes:
    """
    Makes the rosbags type stores of one bag's topics.

    What the bag does not define, as older db3 files do not, is a standard type of ROS 2 Jazzy, or
    comes from a .msg file: in the folders given, or in an installed package (AMENT_PREFIX_PATH).
    """

    def __init__(self, folders=()):
        """Take folders with pkg/msg/Name.msg somewhere in them, as a workspace's src."""
        self._shared, self._folders = None, [Path(folder) for folder in folders]
        for folder in self._folders:
            if not folder.is_dir():
                raise InputError(f'--types {folder}: no such folder; expected one with '
                                 'pkg/msg/Name.msg in it')

    def store(self, name: str, definition, digest: str, ros1: bool):
        """
        Return a store that knows a type.

        Args:
            name: pkg/msg/Name.
            definition: rosbags' MessageDefinition, of format NONE where the bag has none.
            digest: What the bag gives as the type's hash, '' for none.
            ros1: Whether the hash is ROS 1's.

        Raises:
            InputError: for a definition of another hash; rosbags' own errors where it is damaged.

        """
        from rosbags.interfaces import MessageDefinitionFormat
        from rosbags.typesys import get_typestore, Stores
        if definition.format == MessageDefinitionFormat.NONE:
            standard = get_typestore(Stores.ROS2_JAZZY)
            types = {} if name in standard.fielddefs else self._from_files(name, standard)
            if not types:
                return standard
            standard.register(types)
            return standard
        types = _parse(name, definition)
        if self._shared is None:
            self._shared = get_typestore(Stores.EMPTY)
        known = self._shared.fielddefs
        agrees = all(known[inner] == fields[:2] for inner, fields in types.items()
                     if inner in known)
        store = self._shared if agrees else get_typestore(Stores.EMPTY)  # of older messages
        store.register({inner: fields for inner, fields in types.items()
                        if inner not in store.fielddefs})
        found = store.generate_msgdef(name)[1] if ros1 else store.hash_rihs01(name)
        if digest not in ('', '*', found):
            raise InputError('does not have the hash that the bag gives for it')
        return store

    def _from_files(self, name: str, standard) -> dict:
        """Return the definitions of a type and of what it stands on, as far as there are files."""
        from rosbags.typesys import get_types_from_msg
        found, wanted = {}, [name]
        while wanted:
            each = wanted.pop()
            path = None if each in found or each in standard.fielddefs else self._file(each)
            if path is None:
                continue
            types = get_types_from_msg(path.read_text(), each)
            found.update(types)
            wanted += [inner for fields in types.values() for inner in _names_in(fields)]
        return found

    def _file(self, name: str) -> Path | None:
        package, _, short = name.split('/')
        installed = [Path(prefix) / 'share' / package / 'msg' / f'{short}.msg'
                     for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
                     if prefix]
        return self._given.get((package, short)) or next(
            (path for path in installed if path.is_file()), None)

    @functools.cached_property
    def _given(self) -> dict[tuple[str, str], Path]:
        return {(path.parents[1].name, path.stem): path for folder in self._folders
                for path in sorted(folder.resolve().rglob('*.msg')) if path.parent.name == 'msg'}


def _names_in(definition) -> list[str]:
    """Return the types of messages that a definition's fields hold."""
    found = []
    for _, (kind, argument) in definition[1]:
        while kind.name in ('ARRAY', 'SEQUENCE'):
            kind, argument = argument[0]
        if kind.name == 'NAME':
            found.append(argument)
    return found


def _parse(name: str, definition) -> dict:
    from rosbags.interfaces import MessageDefinitionFormat
    from rosbags.typesys import get_types_from_idl, get_types_from_msg
    if definition.format == MessageDefinitionFormat.MSG:
        return get_types_from_msg(definition.data, name)
    types = {}  # the files that it stands on follow each other, each under a line of its own
    for part in definition.data.split('=' * 80 + '\n'):
        types.update(get_types_from_idl(part.partition('\n')[2] if part.startswith('IDL: ')
                                        else part))
    return types


def deserialize_cdr(store, data, type_name: str):
    """Deserialise, also with the padding that Fast DDS leaves behind empty last arrays."""
    for _ in range(2):  # 4 or 8 bytes too many; 3 are tolerated anyway
        try:
            return store.deserialize_cdr(data, type_name)
        except Exception:
            data = data[:-4]
    return store.deserialize_cdr(data, type_name)
