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

"""The message types of one bag, from its own definitions or else from the standard ones."""

from iql_ros.files import InputError


class MessageTypes:
    """Makes the rosbags type stores of one bag's topics."""

    def __init__(self):
        """Start without a type."""
        self._shared = None

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
            return get_typestore(Stores.ROS2_JAZZY)
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
