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

"""Tests for bags/statistics.py."""

import json

import numpy as np
import pytest

from iql_ros.data.bags.statistics import Activity, Decimated, StreamStatistics

SECOND = 1_000_000_000


def summary(times, stamps=None, by_header=False):
    """Return the figures of messages received at `times` [s], stamped `stamps` [s]."""
    statistics = StreamStatistics(by_header)
    for index, time in enumerate(times):
        stamp = None if stamps is None else round(stamps[index] * SECOND)
        statistics.add(round(time * SECOND), stamp)
    result = statistics.summary()
    json.dumps(result, allow_nan=False)
    return result


def test_a_short_sequence_is_kept_whole_and_a_long_one_evenly():
    short, long = Decimated(), Decimated()
    for value in range(100):
        short.add(value)
    for value in range(1_000_000):
        long.add(value)
    assert short.values().tolist() == list(range(100))
    kept = long.values()
    assert 4000 < len(kept) <= 8192
    assert len(set(np.diff(kept).tolist())) == 1  # one stride
    assert kept[0] < 300 and kept[-1] > 999_500


def test_values_taken_together_are_kept_as_one_by_one():
    rng, one_by_one, together = np.random.default_rng(0), Decimated(), Decimated()
    for _ in range(60):
        values = rng.integers(0, 1000, int(rng.integers(0, 9000)))
        together.extend(values)
        for value in values.tolist():
            one_by_one.add(value)
        assert together.values().tolist() == one_by_one.values().tolist()


def test_the_activity_counts_every_message_in_bounded_memory():
    activity = Activity()
    for start in range(0, 100_000, 1000):
        activity.extend(np.arange(start, start + 1000) * SECOND // 20)
    width, bins = activity.bins()
    assert len(bins) <= 401 and sum(count for _, count in bins) == 100_000
    assert bins[0][0] == 0 and np.allclose(np.diff([start for start, _ in bins]), width)


def test_the_activity_stays_bounded_over_a_jump_of_the_clock():
    activity = Activity()
    for time in (0, 1_700_000_000 * SECOND, 1_700_000_001 * SECOND):
        activity.extend(np.array([time]))
    assert sum(count for _, count in activity.bins()[1]) == 3


def test_rate_period_and_jitter_of_an_even_stream():
    result = summary([0.1 * index for index in range(100)])
    assert result['messages'] == 100 and result['first'] == 0 and result['last'] == 9.9
    assert result['rate'] == pytest.approx(10) and result['period'] == pytest.approx(0.1)
    assert result['jitter'] == pytest.approx(0, abs=1e-9)
    assert result['gaps'] == [] and result['offset'] is None and not result['constant']


def test_a_pause_is_a_gap_where_it_begins_and_does_not_change_the_rate():
    times = [0.1 * index for index in range(100)]
    result = summary(times[:50] + [time + 4 for time in times[50:]])
    assert result['gaps'] == [[pytest.approx(4.9), pytest.approx(4.1)]]
    assert result['rate'] == pytest.approx(10) and result['jitter'] < 1e-6


def test_the_longest_gaps_are_kept_in_order_of_time():
    times, now = [], 0.0
    for pause in range(1, 21):
        times += [now + 0.1 * index for index in range(10)]
        now = times[-1] + pause
    gaps = summary(times)['gaps']
    assert [round(length) for _, length in gaps] == list(range(12, 20))
    assert gaps == sorted(gaps)


def test_a_pause_of_a_slow_stream_is_a_gap_only_when_it_is_long_for_it():
    assert summary([0, 5, 10, 15, 35])['gaps'] == []
    assert summary([0, 5, 10, 15, 20, 25, 55])['gaps'] == [[25.0, 30.0]]


def test_receive_minus_header_time():
    times = [0.1 * index for index in range(1, 101)]
    offset = summary(times, [time - 0.02 for time in times])['offset']
    assert all(offset[key] == pytest.approx(0.02) for key in ('median', 'p01', 'p99'))


def test_the_header_places_messages_only_where_asked():
    times, stamps = [10, 11, 12], [1.0, 1.5, 2.0]
    assert summary(times, stamps)['first'] == 10
    by_header = summary(times, stamps, by_header=True)
    assert (by_header['first'], by_header['last'], by_header['rate']) == (1, 2, 2)


def test_stamps_that_are_zero_equal_or_going_back_are_counted():
    zero = summary([1, 2, 3], [0, 0, 0], by_header=True)
    assert zero['unset'] == 3 and zero['constant']
    assert summary([1, 2, 3, 4], [1, 2, 1.5, 3], by_header=True)['backwards'] == 1


@pytest.mark.parametrize('times', [[], [1.0], [1.0, 1.0, 1.0]])
def test_too_few_messages_for_a_rate_have_none(times):
    result = summary(times)
    assert result['rate'] == 0 and result['messages'] == len(times) and result['gaps'] == []


@pytest.mark.parametrize('apart', [0.0005, 0.002])
def test_messages_that_come_in_pairs_have_the_rate_of_all(apart):
    times = np.sort(np.r_[np.arange(0, 20, 0.02), np.arange(0, 20, 0.02) + apart])
    found = summary(times)                          # one short interval more than long ones
    assert found['rate'] == pytest.approx(100, rel=0.02)
    assert found['bunched'] == pytest.approx(0.5, abs=0.01) and found['gaps'] == []
    for part in (times[1:], times[1:-1]):           # whichever interval is the median
        assert 50 < summary(part)['rate'] < 102


def test_even_and_jittery_streams_are_not_bunched():
    rng = np.random.default_rng(0)
    for times in (np.arange(500) / 50, np.arange(500) / 50 + rng.uniform(0, 0.015, 500)):
        found = summary(times)
        assert found['bunched'] == 0.0 and found['rate'] == pytest.approx(50, rel=0.05)
