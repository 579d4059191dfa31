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

"""The quality report of a conversion in words: what is suspicious, and the terminal's text."""

import textwrap

from iql_ros.data.bags.quality.stream_remarks import SLOW, stream_remarks, where
from iql_ros.data.bags.quality.tables import (
    ACTION_HEADER, action_rows, bag_line, counted, delay_lines, followed, merged_delays, seconds,
    STREAM_HEADER, stream_rows)
from iql_ros.data.oddities import flips_in_words, in_words, KINDS, Oddity
from iql_ros.text_table import aligned

_UNUSED = 0.1            # of the ticks; bags mostly begin and end with some that are not used
_FEW = 1000              # transitions; tasks that were learned offline took some thousands
_SHORT = 10              # steps: in less, most of an episode's value is guessed from its end
_SHORT_SHARE = 0.25      # of the episodes that are that short
_SATURATED = 0.2         # of the actions: the driver wanted more than low/high can say
_SWITCH = 0.999          # of the actions: it is on or off, as it should be
_BEYOND = 1.01           # of the range, from which an action was out of it and not rounded
_NARROW = 0.1            # of the range: the policy may then do what was never tried
_REPEATED = 0.6          # of the ticks: held for some 2.5 ticks, a lower rate loses little
_DELAY_PERIODS = 2.0     # between an action and its effect; beyond, others are blamed for it
_TICK_CHANGE = 0.05      # of what an observation varies; at 0.01 to 0.02 a docking robot's
#                          advantages drowned in noise, at 0.05 it was learned
_ENOUGH_SECONDS = 20.0   # of driving, in which an effect should be seen
_SEEN = 0.5              # correlation of an action with what follows within a tick: seen to act
_RATES = (0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)
_NAMED = 5               # values in one remark, before "and n more"
_DETAILED = 3            # bags that have a table of streams each
_NOTES = 3               # of a bag that are shown
_WIDTH = 100


def remarks(report: dict) -> list[str]:
    """
    Return what is suspicious about converted bags, in words, with figures and what to do.

    The report is that of quality_report.py, in which its own remarks are missing still.
    """
    return [*_use(report), *_episodes(report), *_effects(report), *stream_remarks(report),
            *_actions(report), *_observations(report), *_oddities(report)]


def _use(report: dict):
    bags = report['bags']
    ticks, used = (sum(bag[key] for bag in bags) for key in ('ticks', 'used'))
    dropped = counted(bags, 'dropped')
    lost = sum(count for _, count in dropped)
    if ticks and lost > _UNUSED * ticks:
        reasons = '; '.join(f'{count:,} with {reason}' if reason.startswith('no ') else
                            f'{count:,} {reason}' for reason, count in dropped[:3])
        yield (f'{lost / ticks:.0%} of the recording was not used: of {ticks:,} ticks, {reasons}.')
    empty = [bag['file'] for bag in bags if not bag['used']]
    if empty and used:
        yield f'No transition comes from {_named(empty)}.'
    if used < _FEW:
        yield (f"Only {used:,} transitions ({seconds(used / report['control_rate'])}): tasks that "
               'were learned offline took thousands. Record more.')


def _episodes(report: dict):
    episodes = [episode for bag in report['bags'] for episode in bag['episodes']]
    short = sum(episode['steps'] < _SHORT for episode in episodes)
    if episodes and short >= _SHORT_SHARE * len(episodes):
        ended = counted(report['bags'], 'ended')
        yield (f'{short:,} of {len(episodes):,} episodes are shorter than {_SHORT} steps; most '
               f"often they end by '{ended[0][0]}' ({ended[0][1]:,}).")
    terminated = any(episode['ended'] in ('terminated', 'success', 'failure')
                     for episode in episodes)
    pays = report['rewards']
    if episodes and not terminated and pays['minimum'] == pays['maximum']:
        yield (f"Every episode pays {pays['minimum']:.4g} a step and none is terminated by its "
               'task or a person: no action is better than another, and nothing can be learned.')


def _effects(report: dict):
    bags, rate = report['bags'], report['control_rate']
    moving = [action['name'] for action in report['actions']
              if action['minimum'] < action['maximum']]
    at_once = {name for name in moving if report['tick_correlations'][name] >= _SEEN}
    pairs = merged_delays(bags)
    if not pairs and not at_once:
        if moving and sum(bag['used'] for bag in bags) / rate >= _ENOUGH_SECONDS:
            yield ('No action is seen to move any observation: too little driving, clocks that '
                   'differ, commands that were not executed, or observations that do not show '
                   'what the action moves. Add a stream that does (odometry, joint states).')
        return
    strongest = {}
    for pair in pairs:
        strongest.setdefault(pair['action'], pair)
    unseen = [name for name in moving if name not in strongest and name not in at_once]
    if unseen:
        yield f'No effect on any observation is seen of {_named(unseen)}.'
    if not pairs:
        return
    late = sorted((pair for pair in strongest.values()
                   if pair['delay'] * rate > _DELAY_PERIODS), key=lambda pair: -pair['delay'])
    if late:
        pair, periods = late[0], late[0]['delay'] * rate
        yield (f"{pair['action']} shows in {followed(pair)} only after {seconds(pair['delay'])}, "
               f'{periods:.1f} periods of the control rate of {rate:g} Hz: by then the policy has '
               'acted again and again, and no single action can be credited. A control_rate of '
               f"{_rate_below(_DELAY_PERIODS / pair['delay'])} or less would do.")
    liveliest = max(pairs, key=lambda pair: pair['tick_change'])
    change = liveliest['tick_change']
    if change < _TICK_CHANGE:
        yield (f"In one tick {liveliest['observation']} changes by {change:.1%} of what it "
               'varies, and nothing else that the actions move by more: one action hardly '
               'matters, and its advantage is lost in noise. A control_rate of '
               f'{_rate_below(rate * change / _TICK_CHANGE)} or less would do.')


def _rate_below(rate: float) -> str:
    """Return the highest usual rate [Hz] that is not above one."""
    return f'{max((usual for usual in _RATES if usual <= rate), default=rate):.2g}'


def _actions(report: dict):
    slow = [stream['topic'] for bag in report['bags'] for stream in bag['streams']
            if stream['role'] == 'action' and 0 < stream['rate'] < SLOW * report['control_rate']]
    for action in report['actions']:
        name, low, high = action['name'], action['low'], action['high']
        seen = f"{action['minimum']:.4g} to {action['maximum']:.4g}"
        middle, half = (low + high) / 2, (high - low) / 2
        if action['minimum'] == action['maximum']:
            yield (f"{name} is always {action['minimum']:.4g}: nothing can be learned about it. "
                   'Leave it out.')
            continue
        if max(abs(action[key] - middle) for key in ('minimum', 'maximum')) > _BEYOND * half:
            yield (f'{name} goes beyond low and high ({low:g} to {high:g}; seen {seen}): what is '
                   'beyond is clipped. Widen them.')
        elif _SATURATED < action['saturated'] < _SWITCH:
            yield (f'{name} lies at low or high ({low:g} or {high:g}) at '
                   f"{action['saturated']:.0%} of the ticks. Check that these are what the robot "
                   'can do: a policy cannot ask for more.')
        if action['maximum'] - action['minimum'] < _NARROW * 2 * half:
            yield (f'{name} uses little of its range ({low:g} to {high:g}; seen {seen}): most of '
                   'what the policy could do was never tried. Narrow low and high.')
    repeated = [action for action in report['actions']
                if action['constant'] > _REPEATED and action['minimum'] < action['maximum']
                and not any(topic.endswith(action['name'].split()[0]) for topic in slow)]
    if repeated:
        share = max(action['constant'] for action in repeated)
        yield (f"{_named(action['name'] for action in repeated)}: the same as the tick before at "
               f'up to {share:.0%} of the ticks. So few new decisions suggest a lower '
               'control_rate.')


def _observations(report: dict):
    constant = [value['name'] for value in report['observations'] if value['constant']]
    if constant:
        yield (f"{_named(constant)}: never change{'s' if len(constant) == 1 else ''}, so they say "
               'nothing. Leave them out, or record where they do change.')


def _oddities(report: dict):
    """Say what is odd about values, each in the words of the bag where there is most of it."""
    bags, found, flipped = report['bags'], {}, {}
    for bag in bags:
        for odd in bag['odd']:
            for key in KINDS:
                if odd[key]:
                    found.setdefault((odd['name'], key), []).append((bag['file'], odd))
        for name, count in bag['flips'].items():
            flipped.setdefault(name, []).append((bag['file'], count))
    for (name, key), pairs in found.items():
        _, odd = max(pairs, key=lambda pair: pair[1][key])
        others = dict.fromkeys(set(KINDS) - {key}, 0)
        text, = in_words(name, Oddity(**{**_without_name(odd), **others}), 'ticks')
        yield f'{text}{where((file for file, _ in pairs), bags)}.'
    for name, pairs in flipped.items():
        text = flips_in_words(name, sum(count for _, count in pairs))
        yield f'{text}{where((file for file, _ in pairs), bags)}.'


def _without_name(odd: dict) -> dict:
    return {key: value for key, value in odd.items() if key != 'name'}


def _named(names) -> str:
    names = list(names)
    more = f' and {len(names) - _NAMED:,} more' if len(names) > _NAMED else ''
    return ', '.join(names[:_NAMED]) + more


def quality_text(report: dict) -> str:
    """Return the quality report for a terminal, a few lines a bag."""
    bags, lines = report['bags'], []
    detailed = len(bags) <= _DETAILED
    for bag in bags:
        lines += [bag_line(bag), *_indented(
            [('dropped', _counts([bag], 'dropped')), ('ended', _counts([bag], 'ended'))]
            if detailed else [])]
        lines += [f'  note: {note}' for note in bag['notes'][:_NOTES]]
        if len(bag['notes']) > _NOTES:
            lines.append(f"  and {len(bag['notes']) - _NOTES} notes more")
        if detailed:
            lines += ['', *_table([STREAM_HEADER, *stream_rows([bag])]), '']
    if not detailed:
        lines += ['', *_indented([('dropped', _counts(bags, 'dropped')),
                                  ('ended', _counts(bags, 'ended'))]),
                  '', *_table([STREAM_HEADER, *stream_rows(bags)]), '']
    lines += [*_table([ACTION_HEADER, *action_rows(report['actions'])]), '']
    delays = delay_lines(bags)
    lines += [*delays, ''] if delays else []
    return '\n'.join([*lines, *_remark_lines(report['remarks'])])


def _remark_lines(texts: list[str]) -> list[str]:
    if not texts:
        return ['nothing suspicious was found']
    return ['what is suspicious:', *[line for text in texts for line in textwrap.wrap(
        text, _WIDTH, initial_indent='  - ', subsequent_indent='    ', break_long_words=False,
        break_on_hyphens=False)]]


def _counts(bags: list[dict], key: str) -> str:
    return '; '.join(f'{count:,} {reason}' for reason, count in counted(bags, key))


def _indented(rows) -> list[str]:
    return [f'  {name}: {text}' for name, text in rows if text]


def _table(rows) -> list[str]:
    return [f'  {line}' for line in aligned(rows)]
