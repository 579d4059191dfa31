"""Tests for bags/reader.py, rosbag.py and bags/survey.py: damage anywhere, see fuzz_bags.py."""

import pytest

from tests.data.bags.fuzz_bags import fuzz, KINDS


@pytest.mark.parametrize('job, mutations, commands', [('convert', 44, 2), ('inspect', 11, 0)])
def test_a_bag_damaged_anywhere_loads_right_or_is_refused_on_one_line(tmp_path, job, mutations,
                                                                      commands):
    ends, faults, _, _ = fuzz(tmp_path, mutations, commands, seed=1, job=job)
    assert faults == []
    assert list(ends) == list(KINDS)
