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

"""What is suspicious about the streams of converted bags, in words, and what to do about it."""

from iql_ros.data.bags.quality.tables import by_topic, lateness, OTHER_CLOCK, seconds
from iql_ros.data.bags.statistics import GAPS_KEPT

SLOW = 0.9           # of the control rate; above, it is the same rate with some jitter
_PERIODS = 1.5       # that max_age must allow, or one message that is late ends an episode,
_ROUNDING = 0.99     # but for a period that is not quite what it was meant to be
_LATCHED = 10.0      # periods in max_age, at under a fifth of the control rate: said when it
_SELDOM = 0.2        # changes, and in force until then
_MISSING = 1.0       # [s] and
_MISSING_SHARE = 0.02  # of the bag that a stream may start late or stop early
_EARLY = 0.01        # [s] before its stamp that a message is received: no rounding, other clocks


def stream_remarks(report: dict) -> list[str]:
    """Return the remarks on the streams of a quality report, topic by topic, bags merged."""
    found = []
    for (role, topic), pairs in by_topic(report['bags']).items():
        pairs = [(bag, stream) for bag, stream in pairs if stream['messages']]
        for check in (_few, _gaps, _covers, _slow, _max_age, _late, _early, _stamps):
            text = check(role, pairs, report)
            found += [f"'{topic}' {text}"] if text else []
    return found


def where(files, bags: list[dict]) -> str:
    """Return ' in ...' for the bags that something was found in; '' when there is but one."""
    files = list(dict.fromkeys(files))
    if len(bags) == 1:
        return ''
    if len(files) == 1:
        return f" in '{files[0]}'"
    return f' in all {len(bags)} bags' if len(files) == len(bags) else (
        f' in {len(files)} of {len(bags)} bags')


def _few(role, pairs, report) -> str:
    short = [(bag, stream) for bag, stream in pairs if stream['messages'] < stream['declared']]
    if not short:
        return ''
    lost = sum(stream['declared'] - stream['messages'] for _, stream in short)
    return (f'lacks {lost:,} messages that were declared'
            f"{where((bag['file'] for bag, _ in short), report['bags'])}.")


def _gaps(role, pairs, report) -> str:
    gaps = [(length, start - bag['start'], bag['file'], len(stream['gaps']) >= GAPS_KEPT)
            for bag, stream in pairs for start, length in stream['gaps']]
    if not gaps or role not in ('observation', 'action'):
        return ''
    longest, start, file, _ = max(gaps)
    number = f"{len(gaps)}{' or more' if any(gap[3] for gap in gaps) else ''} gaps"
    place = f" of '{file}'" if len(report['bags']) > 1 else ''
    text = (f'stops and comes back: a gap of {seconds(longest)} at {start:.1f} s{place}.'
            if len(gaps) == 1 else
            f'stops and comes back: {number}{where((gap[2] for gap in gaps), report["bags"])}, '
            f'the longest of {seconds(longest)} at {start:.1f} s{place}.')
    limit = pairs[0][1]['max_age']
    if longest <= limit:
        return f'{text} Within its max_age ({seconds(limit)}) the last message counts on.'
    if role == 'observation':
        return f'{text} Episodes end there: what is older than {seconds(limit)} is not used.'
    return (f'{text} From {seconds(limit)} on (max_age) no command is in force and episodes end. '
            'If the robot held its last command meanwhile, raise max_age; if it stopped by '
            'itself, leave it.')


def _covers(role, pairs, report) -> str:
    if role not in ('observation', 'action'):
        return ''
    cut = []
    for bag, stream in pairs:
        margin = max(_MISSING, _MISSING_SHARE * (bag['end'] - bag['start']))
        late, early = stream['first'] - bag['start'], bag['end'] - stream['last']
        if early <= stream['max_age']:
            early = 0.0  # its last message counts on
        if late > margin or early > margin:
            cut.append((late + early, late, early, bag['file']))
    if not cut:
        return ''
    _, late, early, file = max(cut)
    parts = [f'begins {seconds(late)} after' if late > _MISSING else '',
             f'ends {seconds(early)} before' if early > _MISSING else '']
    worst = f" (most in '{file}')" if len(cut) > 1 else ''
    return (f"{' and '.join(filter(None, parts))} the other streams"
            f'{where((each[3] for each in cut), report["bags"])}{worst}: nothing of that time'
            + (f", beyond its max_age ({seconds(pairs[0][1]['max_age'])})," if early else '')
            + ' can be used.')


def _slow(role, pairs, report) -> str:
    if role not in ('observation', 'action'):
        return ''
    slow = [(stream['rate'], bag['file']) for bag, stream in pairs
            if stream['rate'] and stream['rate'] < SLOW * report['control_rate']
            and not _latched(stream, report['control_rate'])]
    if not slow:
        return ''
    rate = min(slow)[0]
    ticks = report['control_rate'] / rate
    what = (f'each command is in force for {ticks:.1f} ticks' if role == 'action' else
            f'each message is seen at {ticks:.1f} ticks, ever older')
    return (f'comes at {rate:.3g} Hz, slower than the control rate of '
            f"{report['control_rate']:g} Hz{where((each[1] for each in slow), report['bags'])}: "
            f'{what}. A control_rate of {rate:.3g} or less would do.')


def _latched(stream: dict, control_rate: float) -> bool:
    """Say whether a stream is sent when it changes, and may be as old as it likes."""
    return (stream['max_age'] >= _LATCHED * stream['period']
            and 0 < stream['rate'] < _SELDOM * control_rate)


def _max_age(role, pairs, report) -> str:
    limit = pairs[0][1]['max_age'] if pairs else None
    tight = [(stream['period'], bag['file']) for bag, stream in pairs
             if limit is not None and limit < _ROUNDING * _PERIODS * stream['period']
             and not _lockstep(stream)]
    if not tight or role not in ('observation', 'action'):
        return ''
    period = max(tight)[0]
    return (f'comes every {seconds(period)}; max_age allows {seconds(limit)}, under {_PERIODS} '
            f'periods{where((each[1] for each in tight), report["bags"])}, so that one late '
            f'message ends an episode. Set max_age: {1.05 * _PERIODS * period:.2g} or more.')


def _lockstep(stream: dict) -> bool:
    """Say whether every message lay on its tick, as those of a simulator in lockstep."""
    return stream['age'] is not None and stream['age']['p99'] == 0


def _late(role, pairs, report) -> str:
    late = [(lateness(stream), bag['file']) for bag, stream in pairs
            if stream['stamp'] == 'header' and lateness(stream) is not None
            and lateness(stream) > report['settle']]
    if not late or role != 'observation':
        return ''
    worst = max(late)[0]
    remedy = f'Set settle: {1.1 * worst:.2g} (it acts that much later), or stamp: receive.'
    if 1.1 * worst >= 1 / report['control_rate']:
        remedy = 'No tick is long enough to wait for that: say stamp: receive.'
    return (f"is received up to {seconds(worst)} after its header's stamp (99 % of the messages)"
            f'{where((each[1] for each in late), report["bags"])}, longer than `settle` '
            f"({seconds(report['settle'])}): live, the policy acts before it has what this "
            f'dataset shows it. {remedy}')


def _early(role, pairs, report) -> str:
    early = [(stream['offset']['median'], bag['file']) for bag, stream in pairs
             if lateness(stream) is not None and stream['offset']['median'] < -_EARLY]
    if not early or role not in ('observation', 'action'):
        return ''
    return (f"is received {seconds(-min(early)[0])} before its header's stamp"
            f'{where((each[1] for each in early), report["bags"])}: two clocks that differ. '
            'Commands and observations are that far out of step; stamp: receive avoids it.')


def _stamps(role, pairs, report) -> str:
    texts = []
    for key, text in (('unset', 'header stamps of zero'),
                      ('backwards', 'stamps earlier than the one before')):
        found = [(bag, stream) for bag, stream in pairs if stream[key] > (key == 'unset')]
        files = [bag['file'] for bag, _ in found]  # the first of simulated time may be zero
        if files:
            count = sum(stream[key] for _, stream in found)
            texts.append(f'has {count:,} {text}{where(files, report["bags"])}.')
    other = [(stream['offset']['median'], bag['file'], stream['stamp']) for bag, stream in pairs
             if stream['offset'] and abs(stream['offset']['median']) >= OTHER_CLOCK]
    if other:
        offset, _, used = other[0]
        side = 'before' if offset > 0 else 'after'
        consequence = (
            'Simulated time, or a clock that was never set. The receive time places it instead: '
            'when the recorder got it, which is later than when it was measured.'
            if used == 'receive' else 'All streams must be on that clock; how late a message '
            'comes cannot be told.')
        texts.append(f'has header stamps {seconds(abs(offset))} {side} the receive time'
                     f'{where((each[1] for each in other), report["bags"])}. {consequence}')
    return ' Also, it '.join(texts)
