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

"""Which messages make one step of a lockstep run: one of every stream, all of one stamp."""

import dataclasses


@dataclasses.dataclass
class _Slot:
    name: str
    stamp_ns: int | None = None      # None: a message without a header
    value: object = None
    filled: bool = False


class StepAssembler:
    """Collects one message of every stream; not thread-safe, knows no clock."""

    def __init__(self, names):
        """Take the streams' topic names, in order."""
        self._slots = [_Slot(name) for name in names]

    def clear(self) -> int:
        """Begin to collect the next step; return how many messages were waiting."""
        waiting = sum(slot.filled for slot in self._slots)
        self._slots = [_Slot(slot.name) for slot in self._slots]
        return waiting

    def put(self, index: int, stamp_ns: int | None, value) -> None:
        """Take a message of stream `index`; the newest counts."""
        slot = self._slots[index]
        slot.stamp_ns, slot.value, slot.filled = stamp_ns, value, True

    def missing(self, stamp_ns: int | None) -> list[str]:
        """Return the names of the streams whose message of the step has not come."""
        return [slot.name for slot in self._slots
                if not slot.filled or (slot.stamp_ns is not None and slot.stamp_ns != stamp_ns)]

    def values(self) -> list:
        """Return the collected values, in order."""
        return [slot.value for slot in self._slots]
