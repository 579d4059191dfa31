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

"""A survey of one bag: its topics, their times, and what the numbers in them range over."""

import textwrap

import numpy as np

from iql_ros.data.bags.reader import Bag
from iql_ros.data.bags.statistics import StreamStatistics
from iql_ros.data.bags.survey.field_ranges import FieldRanges, usual_range
from iql_ros.data.bags.survey.remarks import is_command, remarks
from iql_ros.data.oddities import range_text
from iql_ros.files import InputError
from iql_ros.text_table import aligned

_PROGRESS = 4096     # messages between two calls of on_progress
_LOOKED_AT = 20_000  # messages, after which only every second is deserialised; not of commands
_FAILURES = 3        # messages in a row that cannot be deserialised, then no more are tried
_JUMPS = 8           # of the header's clock that are kept
_JUMP_NS = 1_000_000_000
_SECOND = 1_000_000_000
_FEW = 10            # messages; of fewer the text shows no values
_WIDTH = 110         # columns of the text


@np.errstate(all='ignore')  # what is not finite is looked for, and named
def survey_bag(path, allowed, on_progress=None, type_folders=()) -> dict:
    """
    Return what one bag holds, in one pass, ready for JSON; times in seconds.

    Every message is counted and its times taken. The numbers of a topic are read from all of
    its messages up to 20,000, then from every second up to another 20,000, and so on.
    `on_progress(messages read, messages declared)` is called now and then.

    Args:
        path: A bag of find_bags.
        allowed: What the person allowed (files.Allowed).
        on_progress: See above.
        type_folders: With the .msg files of types that the bag does not define.

    Returns:
        file, path, start, end, messages, notes, remarks, and topics: of each the figures of
        StreamStatistics.summary by receive time, those of FieldRanges.summary, name, type,
        declared, bytes, error (None, or why its numbers could not be read), header (figures by
        the header's stamps, and jumps [[time, by]], or None without a header).

    Raises:
        InputError: for a bag that cannot be read.

    """
    with Bag(path, allowed, type_folders) as bag:
        topics = {name: _Topic(bag, name) for name in bag.topics}
        declared = sum(topic.declared for topic in bag.topics.values())
        for number, message in enumerate(bag.messages(bag.topics), start=1):
            topics[message.topic].add(message)
            if on_progress and number % _PROGRESS == 0:
                on_progress(number, declared)
    entries = [topics[name].summary() for name in sorted(topics)]
    seen = [entry for entry in entries if entry['messages']]
    survey = {'file': bag.path.name, 'path': str(bag.path),
              'start': min((entry['first'] for entry in seen), default=None),
              'end': max((entry['last'] for entry in seen), default=None),
              'messages': sum(entry['messages'] for entry in entries),
              'topics': entries, 'notes': [*allowed.notes, *_definitions(bag, entries)]}
    return {**survey, 'remarks': remarks(survey)}


def _definitions(bag: Bag, entries: list[dict]) -> list[str]:
    bare = {entry['type'] for entry in entries
            if bag.topics[entry['name']].definition.format.name == 'NONE'
            and not entry['error']}
    return [f'without a definition in the bag, read as in ROS 2 Jazzy: {", ".join(sorted(bare))}'
            ] if bare else []


class _Topic:
    """One topic while the bag is read."""

    def __init__(self, bag: Bag, name: str):
        self._entry, self._start_ns = bag.topics[name], bag.start_ns
        self._received, self._by_header = StreamStatistics(by_header=False), None
        self._bytes, self._error, self._failures = 0, None, 0
        # a command's extremes become the limits of what a policy may do: all of them are read
        self._all = is_command({'name': name, 'type': self._entry.type})
        self._stride, self._looked_at = 1, 0
        self._offset_ns, self._jumps = None, []
        self._stamp = self._decode = self._ranges = None
        try:
            self._stamp, self._decode = bag.header_stamp(name), bag.deserializer(name)
            store = bag.store(name)
        except InputError as error:
            self._error = str(error)
            return
        self._ranges = FieldRanges(store.fielddefs, self._entry.type)
        if self._stamp:
            self._by_header = StreamStatistics(by_header=True)

    def add(self, message) -> None:
        """Take the next message."""
        stamp_ns = None
        self._bytes += len(message.data)
        if self._stamp:
            try:
                stamp_ns = self._stamp(message.data)
            except InputError as error:
                self._error = self._error or str(error)
        count = self._received.messages
        self._received.add(message.received_ns, stamp_ns)
        if stamp_ns is not None:
            self._by_header.add(message.received_ns, stamp_ns)
            self._look_for_jump(message.received_ns, stamp_ns)
        if self._decode and count % self._stride == 0:
            self._look_at(message)

    def _look_at(self, message) -> None:
        self._looked_at += 1
        if self._looked_at % _LOOKED_AT == 0 and not self._all:
            self._stride *= 2
        try:
            self._ranges.add(self._decode(message.data),
                             (message.received_ns - self._start_ns) / _SECOND)
            self._failures = 0
        except InputError as error:
            self._error = self._error or str(error)
            self._failures += 1
            if self._failures == _FAILURES:
                self._decode = None

    def _look_for_jump(self, received_ns: int, stamp_ns: int) -> None:
        if stamp_ns == 0:
            return
        offset_ns = received_ns - stamp_ns
        before_ns, self._offset_ns = self._offset_ns, offset_ns
        if before_ns is not None and len(self._jumps) < _JUMPS:
            by_ns = before_ns - offset_ns
            if abs(by_ns) > _JUMP_NS:
                self._jumps.append([received_ns / _SECOND, by_ns / _SECOND])

    def summary(self) -> dict:
        """Return the topic's entry of the survey."""
        ranges = self._ranges.summary() if self._ranges else {
            'joints': [], 'fields': [], 'empty': [], 'joint_lists': 0, 'lists': [], 'unnamed': 0,
            'texts': {}, 'norms': {}, 'flips': {}}
        header = None
        if self._by_header and self._by_header.messages:
            header = {**self._by_header.summary(), 'jumps': self._jumps}
        return {**self._received.summary(), 'name': self._entry.name, 'type': self._entry.type,
                'declared': self._entry.declared, 'bytes': self._bytes, 'error': self._error,
                'header': header, **ranges}


def survey_text(survey: dict) -> str:
    """Return a survey as tables for a terminal, about 110 columns wide."""
    topics = [topic for topic in survey['topics'] if topic['messages']]
    start, end = survey['start'] or 0.0, survey['end'] or 0.0
    lines = [f"bag {survey['file']}: {survey['messages']} messages on {len(topics)} topics, "
             f'{end - start:.1f} s', '', *_topic_table(topics)]
    silent = [topic['name'] for topic in survey['topics'] if not topic['messages']]
    if silent:
        lines += _wrapped('no message on', silent)
    shown = [topic for topic in topics if topic['messages'] >= _FEW and topic['fields']]
    for topic in shown:
        lines += ['', *_field_lines(topic)]
    hidden = len(topics) - len(shown)
    if hidden:
        lines += ['', f'values not shown of {hidden} topics (no numbers, or fewer than {_FEW} '
                      'messages)']
    for title in ('notes', 'remarks'):
        if survey[title]:
            lines += ['', f'{title}:']
            for text in survey[title]:
                lines += textwrap.wrap(text, _WIDTH, initial_indent='  - ', break_on_hyphens=False,
                                       subsequent_indent='    ', break_long_words=False)
    return '\n'.join(lines) + '\n'


def _topic_table(topics: list[dict]) -> list[str]:
    rows = [('topic', 'type', 'messages', 'rate Hz', 'jitter s', 'gaps', 'receive-header s')]
    for topic in topics:
        count, gaps, offset = topic['messages'], topic['gaps'], topic['offset']
        short = count < topic['declared']
        longest = max((length for _, length in gaps), default=0.0)
        rows.append((topic['name'], topic['type'].replace('/msg/', '/'),
                     f"{count} of {topic['declared']}" if short else str(count),
                     f"{topic['rate']:.4g}" if count > 2 else '-',
                     f"{topic['jitter']:.2g}" if count > 2 else '-',
                     f'{len(gaps)}, {longest:.3g} s' if gaps else '-',
                     f"{offset['median']:.4g}" if offset else 'no header'))
    return aligned(rows)


def _field_lines(topic: dict) -> list[str]:
    """Return the values of a topic: those that change in columns, the others by their reason."""
    lines = [f"{topic['name']} ({topic['type']})"]
    if topic['joints']:
        lines += _wrapped('joints', topic['joints'])
    moving = [field for field in topic['fields']
              if field['minimum'] is not None and not field['constant']]
    lines += _in_columns([_range_text(field) for field in moving])
    still = [f"{field['name']} = {field['minimum']:.4g}" for field in topic['fields']
             if field['constant']]
    lost = [field['name'] for field in topic['fields'] if field['minimum'] is None]
    for title, texts in (('constant', still), ('never finite', lost),
                         ('always empty', topic['empty'])):
        lines += _wrapped(title, texts) if texts else []
    return lines


def _range_text(field: dict) -> str:
    text = f"{field['name']}  {' .. '.join(range_text(*usual_range(field)))}"
    outside = field.get('odd', {}).get('outside')
    if outside:
        text += f" ({outside:,} far outside, as far as {field['odd']['farthest']:.4g})"
    if 'length' in field:
        low, high = field['length']
        text += f' ({low} long)' if low == high else f' ({low} to {high} long)'
    return text + (f" ({field['nan']:.1%} not finite)" if field['nan'] else '')


def _in_columns(texts: list[str]) -> list[str]:
    if not texts:
        return []
    width = max(len(text) for text in texts)
    number = max(1, _WIDTH // (width + 2))
    rows = -(-len(texts) // number)
    return ['  ' + '  '.join(text.ljust(width) for text in texts[row::rows]).rstrip()
            for row in range(rows)]


def _wrapped(title: str, texts: list[str]) -> list[str]:
    return textwrap.wrap(f'{title}: {", ".join(texts)}', _WIDTH, initial_indent='  ',
                         subsequent_indent='    ', break_long_words=False,
                         break_on_hyphens=False)
