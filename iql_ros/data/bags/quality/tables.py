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

"""The quality report of a conversion as rows of text, which terminal and page both show."""

import collections
import statistics

OTHER_CLOCK = 1.0    # [s] of receive minus header time, from which no delay explains it
STREAM_HEADER = ('topic', 'role', 'messages', 'rate', 'jitter', 'longest gap',
                 'age p99', 'max_age', 'late p99')
ACTION_HEADER = ('action', 'low to high', 'seen', 'saturated', 'as before')
_MORE = 8            # rows of what can be long


def seconds(value: float) -> str:
    """Return a time with a unit that suits it."""
    if abs(value) < 0.9995:
        return f'{value * 1000:.3g} ms' if abs(value) < 0.0995 else f'{value * 1000:.0f} ms'
    return f'{value:.3g} s' if abs(value) < 99.5 else f'{value:,.0f} s'


def by_topic(bags: list[dict]) -> dict[tuple[str, str], list[tuple[dict, dict]]]:
    """Return the (bag, stream) pairs of every (role, topic) that has messages."""
    found = collections.defaultdict(list)
    for bag in bags:
        for stream in bag['streams']:
            found[stream['role'], stream['topic']].append((bag, stream))
    return found


def lateness(stream: dict) -> float | None:
    """Return the 99th percentile of receive minus header time [s]; None where clocks differ."""
    offset = stream['offset']
    return offset['p99'] if offset and abs(offset['median']) < OTHER_CLOCK else None


def stream_rows(bags: list[dict]) -> list[tuple[str, ...]]:
    """Return a row a topic as STREAM_HEADER says, the worst of all the bags where they differ."""
    return [_stream_row(role, topic, [stream for _, stream in found])
            for (role, topic), found in by_topic(bags).items()]


def _stream_row(role: str, topic: str, streams: list[dict]) -> tuple[str, ...]:
    read, declared = (sum(stream[key] for stream in streams) for key in ('messages', 'declared'))
    rates = sorted(stream['rate'] for stream in streams)
    rate = f'{rates[0]:.3g}' + (f' to {rates[-1]:.3g}' if rates[-1] > 1.05 * rates[0] else '')
    gap = max((length for stream in streams for _, length in stream['gaps']), default=None)
    ages = [stream['age']['p99'] for stream in streams if stream['age']]
    late = [lateness(stream) for stream in streams if stream['offset']]
    known = [value for value in late if value is not None]
    limit = streams[0]['max_age']
    regular = role != 'event'
    return (topic, role, f'{read:,}' + (f' of {declared:,}' if declared > read else ''),
            f'{rate} Hz' if regular else '',
            seconds(max(stream['jitter'] for stream in streams)) if regular else '',
            seconds(gap) if regular and gap is not None else '',
            seconds(max(ages)) if ages else '', seconds(limit) if limit else '',
            '' if not late else seconds(max(known)) if known else 'other clock')


def bag_line(bag: dict) -> str:
    """Return a bag's length and how much of it was used, on one line."""
    ticks = max(bag['ticks'], 1)
    return (f"{bag['file']}: {seconds(bag['end'] - bag['start'])}, {bag['used']:,} of "
            f"{bag['ticks']:,} ticks used ({bag['used'] / ticks:.0%}), "
            f"{_number(len(bag['episodes']), 'episode')}")


def _number(count: int, noun: str) -> str:
    return f'{count:,} {noun}' + ('' if count == 1 else 's')


def counted(bags: list[dict], key: str) -> list[tuple[str, int]]:
    """Return the reasons under 'dropped' or 'ended' of all bags, the most frequent first."""
    total = collections.Counter()
    for bag in bags:
        total.update(bag[key])
    return total.most_common()


def merged_delays(bags: list[dict]) -> list[dict]:
    """Return each pair of action and observation once, with its medians and number of bags."""
    found = collections.defaultdict(list)
    for bag in bags:
        for pair in bag['delays']:
            found[pair['action'], pair['observation'], pair['rate_of_change']].append(pair)
    merged = [{**pairs[0], 'bags': len(pairs), **{
        key: statistics.median(pair[key] for pair in pairs)
        for key in ('delay', 'correlation', 'tick_change')}} for pairs in found.values()]
    return sorted(merged, key=lambda pair: (-pair['bags'], -abs(pair['correlation'])))


def delay_lines(bags: list[dict]) -> list[str]:
    """Return the strongest delays from action to effect as sentences."""
    pairs = merged_delays(bags)
    lines = [f"{pair['action']} leads {followed(pair)} by {seconds(pair['delay'])} "
             f"(r {pair['correlation']:.2f}"
             + (f", {pair['bags']} of {len(bags)} bags)" if len(bags) > 1 else ')')
             for pair in pairs[:_MORE]]
    return lines + ([f'and {len(pairs) - _MORE} weaker pairs'] if len(pairs) > _MORE else [])


def followed(pair: dict) -> str:
    """Return what follows the action of a pair: an observation, or its rate of change."""
    return ('the rate of change of ' if pair['rate_of_change'] else '') + pair['observation']


def action_rows(actions: list[dict]) -> list[tuple[str, ...]]:
    """Return a row an action value as ACTION_HEADER says."""
    return [(action['name'], f"{action['low']:.4g} to {action['high']:.4g}",
             f"{action['minimum']:.4g} to {action['maximum']:.4g}",
             f"{action['saturated']:.0%}", f"{action['constant']:.0%}") for action in actions]
