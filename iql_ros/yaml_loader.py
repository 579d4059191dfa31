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

"""A YAML loader for texts from anywhere: safe, strict, and bounded in what a text stands for."""

import yaml

_MOST_LEVELS = 50
_LONGEST_NUMBER = 500  # characters; YAML's numbers of base 60 take quadratic time


class StrictLoader(yaml.SafeLoader):
    """
    A safe loader that refuses a key given twice (YAML would keep the last one silently).

    An alias counts as all that it stands for: a few hundred bytes of them make millions of
    values, if only once somebody walks over them. `most_nodes` bounds that, and so the time.
    """

    def __init__(self, text: str, most_nodes: int):
        """Take the text, and how many values it may stand for."""
        super().__init__(text)
        self._most, self._nodes, self._level = most_nodes, 0, 0
        self._sizes = {}                 # of the nodes that are whole, by their identity

    def compose_node(self, parent, index):
        """Compose the next node, and count it."""
        if self.check_event(yaml.AliasEvent):
            return self._compose_alias(parent, index)
        before, mark = self._nodes, self.peek_event().start_mark
        self._level += 1
        if self._level > _MOST_LEVELS:
            raise yaml.composer.ComposerError(
                None, None, f'more than {_MOST_LEVELS} levels of nesting', mark)
        self._count(1, mark)
        node = super().compose_node(parent, index)
        self._level -= 1
        self._sizes[id(node)] = self._nodes - before
        return node

    def _compose_alias(self, parent, index):
        mark = self.peek_event().start_mark
        node = super().compose_node(parent, index)
        if id(node) not in self._sizes:
            raise yaml.composer.ComposerError(None, None, 'an alias stands inside its own anchor',
                                              mark)
        self._count(self._sizes[id(node)], mark)
        return node

    def _count(self, nodes: int, mark) -> None:
        self._nodes += nodes
        if self._nodes > self._most:
            raise yaml.composer.ComposerError(
                None, None, f'more than {self._most} values, aliases counted', mark)

    def construct_mapping(self, node, deep=False):
        """Return the mapping of a node."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == 'tag:yaml.org,2002:merge':  # `<<: *base`: the parent handles it
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' is given twice", node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_number(self, node):
        """Return the int, float or time of a node."""
        if len(node.value) > _LONGEST_NUMBER:
            raise yaml.constructor.ConstructorError(
                None, None, f'a number of {len(node.value)} characters', node.start_mark)
        return yaml.SafeLoader.yaml_constructors[node.tag](self, node)


for _tag in ('int', 'float', 'timestamp'):
    StrictLoader.add_constructor(f'tag:yaml.org,2002:{_tag}', StrictLoader.construct_number)
