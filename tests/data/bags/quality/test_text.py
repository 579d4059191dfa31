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

"""Tests for text.py, stream_remarks.py and tables.py."""

import copy

import pytest

from iql_ros.data.bags.quality.tables import bag_line, merged_delays, seconds, stream_rows
from iql_ros.data.bags.quality.text import quality_text, remarks


def stream(topic, role, **changes):
    """Return a stream of 100 s at 20 Hz in which nothing is wrong."""
    return {'messages': 2000, 'declared': 2000, 'first': 1000.0, 'last': 1100.0, 'rate': 20.0,
            'period': 0.05, 'jitter': 0.001, 'gaps': [], 'constant': False, 'unset': 0,
            'backwards': 0, 'offset': {'median': 0.001, 'p01': 0.0, 'p99': 0.002},
            'activity': {'width': 0.4, 'bins': [[1000.0 + 0.4 * n, 8] for n in range(250)]},
            'topic': topic, 'type': 'some_msgs/msg/Type', 'role': role, 'stamp': 'header',
            'max_age': 0.2, 'age': {'edges': [0.0, 0.05, 0.1], 'counts': [900, 100], 'p99': 0.06}
            if role == 'observation' else None, **changes}


def bag(file='drive.bag', **changes):
    return {'file': file, 'start': 1000.0, 'end': 1100.0,
            'streams': [stream('/odom', 'observation'), stream('/cmd_vel', 'action')],
            'ticks': 1000, 'used': 990, 'dropped': {'no odom young enough': 8},
            'ended': {'terminated': 1, 'time limit': 1},
            'episodes': [{'start': 1001.0, 'steps': 500, 'return': -400.0, 'ended': 'time limit'},
                         {'start': 1051.0, 'steps': 490, 'return': -90.0, 'ended': 'terminated'}],
            'delays': [{'action': 'cmd_vel x', 'observation': 'odom x', 'rate_of_change': False,
                        'delay': 0.12, 'correlation': 0.83, 'tick_change': 0.2,
                        'curve': {'first': -0.5, 'step': 0.02, 'values': [0.0] * 30 + [0.83]
                                  + [0.0] * 120}}],
            'odd': [], 'flips': {}, 'notes': [], **changes}


def action(**changes):
    return {'name': 'cmd_vel x', 'low': -1.0, 'high': 1.0, 'minimum': -0.9, 'maximum': 0.95,
            'saturated': 0.05, 'constant': 0.1, **changes}


def report(*bags, **changes):
    """Return a report in which nothing is wrong."""
    bags = list(bags) or [bag(), bag('second.bag')]
    return {'robot': 'toy', 'control_rate': 10.0, 'settle': 0.005,
            'rewards': {'minimum': -1.0, 'maximum': 0.0},
            'transitions': sum(one['used'] for one in bags),
            'episodes': sum(len(one['episodes']) for one in bags), 'bags': bags,
            'actions': [action()], 'observations': [
                {'name': 'odom x', 'minimum': 0.0, 'maximum': 1.0, 'constant': False}],
            'tick_correlations': {'cmd_vel x': 0.1, 'cmd_vel y': 0.1}, 'remarks': [], **changes}


def with_stream(role, **changes):
    """Return a report of which one stream of the first bag differs."""
    made = report()
    place = ['observation', 'action'].index(role)
    made['bags'][0]['streams'][place].update(changes)
    return made


def test_good_data_gets_no_remark():
    assert remarks(report()) == []


@pytest.mark.parametrize('changed, said', [
    (with_stream('action', gaps=[[1013.0, 4.06], [1050.0, 1.0]]),
     "'/cmd_vel' stops and comes back: 2 gaps in 'drive.bag', the longest of 4.06 s at 13.0 s"),
    (with_stream('action', gaps=[[1013.0, 4.06]]), 'raise max_age'),
    (with_stream('observation', gaps=[[1013.0, 4.06]]), 'older than 200 ms is not used'),
    (with_stream('action', gaps=[[1013.0, 0.6]], max_age=1.0), 'the last message counts on'),
    (with_stream('action', first=1004.5), "'/cmd_vel' begins 4.5 s after the other streams in"),
    (with_stream('observation', last=1090.0), "'/odom' ends 10 s before the other streams"),
    (with_stream('observation', rate=5.0, max_age=0.4), 'each message is seen at 2.0 ticks'),
    (with_stream('action', rate=2.5), 'A control_rate of 2.5 or less would do'),
    (with_stream('observation', max_age=0.06), 'Set max_age: 0.079 or more'),
    (with_stream('observation', offset={'median': 0.01, 'p01': 0.0, 'p99': 0.062}),
     'received up to 62 ms after its header'),
    (with_stream('observation', offset={'median': 0.01, 'p01': 0.0, 'p99': 0.062}),
     'Set settle: 0.068'),
    (with_stream('observation', offset={'median': 0.1, 'p01': 0.0, 'p99': 0.2}),
     'No tick is long enough'),
    (with_stream('observation', offset={'median': -0.03, 'p01': -0.04, 'p99': 0.0}),
     "received 30 ms before its header's stamp in 'drive.bag': two clocks"),
    (with_stream('observation', offset={'median': 1.7e9, 'p01': 1.7e9, 'p99': 1.7e9},
                 stamp='receive'), 'header stamps 1,700,000,000 s before the receive time'),
    (with_stream('observation', unset=12), 'has 12 header stamps of zero in'),
    (with_stream('action', backwards=3), 'has 3 stamps earlier than the one before'),
    (with_stream('action', messages=1900), 'lacks 100 messages that were declared'),
    (report(bag(used=700, dropped={'no command in force': 290})),
     '29% of the recording was not used: of 1,000 ticks, 290 with no command in force'),
    (report(bag(), bag('empty.bag', used=0)), 'No transition comes from empty.bag'),
    (report(bag(used=100)), 'Only 100 transitions (10 s)'),
    (report(bag(episodes=[{'start': 1001.0, 'steps': 4, 'return': 1.0, 'ended': 'time limit'}])),
     '1 of 1 episodes are shorter than 10 steps'),
    (report(bag(episodes=[{'start': 1001.0, 'steps': 50, 'return': -50.0, 'ended': 'end of bag'},
                          {'start': 1050.0, 'steps': 40, 'return': -40.0, 'ended': 'trip'}]),
            rewards={'minimum': -1.0, 'maximum': -1.0}),
     'Every episode pays -1 a step and none is terminated'),
    (report(bag(delays=[])), 'No action is seen to move any observation'),
    (report(actions=[action(), action(name='cmd_vel y')]), 'No effect on any observation is seen '
     'of cmd_vel y'),
    (report(control_rate=50.0), 'cmd_vel x shows in odom x only after 120 ms, 6.0 periods'),
    (report(control_rate=50.0), 'A control_rate of 15 or less would do'),
    (report(bag(delays=[{**bag()['delays'][0], 'tick_change': 0.02}])),
     'In one tick odom x changes by 2.0% of what it varies'),
    (report(bag(delays=[{**bag()['delays'][0], 'tick_change': 0.02}])),
     'A control_rate of 4 or less would do'),
    (report(actions=[action(minimum=0.5, maximum=0.5)]), 'cmd_vel x is always 0.5'),
    (report(actions=[action(saturated=0.31)]), 'lies at low or high (-1 or 1) at 31%'),
    (report(actions=[action(maximum=1.4, saturated=0.31)]), 'goes beyond low and high'),
    (report(actions=[action(minimum=0.0, maximum=0.1)]), 'uses little of its range'),
    (report(actions=[action(constant=0.8)]), 'the same as the tick before at up to 80%'),
    (report(observations=[{'name': f'odom {n}', 'minimum': 0.0, 'maximum': 0.0, 'constant': True}
                          for n in range(7)]), 'odom 4 and 2 more: never change, so'),
])
def test_what_is_wrong_is_said_with_figures(changed, said):
    assert any(said in text for text in remarks(changed)), remarks(changed)


def test_a_simulator_in_lockstep_may_have_a_short_max_age():
    lockstep = report(bag())
    lockstep['bags'][0]['streams'][0].update(max_age=0.06)
    assert len(remarks(lockstep)) == 2
    lockstep['bags'][0]['streams'][0]['age'] = {'edges': [0.0, 1e-6], 'counts': [9], 'p99': 0.0}
    text, = remarks(lockstep)
    assert 'Only 990 transitions' in text


def test_a_slow_command_is_not_said_to_repeat_itself_as_well():
    slow = with_stream('action', rate=2.5)
    slow['actions'] = [action(constant=0.75)]
    assert [text for text in remarks(slow) if 'as the tick before' in text] == []


def test_the_same_fault_of_many_bags_is_one_remark():
    bags = [bag(f'{n}.bag') for n in range(40)]
    for one in bags[:12]:
        one['streams'][1]['gaps'] = [[1020.0, 2.0]]
    text, = remarks(report(*bags))
    assert '12 gaps in 12 of 40 bags' in text


def test_a_bag_without_any_tick_gets_remarks_too():
    nothing = bag(ticks=0, used=0, dropped={}, ended={}, episodes=[], delays=[])
    nothing['streams'][1].update(messages=0, first=None, last=None, age=None, offset=None,
                                 rate=0.0, period=0.0)
    empty = report(nothing, actions=[], observations=[])
    assert 'Only 0 transitions' in remarks(empty)[0]
    assert 'drive.bag: 100 s, 0 of 0 ticks used (0%), 0 episodes' in quality_text(empty)


def test_the_text_has_the_streams_of_few_bags_one_by_one():
    made = with_stream('observation', messages=1900)
    made['remarks'] = ['something ' * 30]
    lines = quality_text(made).splitlines()
    assert lines[0] == 'drive.bag: 100 s, 990 of 1,000 ticks used (99%), 2 episodes'
    assert '  dropped: 8 no odom young enough' in lines
    assert '  ended: 1 terminated; 1 time limit' in lines
    rows = [line.split() for line in lines]
    assert ['/odom', 'observation', '1,900', 'of', '2,000', '20', 'Hz', '1', 'ms', '60', 'ms',
            '200', 'ms', '2', 'ms'] in rows
    assert sum(row[:1] == ['/cmd_vel'] for row in rows) == 2
    assert 'cmd_vel x leads odom x by 120 ms (r 0.83, 2 of 2 bags)' in lines
    assert max(map(len, lines)) <= 100
    made['remarks'] = []
    assert quality_text(made).endswith('nothing suspicious was found')


def test_the_text_of_forty_bags_is_still_read():
    bags = [bag(f'{n}.bag', notes=[f'note {m}' for m in range(n % 2 * 9)]) for n in range(40)]
    bags[7]['streams'][0].update(rate=10.0, age={'edges': [0.0, 1.0], 'counts': [1], 'p99': 0.19})
    lines = quality_text(report(*bags)).splitlines()
    rows = [' '.join(line.split()) for line in lines]
    assert '/odom observation 80,000 10 to 20 Hz 1 ms 190 ms 200 ms 2 ms' in rows
    assert sum(row.startswith('/cmd_vel') for row in rows) == 1
    assert rows.count('and 6 notes more') == 20
    assert len(lines) < 40 + 20 * 4 + 20


def test_rows_merge_what_bags_say_of_the_same_topic_and_pair():
    first, second = bag(), bag('second.bag')
    second['delays'] = [{**second['delays'][0], 'delay': 0.16}]
    assert merged_delays([first, second])[0]['delay'] == pytest.approx(0.14)
    assert merged_delays([first, second])[0]['bags'] == 2
    second['streams'][0]['offset'] = {'median': 500.0, 'p01': 500.0, 'p99': 500.0}
    assert stream_rows([second])[0][-1] == 'other clock'
    assert stream_rows([first, second])[0][-1] == '2 ms'


def test_times_have_units_that_suit_them():
    assert [seconds(value) for value in (0.000471, 0.0618, 0.344, 4.061, 600.0, 1714557222.0)] == [
        '0.471 ms', '61.8 ms', '344 ms', '4.06 s', '600 s', '1,714,557,222 s']
    assert bag_line(bag(episodes=[bag()['episodes'][0]])).endswith('1 episode')


def test_a_report_is_left_as_it_is():
    made = report()
    before = copy.deepcopy(made)
    remarks(made), quality_text(made)
    assert made == before


def test_an_action_that_is_seen_to_act_within_a_tick_is_not_said_to_move_nothing():
    said = remarks(report(bag(delays=[]), tick_correlations={'cmd_vel x': 0.9}))
    assert not any('No action is seen' in text for text in said)
    seen, unseen = action(name='cmd_vel y'), action(name='cmd_vel z')
    said = remarks(report(actions=[action(), seen, unseen], tick_correlations={
        'cmd_vel x': 0.0, 'cmd_vel y': 0.8, 'cmd_vel z': 0.1}))
    assert [text for text in said if 'No effect' in text] == [
        'No effect on any observation is seen of cmd_vel z.']


def test_a_stream_that_is_sent_when_it_changes_is_neither_slow_nor_early_at_its_end():
    seldom = {'rate': 0.1, 'period': 10.0, 'messages': 5, 'declared': 5, 'last': 1060.0}
    assert remarks(with_stream('action', **seldom, max_age=100_000.0)) == []
    said = remarks(with_stream('action', **seldom, max_age=20.0))
    assert any('comes at 0.1 Hz' in text for text in said)
    assert any('ends 40 s before' in text for text in said)


def test_oddities_are_told_in_the_words_of_the_bag_that_has_most_of_them():
    usual = {'count': 990, 'low': 0.0, 'high': 1.0, 'outside': 0, 'outside_at': 0.0,
             'farthest': 0.0, 'jumps': 0, 'jump_at': 0.0, 'jump_by': 0.0, 'usual_step': 0.01,
             'blips': 0, 'blip_at': 0.0, 'wraps': 0}
    one = {'name': 'odom x', **usual, 'jumps': 1, 'jump_at': 3.0, 'jump_by': 2.0}
    two = {'name': 'odom x', **usual, 'jumps': 4, 'jump_at': 7.0, 'jump_by': 5.0}
    said = remarks(report(bag(odd=[one], flips={'odom q': 2}), bag('second.bag', odd=[two])))
    assert said[0] == ('odom x jumps 4 times, most by 5 at 7.000 s (99 % of its changes are under '
                       '0.01) in all 2 bags.')
    assert said[1].startswith('odom q changes the sign of its quaternion 2 times')
    assert said[1].endswith("in 'drive.bag'.")
