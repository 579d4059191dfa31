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
What the commands that were heard say: pure functions over lists, that know no ROS.

Nothing here is shared with what is judged; times are CLOCK_MONOTONIC [s].
"""

import collections
import math
from typing import NamedTuple

_SILENCE = 10     # periods
_LOST = 2         # commands in a row that may be lost on their way
_ROUNDING = 1e-6  # relative and absolute, of a float64 that passed a message


class Command(NamedTuple):
    """One command as it was heard."""

    mono: float      # when it came [s]
    stamp_ns: int    # its header's
    values: tuple    # in the order of the robot's YAML
    sent_ns: int = 0  # when its writer sent it, on the system's clock
    number: int = 1   # of its writer's commands


class Allowed(NamedTuple):
    """What the robot's YAML allows."""

    low: tuple
    high: tuple
    max_rate: tuple    # [unit/s]
    stop: tuple
    period: float      # [s]


def is_stop(command: Command, allowed: Allowed) -> bool:
    """Say whether a command is the stop, to the bit."""
    return tuple(command.values) == tuple(allowed.stop)


def stops(commands, allowed: Allowed, begin=-math.inf, end=math.inf) -> list[Command]:
    """Return the stops that came from `begin` until `end`."""
    return [each for each in commands if begin <= each.mono <= end and is_stop(each, allowed)]


def driving(commands, allowed: Allowed, begin=-math.inf, end=math.inf) -> list[Command]:
    """Return the commands that are not the stop, from `begin` until `end`."""
    return [each for each in commands if begin <= each.mono <= end and not is_stop(each, allowed)]


def unsafe(commands, allowed: Allowed) -> dict[str, list[str]]:
    """Return every command that is not finite, outside limits, or came on too fast, by kind."""
    found = {'not finite': [], 'outside limits': [], 'too fast': []}
    before = None
    for index, command in enumerate(commands):
        said = f'{list(command.values)} at {command.mono:.3f}'
        if not all(map(math.isfinite, command.values)):
            found['not finite'].append(said)
            continue
        if any(not low <= value <= high for low, value, high in
               zip(allowed.low, command.values, allowed.high)):
            found['outside limits'].append(said)
        if before and not is_stop(command, allowed) and _too_fast(before, command, allowed):
            found['too fast'].append(f'{said} after ' + ', '.join(
                f'{list(each.values)} {1e3 * (command.mono - each.mono):.1f} ms (sent '
                f'{(command.sent_ns - each.sent_ns) * 1e-6:.1f} ms) earlier'
                for each in commands[max(0, index - 3):index]))
        before = command
    return found


def _too_fast(before: Command, command: Command, allowed: Allowed) -> bool:
    # The stamps of two ticks differ by a period; by more where a command was lost on its way.
    # After a silence a new writer may have been heard late: then its commands are counted.
    elapsed = (command.stamp_ns - before.stamp_ns) * 1e-9
    silence = command.mono - before.mono > _SILENCE * allowed.period
    most = command.number if silence else _LOST + 1
    elapsed = min(max(elapsed, allowed.period), most * allowed.period)
    return any(abs(value - old) > rate * elapsed * (1 + _ROUNDING) + _ROUNDING
               for old, value, rate in zip(before.values, command.values, allowed.max_rate))


def gaps(commands, begin: float, end: float) -> list[tuple[float, float]]:
    """Return (when it began, how long it was) of every time without a command in a window."""
    times = [begin, *(each.mono for each in commands if begin < each.mono < end), end]
    return [(early, late - early) for early, late in zip(times, times[1:])]


def longest_gap(commands, begin: float, end: float) -> tuple[float, float]:
    """Return (when it began, how long it was) of the longest time without a command."""
    return max(gaps(commands, begin, end), key=lambda gap: gap[1])


def sent_apart(commands, when: float) -> float:
    """Return how far apart [s] the writer sent the commands around a gap that began at `when`."""
    later = [each for each in commands if each.mono > when]
    before = [each for each in commands if each.mono <= when]
    if not later or not before:
        return 0.0
    return (later[0].sent_ns - before[-1].sent_ns) * 1e-9


def around(commands, when: float) -> str:
    """Return how a gap that began at `when` was to the writer: late, or what came was lost."""
    later = [each for each in commands if each.mono > when]
    before = [each for each in commands if each.mono <= when]
    if not later or not before:
        return 'at the edge of what was heard'
    last, first = before[-1], later[0]
    return (f'sent {(first.sent_ns - last.sent_ns) * 1e-9:.3f} s apart, as number {last.number} '
            f'and {first.number} of a writer')


def lateness(ticks, begin: float, end: float) -> float:
    """
    Return by how much [s] a bare timer was late at most, in a window.

    Of late ticks (due, woke, which of the timers).
    """
    return max((woke - due for due, woke, *_ in ticks if woke >= begin and due <= end),
               default=0.0)


def waited(ticks, begin: float, end: float) -> float:
    """Return for how long [s] of a window cores were away, one after the other: all late ticks."""
    cores = {core for _, _, core in ticks}
    return sum(away([tick for tick in ticks if tick[2] == core], begin, end) for core in cores)


def away(ticks, begin: float, end: float) -> float:
    """
    Return for how long [s] of a window a core was away: the sum of a bare timer's late ticks.

    Of all timers the one whose core was away longest. What goes from process to process waits
    for its core more than once.
    """
    found, until = collections.defaultdict(float), {}
    for due, woke, core in sorted(ticks, key=lambda tick: tick[0]):
        first = max(due, begin, until.get(core, begin))
        last = min(woke, end)
        if last > first:
            found[core] += last - first
            until[core] = last
    return max(found.values(), default=0.0)
