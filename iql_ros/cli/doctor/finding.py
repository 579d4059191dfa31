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

"""What a check says: one finding, with what to do unless all is well."""

import dataclasses

STATES = {'ok': 'ok', 'missing': '-', 'broken': '!!'}  # and how a line begins


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the doctor."""

    name: str
    state: str            # one of STATES
    text: str             # what is there
    cure: str | None      # what to do; None: nothing
    facts: dict           # the figures of the text, by name

    def line(self) -> str:
        """Return it for a terminal."""
        cure = f' -> {self.cure}' if self.cure else ''
        return f'{STATES[self.state]:<2}  {self.name:<9}  {self.text}{cure}'


def ok(name: str, text: str, **facts) -> Finding:
    """Return that something works."""
    return Finding(name, 'ok', text, None, facts)


def missing(name: str, text: str, cure: str, **facts) -> Finding:
    """Return that something is not there, which not everybody needs."""
    return Finding(name, 'missing', text, cure, facts)


def broken(name: str, text: str, cure: str, **facts) -> Finding:
    """Return that something does not work, or that what everybody needs is not there."""
    return Finding(name, 'broken', text, cure, facts)
