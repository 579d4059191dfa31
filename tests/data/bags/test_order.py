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

"""Tests for bags/order.py."""

from iql_ros.data.bags.order import in_order, Sample

SECOND = 1_000_000_000


def sample(stamp, received, number=0):
    return Sample(round(stamp * SECOND), number, round(received * SECOND), 'observation', 0, None)


def stamps(samples):
    return [None if one is None else one.stamp_ns / SECOND for one in in_order(samples)]


def test_samples_come_in_order_of_their_stamps():
    assert stamps([sample(2.0, 2.0), sample(1.9, 2.1), sample(2.2, 2.2)]) == [1.9, 2.0, 2.2]


def test_equal_stamps_come_as_they_were_received():
    first, second = sample(1.0, 1.0, number=0), sample(1.0, 1.1, number=1)
    assert list(in_order([first, second])) == [first, second]


def test_a_sample_is_held_for_seconds_and_no_longer():
    taken = []

    def source():
        for second in range(20):
            taken.append(second)
            yield sample(second, second)
    assert next(in_order(source())).stamp_ns == 0
    assert taken == [0, 1, 2, 3, 4, 5]


def test_a_clock_set_back_begins_a_new_order():
    assert stamps([sample(9.0, 1.0), None, sample(0.5, 1.1), sample(0.4, 1.2)]) == [
        9.0, None, 0.4, 0.5]
